use time::Duration;

use super::*;
use crate::app::testing::Ground;
use crate::domain::proof::Proof;

fn message(enrollment: &Enrollment) -> CheckIn {
    let device = DeviceIdentity {
        certificate: CertificateUse::default(),
        enrollment_id: enrollment.id,
        device_id: enrollment.device_id,
        address: "192.0.2.7".parse().unwrap(),
        proofs: vec![Proof::Certificate],
        signature: None,
        signs: false,
    };
    CheckIn { device, body: Vec::new(), encoding: Encoding::Xml, opening: Opening::default(), tokens: Vec::new() }
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
