//! Values to store.

use std::fmt::Debug;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::app::ports::{Cursor, Listed, Page, Store, StoreError, Write};
use crate::domain::Id;
use crate::domain::action::Action;
use crate::domain::approval::Approval;
use crate::domain::attempt::{Attempt, Outcome, Phase};
use crate::domain::certificate::Certificate;
use crate::domain::command::QueuedCommand;
use crate::domain::device::Device;
use crate::domain::enrollment::{Enrollment, EnrollmentKind, EnrollmentState, Mode};
use crate::domain::event::{AuditRow, Event};
use crate::domain::package::Package;
use crate::domain::session_record::{SessionRecord, TranscriptExchange};
use crate::domain::user::{Role, Token, User, UserKind};
use crate::proto::syncml::{Command, Encoding, LocUri};

/// The id of that number.
pub(in crate::store) fn id<T>(number: u128) -> Id<T> {
    Id::new(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 + number))
}

/// So many milliseconds after some day.
pub(in crate::store) fn at(millis: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos((1_790_000_000_000 + i128::from(millis)) * 1_000_000).unwrap()
}

/// The first page with so many rows.
pub(super) fn first(limit: u32) -> Page {
    Page { limit, after: None }
}

/// All rows of a list, page by page, by their ids; every page must be full but the last.
pub(super) async fn walk<T>(
    limit: u32,
    load: impl AsyncFn(Page) -> Result<Listed<T>, StoreError>,
    id: impl Fn(&T) -> String,
) -> Vec<String> {
    let mut ids = Vec::new();
    let mut after: Option<Cursor> = None;
    loop {
        let listed = load(Page { limit, after: after.clone() }).await.unwrap();
        ids.extend(listed.items.iter().map(&id));
        match listed.next {
            Some(next) => {
                assert_eq!(listed.items.len(), limit as usize, "a page with a next one is full");
                assert_ne!(after.as_ref(), Some(&next), "the cursor moves");
                after = Some(next);
            }
            None => return ids,
        }
    }
}

/// Ids of numbers, as text.
pub(super) fn ids(numbers: impl IntoIterator<Item = u128>) -> Vec<String> {
    numbers.into_iter().map(|number| id::<()>(number).to_string()).collect()
}

/// The domain's types have no equality of their own; their Debug shows every field.
#[track_caller]
pub(super) fn assert_same<T: Debug>(left: &T, right: &T) {
    assert_eq!(format!("{left:#?}"), format!("{right:#?}"));
}

/// Whether it was a conflict; anything but success or conflict fails the test.
#[track_caller]
pub(super) fn is_conflict(outcome: Result<(), StoreError>) -> bool {
    match outcome {
        Ok(()) => false,
        Err(StoreError::Conflict) => true,
        Err(other) => panic!("{other}"),
    }
}

pub(in crate::store) fn user(number: u128) -> User {
    User {
        id: id(number),
        email: format!("user{number}@example.org"),
        name: None,
        kind: UserKind::Person,
        role: Role::User,
        enabled: true,
        password_hash: None,
        credential_version: 1,
        device_limit: None,
        must_change_password: false,
        created_at: at(0),
        version: 1,
    }
}

pub(super) fn token(number: u128, user: &User) -> Token {
    Token {
        id: id(number),
        name: "robot".to_owned(),
        secret_hash: digest(number),
        role: Role::Operator,
        user_id: user.id,
        created_at: at(0),
        expires_at: None,
        revoked_at: None,
    }
}

/// A package of that user for three devices, which ends a second after it was made.
pub(super) fn package(number: u128, user: &User) -> Package {
    Package {
        id: id(number),
        user_id: Some(user.id),
        user_name: user.email.clone(),
        name: format!("Site{number}"),
        build: 1,
        built_as: None,
        secret_hash: digest(number),
        sealed_pin_hash: None,
        pin_failures: 0,
        networks: Vec::new(),
        max_devices: 3,
        devices: 0,
        created_at: at(0),
        expires_at: at(1000),
        last_used_at: None,
        revoked_at: None,
        root: None,
        generation: None,
    }
}

