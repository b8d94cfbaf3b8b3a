//! `/devices`: hardware with its current enrollment.

pub mod approval;
pub mod assign;
mod declared;
mod provisioning;

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use self::declared::{DeclaredDocument, LinkedEnrollmentDocument};
use self::provisioning::ProvisioningStanding;
use super::{List, page, stamp, word};
use crate::app::App;
use crate::app::csp::ActionOffer;
use crate::app::ports::{DeviceFilter, DeviceView, Table};
use crate::app::read::DeviceDetail;
use crate::domain::action::Action;
use crate::domain::enrollment::EnrollmentState;
use crate::domain::inventory::{InventoryItem, MissingNode};
use crate::domain::push::{Push, status_words};
use crate::http::error::Problem;
use crate::http::extract::Params;
use crate::proto::mde2::os_edition_name;
use crate::session::StatusPage;

/// A device with its current enrollment.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceDocument {
    /// Identifier of the hardware.
    id: String,
    /// The name that the device gave itself.
    name: String,
    /// `pending`, `active`, `retiring`, `retired`, `wiping`, `wiped` or `blocked`.
    state: &'static str,
    /// E-mail address of the user; null where there is none.
    user: Option<String>,
    /// How the device came.
    #[schema(example = "on_premise")]
    mode: &'static str,
    /// The package that it came with.
    package_id: Option<String>,
    /// When it was assigned to its user; of a device with mode `bulk`, null means that it has a bulk user only.
    #[schema(format = DateTime)]
    assigned_at: Option<String>,
    /// Version of the operating system.
    #[schema(example = "10.0.26100.2454")]
    os_version: Option<String>,
    /// Product number of the edition.
    os_edition: Option<u32>,
    /// Its name.
    os_edition_name: Option<&'static str>,
    /// Hardware hash, where the device sent a usable one.
    hw_dev_id: Option<String>,
    /// When it enrolled.
    #[schema(format = DateTime)]
    enrolled_at: String,
    /// Its last authenticated message.
    #[schema(format = DateTime)]
    last_seen_at: Option<String>,
    /// The space it belongs to.
    space: Option<String>,
    /// Identifier of this period of management.
    enrollment_id: String,
    /// Whether an administrator has to let it in: `not_needed`, `awaited`, `granted` or `refused`.
    approval: &'static str,
    /// The enrollment of the same device whose place this one took while that waited for approval: what was looked at may
    /// have been that one.
    replaced_unapproved: Option<String>,
    /// What an administrator should look at.
    warning: Option<String>,
    /// Why the enrollment ended.
    closed_reason: Option<String>,
    /// Another device that claims the same hardware.
    linked_device_id: Option<String>,
    /// The name that the device gave itself in its last message (`Source/LocURI`): a claim.
    reported_source: Option<String>,
    /// Its device object in Entra, as its first proven token said.
    entra_device_id: Option<String>,
}

impl From<DeviceView> for DeviceDocument {
    fn from(view: DeviceView) -> Self {
        let (device, enrollment) = (view.device, view.enrollment);
        Self {
            id: device.id.to_string(),
            name: device.name,
            state: enrollment.state.as_str(),
            user: view.user,
            mode: enrollment.mode.as_str(),
            package_id: enrollment.package_id.map(|id| id.to_string()),
            assigned_at: enrollment.assigned_at.map(stamp),
            os_version: enrollment.os_version,
            os_edition: enrollment.os_edition,
            os_edition_name: enrollment.os_edition.and_then(os_edition_name),
            hw_dev_id: device.hw_dev_id,
            enrolled_at: stamp(enrollment.enrolled_at),
            last_seen_at: enrollment.last_seen_at.map(stamp),
            space: None,
            enrollment_id: enrollment.id.to_string(),
            approval: enrollment.approval.as_str(),
            replaced_unapproved: enrollment.replaced_unapproved.map(|id| id.to_string()),
            warning: enrollment.warning,
            closed_reason: enrollment.closed_reason,
            linked_device_id: device.linked_device_id.map(|id| id.to_string()),
            reported_source: enrollment.reported_source,
            entra_device_id: enrollment.entra_device_id.map(|id| id.to_string()),
        }
    }
}

