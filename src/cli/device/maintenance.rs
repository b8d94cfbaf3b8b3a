//! `muster device …`: updates, licences, accounts, health and what the device is to watch.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;

use super::ActArgs;
use super::certificates::line;
use super::settings::{Fields, Of};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Kind {
    /// Let an update be installed where only approved ones are.
    ApproveUpdate(Of<Update>),
    /// Read which updates failed, are there and could be there; `muster action show` tells them.
    ListUpdates(Of<Nothing>),
    /// Take the last update of a kind back.
    RollbackUpdate(Of<Rollback>),
    /// Change the edition of Windows; the device restarts.
    UpgradeEdition(Of<ProductKey>),
    /// Change the product key within the edition.
    ChangeProductKey(Of<ProductKey>),
    /// Make a local account.
    CreateLocalAccount(Of<Account>),
    /// Have the device renew its certificate at once; `muster cert drill` follows it to the end.
    RenewCertificate(Of<Nothing>),
    /// Have the device prove what its TPM measured; `muster action show` tells it.
    AttestHealth(Of<Attestation>),
    /// Have the device watch nodes.
    WatchNodes(Of<Fields>),
    /// Read which of the watched nodes changed; `muster action show` tells them.
    ListChangedNodes(Of<Nothing>),
}

/// No parameters.
#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct Nothing {}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct Update {
    /// Its id, a GUID.
    #[arg(long, value_name = "GUID")]
    update_id: String,
}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct Rollback {
    /// Which.
    #[arg(long, value_parser = ["quality", "feature"])]
    update: String,
}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct ProductKey {
    /// File with the product key; `-` for standard input.
    #[arg(long = "product-key-file", value_name = "FILE", value_parser = line)]
    product_key: String,
}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct Account {
    /// Its name.
    #[arg(long)]
    account: String,
    /// File with its password; `-` for standard input.
    #[arg(long = "password-file", value_name = "FILE", value_parser = line)]
    password: String,
    /// Whether it is an administrator.
    #[arg(long)]
    administrator: bool,
}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct Attestation {
    /// Where it is proven.
    #[arg(long, value_parser = ["windows", "azure"])]
    service: Option<String>,
    /// Of Azure: the attestation provider.
    #[arg(long, value_name = "URL")]
    service_endpoint: Option<String>,
    /// Of Azure: who relies on the report.
    #[arg(long)]
    relying_party: Option<String>,
    /// Of Azure: file with a token for the provider; `-` for standard input.
    #[arg(long = "service-token-file", value_name = "FILE", value_parser = line)]
    token: Option<String>,
}

impl Kind {
    /// The devices that it is asked of, and the body of the request.
    pub(super) fn order(self) -> Result<(ActArgs, Value)> {
        match self {
            Self::ApproveUpdate(of) => of.order("approve_update"),
            Self::ListUpdates(of) => of.order("list_updates"),
            Self::RollbackUpdate(of) => of.order("rollback_update"),
            Self::UpgradeEdition(of) => of.order("upgrade_edition"),
            Self::ChangeProductKey(of) => of.order("change_product_key"),
            Self::CreateLocalAccount(of) => of.order("create_local_account"),
            Self::RenewCertificate(of) => of.order("renew_certificate"),
            Self::AttestHealth(of) => of.order("attest_health"),
            Self::WatchNodes(of) => of.order("watch_nodes"),
            Self::ListChangedNodes(of) => of.order("list_changed_nodes"),
        }
    }
}
