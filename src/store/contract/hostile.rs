//! S-20: text from outside is only text, in whatever field it comes.

use super::Ground;
use super::fixtures::{
    assert_same, attempt, audit_row, certificate, command, enroll, enrolled, event, first, id, session, token, user,
};
use crate::app::LONGEST_ENTRY;
use crate::app::ports::{AttemptFilter, CommandFilter, ConversationChange, DeviceFilter, Page, Store, Table, Write};
use crate::app::users::LONGEST_EMAIL;
use crate::domain::device::LONGEST_IDENTIFIER;
use crate::domain::inventory::{InventoryItem, LONGEST_NODE, MissingNode};
use crate::proto::syncml::LocUri;

const HOSTILE: &str = "x'; DROP TABLE users; -- \" ` \\ % _ ! $1 ?1 :a @b {} \u{202e} \r\n\t 😀";

pub(super) async fn run(make: &impl AsyncFn() -> Ground) {
    hostile_text_is_stored_as_it_is(&make().await).await;
    hostile_text_of_devices_is_stored_as_it_is(&make().await).await;
    hostile_nodes_are_stored_as_they_are(&make().await).await;
    hostile_text_finds_only_itself(&make().await).await;
    the_longest_text_fits_every_index(&make().await).await;
}

fn text() -> String {
    HOSTILE.to_owned()
}

async fn hostile_text_is_stored_as_it_is(Ground { store, .. }: &Ground) {
    let (mut owner, mut key, mut row) = (user(1), token(1, &user(1)), audit_row(1));
    (owner.email, owner.name, owner.password_hash) = (text(), Some(text()), Some(text()));
    key.name = text();
    (row.actor, row.action, row.object_kind, row.object_id) = (text(), text(), text(), text());
    (row.object_name, row.outcome, row.detail, row.address) = (text(), text(), text(), text());
    let (mut device, mut enrollment) = enrolled(1);
    (device.name, device.hw_dev_id) = (text(), Some(text()));
    (enrollment.claimed_device_id, enrollment.reported_source) = (Some(text()), Some(text()));
    (enrollment.closed_reason, enrollment.warning) = (Some(text()), Some(text()));
    enrollment.context = vec![(text(), text())];
    let (mut queued, mut happened) = (command(1), event(1));
    (queued.detail, queued.hresult, queued.created_by, queued.reason) = (text(), Some(text()), text(), Some(text()));
    (happened.kind, happened.subject, happened.data) = (text(), Some(text()), HOSTILE.into());
    let mut writes = enroll((device.clone(), enrollment.clone()));
    writes.extend([Write::InsertUser(owner.clone()), Write::InsertToken(key.clone()), Write::AppendAudit(row.clone())]);
    writes.extend([Write::InsertCommand(Box::new(queued.clone())), Write::AppendEvent(happened.clone())]);
    store.commit(writes).await.unwrap();
    assert_same(&store.user(id(1)).await.unwrap().unwrap(), &owner);
    assert_same(&store.tokens(&first(9)).await.unwrap().items, &vec![key]);
    assert_same(&store.audit(Some(HOSTILE), &first(9)).await.unwrap().items, &vec![row]);
    let view = store.device(id(1)).await.unwrap().unwrap();
    assert_same(&(view.device, view.enrollment), &(device, enrollment));
    assert_same(&store.command(id(1)).await.unwrap().unwrap(), &queued);
    assert_same(&store.event(id(1)).await.unwrap().unwrap(), &happened);
}

async fn hostile_text_of_devices_is_stored_as_it_is(Ground { store, .. }: &Ground) {
    store.commit(enroll(enrolled(1))).await.unwrap();
    let (mut talk, mut tried, mut issued) = (session(1), attempt(1), certificate(1));
    (talk.wire_id, talk.state, talk.login, talk.remarks) = (text(), text(), text(), vec![text()]);
    (talk.mode, talk.correlation, talk.client_request_id) = (Some(text()), Some(text()), Some(text()));
    (tried.email, tried.address, tried.cause, tried.trace_id) = (text(), text(), text(), text());
    (tried.device_name, tried.os_version) = (Some(text()), Some(text()));
    (issued.serial, issued.subject, issued.revoked_reason) = (text(), text(), Some(text()));
    let writes = vec![
        Write::SaveSession(Box::new(talk.clone())),
        Write::SaveAttempt(Box::new(tried.clone())),
        Write::InsertCertificate(Box::new(issued.clone())),
        Write::SaveConversation(ConversationChange {
            enrollment_id: id(1),
            state: text(),
            replaces: None,
            revision: 1,
        }),
    ];
    store.commit(writes).await.unwrap();
    assert_same(&store.session(id(1)).await.unwrap().unwrap(), &talk);
    let filter = AttemptFilter { trace_id: Some(text()), email: Some(text()), outcome: None };
    assert_same(&store.attempts(&filter, &first(9)).await.unwrap().items, &vec![tried]);
    assert_same(&store.certificate_by_serial(HOSTILE).await.unwrap().unwrap(), &issued);
    assert_eq!(store.conversation(id(1)).await.unwrap().unwrap().state, HOSTILE);
}

