//! Changes in the domain's words, as statements with expectations.

use super::engine::Statement;
use super::{
    alerts, attempts, audit, authorities, certificates, commands, csp, devices, enrollments, events, invitations,
    leases, mails, objects, packages, push, registered, retention, sessions, settings, tokens, uploads, users,
};
use crate::app::ports::{CSP_CHANGE, ENROLLMENT_URL, Sealer, StoreError, Write};

/// One batch for everything in the list.
pub(super) fn batch(mut writes: Vec<Write>, sealer: &dyn Sealer) -> Result<Vec<Statement>, StoreError> {
    writes.sort_by_key(rank);
    let mut batch = Vec::with_capacity(writes.len());
    for write in &writes {
        batch.extend(statements(write, sealer)?);
    }
    Ok(batch)
}

/// A list takes effect together and so has no order of its own; rows come before the rows that refer to them.
fn rank(write: &Write) -> u8 {
    match write {
        Write::InsertUser(_) | Write::UpdateUser(_) | Write::DeleteUser { .. } => 0,
        Write::GuardUser { .. } | Write::CountEnrollment { .. } => 0,
        // One that is closed makes room for one that is open.
        Write::UpdateInvitation(_) | Write::CancelMails { .. } => 1,
        Write::InsertInvitation(_) => 2,
        Write::InsertMail(_) => 3,
        Write::InsertDevice(_) => 1,
        Write::InsertPackage(_) | Write::UsePackage { .. } => 1,
        Write::InsertEnrollment(_) | Write::UpdateEnrollment(_) => 2,
        Write::SeeEnrollment { .. } | Write::CatchUpSeen { .. } => 2,
        Write::SaveSession(_) | Write::InsertCommand(_) => 3,
        Write::InsertObject(_) => 4,
        _ => 5,
    }
}