/// The device and the enrollment of that number, which belong together.
pub(in crate::store) fn enrolled(number: u128) -> (Device, Enrollment) {
    let device = Device {
        id: id(number),
        name: format!("PC-{number}"),
        hw_dev_id: None,
        enrollment_id: id(number),
        linked_device_id: None,
        created_at: at(0),
    };
    let enrollment = Enrollment {
        id: id(number),
        device_id: id(number),
        user_id: None,
        state: EnrollmentState::Active,
        mode: Mode::OnPremise,
        kind: EnrollmentKind::Full,
        claimed_device_id: None,
        hw_dev_id: None,
        reported_dev_id: None,
        reported_source: None,
        os_version: None,
        os_edition: None,
        context: Vec::new(),
        account: Vec::new(),
        enrolled_at: at(0),
        last_seen_at: None,
        inventory_at: None,
        state_since: at(0),
        closed_reason: None,
        warning: None,
        locked_to_tenant: false,
        entra_device_id: None,
        package_id: None,
        assigned_at: None,
        approval: Approval::NotNeeded,
        replaced_unapproved: None,
        version: 1,
    };
    (device, enrollment)
}

/// The writes that store both.
pub(in crate::store) fn enroll((device, enrollment): (Device, Enrollment)) -> Vec<Write> {
    vec![Write::InsertDevice(device), Write::InsertEnrollment(Box::new(enrollment))]
}

/// Stores the enrollments of these numbers.
pub(super) async fn enroll_all(store: &impl Store, numbers: impl IntoIterator<Item = u128>) {
    store.commit(numbers.into_iter().flat_map(|number| enroll(enrolled(number))).collect()).await.unwrap();
}

pub(super) fn certificate(number: u128) -> Certificate {
    Certificate {
        serial: format!("{number:032x}"),
        sha256: digest(number),
        enrollment_id: id(1),
        subject: format!("CN={number}"),
        issuer: "ca".to_owned(),
        der: vec![0x30, 0, 255],
        key_sha256: digest(1000 + number),
        not_before: at(0),
        not_after: at(1_000_000),
        revoked_at: None,
        revoked_reason: None,
        renews: None,
        first_used_at: None,
        superseded_at: None,
        late_told_at: None,
    }
}

/// A reboot in the queue of the enrollment of number 1.
pub(in crate::store) fn command(number: u128) -> QueuedCommand {
    let mut command = QueuedCommand::new(id(number), (id(1), id(1)), Action::Sync, at(0), at(1_000_000));
    command.created_by = "admin@example.org".to_owned();
    command.begin_step(0, vec![Command::get(LocUri::fixed("./DevDetail/SwV"))]);
    command
}

/// An open session of the enrollment of number 1.
pub(super) fn session(number: u128) -> SessionRecord {
    SessionRecord {
        id: id(number),
        enrollment_id: id(1),
        device_id: id(1),
        wire_id: "A7".to_owned(),
        opened_at: at(0),
        last_at: at(0),
        closed_at: None,
        state: "open".to_owned(),
        messages: 1,
        login: "none".to_owned(),
        mode: None,
        correlation: None,
        client_request_id: None,
        remarks: Vec::new(),
        proofs: Vec::new(),
        tokens: Default::default(),
    }
}

pub(super) fn exchange(session: u128, number: u32) -> TranscriptExchange {
    TranscriptExchange {
        session_id: id(session),
        number,
        at: at(number.into()),
        encoding: if number < 4 { Encoding::Xml } else { Encoding::Wbxml },
        status: if number == 1 { 200 } else { 415 },
        body: vec![0, 1, 2, number as u8],
    }
}

pub(super) fn attempt(number: u128) -> Attempt {
    Attempt {
        id: id(number),
        started_at: at(0),
        updated_at: at(0),
        email: "mia@example.org".to_owned(),
        address: "192.0.2.1".to_owned(),
        road: None,
        phase: Phase::Discover,
        outcome: Outcome::Open,
        cause: String::new(),
        hresult: None,
        trace_id: format!("trace-{number}"),
        device_name: None,
        os_version: None,
        enrollment_id: None,
        refused: None,
        claims: Vec::new(),
        times: 1,
        never_seen: false,
    }
}

pub(super) fn event(number: u128) -> Event {
    Event {
        id: id(number),
        kind: "muster.device.checkin".to_owned(),
        subject: None,
        time: at(0),
        data: serde_json::json!({}),
        seq: None,
    }
}

pub(super) fn audit_row(number: u128) -> AuditRow {
    AuditRow {
        id: id(number),
        time: at(0),
        actor: "admin@example.org".to_owned(),
        action: "action.create".to_owned(),
        object_kind: "device".to_owned(),
        object_id: id::<()>(1).to_string(),
        object_name: "PC-1".to_owned(),
        outcome: "ok".to_owned(),
        detail: String::new(),
        address: "192.0.2.1".to_owned(),
    }
}

fn digest(number: u128) -> [u8; 32] {
    let mut digest = [7; 32];
    digest[..16].copy_from_slice(&number.to_be_bytes());
    digest
}