/// A device with all that it told about itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceDetailDocument {
    /// The device.
    #[serde(flatten)]
    device: DeviceDocument,
    /// Every node that it reported, by LocURI.
    inventory: BTreeMap<String, NodeDocument>,
    /// Nodes that it answered it does not have, when an action needed them.
    unsupported: Vec<MissingNodeDocument>,
    /// The actions that need no profile of their own, and whether each is known not to work on this device.
    actions: Vec<ActionOfferDocument>,
    /// The enrollment status page; null where none was shown.
    status_page: Option<StatusPageDocument>,
    /// Documents of declared configuration that it told of, where that experiment is switched on.
    declared_documents: Vec<DeclaredDocument>,
    /// Its second enrollment, for declared configuration; null where the device did not tell of any.
    linked_enrollment: Option<LinkedEnrollmentDocument>,
    /// Push; null where nothing is known of it.
    push: Option<PushDocument>,
    /// What it has of its provisioning document that can be set anew.
    provisioning: ProvisioningStanding,
    /// The items of the enrollment request, as sent.
    context: Vec<ContextItem>,
}

/// The value of a node.
#[derive(Debug, Serialize, ToSchema)]
pub struct NodeDocument {
    /// The value; null where the device said that it has no such node.
    value: Option<String>,
    /// Format, where the device named one.
    format: Option<String>,
    /// When it was reported.
    #[schema(format = DateTime)]
    at: String,
}

/// A node that a device does not have.
#[derive(Debug, Serialize, ToSchema)]
pub struct MissingNodeDocument {
    /// The node, in lower case.
    loc_uri: String,
    /// What the device answered.
    status: u16,
    /// Version of the operating system at the time; another version is asked anew.
    os_version: String,
}

/// An action, and whether a device can carry it out as far as that is known.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActionOfferDocument {
    /// What it is.
    #[schema(example = "wipe")]
    r#type: &'static str,
    /// Of a wipe: what is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<serde_json::Value>,
    /// Of a passcode reset: how.
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<serde_json::Value>,
    /// Of what takes an update back: which kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    update: Option<serde_json::Value>,
    /// Of a health attestation: where it is proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<serde_json::Value>,
    /// False where it is known not to work: asking for it is a conflict.
    available: bool,
    /// Why not; of one that can be asked, what speaks against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<ActionOffer> for ActionOfferDocument {
    fn from(offer: ActionOffer) -> Self {
        let (available, reason) = (offer.is_available, offer.reason);
        let plain = Self {
            r#type: offer.action.name(),
            variant: None,
            method: None,
            update: None,
            service: None,
            available,
            reason,
        };
        match &offer.action {
            Action::Wipe(wipe) => Self { variant: serde_json::to_value(wipe.variant).ok(), ..plain },
            Action::ResetPasscode(reset) => Self { method: serde_json::to_value(reset.method).ok(), ..plain },
            Action::RollbackUpdate(rollback) => Self { update: serde_json::to_value(rollback.update).ok(), ..plain },
            Action::AttestHealth(attest) => Self { service: serde_json::to_value(attest.service).ok(), ..plain },
            _ => plain,
        }
    }
}

/// The page that out-of-box setup shows until everything is there.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusPageDocument {
    /// `holding`, `releasing`, `released`, `failing` or `failed`.
    stage: &'static str,
    /// When it was first held.
    #[schema(format = DateTime)]
    began_at: String,
    /// Why it ends.
    reason: Option<String>,
}

impl From<StatusPage> for StatusPageDocument {
    fn from(page: StatusPage) -> Self {
        Self { stage: page.stage.as_str(), began_at: stamp(page.began_at), reason: page.reason }
    }
}

/// Whether and where the device can be woken by push (WNS).
#[derive(Debug, Serialize, ToSchema)]
pub struct PushDocument {
    /// The package family name for which the device was to register.
    pfn: Option<String>,
    /// What the device answered to that (OMA-DM).
    pfn_status: Option<u16>,
    /// How its registration stands (`Push/Status`), as reported.
    #[schema(example = "0")]
    status: Option<String>,
    /// The same in words.
    #[schema(example = "registered")]
    status_words: Option<&'static str>,
    /// Host of its channel; null where it has none that may be used. The rest of the address is a secret.
    #[schema(example = "db5p.notify.windows.com")]
    channel_host: Option<String>,
    /// When the channel changed last.
    #[schema(format = DateTime)]
    channel_at: Option<String>,
    /// Why the channel that it reported is not used.
    refusal: Option<String>,
    /// How the last push went: `received`, `dropped`, `throttled`, `unauthorized`, `forbidden`, `gone`, `rejected`,
    /// `unavailable` or `no_token`.
    outcome: Option<&'static str>,
    /// When that was.
    #[schema(format = DateTime)]
    at: Option<String>,
    /// Whether WNS had a connection to the device then: `connected`, `disconnected` or `tempdisconnected`.
    connection: Option<String>,
    /// What was wrong with it.
    detail: Option<String>,
    /// When the device is to be woken next; null while there is nothing to wake it for.
    #[schema(format = DateTime)]
    next_at: Option<String>,
}

