//! EnterpriseModernAppManagement CSP (10.0.10586, all editions; HoloLens for the user only; management reference 7.15):
//! packaged apps.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameter::{self, Unfit};
use super::scope::Scope;
use super::value::HttpUrl;
use crate::proto::syncml::{Command, LocUri};
use crate::proto::xml::XmlWriter;

/// A packaged app to install from a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InstallApp {
    /// For everybody on the device, or for the user who enrolled.
    #[serde(default)]
    pub scope: Scope,
    /// Its family name: name, underscore, publisher id.
    #[schema(example = "Example.App_8wekyb3d8bbwe")]
    pub package_family_name: String,
    /// Where the device fetches the package.
    pub package_url: HttpUrl,
    /// Where the device fetches what it depends on, at most 20.
    #[serde(default)]
    pub dependencies: Vec<HttpUrl>,
    /// Options of the deployment as a number; for the user only.
    #[serde(default)]
    pub deployment_options: u32,
}

/// An app of the Microsoft Store to install for the user who enrolled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InstallStoreApp {
    /// Its family name: name, underscore, publisher id.
    #[schema(example = "Example.App_8wekyb3d8bbwe")]
    pub package_family_name: String,
    /// Its product id in the Store.
    #[schema(example = "9WZDNCRFJ3PT")]
    pub product_id: String,
    /// Its stock keeping unit.
    #[serde(default = "usual_sku")]
    #[schema(default = "0010")]
    pub sku_id: String,
}

/// A packaged app to remove.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveApp {
    /// For everybody on the device, or for the user who enrolled.
    #[serde(default)]
    pub scope: Scope,
    /// Where it came from.
    #[serde(default)]
    pub origin: Origin,
    /// Its family name: name, underscore, publisher id.
    #[schema(example = "Example.App_8wekyb3d8bbwe")]
    pub package_family_name: String,
    /// One version of it only.
    pub package_full_name: Option<String>,
}

/// Which packaged apps to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListApps {
    /// Those of the device, or of the user who enrolled.
    #[serde(default)]
    pub scope: Scope,
    /// Those that came from there; default: all.
    pub origin: Option<Origin>,
}

/// Where a packaged app came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Not from the Store: line-of-business apps.
    #[default]
    NonStore,
    /// From the Store.
    AppStore,
    /// With Windows.
    System,
}

impl Origin {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::NonStore, Self::AppStore, Self::System];

    /// Its name in the tree.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NonStore => "nonStore",
            Self::AppStore => "AppStore",
            Self::System => "System",
        }
    }
}

/// Where an installation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppProgress {
    /// 0: not begun.
    NotInstalled,
    /// 1: under way.
    Installing,
    /// 2: failed.
    Failed,
    /// 3: done.
    Installed,
}

impl AppProgress {
    /// Reads the value of the status node.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim() {
            "0" => Self::NotInstalled,
            "1" => Self::Installing,
            "2" => Self::Failed,
            "3" => Self::Installed,
            _ => return None,
        })
    }
}

/// The node of an installation.
#[must_use]
pub fn installation(scope: Scope, family_name: &str) -> LocUri {
    scope.csp("EnterpriseModernAppManagement/AppInstallation").join(family_name)
}

/// `Get` of how far an installation is.
#[must_use]
pub fn read(scope: Scope, family_name: &str) -> Vec<Command> {
    let root = installation(scope, family_name);
    ["Status", "LastError", "LastErrorDesc"].map(|name| Command::get(root.below(name))).into()
}

/// Longest family name or full name, in characters.
const LONGEST_NAME: usize = 255;
/// Dependencies of one app.
const MOST_DEPENDENCIES: usize = 20;

/// What a family name must be.
fn check_family(name: &str) -> Result<(), Unfit> {
    parameter::text("/package_family_name", name, LONGEST_NAME)?;
    match name.split_once('_') {
        Some((name, publisher)) if !name.is_empty() && !publisher.is_empty() => Ok(()),
        _ => Err(Unfit::new("/package_family_name", "must be a name, an underscore and the id of the publisher")),
    }
}

