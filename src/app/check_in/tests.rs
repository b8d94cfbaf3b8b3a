use time::Duration;

use super::*;
use crate::app::testing::Ground;

fn message(enrollment: &Enrollment) -> CheckIn {
    let device = DeviceIdentity { enrollment_id: enrollment.id, address: "192.0.2.7".parse().unwrap() };
    CheckIn { device, body: Vec::new(), encoding: Encoding::Xml, opening: Opening::default() }
}

#[tokio::test]
async fn a_database_that_hangs_is_asked_once_to_end_an_old_session() {
    let (ground, faults) = Ground::faulty().await;
    let enrollment = ground.enrollment().await;
    ground.session(&enrollment).await;
    ground.clock.advance(Duration::minutes(31));
    faults.hang();
    faults.commits();
    let answer = ground.app.check_in(message(&enrollment)).await;
    assert!(matches!(&answer, Err(Error::Unavailable(cause)) if cause == "lock timeout"), "{answer:?}");
    assert_eq!(faults.commits(), 1);
}
