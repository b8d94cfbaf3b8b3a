use super::*;
use crate::app::commands::RunCommands;
use crate::app::ports::Page;
use crate::app::testing::{Ground, principal};
use crate::domain::enrollment::EnrollmentState;
use crate::domain::user::Role;

/// A device under a bulk user.
async fn in_bulk(ground: &Ground) -> Enrollment {
    let enrollment = ground.enrollment().await;
    let bulk = User { kind: UserKind::Bulk, ..ground.user("windows-bulkenroll-1@example.test", Role::User).await };
    let bulk_device = Enrollment { mode: Mode::Bulk, user_id: Some(bulk.id), ..enrollment };
    let writes = vec![Write::UpdateUser(bulk), Write::UpdateEnrollment(Box::new(bulk_device.clone()))];
    ground.app.commit(writes).await.unwrap();
    ground.app.store.enrollment(bulk_device.id).await.unwrap().unwrap()
}

async fn assign(ground: &Ground, device: Id<Device>, to: &str) -> Result<Assigned, String> {
    let by = ground.admin().await;
    ground.app.assign_device(&by, device, to, false).await.map_err(|error| match error {
        Error::Conflict { code, .. } => code.to_owned(),
        error => error.to_string(),
    })
}

// covers: E-131
#[tokio::test]
async fn a_device_goes_to_a_person_and_on_to_another() {
    let ground = Ground::new().await;
    let app = &ground.app;
    let device = in_bulk(&ground).await;
    assert!(device.awaits_user());
    let ada = ground.user("ada@example.test", Role::User).await;
    let with_password =
        User { password_hash: Some("$test$x".to_owned()), ..ground.user("bob@example.test", Role::User).await };
    app.commit(vec![Write::UpdateUser(with_password)]).await.unwrap();

    let assigned = assign(&ground, device.device_id, "ADA@example.test").await.unwrap();
    assert_eq!(assigned.from.as_deref(), Some("windows-bulkenroll-1@example.test"));
    assert!(!assigned.must_change_password, "she has no password here");
    let now = app.store.enrollment(device.id).await.unwrap().unwrap();
    assert_eq!((now.user_id, now.assigned_at, now.mode), (Some(ada.id), Some(app.now()), Mode::Bulk));
    assert!(!now.awaits_user());

    ground.clock.advance(time::Duration::HOUR);
    let again = assign(&ground, device.device_id, &ada.id.to_string()).await.unwrap();
    assert_eq!(again.view.enrollment.assigned_at, now.assigned_at, "nothing is done twice");
    let next = assign(&ground, device.device_id, "bob@example.test").await.unwrap();
    assert_eq!((next.from.as_deref(), next.must_change_password), (Some("ada@example.test"), true));
    let bob = app.store.user_by_name("bob@example.test").await.unwrap().unwrap();
    assert!(bob.must_change_password);
    let page = Page { limit: 10, after: None };
    let rows = app.store.audit(Some(&device.device_id.to_string()), &page).await.unwrap().items;
    let told: Vec<&str> = rows.iter().map(|row| row.detail.as_str()).collect();
    assert_eq!(
        told,
        ["from ada@example.test to bob@example.test", "from windows-bulkenroll-1@example.test to ada@example.test"]
    );
}

/// Queues a Replace of a node.
async fn queue(ground: &Ground, device: &Enrollment, node: &str) -> Id<QueuedCommand> {
    let body = format!(
        "<Replace><CmdID>1</CmdID><Item><Target><LocURI>{node}</LocURI></Target><Data>0</Data></Item></Replace>"
    );
    let run = RunCommands { body: body.as_bytes(), expires_in: None, key: None, dry_run: false, unchecked: true };
    ground.app.run_commands(&ground.admin().await, device.device_id, run).await.unwrap().0.id
}

