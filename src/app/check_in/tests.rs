use time::Duration;

use super::*;
use crate::app::CertificateUse;
use crate::app::ports::Write;
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
        known: None,
    };
    CheckIn { device, body: Vec::new(), encoding: Encoding::Xml, opening: Opening::default(), tokens: Vec::new() }
}

/// Package 1 of a session, with nothing to tell but `more`.
fn package_one(enrollment: &Enrollment, session: u32, more: &str) -> CheckIn {
    let body = format!(
        "<SyncML xmlns='SYNCML:SYNCML1.2'><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto><SessionID>{session}</SessionID>\
         <MsgID>1</MsgID><Target><LocURI>https://mdm.test/</LocURI></Target><Source><LocURI>{}</LocURI></Source></SyncHdr>\
         <SyncBody><Alert><CmdID>2</CmdID><Data>1201</Data></Alert>{more}<Final/></SyncBody></SyncML>",
        enrollment.id
    );
    CheckIn { body: body.into_bytes(), ..message(enrollment) }
}

/// Commits before answers so far.
fn waited(ground: &Ground) -> u64 {
    ground.app.commits().counts()[0].1
}

/// An enrollment whose inventory is not due.
async fn settled(ground: &Ground) -> Enrollment {
    let mut enrollment = ground.enrollment().await;
    enrollment.inventory_at = Some(ground.app.now());
    ground.app.commit(vec![Write::UpdateEnrollment(Box::new(enrollment.clone()))]).await.unwrap();
    ground.app.store.enrollment(enrollment.id).await.unwrap().unwrap()
}

const ALERT: &str = "<Alert><CmdID>3</CmdID><Data>1226</Data><Item><Meta><Type xmlns='syncml:metinf'>com.example:told</Type>\
                     </Meta><Data>1</Data></Item></Alert>";

/// Settings and questions of the server's own are no rows of the queue; they are committed before they leave all the same.
#[tokio::test]
async fn what_the_server_orders_on_its_own_is_committed_first() {
    let ground = Ground::new().await;
    for (enrollment, order) in [(ground.enrollment().await, "<Get>"), (settled(&ground).await, "<Replace>")] {
        let before = waited(&ground);
        for session in 1..3 {
            let answer = ground.app.check_in(package_one(&enrollment, session, "")).await.unwrap();
            let CheckInAnswer::Reply(reply) = answer else { panic!("{answer:?}") };
            assert!(String::from_utf8(reply).unwrap().contains(order), "{order}");
        }
        assert_eq!(waited(&ground) - before, 2, "{order}");
    }
}

/// A repeated message that told something tells it once, whoever gets it.
#[tokio::test]
async fn what_was_told_is_not_told_again_to_another_process() {
    let ground = Ground::shared().await;
    let enrollment = settled(&ground).await;
    let told = package_one(&enrollment, 1, ALERT);
    let CheckInAnswer::Reply(first) = ground.app.check_in(told.clone()).await.unwrap() else { panic!("no reply") };
    let other = ground.other_process();
    let CheckInAnswer::Reply(again) = other.check_in(told).await.unwrap() else { panic!("no reply") };
    assert_eq!(first, again);
    assert_eq!(other.commits().counts()[0].1, 0);
}

/// A clock that ran ahead and was put right is no reason to show another day for a year.
#[tokio::test]
async fn a_device_seen_in_the_future_is_seen_now() {
    let ground = Ground::new().await;
    let enrollment = settled(&ground).await;
    ground.app.check_in(package_one(&enrollment, 1, "")).await.unwrap();
    let shown = async || ground.app.store.enrollment(enrollment.id).await.unwrap().unwrap();
    for (session, source) in [(2, enrollment.id.to_string()), (3, "another".to_owned())] {
        let ahead = ground.app.now() + Duration::days(400);
        ground.app.commit(vec![Write::CatchUpSeen { id: enrollment.id, at: ahead }]).await.unwrap();
        assert_eq!(shown().await.last_seen_at, Some(ahead));
        let mut request = package_one(&enrollment, session, "");
        let body = String::from_utf8(request.body).unwrap();
        request.body = body.replace(&enrollment.id.to_string(), &source).into_bytes();
        ground.app.check_in(request).await.unwrap();
        assert_eq!(shown().await.last_seen_at, Some(ground.app.now()), "{source}");
    }
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