impl From<Push> for PushDocument {
    fn from(push: Push) -> Self {
        Self {
            pfn: push.registration.pfn,
            pfn_status: push.registration.status,
            status_words: push.status.as_deref().and_then(status_words),
            status: push.status,
            channel_host: push.channel.and_then(|channel| channel.host()),
            channel_at: push.channel_at.map(stamp),
            refusal: push.refusal,
            outcome: push.last.as_ref().map(|sent| sent.outcome.as_str()),
            at: push.last.as_ref().map(|sent| stamp(sent.at)),
            connection: push.last.as_ref().and_then(|sent| sent.connection.clone()),
            detail: push.last.and_then(|sent| sent.detail),
            next_at: push.wake_at.map(stamp),
        }
    }
}

/// An item of the enrollment request.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContextItem {
    /// Name.
    name: String,
    /// Value.
    value: String,
}

impl From<DeviceDetail> for DeviceDetailDocument {
    fn from(detail: DeviceDetail) -> Self {
        let context = detail.view.enrollment.context.clone();
        let inventory = &detail.inventory;
        let documents = detail.documents.into_iter().map(|known| DeclaredDocument::new(known, inventory)).collect();
        let linked_enrollment = LinkedEnrollmentDocument::read(inventory, &detail.provider_id);
        Self {
            provisioning: ProvisioningStanding::new(detail.provisioned, &detail.view.enrollment, detail.at),
            device: detail.view.into(),
            inventory: detail.inventory.into_iter().map(node).collect(),
            unsupported: detail.missing.into_iter().map(MissingNodeDocument::from).collect(),
            actions: detail.actions.into_iter().map(ActionOfferDocument::from).collect(),
            status_page: detail.status_page.map(StatusPageDocument::from),
            declared_documents: documents,
            linked_enrollment,
            push: detail.push.map(PushDocument::from),
            context: context.into_iter().map(|(name, value)| ContextItem { name, value }).collect(),
        }
    }
}

fn node(item: InventoryItem) -> (String, NodeDocument) {
    let document = NodeDocument { value: item.value, format: item.format, at: stamp(item.at) };
    (item.loc_uri.as_str().to_owned(), document)
}

impl From<MissingNode> for MissingNodeDocument {
    fn from(node: MissingNode) -> Self {
        Self { loc_uri: node.loc_uri, status: node.status, os_version: node.os_version }
    }
}

/// Which devices.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeviceQuery {
    /// Part of the name, the hardware id, the user's address or an id.
    query: Option<String>,
    /// In one state.
    state: Option<String>,
    /// Of one user, by address.
    user: Option<String>,
    /// In one space, by id; no device is in any yet.
    space: Option<String>,
    /// Most items, 1 to 500; default 50.
    limit: Option<u32>,
    /// `next_cursor` of the part before.
    cursor: Option<String>,
}

/// Lists devices, newest first.
#[utoipa::path(get, path = "/api/v1/devices", tag = "devices", params(DeviceQuery),
    responses((status = 200, body = List<DeviceDocument>)))]
pub async fn list(
    State(app): State<App>,
    Params(query): Params<DeviceQuery>,
) -> Result<Json<List<DeviceDocument>>, Problem> {
    let page = page(query.limit, query.cursor.as_deref())?;
    let filter = DeviceFilter {
        query: query.query.filter(|words| !words.is_empty()),
        state: word("state", query.state.as_deref(), EnrollmentState::parse)?,
        user: query.user.filter(|user| !user.is_empty()),
    };
    if query.space.is_some_and(|space| !space.is_empty()) {
        return Ok(Json(List { items: Vec::new(), next_cursor: None }));
    }
    Ok(Json(List::of(app.devices(&filter, &page).await?, DeviceDocument::from)))
}

/// Shows a device with its inventory.
#[utoipa::path(get, path = "/api/v1/devices/{id}", tag = "devices", params(("id" = String, Path)),
    responses((status = 200, body = DeviceDetailDocument)))]
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Result<Json<DeviceDetailDocument>, Problem> {
    let id = app.resolve(Table::Devices, "device", &id).await?;
    Ok(Json(app.device(id).await?.into()))
}
