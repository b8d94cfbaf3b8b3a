use super::*;
use crate::proto::syncml::decode;
use crate::proto::xml::Limits as XmlLimits;

const NOON: OffsetDateTime = time::macros::datetime!(2026-11-20 12:00 UTC);
const ACCOUNT: Account<'_> = Account { name: "dev-0001", secret: "s3cret" };
const FIRST: Nonce = [0; 16];

/// A device at the door, time moved by hand; each nonce that is given out is one higher.
struct Door {
    state: DigestState,
    now: OffsetDateTime,
    given: u8,
}

impl Door {
    fn new() -> Self {
        Self { state: DigestState::provisioned(FIRST), now: NOON, given: 0 }
    }

    fn knock(&mut self, session: &str, msg: u64, cred: Option<&str>) -> Verdict {
        self.knock_in(session, msg, cred, 0)
    }

    fn knock_in(&mut self, session: &str, msg: u64, cred: Option<&str>, said: u64) -> Verdict {
        let cred = cred.map_or(String::new(), |data| {
            format!("<Cred><Meta><Type xmlns='syncml:metinf'>syncml:auth-md5</Type></Meta><Data>{data}</Data></Cred>")
        });
        let text = format!(
            "<SyncML xmlns='SYNCML:SYNCML1.2'><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto><SessionID>{session}\
             </SessionID><MsgID>{msg}</MsgID><Target><LocURI>https://x</LocURI></Target><Source><LocURI>DEV1</LocURI></Source>\
             {cred}</SyncHdr><SyncBody><Final/></SyncBody></SyncML>"
        );
        let message = decode(text.as_bytes(), &XmlLimits::default()).unwrap();
        let knocking =
            Knocking { message: &message, digest: crate::session::world::digest(&text), said, now: self.now };
        self.given += 1;
        // A copy goes through the database between two messages.
        let kept = serde_json::to_string(&self.state).unwrap();
        self.state = serde_json::from_str(&kept).unwrap();
        self.state.judge(ACCOUNT, &knocking, [self.given; 16])
    }
}

fn right(nonce: Nonce) -> String {
    md5_credential(ACCOUNT.name, ACCOUNT.secret, &nonce)
}

fn code_and_nonce(verdict: Verdict) -> (u16, Option<Nonce>) {
    match verdict {
        Verdict::Challenged(challenge) => (challenge.code, challenge.nonce),
        Verdict::Good { .. } => (212, None),
    }
}

// covers: M-30, M-31
#[test]
fn without_credential_407_with_a_wrong_one_401_each_with_a_nonce_of_its_own() {
    let mut door = Door::new();
    assert_eq!(code_and_nonce(door.knock("1", 1, None)), (407, Some([1; 16])));
    assert_eq!(code_and_nonce(door.knock("1", 2, Some(&right(FIRST)))), (401, Some([2; 16])), "no longer that one");
    let good = door.knock("1", 3, Some(&right([2; 16])));
    assert_eq!(good, Verdict::Good { said: 2, answers_challenge: true });
}

// covers: M-32, S-16
#[test]
fn a_nonce_is_spent_by_the_first_credential_right_or_wrong() {
    let mut door = Door::new();
    let good = Verdict::Good { said: 0, answers_challenge: false };
    assert_eq!(door.knock("1", 1, Some(&right(FIRST))), good, "the one of the provisioning document");
    assert_eq!(code_and_nonce(door.knock("2", 1, Some(&right(FIRST)))).0, 401);
    let nonce = door.state.nonce();
    assert_eq!(code_and_nonce(door.knock("3", 1, Some("AAAA"))).0, 401);
    assert_eq!(code_and_nonce(door.knock("4", 1, Some(&right(nonce)))).0, 401, "spent by somebody else's guess");
    let nonce = door.state.nonce();
    assert_eq!(door.knock("5", 1, Some(&right(nonce))), good);
}