impl InstallApp {
    /// Whether Windows would take it.
    pub fn check(&self) -> Result<(), Unfit> {
        check_family(&self.package_family_name)?;
        if self.dependencies.len() > MOST_DEPENDENCIES {
            return Err(Unfit::new("/dependencies", format!("must have at most {MOST_DEPENDENCIES}")));
        }
        if self.deployment_options != 0 && self.scope == Scope::Device {
            return Err(Unfit::new("/deployment_options", "are for the scope user only"));
        }
        Ok(())
    }

    /// The node that takes the job.
    #[must_use]
    pub fn node(&self) -> LocUri {
        installation(self.scope, &self.package_family_name).below("HostedInstall")
    }

    /// `Add` of the installation, then `Exec` of it with the job.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        let root = installation(self.scope, &self.package_family_name);
        vec![Command::add_node(root, "node"), Command::exec_with(self.node(), "xml", &self.job())]
    }

    fn job(&self) -> String {
        let options = self.deployment_options.to_string();
        let mut attributes = vec![("PackageUri", self.package_url.as_str())];
        if self.scope == Scope::User {
            attributes.push(("DeploymentOptions", &options));
        }
        document("Application", &attributes, |xml| {
            if self.dependencies.is_empty() {
                return;
            }
            xml.element("Dependencies", &[], |xml| {
                for dependency in &self.dependencies {
                    xml.empty("Dependency", &[("PackageUri", dependency.as_str())]);
                }
            });
        })
    }
}

impl InstallStoreApp {
    /// Whether Windows would take it.
    pub fn check(&self) -> Result<(), Unfit> {
        check_family(&self.package_family_name)?;
        parameter::text("/product_id", &self.product_id, 64)?;
        parameter::text("/sku_id", &self.sku_id, 64)
    }

    /// The node that takes the job.
    #[must_use]
    pub fn node(&self) -> LocUri {
        installation(Scope::User, &self.package_family_name).below("StoreInstall")
    }

    /// `Add` of the installation, then `Exec` of it with the job.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        let root = installation(Scope::User, &self.package_family_name);
        let attributes = [("id", self.product_id.as_str()), ("flags", "0"), ("skuid", self.sku_id.as_str())];
        let job = document("Application", &attributes, |_| {});
        vec![Command::add_node(root, "node"), Command::exec_with(self.node(), "xml", &job)]
    }
}

impl RemoveApp {
    /// Whether these are names of an app.
    pub fn check(&self) -> Result<(), Unfit> {
        check_family(&self.package_family_name)?;
        parameter::optional_text("/package_full_name", self.package_full_name.as_deref(), LONGEST_NAME)
    }

    /// The node of the app.
    #[must_use]
    pub fn node(&self) -> LocUri {
        let family = inventory(self.scope).join(self.origin.name()).join(&self.package_family_name);
        match &self.package_full_name {
            Some(full) => family.join(full),
            None => family,
        }
    }
}

impl ListApps {
    /// One `Get` of the whole subtree for each origin.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        let origins = Origin::ALL.into_iter().filter(|origin| self.origin.is_none_or(|only| only == *origin));
        let query = |origin: Origin| {
            let node = inventory(self.scope).join(origin.name());
            Command::get(LocUri::received(&format!("{node}?list=StructData")))
        };
        origins.map(query).collect()
    }
}

/// The node below which the apps are.
#[must_use]
pub fn inventory(scope: Scope) -> LocUri {
    scope.csp("EnterpriseModernAppManagement/AppManagement")
}

fn document(root: &'static str, attributes: &[(&str, &str)], inside: impl FnOnce(&mut XmlWriter)) -> String {
    let mut xml = XmlWriter::new();
    xml.element(root, attributes, inside);
    String::from_utf8(xml.into_bytes()).unwrap_or_default()
}