async fn hostile_nodes_are_stored_as_they_are(Ground { store, .. }: &Ground) {
    store.commit(enroll(enrolled(1))).await.unwrap();
    let item = InventoryItem {
        loc_uri: LocUri::received(HOSTILE),
        value: Some(text()),
        format: Some(text()),
        at: super::fixtures::at(0),
    };
    let node = MissingNode { loc_uri: text(), os_version: text(), status: 404 };
    let writes = vec![
        Write::SaveInventory { device_id: id(1), items: vec![item.clone()] },
        Write::RememberMissing { device_id: id(1), node: node.clone() },
    ];
    store.commit(writes).await.unwrap();
    assert_eq!(store.inventory(id(1)).await.unwrap(), [item]);
    assert_eq!(store.missing_nodes(id(1)).await.unwrap(), [node]);
}

/// So many random letters of four bytes each: no engine makes them shorter.
fn incompressible(letters: usize, seed: u32) -> String {
    let mut state = seed;
    let mut letter = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from_u32(0x2_0000 + (state >> 8) % 0x1_0000).unwrap()
    };
    (0..letters).map(|_| letter()).collect()
}

/// What is indexed, at the bounds of the doors through which it comes.
async fn the_longest_text_fits_every_index(Ground { store, .. }: &Ground) {
    let (mut owner, mut tried) = (user(1), attempt(1));
    owner.email = incompressible(LONGEST_EMAIL, 1);
    (tried.email, tried.address) = (incompressible(LONGEST_ENTRY, 2), "f".repeat(45));
    let identifier = |seed| Some(incompressible(LONGEST_IDENTIFIER / 4, seed));
    let (device, mut enrollment) = enrolled(1);
    (enrollment.claimed_device_id, enrollment.hw_dev_id) = (identifier(3), identifier(4));
    enrollment.reported_dev_id = Some(incompressible(4096, 5));
    let node = incompressible(LONGEST_NODE / 4, 6);
    let item = InventoryItem {
        loc_uri: LocUri::received(&node),
        value: Some(incompressible(100_000, 7)),
        format: None,
        at: super::fixtures::at(0),
    };
    assert!(item.can_be_kept());
    let missing = MissingNode { loc_uri: node, os_version: text(), status: 404 };
    let mut writes = enroll((device, enrollment.clone()));
    writes.extend([Write::InsertUser(owner.clone()), Write::SaveAttempt(Box::new(tried.clone()))]);
    writes.push(Write::SaveInventory { device_id: id(1), items: vec![item.clone()] });
    writes.push(Write::RememberMissing { device_id: id(1), node: missing.clone() });
    store.commit(writes).await.unwrap();
    assert_same(&store.user_by_name(&owner.email).await.unwrap().unwrap(), &owner);
    let filter = AttemptFilter { email: Some(tried.email.clone()), ..AttemptFilter::default() };
    assert_same(&store.attempts(&filter, &first(9)).await.unwrap().items, &vec![tried]);
    assert_eq!(enrollment.identifiers().count(), 3, "one is too long to be found by");
    for claim in enrollment.identifiers() {
        assert_eq!(store.enrollments_claiming(&claim).await.unwrap().len(), 1, "{claim}");
    }
    assert_eq!(store.inventory(id(1)).await.unwrap(), [item]);
    assert_eq!(store.missing_nodes(id(1)).await.unwrap(), [missing]);
}

async fn hostile_text_finds_only_itself(Ground { store, .. }: &Ground) {
    let mut odd = user(2);
    odd.name = Some(text());
    let mut writes = enroll(enrolled(1));
    writes.extend([Write::InsertUser(user(1)), Write::InsertUser(odd), Write::InsertCommand(Box::new(command(1)))]);
    store.commit(writes).await.unwrap();
    for piece in [HOSTILE, "'", "\"", "\\", "%", "_", "!", "%%", "!%", "' OR 1=1 --", "\0"] {
        let found = store.users(Some(piece), &first(9)).await.unwrap().items.len();
        assert_eq!(found, usize::from(HOSTILE.contains(piece)), "{piece:?}");
        assert!(store.user_by_name(piece).await.unwrap().is_none());
        assert!(store.users_by_local_part(piece).await.unwrap().is_empty());
        assert!(store.enrollments_claiming(piece).await.unwrap().is_empty());
        assert!(store.events_after(0, Some(piece), 9).await.unwrap().is_empty());
        assert!(store.setting(piece).await.unwrap().is_none());
        assert!(store.ids_with_prefix(Table::Users, piece).await.unwrap().is_empty());
        let query = DeviceFilter { query: Some(piece.to_owned()), ..DeviceFilter::default() };
        assert!(store.devices(&query, &first(9)).await.unwrap().items.is_empty());
        let user = DeviceFilter { user: Some(piece.to_owned()), ..DeviceFilter::default() };
        assert!(store.devices(&user, &first(9)).await.unwrap().items.is_empty());
        let after = Some(crate::app::ports::Cursor { at: i64::MIN, id: piece.to_owned() });
        let page = Page { limit: 9, after };
        assert!(store.commands(&CommandFilter::default(), &page).await.unwrap().items.is_empty());
    }
    assert_eq!(store.users(None, &first(9)).await.unwrap().items.len(), 2, "nothing was dropped");
}