#[test]
fn a_second_wrong_credential_ends_the_session_but_not_the_next() {
    let mut door = Door::new();
    assert_eq!(code_and_nonce(door.knock("1", 1, None)).0, 407);
    assert_eq!(code_and_nonce(door.knock("1", 2, Some("AAAA"))), (401, Some([2; 16])));
    assert_eq!(code_and_nonce(door.knock("1", 3, Some("AAAA"))), (401, None));
    let nonce = door.state.nonce();
    assert_eq!(code_and_nonce(door.knock("1", 4, Some(&right(nonce)))), (401, None), "it is over");
    assert_eq!(code_and_nonce(door.knock("1", 5, None)), (401, None));
    assert_eq!(door.state.nonce(), nonce, "nothing is looked at any more");
    assert_eq!(code_and_nonce(door.knock("1", 1, None)).0, 407, "MsgID 1 is a new session");
    assert_eq!(code_and_nonce(door.knock("1", 2, Some("AAAA"))).0, 401);
    assert_eq!(code_and_nonce(door.knock("2", 1, Some("AAAA"))), (401, Some(door.state.nonce())));
    assert_eq!(code_and_nonce(door.knock("2", 2, Some("AAAA"))), (401, None));
    door.now += Duration::minutes(11);
    assert!(code_and_nonce(door.knock("2", 3, Some("AAAA"))).1.is_some(), "forgotten");
}

#[test]
fn a_retransmission_gets_the_same_answer_and_spends_nothing() {
    let mut door = Door::new();
    for (msg, cred) in [(1, None), (2, Some("AAAA"))] {
        let first = door.knock("1", msg, cred);
        let nonce = door.state.nonce();
        assert_eq!(door.knock("1", msg, cred), first);
        assert_eq!(door.state.nonce(), nonce);
    }
    door.now += Duration::minutes(2);
    let nonce = door.state.nonce();
    assert_eq!(code_and_nonce(door.knock("1", 2, Some("AAAA"))), (401, Some(nonce)));
    let mut door = Door::new();
    let first = door.knock("1", 1, None);
    door.now += Duration::seconds(61);
    assert_ne!(door.knock("1", 1, None), first, "a first message is one again after a minute");
}

#[test]
fn our_messages_go_on_counting_through_a_challenge() {
    let mut door = Door::new();
    let said = |verdict| match verdict {
        Verdict::Challenged(challenge) => challenge.msg_id,
        Verdict::Good { said, .. } => said,
    };
    assert_eq!(said(door.knock("1", 1, None)), 1);
    assert_eq!(said(door.knock("1", 2, Some("AAAA"))), 2);
    assert_eq!(said(door.knock("1", 3, Some(&right([2; 16])))), 2, "so the next one is 3");
    assert_eq!(said(door.knock("2", 1, None)), 1);
    assert_eq!(said(door.knock_in("3", 5, None, 4)), 5, "in a session that has begun");
    let nonce = door.state.nonce();
    assert_eq!(said(door.knock_in("3", 6, Some(&right(nonce)), 4)), 5);
}

#[test]
fn only_md5_is_taken_and_padding_does_not_matter() {
    let cred = |scheme: &str, data: String| Cred { scheme: scheme.to_owned(), data };
    let data = right(FIRST);
    assert!(is_good(&cred("syncml:auth-md5", data.clone()), ACCOUNT, &FIRST));
    assert!(is_good(&cred("SYNCML:auth-MD5", format!(" {} ", data.trim_end_matches('='))), ACCOUNT, &FIRST));
    assert!(!is_good(&cred("syncml:auth-basic", data.clone()), ACCOUNT, &FIRST));
    let basic = crate::proto::syncml::basic_credential(ACCOUNT.name, ACCOUNT.secret);
    assert!(!is_good(&cred("syncml:auth-basic", basic), ACCOUNT, &FIRST));
    assert!(!is_good(&cred("syncml:auth-md5", String::new()), ACCOUNT, &FIRST));
    assert!(!is_good(&cred("syncml:auth-md5", data), Account { secret: "other", ..ACCOUNT }, &FIRST));
}