// covers: E-131
#[tokio::test]
async fn what_was_meant_for_one_user_does_not_reach_the_next() {
    let ground = Ground::new().await;
    let app = &ground.app;
    let device = in_bulk(&ground).await;
    let ada = ground.user("ada@example.test", Role::User).await;
    ground.user("bob@example.test", Role::User).await;
    let state = async |id| app.store.command(id).await.unwrap().unwrap().state;
    assign(&ground, device.device_id, "ada@example.test").await.unwrap();
    let of_ada = queue(&ground, &device, "./User/Vendor/MSFT/Policy/Config/Experience/AllowCortana").await;
    let of_device = queue(&ground, &device, "./Device/Vendor/MSFT/Policy/Config/Camera/AllowCamera").await;
    assign(&ground, device.device_id, "ada@example.test").await.unwrap();
    assert_eq!(state(of_ada).await, CommandState::Queued, "she has it already");
    assign(&ground, device.device_id, "bob@example.test").await.unwrap();
    assert_eq!((state(of_ada).await, state(of_device).await), (CommandState::Cancelled, CommandState::Queued));

    assign(&ground, device.device_id, "ada@example.test").await.unwrap();
    let of_ada = queue(&ground, &device, "./User/Vendor/MSFT/Policy/Config/Experience/AllowCortana").await;
    app.remove_user(&ground.admin().await, ada.id, None, false).await.unwrap();
    let left = app.store.enrollment(device.id).await.unwrap().unwrap();
    assert_eq!(left.warning.as_deref(), Some("its user ada@example.test was removed"));
    assign(&ground, device.device_id, "bob@example.test").await.unwrap();
    assert_eq!(state(of_ada).await, CommandState::Cancelled);
    let now = app.store.enrollment(device.id).await.unwrap().unwrap();
    assert_eq!(now.warning, None, "it has a user again");

    let other = Enrollment { warning: Some("something else".to_owned()), ..now };
    app.commit(vec![Write::UpdateEnrollment(Box::new(other))]).await.unwrap();
    ground.user("eve@example.test", Role::User).await;
    let kept = assign(&ground, device.device_id, "eve@example.test").await.unwrap().view.enrollment.warning;
    assert_eq!(kept.as_deref(), Some("something else"));
}

#[tokio::test]
async fn nobody_else_and_nothing_else_is_assigned() {
    let ground = Ground::new().await;
    let app = &ground.app;
    let device = in_bulk(&ground).await;
    let off = User { enabled: false, ..ground.user("off@example.test", Role::User).await };
    app.commit(vec![Write::UpdateUser(off)]).await.unwrap();
    for (to, words) in [
        ("nobody@example.test", "/user: there is no such user"),
        ("windows-bulkenroll-1@example.test", "bulk user"),
        ("off@example.test", "user_disabled"),
        ("", "/user"),
    ] {
        let refused = assign(&ground, device.device_id, to).await.unwrap_err();
        assert!(refused.contains(words), "{to}: {refused}");
    }
    let own = ground.enrollment().await;
    assert_eq!(assign(&ground, own.device_id, "root@example.test").await.unwrap_err(), "not_bulk_enrolled");
    let mut gone = app.store.enrollment(device.id).await.unwrap().unwrap();
    gone.enter(EnrollmentState::Retired, app.now());
    app.commit(vec![Write::UpdateEnrollment(Box::new(gone))]).await.unwrap();
    assert_eq!(assign(&ground, device.device_id, "root@example.test").await.unwrap_err(), "device_not_managed");
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let ground = Ground::new().await;
    let device = in_bulk(&ground).await;
    let by = principal(&ground.app.store.user_by_name("root@example.test").await.unwrap().unwrap());
    let shown = ground.app.assign_device(&by, device.device_id, "root@example.test", true).await.unwrap();
    assert_eq!(shown.view.user.as_deref(), Some("root@example.test"));
    let now = ground.app.store.enrollment(device.id).await.unwrap().unwrap();
    assert_eq!((now.user_id, now.version), (device.user_id, device.version));
}
