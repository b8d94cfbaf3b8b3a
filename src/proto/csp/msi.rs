//! EnterpriseDesktopAppManagement CSP (10.0.10586; Pro and better, not HoloLens; management reference 7.14): MSI packages.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::scope::Scope;
use super::value::{HttpUrl, Line, ProductCode, Sha256, Within};
use crate::proto::syncml::{Command, Item, LocUri, Verb};
use crate::proto::xml::XmlWriter;

/// An MSI to install. Running the same job for a product that is there does nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InstallMsi {
    /// For the device, or for the signed-in user.
    #[serde(default)]
    pub scope: Scope,
    /// Its product code.
    pub product_code: ProductCode,
    /// Its version, e.g. `2.4.0`.
    #[schema(value_type = String, example = "2.4.0")]
    pub version: Line<64>,
    /// Where the device fetches the file.
    pub url: HttpUrl,
    /// SHA-256 of the file; the device refuses another one.
    pub sha256: Sha256,
    /// Options of the installer. Default `/quiet /norestart`.
    #[serde(default = "usual_command_line")]
    #[schema(value_type = String)]
    pub command_line: Line<1024>,
    /// Minutes that the installer may take. Default 30.
    #[serde(default = "usual_timeout")]
    #[schema(value_type = u32)]
    pub timeout_minutes: Within<1, 1_440>,
    /// How often the device tries again. Default 3.
    #[serde(default = "usual_retries")]
    #[schema(value_type = u32)]
    pub retry_count: Within<0, 100>,
    /// Minutes between two tries. Default 5.
    #[serde(default = "usual_interval")]
    #[schema(value_type = u32)]
    pub retry_interval_minutes: Within<1, 1_440>,
    /// Whether the device sends its Entra token to the URL. Default false.
    #[serde(default)]
    pub entra_download: bool,
}

/// An MSI that was installed by management.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UninstallMsi {
    /// For the device, or for the signed-in user.
    #[serde(default)]
    pub scope: Scope,
    /// Its product code.
    pub product_code: ProductCode,
}

/// Where an installation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It goes on; in words.
    Busy(&'static str),
    /// It failed; in words.
    Failed(&'static str),
    /// The product is there.
    Done,
    /// A number that is not documented.
    Other(i64),
}

impl Progress {
    /// Reads the value of the status node.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim().parse().ok()? {
            10 => Self::Busy("the installation is prepared"),
            20 => Self::Busy("the device downloads the package"),
            25 => Self::Busy("the download is tried again"),
            30 => Self::Failed("the download failed"),
            40 => Self::Busy("the package was downloaded"),
            48 => Self::Busy("the installation waits for the user to sign in"),
            50 => Self::Busy("the package is installed now"),
            55 => Self::Busy("the installation is tried again"),
            60 => Self::Failed("the installation failed"),
            70 => Self::Done,
            other => Self::Other(other),
        })
    }
}

/// The node of a product.
#[must_use]
pub fn node(scope: Scope, product_code: ProductCode) -> LocUri {
    scope.node("EnterpriseDesktopAppManagement/MSI").join(&product_code.to_string())
}

impl InstallMsi {
    /// The node that takes the job.
    #[must_use]
    pub fn download_install(&self) -> LocUri {
        node(self.scope, self.product_code).below("DownloadInstall")
    }

    /// `Add` of the node, then `Exec` of it with the job, in one message.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        let target = self.download_install();
        let bare = Item { target: Some(target.clone()), ..Item::default() };
        vec![Command::new(Verb::Add, bare), Command::exec_with(target, "xml", &self.job())]
    }

    fn job(&self) -> String {
        let code = self.product_code.to_string();
        let mut xml = XmlWriter::new();
        xml.element("MsiInstallJob", &[("id", &code)], |xml| {
            xml.element("Product", &[("Version", self.version.as_str())], |xml| self.product(xml));
        });
        String::from_utf8(xml.into_bytes()).unwrap_or_default()
    }

    fn product(&self, xml: &mut XmlWriter) {
        xml.element("Download", &[], |xml| {
            xml.element("ContentURLList", &[], |xml| xml.leaf("ContentURL", &[], self.url.as_str()));
        });
        xml.element("Validation", &[], |xml| xml.leaf("FileHash", &[], self.sha256.as_str()));
        xml.element("Enforcement", &[], |xml| {
            xml.leaf("CommandLine", &[], self.command_line.as_str());
            xml.leaf("TimeOut", &[], &self.timeout_minutes.get().to_string());
            xml.leaf("RetryCount", &[], &self.retry_count.get().to_string());
            xml.leaf("RetryInterval", &[], &self.retry_interval_minutes.get().to_string());
            if self.entra_download {
                xml.leaf("DownloadFromAad", &[], "1");
            }
        });
    }

    /// `Get` of how far it is.
    #[must_use]
    pub fn read(&self) -> Vec<Command> {
        let root = node(self.scope, self.product_code);
        ["Status", "LastError", "LastErrorDesc"].map(|name| Command::get(root.below(name))).into()
    }
}

