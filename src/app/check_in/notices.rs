//! What a step tells, as rows, events and log lines.

use serde_json::json;
use time::OffsetDateTime;

use super::{CheckIn, device_principal};
use crate::app::ports::{StoreError, Write};
use crate::app::{App, AuditObject, Error, Principal};
use crate::domain::enrollment::Enrollment;
use crate::domain::inventory::{InventoryItem, LONGEST_NODE};
use crate::proto::csp::device_info;
use crate::proto::syncml::LocUri;
use crate::session::{Input, Notice, Output, TRUSTED_CA};

impl App {
    /// What is to be written of what a step tells, but for the beginning of the session.
    pub(super) async fn notice_writes(
        &self,
        request: &CheckIn,
        input: &Input,
        output: &Output,
    ) -> Result<Vec<Write>, Error> {
        let enrollment = &output.enrollment;
        let subject = Some(enrollment.device_id.to_string());
        let mut writes = self.push_writes(enrollment, &output.notices, input.now).await?;
        for notice in &output.notices {
            match notice {
                Notice::SessionOpened | Notice::Push(_) => {}
                Notice::Alert(alert) => {
                    let session = output.sessions.first().map(|session| session.id);
                    writes.extend(self.alert_writes(enrollment, session, alert, input.now));
                }
                Notice::Inventory(items) => writes.extend(self.inventory_writes(enrollment, items).await?),
                Notice::Missing(node) if node.loc_uri.len() > LONGEST_NODE => {}
                Notice::Missing(node) => {
                    writes.push(Write::RememberMissing { device_id: enrollment.device_id, node: node.clone() });
                }
                Notice::SourceChanged { from } => {
                    let data = json!({
                        "enrollment_id": enrollment.id, "type": "source_changed", "from": from,
                        "to": enrollment.reported_source,
                    });
                    writes.push(self.event("alert.received", subject.clone(), data));
                }
                Notice::StatusPage { event, reason } => {
                    let data = json!({"enrollment_id": enrollment.id, "reason": reason});
                    writes.push(self.event(event, subject.clone(), data));
                }
                Notice::OfferedAgain { action, id, offers } => {
                    let words = format!("{action} {id}: offered {offers} times, because it was not answered");
                    let object = self.audit_object(enrollment).await?;
                    writes.push(self.audit(&Principal::system(), "action.offer", object, "ok", &words));
                }
                Notice::NeedsReapply { id } => {
                    let data = json!({"enrollment_id": enrollment.id, "type": "needs_reapply", "command_id": id});
                    writes.push(self.event("alert.received", subject.clone(), data));
                }
                Notice::Refused(rejection) => {
                    let words = rejection.to_string();
                    let object = self.audit_object(enrollment).await?;
                    writes.push(self.audit(&device_principal(request), "device.check_in", object, "refused", &words));
                }
                Notice::Left { asked } => {
                    writes.extend(self.left_writes(request, enrollment, *asked, input.now).await?)
                }
                Notice::CutOff { reason } => {
                    writes.extend(self.closing_writes(enrollment, reason, input.now).await?);
                }
                Notice::Provisioned { part, refused: None } => {
                    tracing::info!(enrollment_id = %enrollment.id, part, "the device was provisioned anew");
                    if *part == TRUSTED_CA
                        && let Some(has) = &output.conversation.provisioned.ca.has
                    {
                        let (enrollment_id, root) = (enrollment.id, has.root.clone());
                        writes.push(Write::RootDelivered { enrollment_id, root, at: input.now });
                    }
                }
                Notice::Provisioned { part, refused: Some(status) } => {
                    tracing::warn!(enrollment_id = %enrollment.id, part, status, "the device keeps what it had");
                    let data = json!({
                        "enrollment_id": enrollment.id, "type": "provisioning_refused", "part": part, "status": status,
                    });
                    writes.push(self.event("alert.received", subject.clone(), data));
                }
                Notice::Remark(words) => tracing::info!(enrollment_id = %enrollment.id, remark = words, "odd message"),
            }
        }
        Ok(writes)
    }

    /// What the device told, but no secrets and no node that nobody can have asked for; its name is taken over to the device.
    async fn inventory_writes(&self, enrollment: &Enrollment, items: &[InventoryItem]) -> Result<Vec<Write>, Error> {
        let rules = self.redaction();
        let is_kept = |item: &&InventoryItem| item.can_be_kept() && !rules.is_secret(&item.loc_uri);
        let items: Vec<InventoryItem> = items.iter().filter(is_kept).cloned().collect();
        let name = items.iter().find(|item| item.loc_uri.same_as(&LocUri::fixed(device_info::DEVICE_NAME)));
        let name = name.and_then(|item| item.value.clone()).filter(|name| !name.trim().is_empty());
        let mut writes = Vec::new();
        if let Some(name) = name {
            let view = self.store.device(enrollment.device_id).await?;
            let renamed = view
                .map(|view| view.device)
                .filter(|device| device.name != name && device.enrollment_id == enrollment.id);
            writes.extend(renamed.map(|mut device| {
                device.name = name.chars().filter(|c| !c.is_control()).take(256).collect();
                Write::UpdateDevice(device)
            }));
        }
        writes.push(Write::SaveInventory { device_id: enrollment.device_id, items });
        Ok(writes)
    }

    /// The device left: its certificates are revoked, and that is told.
    async fn left_writes(
        &self,
        request: &CheckIn,
        enrollment: &Enrollment,
        asked: bool,
        now: OffsetDateTime,
    ) -> Result<Vec<Write>, Error> {
        let reason = if asked { "retired" } else { "the user ended management on the device" };
        let mut writes = self.revocations(enrollment, reason, now).await?;
        let data = json!({"enrollment_id": enrollment.id, "reason": reason});
        writes.push(self.event("device.retired", Some(enrollment.device_id.to_string()), data));
        let object = self.audit_object(enrollment).await?;
        writes.push(self.audit(&device_principal(request), "device.leave", object, "ok", reason));
        Ok(writes)
    }

    /// The device of an enrollment, as the audit names it.
    pub(in crate::app) async fn audit_object(
        &self,
        enrollment: &Enrollment,
    ) -> Result<AuditObject<'static>, StoreError> {
        let view = self.store.device(enrollment.device_id).await?;
        let name = view.map(|view| view.device.name).unwrap_or_default();
        Ok(AuditObject { kind: "device", id: enrollment.device_id.to_string(), name })
    }

    /// Revokes all certificates of an enrollment, and tells it.
    pub(in crate::app) async fn revocations(
        &self,
        enrollment: &Enrollment,
        reason: &str,
        now: OffsetDateTime,
    ) -> Result<Vec<Write>, StoreError> {
        let certificates = self.store.certificates_of(enrollment.id).await?;
        let live = certificates.into_iter().filter(|certificate| certificate.revoked_at.is_none());
        let subject = enrollment.device_id.to_string();
        Ok(live
            .flat_map(|certificate| {
                let data = json!({"serial": certificate.serial, "enrollment_id": enrollment.id, "reason": reason});
                let told = self.event("cert.revoked", Some(subject.clone()), data);
                [Write::RevokeCertificate { serial: certificate.serial, at: now, reason: reason.to_owned() }, told]
            })
            .collect())
    }
}
