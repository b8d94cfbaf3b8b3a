//! EnterpriseModernAppManagement CSP (10.0.10586, all editions; HoloLens for the user only; management reference 7.15):
//! packaged apps.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::scope::Scope;
use super::value::{HttpUrl, Line};
use crate::proto::syncml::{Command, LocUri};
use crate::proto::xml::XmlWriter;

/// A package family name: name, underscore, publisher id.
pub type FamilyName = Line<255>;

/// A packaged app to install from a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InstallApp {
    /// For everybody on the device, or for the signed-in user.
    #[serde(default)]
    pub scope: Scope,
    /// Its family name.
    #[schema(value_type = String, example = "Example.App_8wekyb3d8bbwe")]
    pub package_family_name: FamilyName,
    /// Where the device fetches the package.
    pub package_url: HttpUrl,
    /// Where the device fetches what it depends on.
    #[serde(default)]
    pub dependencies: Vec<HttpUrl>,
    /// Options of the deployment as a number; for the user only. Default 0.
    #[serde(default)]
    pub deployment_options: u32,
}

/// An app of the Microsoft Store to install for the signed-in user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InstallStoreApp {
    /// Its family name.
    #[schema(value_type = String, example = "Example.App_8wekyb3d8bbwe")]
    pub package_family_name: FamilyName,
    /// Its product id in the Store.
    #[schema(value_type = String, example = "9WZDNCRFJ3PT")]
    pub product_id: Line<64>,
    /// Its stock keeping unit. Default `0010`.
    #[serde(default = "usual_sku")]
    #[schema(value_type = String)]
    pub sku_id: Line<64>,
}

/// A packaged app to remove.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveApp {
    /// For everybody on the device, or for the signed-in user.
    #[serde(default)]
    pub scope: Scope,
    /// Where it came from.
    #[serde(default)]
    pub origin: Origin,
    /// Its family name.
    #[schema(value_type = String, example = "Example.App_8wekyb3d8bbwe")]
    pub package_family_name: FamilyName,
    /// One version of it only.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub package_full_name: Option<Line<255>>,
}

/// Which packaged apps to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListApps {
    /// Those of the device, or of the signed-in user.
    #[serde(default)]
    pub scope: Scope,
    /// Those that came from there; default: all.
    #[serde(default)]
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

    fn path(self) -> &'static str {
        match self {
            Self::NonStore => "EnterpriseModernAppManagement/AppManagement/nonStore",
            Self::AppStore => "EnterpriseModernAppManagement/AppManagement/AppStore",
            Self::System => "EnterpriseModernAppManagement/AppManagement/System",
        }
    }

    /// The word of the API for a name in a LocURI.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|origin| origin.path().rsplit('/').next().is_some_and(|own| own.eq_ignore_ascii_case(name)))
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
pub fn installation(scope: Scope, family: &FamilyName) -> LocUri {
    scope.node("EnterpriseModernAppManagement/AppInstallation").join(family.as_str())
}

/// `Get` of how far an installation is.
#[must_use]
pub fn read(scope: Scope, family: &FamilyName) -> Vec<Command> {
    let root = installation(scope, family);
    ["Status", "LastError", "LastErrorDesc"].map(|name| Command::get(root.below(name))).into()
}

impl InstallApp {
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
    /// The node of the app.
    #[must_use]
    pub fn node(&self) -> LocUri {
        let family = self.scope.node(self.origin.path()).join(self.package_family_name.as_str());
        match &self.package_full_name {
            Some(full) => family.join(full.as_str()),
            None => family,
        }
    }

    /// `Delete` of it.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        vec![Command::delete(self.node())]
    }
}

impl ListApps {
    /// One `Get` of the whole subtree for each origin.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        let origins = Origin::ALL.into_iter().filter(|origin| self.origin.is_none_or(|only| only == *origin));
        let query = |origin: Origin| {
            let node = self.scope.node(origin.path());
            Command::get(LocUri::received(&format!("{node}?list=StructData")))
        };
        origins.map(query).collect()
    }
}