impl UninstallMsi {
    /// `Delete` of the product.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        vec![Command::delete(node(self.scope, self.product_code))]
    }
}

fn usual_command_line() -> Line<1024> {
    Line::fixed("/quiet /norestart")
}

fn usual_timeout() -> Within<1, 1_440> {
    Within::fixed(30)
}

fn usual_retries() -> Within<0, 100> {
    Within::fixed(3)
}

fn usual_interval() -> Within<1, 1_440> {
    Within::fixed(5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::syncml::encode_fragment;

    // covers: M-114, M-91, M-93
    #[test]
    fn a_job_is_an_add_and_an_exec_with_escaped_text() {
        let install: InstallMsi = serde_json::from_str(
            r#"{"product_code": "{3c1e5e1e-90a5-4b1e-9d0c-5c1b2a7f0e11}", "version": "2.4.0", "timeout_minutes": 10,
                "url": "https://mdm.example.test/content/agent.msi?a=1&b=2", "command_line": "/quiet NAME=\"a b\"",
                "sha256": "0000000000000000000000000000000000000000000000000000000000000000"}"#,
        )
        .unwrap();
        let mut commands = install.commands();
        for (number, command) in commands.iter_mut().enumerate() {
            command.cmd_id = format!("c{}", number + 1);
        }
        let uri = concat!(
            "<LocURI>./Device/Vendor/MSFT/EnterpriseDesktopAppManagement/MSI/",
            "%7B3C1E5E1E-90A5-4B1E-9D0C-5C1B2A7F0E11%7D/DownloadInstall</LocURI>"
        );
        let job = concat!(
            "&lt;MsiInstallJob id=\"{3C1E5E1E-90A5-4B1E-9D0C-5C1B2A7F0E11}\"&gt;&lt;Product Version=\"2.4.0\"&gt;",
            "&lt;Download&gt;&lt;ContentURLList&gt;&lt;ContentURL&gt;https://mdm.example.test/content/agent.msi?a=1&amp;amp;b=2",
            "&lt;/ContentURL&gt;&lt;/ContentURLList&gt;&lt;/Download&gt;&lt;Validation&gt;&lt;FileHash&gt;",
            "0000000000000000000000000000000000000000000000000000000000000000&lt;/FileHash&gt;&lt;/Validation&gt;",
            "&lt;Enforcement&gt;&lt;CommandLine&gt;/quiet NAME=\"a b\"&lt;/CommandLine&gt;&lt;TimeOut&gt;10&lt;/TimeOut&gt;",
            "&lt;RetryCount&gt;3&lt;/RetryCount&gt;&lt;RetryInterval&gt;5&lt;/RetryInterval&gt;&lt;/Enforcement&gt;",
            "&lt;/Product&gt;&lt;/MsiInstallJob&gt;"
        );
        let expected = format!(
            "<Add><CmdID>c1</CmdID><Item><Target>{uri}</Target></Item></Add><Exec><CmdID>c2</CmdID><Item><Target>{uri}</Target>\
             <Meta><Format xmlns=\"syncml:metinf\">xml</Format><Type xmlns=\"syncml:metinf\">text/plain</Type></Meta>\
             <Data>{job}</Data></Item></Exec>"
        );
        assert_eq!(String::from_utf8(encode_fragment(&commands)).unwrap(), expected);
    }
}
