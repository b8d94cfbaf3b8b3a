use super::*;
use crate::app::Memory;
use crate::app::testing::Ground;

/// An application with the writer that belongs to it.
fn with_writer(ground: &Ground) -> (App, TranscriptWriter) {
    let (memory, writer) = Memory::new(&ground.app.settings, ground.app.rng.as_ref());
    (App { memory: Arc::new(memory), ..ground.app.clone() }, writer)
}

async fn session(ground: &Ground) -> Id<SessionRecord> {
    let enrollment = ground.enrollment().await;
    let session = SessionRecord {
        id: ground.app.new_id(),
        enrollment_id: enrollment.id,
        device_id: enrollment.device_id,
        wire_id: "1".to_owned(),
        opened_at: ground.app.now(),
        last_at: ground.app.now(),
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
    };
    ground.app.commit(vec![Write::SaveSession(Box::new(session.clone()))]).await.unwrap();
    session.id
}

fn message(ground: &Ground, session_id: Id<SessionRecord>, seq: i64, body: &str) -> Recorded {
    Recorded {
        session_id,
        seq,
        direction: Direction::Device,
        at: ground.app.now(),
        encoding: Encoding::Xml,
        body: body.as_bytes().to_vec(),
    }
}

fn get(manufacturer: &str) -> String {
    format!("<Add><Item><Target><LocURI>./DevInfo/Man</LocURI></Target><Data>{manufacturer}</Data></Item></Add>")
}

#[tokio::test]
async fn a_message_that_cannot_be_kept_costs_no_other() {
    let ground = Ground::new().await;
    let (app, writer) = with_writer(&ground);
    let session = session(&ground).await;
    app.record_message(message(&ground, session, 0, &get("Contoso")));
    app.record_message(message(&ground, app.new_id(), 0, &get("nobody's")));
    app.record_message(message(&ground, session, 1, "no XML <"));
    app.record_message(message(&ground, session, 2, "<Results><Item><Data/></Item><Item><Data/></Item></Results>"));
    writer.run(app.clone(), std::future::ready(())).await;
    let kept: Vec<String> = app.transcript(session).await.unwrap().into_iter().map(|(_, _, body)| body).collect();
    assert_eq!(kept.len(), 3, "{kept:?}");
    assert_eq!(kept[0], get("Contoso"));
    assert_eq!(kept[1], "[unreadable, 8 bytes]");
}

#[tokio::test]
async fn a_long_message_is_cut_and_says_so() {
    let ground = Ground::new().await;
    let (app, writer) = with_writer(&ground);
    let session = session(&ground).await;
    let long = get(&"é".repeat(LONGEST));
    app.record_message(message(&ground, session, 0, &long));
    app.record_message(message(&ground, session, 1, &get("Contoso")));
    writer.run(app.clone(), std::future::ready(())).await;
    let kept = app.transcript(session).await.unwrap();
    let (cut, mark) = kept[0].2.split_once("\n[cut here: ").unwrap();
    assert!(long.starts_with(cut) && (LONGEST - 3..=LONGEST).contains(&cut.len()));
    assert_eq!(mark, format!("the message goes on for {} bytes]", long.len() - cut.len()));
    assert_eq!(kept[1].2, get("Contoso"), "a message as long as allowed is whole");
}

#[tokio::test]
async fn what_waits_is_bounded_in_bytes() {
    let ground = Ground::new().await;
    let (line, mut writer) = line();
    let id = ground.app.new_id();
    let big = || Recorded { body: vec![0; WAITING_BYTES / 4], ..message(&ground, id, 0, "") };
    let taken = (0..6).filter(|_| line.join(big())).count();
    assert_eq!(taken, 4);
    assert!(line.join(message(&ground, id, 0, "")), "nothing needs no room");
    drop(writer.receiver.recv().await);
    assert!(line.join(big()), "what was written makes room");
    assert!(!line.join(big()));
    assert!(!line.join(Recorded { body: vec![0; WAITING_BYTES + 1], ..big() }), "never fits");
}
