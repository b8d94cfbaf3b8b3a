//! `muster device …`: software, as MSI packages and as packaged apps.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;

use super::ActArgs;
use super::settings::{Of, Whose};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Kind {
    /// Install an MSI package.
    InstallMsi(Of<InstallMsi>),
    /// Remove an MSI package that was installed so.
    UninstallMsi(Of<Product>),
    /// Install a packaged app from a server.
    InstallApp(Of<InstallApp>),
    /// Install an app of the Microsoft Store for the user.
    InstallStoreApp(Of<InstallStoreApp>),
    /// Remove a packaged app.
    RemoveApp(Of<RemoveApp>),
    /// Read which packaged apps there are; `muster action show` tells them.
    ListApps(Of<ListApps>),
}

/// A product, and whose it is.
#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct Product {
    /// Its product code, a GUID.
    #[arg(long, value_name = "GUID")]
    product_code: String,
    #[command(flatten)]
    #[serde(flatten)]
    whose: Whose,
}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct InstallMsi {
    #[command(flatten)]
    #[serde(flatten)]
    product: Product,
    /// Its version, such as 2.4.0.
    // A name of its own, because `--version` is that of the program.
    #[arg(long = "product-version", value_name = "VERSION")]
    version: String,
    /// Where the device fetches the file.
    #[arg(long)]
    url: String,
    /// SHA-256 of the file.
    #[arg(long)]
    sha256: String,
    /// Options of the installer.
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true)]
    command_line: Option<String>,
    /// Minutes that the installer may take.
    #[arg(long, value_name = "MINUTES")]
    timeout_minutes: Option<u16>,
    /// How often the device tries again.
    #[arg(long, value_name = "NUMBER")]
    retry_count: Option<u8>,
    /// Minutes between two tries.
    #[arg(long, value_name = "MINUTES")]
    retry_interval_minutes: Option<u16>,
    /// Whether the device sends the Entra token of its user to the URL.
    #[arg(long, value_name = "true|false")]
    entra_download: Option<bool>,
}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct InstallApp {
    /// Its family name: name, underscore, publisher id.
    #[arg(long = "family", value_name = "NAME")]
    package_family_name: String,
    /// Where the device fetches the package.
    #[arg(long = "url", value_name = "URL")]
    package_url: String,
    /// Where the device fetches something that it depends on; may be given again.
    #[arg(long = "dependency", value_name = "URL")]
    dependencies: Vec<String>,
    /// Options of the deployment as a number; for the user only.
    #[arg(long, value_name = "NUMBER")]
    deployment_options: Option<u32>,
    #[command(flatten)]
    #[serde(flatten)]
    whose: Whose,
}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct InstallStoreApp {
    /// Its family name: name, underscore, publisher id.
    #[arg(long = "family", value_name = "NAME")]
    package_family_name: String,
    /// Its product id in the Store.
    #[arg(long)]
    product_id: String,
    /// Its stock keeping unit.
    #[arg(long)]
    sku_id: Option<String>,
}

/// Where apps came from, and whose they are.
#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct ListApps {
    /// Where they came from.
    #[arg(long, value_parser = ["non_store", "app_store", "system"])]
    origin: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    whose: Whose,
}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct RemoveApp {
    /// Its family name: name, underscore, publisher id.
    #[arg(long = "family", value_name = "NAME")]
    package_family_name: String,
    /// One version of it only.
    #[arg(long = "full-name", value_name = "NAME")]
    package_full_name: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    place: ListApps,
}

impl Kind {
    /// The devices that it is asked of, and the body of the request.
    pub(super) fn order(self) -> Result<(ActArgs, Value)> {
        match self {
            Self::InstallMsi(of) => of.order("install_msi"),
            Self::UninstallMsi(of) => of.order("uninstall_msi"),
            Self::InstallApp(of) => of.order("install_app"),
            Self::InstallStoreApp(of) => of.order("install_store_app"),
            Self::RemoveApp(of) => of.order("remove_app"),
            Self::ListApps(of) => of.order("list_apps"),
        }
    }
}
