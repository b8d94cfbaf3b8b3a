use super::*;
use crate::app::testing::Ground;

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

/// A message, and an answer without interest.
fn exchange(ground: &Ground, session: Id<SessionRecord>, number: u32, body: &str) -> Exchange {
    Exchange {
        session,
        number,
        at: ground.app.now(),
        encoding: Encoding::Xml,
        message: Body::Message(body.as_bytes().to_vec()),
        given: None,
        status: 200,
        answer: Body::Words("answered".to_owned()),
    }
}

/// What a device said.
async fn said(app: &App, session: Id<SessionRecord>) -> Vec<String> {
    let shown = app.transcript(session).await.unwrap().into_iter();
    shown.filter(|line| line.direction == Direction::Device).map(|line| line.body).collect()
}

fn get(manufacturer: &str) -> String {
    format!("<Add><Item><Target><LocURI>./DevInfo/Man</LocURI></Target><Data>{manufacturer}</Data></Item></Add>")
}

#[tokio::test]
async fn a_message_that_cannot_be_kept_costs_no_other() {
    let ground = Ground::new().await;
    let app = &ground.app;
    let session = session(&ground).await;
    let record = |session, number, body: &str| app.memory.behind.record(exchange(&ground, session, number, body));
    record(session, 0, &get("Contoso"));
    record(app.new_id(), 0, &get("nobody's"));
    record(session, 1, "no XML <");
    record(session, 2, "<Results><Item><Data/></Item><Item><Data/></Item></Results>");
    let kept = said(app, session).await;
    assert_eq!(kept.len(), 3, "{kept:?}");
    assert_eq!(kept[0], get("Contoso"));
    assert_eq!(kept[1], "[unreadable, 8 bytes]");
    let lines = app.transcript(session).await.unwrap();
    assert_eq!((lines.len(), lines[1].status, lines[1].body.as_str()), (6, Some(200), "answered"));
}

#[tokio::test]
async fn a_long_message_is_cut_and_says_so() {
    let ground = Ground::new().await;
    let app = &ground.app;
    let session = session(&ground).await;
    let long = get(&"é".repeat(LONGEST));
    app.memory.behind.record(exchange(&ground, session, 0, &long));
    app.memory.behind.record(exchange(&ground, session, 1, &get("Contoso")));
    let kept = said(app, session).await;
    let (cut, mark) = kept[0].split_once("\n[cut here: ").unwrap();
    assert!(long.starts_with(cut) && (LONGEST - 3..=LONGEST).contains(&cut.len()));
    assert_eq!(mark, format!("the message goes on for {} bytes]", long.len() - cut.len()));
    assert_eq!(kept[1], get("Contoso"), "a message as long as allowed is whole");
}

#[tokio::test]
async fn more_than_one_batch_is_written_whole() {
    let ground = Ground::new().await;
    let session = session(&ground).await;
    let count = u32::try_from(TOGETHER).unwrap() * 2 + 3;
    (0..count).for_each(|number| ground.app.memory.behind.record(exchange(&ground, session, number, &get("x"))));
    assert_eq!(said(&ground.app, session).await.len(), count as usize);
}

// covers: M-146
#[tokio::test]
async fn what_the_engine_was_given_is_kept_without_secrets() {
    use crate::domain::action::Action;
    use crate::domain::command::QueuedCommand;
    use crate::proto::syncml::{Command, LocUri, decode};
    use crate::session::{Admission, Conversation, Incoming, Opening, Proven};

    let ground = Ground::new().await;
    let app = &ground.app;
    let session_id = session(&ground).await;
    let mut enrollment = ground.enrollment().await;
    enrollment.account = b"sealed-account".to_vec();
    enrollment.context = vec![("MAC".to_owned(), "02-00-5E-10-00-01".to_owned())];
    let text = "<SyncML><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto><SessionID>1</SessionID><MsgID>1</MsgID>\
                <Target><LocURI>s</LocURI></Target><Source><LocURI>d</LocURI></Source></SyncHdr><SyncBody><Final/></SyncBody></SyncML>";
    let now = app.now();
    let owner = (enrollment.id, enrollment.device_id);
    let mut command = QueuedCommand::new(app.new_id(), owner, Action::Raw, now, now + time::Duration::days(1));
    let secret = LocUri::received("./Vendor/MSFT/WiFi/Profile/x/WlanXml");
    let plain = LocUri::received("./DevInfo/Man");
    let write = |uri: &LocUri, value: &str| Command::replace(uri.clone(), "chr", value);
    command.begin_step(0, vec![write(&secret, "psk-of-the-wifi"), write(&plain, "Contoso")]);
    command.rest = vec![write(&secret, "another-psk")];
    command.items[0].data = Some("secret-result".to_owned());
    command.created_by = "ada@example.test".to_owned();
    let input = Input {
        now,
        digest: [7; 32],
        incoming: Incoming::Open { odd: false },
        message: decode(text.as_bytes(), &crate::proto::xml::Limits::default()).unwrap(),
        new_session: app.new_id(),
        new_object: app.new_id(),
        room: 0,
        arrived: String::new(),
        supplies: Vec::new(),
        opening: Opening::default(),
        proven: Proven {
            by: vec![crate::domain::proof::Proof::Certificate],
            signature: None,
            admission: Admission::Session([9; 16]),
            network: "192.0.2.7".parse().unwrap(),
            has_to_sign: false,
        },
        tokens: crate::domain::entra::TokenEvidence::default(),
        registration: crate::domain::push::Registration::default(),
        enrollment,
        conversation: Conversation::default(),
        commands: vec![command],
        limits: app.session_limits(),
    };
    let given = Some(Box::new(input.clone()));
    app.memory.behind.record(Exchange { given, ..exchange(&ground, session_id, 0, text) });
    let kept = app.transcript(session_id).await.unwrap().remove(0).given.unwrap();
    let shown = kept.to_string();
    let secrets = [
        "psk-of-the-wifi",
        "another-psk",
        "secret-result",
        "ada@example.test",
        "sealed-account",
        "5E-10",
        "192.0.2.7",
        "[9,9,9",
    ];
    for secret in secrets {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
    assert!(shown.contains("Contoso") && shown.contains("[redacted 15 bytes "), "{shown}");
    // It reads back as what it was, secrets apart.
    let again = serde_json::from_value::<Snapshot>(kept).unwrap().input(input.message.clone());
    assert_eq!((again.now, &again.incoming, &again.conversation), (input.now, &input.incoming, &input.conversation));
    assert_ne!(again.digest, input.digest, "with the rest known, a digest tells short secrets");
    let (before, after) = (&input.commands[0], &again.commands[0]);
    assert_eq!((before.id, before.placing, before.body.len()), (after.id, after.placing, after.body.len()));
    assert_eq!(after.body[1], before.body[1]);
}