fn document(root: &'static str, attributes: &[(&str, &str)], inside: impl FnOnce(&mut XmlWriter)) -> String {
    let mut xml = XmlWriter::new();
    xml.element(root, attributes, inside);
    String::from_utf8(xml.into_bytes()).unwrap_or_default()
}

fn usual_sku() -> Line<64> {
    Line::fixed("0010")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::syncml::{Verb, encode_fragment};

    fn texts(commands: &[Command]) -> Vec<(Verb, String, String)> {
        let text = |command: &Command| {
            let item = &command.items[0];
            (command.verb, item.target.as_ref().unwrap().to_string(), item.text().to_owned())
        };
        commands.iter().map(text).collect()
    }

    // covers: M-102
    #[test]
    fn a_hosted_app_is_added_and_run() {
        let app: InstallApp = serde_json::from_str(
            r#"{"scope": "user", "package_family_name": "Example.App_8wekyb3d8bbwe", "package_url": "https://a.test/app.msix?x=1&y",
                "dependencies": ["https://a.test/vclibs.appx"]}"#,
        )
        .unwrap();
        let root = "./User/Vendor/MSFT/EnterpriseModernAppManagement/AppInstallation/Example.App_8wekyb3d8bbwe";
        let job = concat!(
            "<Application PackageUri=\"https://a.test/app.msix?x=1&amp;y\" DeploymentOptions=\"0\"><Dependencies>",
            "<Dependency PackageUri=\"https://a.test/vclibs.appx\"/></Dependencies></Application>"
        );
        let expected = [
            (Verb::Add, root.to_owned(), String::new()),
            (Verb::Exec, format!("{root}/HostedInstall"), job.to_owned()),
        ];
        assert_eq!(texts(&app.commands()), expected);
        let wire = String::from_utf8(encode_fragment(&app.commands())).unwrap();
        assert!(wire.contains("<Format xmlns=\"syncml:metinf\">node</Format>"), "{wire}");
        assert!(wire.contains("<Format xmlns=\"syncml:metinf\">xml</Format>"), "{wire}");
    }

    #[test]
    fn deployment_options_are_for_users_only() {
        let app: InstallApp =
            serde_json::from_str(r#"{"package_family_name": "a_b", "package_url": "https://a.test/x"}"#).unwrap();
        assert_eq!(texts(&app.commands())[1].2, "<Application PackageUri=\"https://a.test/x\"></Application>");
    }

    #[test]
    fn a_store_app_is_installed_for_the_user() {
        let app: InstallStoreApp =
            serde_json::from_str(r#"{"package_family_name": "a_b", "product_id": "9WZDNCRFJ3PT"}"#).unwrap();
        let (verb, uri, job) = texts(&app.commands()).pop().unwrap();
        let expected = "./User/Vendor/MSFT/EnterpriseModernAppManagement/AppInstallation/a_b/StoreInstall";
        assert_eq!((verb, uri.as_str()), (Verb::Exec, expected));
        assert_eq!(job, r#"<Application id="9WZDNCRFJ3PT" flags="0" skuid="0010"></Application>"#);
    }

    #[test]
    fn apps_are_listed_and_removed_by_origin() {
        let all = ListApps::default().commands();
        let uris: Vec<String> = texts(&all).into_iter().map(|(_, uri, _)| uri).collect();
        let root = "./Device/Vendor/MSFT/EnterpriseModernAppManagement/AppManagement";
        let expected = ["nonStore", "AppStore", "System"].map(|origin| format!("{root}/{origin}?list=StructData"));
        assert_eq!(uris, expected);
        let one: RemoveApp = serde_json::from_str(
            r#"{"origin": "app_store", "package_family_name": "a_b", "package_full_name": "a_1.0_x64__b"}"#,
        )
        .unwrap();
        assert_eq!(one.node().as_str(), format!("{root}/AppStore/a_b/a_1.0_x64__b"));
        assert_eq!(Origin::of("NONSTORE"), Some(Origin::NonStore));
    }
}