fn usual_sku() -> String {
    "0010".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::{right, told};

    const FAMILY: &str = "Example.App_8wekyb3d8bbwe";

    fn install(more: &str) -> InstallApp {
        let json =
            format!(r#"{{"package_family_name": "{FAMILY}", "package_url": "https://a.test/app.msix?x=1&y" {more}}}"#);
        serde_json::from_str(&json).unwrap()
    }

    // covers: M-102
    #[test]
    fn a_hosted_app_is_added_and_run() {
        let app = install(r#", "scope": "user", "dependencies": ["https://a.test/vclibs.appx"]"#);
        let root = format!("./User/Vendor/MSFT/EnterpriseModernAppManagement/AppInstallation/{FAMILY}");
        let job = concat!(
            "<Application PackageUri=\"https://a.test/app.msix?x=1&amp;y\" DeploymentOptions=\"0\"><Dependencies>",
            "<Dependency PackageUri=\"https://a.test/vclibs.appx\"/></Dependencies></Application>"
        );
        assert_eq!(app.check(), Ok(()));
        assert_eq!(told(&app.commands()), [format!("Add {root} node"), format!("Exec {root}/HostedInstall xml {job}")]);
        right(&app.commands());
        right(&read(app.scope, FAMILY));
        let job = install("").job();
        assert_eq!(job, "<Application PackageUri=\"https://a.test/app.msix?x=1&amp;y\"></Application>");
    }

    #[test]
    fn a_store_app_is_installed_for_the_user() {
        let app: InstallStoreApp =
            serde_json::from_str(r#"{"package_family_name": "a_b", "product_id": "9WZDNCRFJ3PT"}"#).unwrap();
        let root = "./User/Vendor/MSFT/EnterpriseModernAppManagement/AppInstallation/a_b";
        let job = r#"<Application id="9WZDNCRFJ3PT" flags="0" skuid="0010"></Application>"#;
        assert_eq!(app.check(), Ok(()));
        assert_eq!(told(&app.commands()), [format!("Add {root} node"), format!("Exec {root}/StoreInstall xml {job}")]);
        right(&app.commands());
    }

    #[test]
    fn apps_are_listed_and_removed_by_origin() {
        let root = "./Device/Vendor/MSFT/EnterpriseModernAppManagement/AppManagement";
        let expected = ["nonStore", "AppStore", "System"].map(|origin| format!("Get {root}/{origin}?list=StructData"));
        assert_eq!(told(&ListApps::default().commands()), expected);
        right(&ListApps::default().commands());
        let one = ListApps { origin: Some(Origin::System), ..ListApps::default() };
        assert_eq!(told(&one.commands()), expected[2..]);
        let one: RemoveApp = serde_json::from_str(
            r#"{"origin": "app_store", "package_family_name": "a_b", "package_full_name": "a_1.0_x64__b"}"#,
        )
        .unwrap();
        assert_eq!(one.check(), Ok(()));
        assert_eq!(one.node().as_str(), format!("{root}/AppStore/a_b/a_1.0_x64__b"));
        right(&[Command::delete(one.node())]);
    }

    #[test]
    fn what_windows_would_not_take_is_refused() {
        let many = format!(r#", "dependencies": [{}]"#, ["\"https://a.test/\""; 21].join(","));
        for (pointer, more) in
            [("/dependencies", many.as_str()), ("/deployment_options", r#", "deployment_options": 1"#)]
        {
            assert_eq!(install(more).check().unwrap_err().pointer, pointer);
        }
        for name in ["", "App", "_x", "App_", "a\u{1}_b"] {
            let app = InstallApp { package_family_name: name.to_owned(), ..install("") };
            assert_eq!(app.check().unwrap_err().pointer, "/package_family_name", "{name:?}");
        }
    }
}