fn statements(write: &Write, sealer: &dyn Sealer) -> Result<Vec<Statement>, StoreError> {
    Ok(match write {
        Write::InsertUser(user) => vec![users::insert(user)],
        Write::UpdateUser(user) => vec![users::update(user)],
        Write::GuardUser { id, credential_version } => vec![users::guard(*id, *credential_version)],
        Write::CountEnrollment { user_id, enrollments } => vec![users::count_enrollment(*user_id, *enrollments)],
        Write::CountAdmission { seen } => vec![registered::count_admission(*seen)],
        Write::InsertRegistered { device, key } => vec![registered::insert(device, key)],
        Write::UseRegistered { id, seen, enrollment_id } => vec![registered::use_one(*id, *seen, *enrollment_id)],
        Write::PassRegistered { from, to } => vec![registered::pass_on(*from, *to)],
        Write::DeleteRegistered(id) => vec![registered::delete(*id)],
        Write::DeleteUser { user, warning } => users::delete(user, warning).into(),
        Write::InsertToken(token) => vec![tokens::insert(token)],
        Write::RevokeToken { id, at } => vec![tokens::revoke(*id, *at)],
        Write::InsertPackage(package) => vec![packages::insert(package)?],
        Write::UsePackage { package, counts, at } => vec![packages::use_one(package, *counts, *at)],
        Write::RebuildPackage(package) => vec![packages::rebuild(package)],
        Write::RevokePackage { id, at } => vec![packages::revoke(*id, *at)],
        Write::TakePackageTry(package) => vec![packages::take_try(package)],
        Write::GiveBackPackageTry(package) => vec![packages::give_back_try(package)],
        Write::InsertInvitation(invitation) => vec![invitations::insert(invitation)],
        Write::UpdateInvitation(invitation) => vec![invitations::update(invitation)],
        Write::InsertMail(mail) => vec![mails::insert(mail, sealer)?],
        Write::UpdateMail(mail) => vec![mails::update(mail)],
        Write::CancelMails { invitation_id, reason } => vec![mails::cancel(*invitation_id, reason)],
        Write::SaveMailTemplate(template) => vec![mails::save_template(template)],
        Write::DeleteMailTemplate(language) => vec![mails::delete_template(*language)],
        Write::SaveEnrollmentUrl(generation) => vec![settings::set(ENROLLMENT_URL, generation)],
        Write::InsertDevice(device) => vec![devices::insert(device)],
        Write::UpdateDevice(device) => vec![devices::update(device)],
        Write::SaveInventory { device_id, items } => devices::save_inventory(*device_id, items).collect(),
        Write::RememberMissing { device_id, node } => vec![devices::remember_missing(*device_id, node)],
        Write::InsertEnrollment(enrollment) => enrollments::insert(enrollment)?,
        Write::UpdateEnrollment(enrollment) => enrollments::update(enrollment)?,
        Write::SeeEnrollment { id, version, at } => vec![enrollments::see(*id, *version, *at)],
        Write::CatchUpSeen { id, at } => vec![enrollments::catch_up_seen(*id, *at)],
        Write::SaveConversation(change) => vec![enrollments::save_conversation(change)],
        Write::ChangePush { enrollment_id, change } => vec![push::change(*enrollment_id, change, sealer)],
        Write::WakeDevice { enrollment_id, at } => vec![push::wake(*enrollment_id, *at)],
        Write::ClaimPush { enrollment_id, by, from } => vec![push::claim(*enrollment_id, by, from.as_deref())],
        Write::ReleasePush { enrollment_id, by } => vec![push::release(*enrollment_id, by)],
        Write::SavePushSent { enrollment_id, by, sent, tries, retry_at } => {
            vec![push::save_sent(*enrollment_id, by, sent, *tries, *retry_at)]
        }
        Write::ForgetChannel { enrollment_id, channel_seq, at } => {
            vec![push::forget_channel(*enrollment_id, *channel_seq, *at)]
        }
        Write::ForgetRegistration { enrollment_id } => vec![push::forget_registration(*enrollment_id)],
        Write::InsertAuthority(ca) => vec![authorities::insert(ca)],
        Write::ChangeAuthority { id, from, to, since } => vec![authorities::change(id, *from, *to, *since)],
        Write::RemoveAuthority { id, role } => authorities::remove(id, *role).into(),
        Write::RootDelivered { enrollment_id, root, at } => vec![authorities::delivered(*enrollment_id, root, *at)],
        Write::InsertCertificate(certificate) => vec![certificates::insert(certificate)],
        Write::GuardCertificate(serial) => vec![certificates::guard(serial)],
        Write::UseCertificate { serial, enrollment_id, at } => certificates::begin_use(serial, *enrollment_id, *at),
        Write::TellLateCertificate { serial, at } => vec![certificates::tell_late(serial, *at)],
        Write::RevokeCertificate { serial, at, reason } => vec![certificates::revoke(serial, *at, reason)],
        Write::InsertCommand(command) => vec![commands::insert(command, sealer)?],
        Write::UpdateCommand(command) => {
            // What is over needs its value no more.
            let value = command.large_value.as_ref().filter(|_| !command.state.is_open());
            let mut statements = vec![commands::update(command, sealer)?];
            statements.extend(value.map(|value| objects::delete(value.object.id)));
            statements
        }
        Write::SaveCatalogue(catalogue) => csp::save_catalogue(catalogue).into(),
        Write::DeleteCatalogue => vec![csp::delete_catalogue()],
        Write::SaveOverride(decided) => vec![csp::save_override(decided)?],
        Write::DeleteOverride(id) => vec![csp::delete_override(*id)],
        Write::MarkCspChange(mark) => vec![settings::set(CSP_CHANGE, mark)],
        Write::CountAnswers(answers) => csp::count_answers(answers).collect(),
        Write::SaveCsps(list) => vec![csp::save_csps(list)?],
        Write::InsertObject(object) => vec![objects::insert(object)],
        Write::AppendObject(part) => vec![objects::append(part, sealer)],
        Write::FinishObject { id, bytes } => vec![objects::finish(*id, *bytes)],
        Write::DeleteObject(id) => vec![objects::delete(*id)],
        Write::SaveSession(session) => vec![sessions::save(session)?],
        Write::SaveAnswer(answer) => vec![sessions::save_answer(answer)],
        Write::AppendTranscript(messages) => sessions::append_transcript(messages).collect(),
        Write::SaveAttempt(attempt) => vec![attempts::save(attempt)?],
        Write::RepeatAttempt { id, at, trace_id, instead_of } => {
            let same = instead_of.map(|(open, phase)| attempts::delete_open(open, phase));
            same.into_iter().chain([attempts::repeat(*id, *at, trace_id)]).collect()
        }
        Write::InsertUpload(upload) => vec![uploads::insert(upload)],
        Write::BeginUpload { id, attempt, at } => uploads::begin(*id, *attempt, *at).into(),
        Write::AppendUploadChunk { chunk, at } => uploads::append(chunk, *at).into(),
        Write::FinishUpload { id, attempt, received } => vec![uploads::finish(*id, *attempt, received)],
        Write::AbandonUpload { id, attempt } => uploads::abandon(*id, *attempt).into(),
        Write::ForgetQuietUploads { quiet_since } => uploads::forget_quiet(*quiet_since).into(),
        Write::DeleteUpload(id) => vec![uploads::delete(*id)],
        Write::InsertAlert(alert) => vec![alerts::insert(alert)],
        Write::AppendEvent(event) => vec![events::append(event)],
        Write::AppendAudit(row) => vec![audit::append(row)],
        Write::NumberEvents(places) => events::number(places).collect(),
        Write::TakeLease { name, holder, seen } => vec![leases::take(name, holder, seen.as_ref())],
        Write::KeepLease { name, term } => vec![leases::keep(name, *term)],
        Write::LeaveLease { name, term } => vec![leases::leave(name, *term)],
        Write::Prune { what, before, limit } => vec![retention::prune(*what, *before, *limit)],
    })
}
