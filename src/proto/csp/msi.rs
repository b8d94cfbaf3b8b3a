//! EnterpriseDesktopAppManagement CSP (10.0.10586; Pro and better, not HoloLens; management reference 7.14): MSI packages.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameter::{self, Unfit};
use super::scope::Scope;
use super::value::{HttpUrl, ProductCode, Sha256};
use crate::proto::syncml::{Command, Item, LocUri, Verb};
use crate::proto::xml::XmlWriter;

/// An MSI to install. The same job once more does nothing where the product is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InstallMsi {
    /// For the device, or for the user who enrolled.
    #[serde(default)]
    pub scope: Scope,
    /// Its product code.
    pub product_code: ProductCode,
    /// Its version.
    #[schema(example = "2.4.0")]
    pub version: String,
    /// Where the device fetches the file.
    pub url: HttpUrl,
    /// SHA-256 of the file; the device refuses another one.
    pub sha256: Sha256,
    /// Options of the installer.
    #[serde(default = "usual_command_line")]
    #[schema(default = "/quiet /norestart")]
    pub command_line: String,
    /// Minutes that the installer may take, 1 to 1440.
    #[serde(default = "usual_timeout")]
    #[schema(default = 30)]
    pub timeout_minutes: u16,
    /// How often the device tries again, 0 to 100.
    #[serde(default = "usual_retries")]
    #[schema(default = 3)]
    pub retry_count: u8,
    /// Minutes between two tries, 1 to 1440.
    #[serde(default = "usual_interval")]
    #[schema(default = 5)]
    pub retry_interval_minutes: u16,
    /// Whether the device sends the Entra token of its user to the URL.
    #[serde(default)]
    pub entra_download: bool,
}

/// An MSI that was installed by management.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UninstallMsi {
    /// For the device, or for the user who enrolled.
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
            25 => Self::Busy("the download is to be tried again"),
            30 => Self::Failed("the download failed"),
            40 => Self::Busy("the package was downloaded"),
            48 => Self::Busy("the installation waits for the user to sign in"),
            50 => Self::Busy("the package is being installed"),
            55 => Self::Busy("the installation is to be tried again"),
            60 => Self::Failed("the installation failed"),
            70 => Self::Done,
            other => Self::Other(other),
        })
    }
}

/// The node of a product.
#[must_use]
pub fn node(scope: Scope, product_code: ProductCode) -> LocUri {
    scope.csp("EnterpriseDesktopAppManagement/MSI").join(&product_code.to_string())
}

impl InstallMsi {
    /// One that is installed for the device as usual.
    #[must_use]
    pub fn usual(product_code: ProductCode, version: &str, url: HttpUrl, sha256: Sha256) -> Self {
        Self {
            scope: Scope::Device,
            product_code,
            version: version.to_owned(),
            url,
            sha256,
            command_line: usual_command_line(),
            timeout_minutes: usual_timeout(),
            retry_count: usual_retries(),
            retry_interval_minutes: usual_interval(),
            entra_download: false,
        }
    }

    /// Whether Windows would take it.
    pub fn check(&self) -> Result<(), Unfit> {
        parameter::text("/version", &self.version, 64)?;
        parameter::text("/command_line", &self.command_line, 1024)?;
        parameter::within("/timeout_minutes", Some(self.timeout_minutes), 1..=1440)?;
        parameter::within("/retry_count", Some(self.retry_count), 0..=100)?;
        parameter::within("/retry_interval_minutes", Some(self.retry_interval_minutes), 1..=1440)
    }

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
            xml.element("Product", &[("Version", &self.version)], |xml| self.product(xml));
        });
        String::from_utf8(xml.into_bytes()).unwrap_or_default()
    }

    fn product(&self, xml: &mut XmlWriter) {
        xml.element("Download", &[], |xml| {
            xml.element("ContentURLList", &[], |xml| xml.leaf("ContentURL", &[], self.url.as_str()));
        });
        xml.element("Validation", &[], |xml| xml.leaf("FileHash", &[], self.sha256.as_str()));
        xml.element("Enforcement", &[], |xml| {
            xml.leaf("CommandLine", &[], &self.command_line);
            xml.leaf("TimeOut", &[], &self.timeout_minutes.to_string());
            xml.leaf("RetryCount", &[], &self.retry_count.to_string());
            xml.leaf("RetryInterval", &[], &self.retry_interval_minutes.to_string());
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

fn usual_command_line() -> String {
    "/quiet /norestart".to_owned()
}

fn usual_timeout() -> u16 {
    30
}

fn usual_retries() -> u8 {
    3
}

fn usual_interval() -> u16 {
    5
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::right;
    use crate::proto::syncml::encode_fragment;

    fn install(more: &str) -> InstallMsi {
        let json = format!(
            r#"{{"product_code": "{{3c1e5e1e-90a5-4b1e-9d0c-5c1b2a7f0e11}}", "version": "2.4.0",
                "url": "https://mdm.example.test/content/agent.msi?a=1&b=2", "sha256": "{}" {more}}}"#,
            "0".repeat(64)
        );
        serde_json::from_str(&json).unwrap()
    }

    // covers: M-114, M-91, M-93
    #[test]
    fn a_job_is_an_add_and_an_exec_with_escaped_text() {
        let install = install(r#", "timeout_minutes": 10, "command_line": "/quiet NAME=\"a b\"""#);
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
        assert_eq!(install.check(), Ok(()));
        assert_eq!(String::from_utf8(encode_fragment(&commands)).unwrap(), expected);
        right(&install.read());
        right(&commands[1..]);
        right(&[Command::delete(node(install.scope, install.product_code))]);
    }

    #[test]
    fn the_token_of_the_user_goes_with_the_download_where_it_is_wanted() {
        let job = install(r#", "scope": "user", "entra_download": true"#).commands().remove(1);
        assert!(job.items[0].text().contains("</RetryInterval><DownloadFromAad>1</DownloadFromAad></Enforcement>"));
        right(&[job]);
    }

    #[test]
    fn what_windows_would_not_take_is_refused() {
        let bad = [
            ("/command_line", r#", "command_line": "a\u0001""#),
            ("/timeout_minutes", r#", "timeout_minutes": 0"#),
            ("/retry_count", r#", "retry_count": 101"#),
            ("/retry_interval_minutes", r#", "retry_interval_minutes": 1441"#),
        ];
        for (pointer, more) in bad {
            assert_eq!(install(more).check().unwrap_err().pointer, pointer);
        }
        let unnamed = InstallMsi { version: String::new(), ..install("") };
        assert_eq!(unnamed.check().unwrap_err().pointer, "/version");
    }
}
