use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::exchange::Patience;
use super::*;
use crate::domain::language::Language;
use crate::domain::mail::Content;

fn server() -> SmtpServer {
    SmtpServer {
        host: "smtp.example.test".to_owned(),
        port: 587,
        tls: SmtpTls::StartTls,
        ca_file: None,
        credentials: None,
        from: "Fabrikam <mdm@example.test>".to_owned(),
        hello: "mdm.example.test".to_owned(),
    }
}

fn mail(content: &Content, language: Language) -> OutgoingMail<'_> {
    OutgoingMail {
        to: "ada@example.test",
        message_id: "<1@example.test>",
        language,
        date: time::macros::datetime!(2026-11-20 12:00 UTC),
        content,
    }
}

#[test]
fn a_message_is_built_as_mail_wants_it() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let smtp = Smtp::new(&server()).unwrap();
    let content = Content { subject: "Été".to_owned(), body: "Bonjour, où ?\n".to_owned() };
    let mail = mail(&content, Language::French);
    let text = String::from_utf8(smtp.message(&mail).unwrap().formatted()).unwrap();
    for part in [
        "From: Fabrikam <mdm@example.test>\r\n",
        "To: ada@example.test\r\n",
        "Message-ID: <1@example.test>\r\n",
        "Date: Fri, 20 Nov 2026 12:00:00 +0000\r\n",
        "Content-Language: fr\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "Subject: =?utf-8?b?",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    for to in ["", "no address", "a@b\r\nBcc: eve@example.test", "a@b, c@d"] {
        assert!(smtp.message(&OutgoingMail { to, ..mail }).is_err(), "{to:?}");
    }
}

#[test]
fn what_is_wrong_in_the_configuration_is_named() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let words = |server: SmtpServer| Smtp::new(&server).err().unwrap();
    assert!(words(SmtpServer { from: "nobody".to_owned(), ..server() }).starts_with("from: "));
    let missing = SmtpServer { ca_file: Some(PathBuf::from("/nowhere.pem")), ..server() };
    assert!(words(missing).starts_with("ca_file: "));
}

/// A mail server that gives its answers one after the other, one to each command and one to the end of a mail, and is silent
/// from then on.
async fn stand_in(answers: &'static [&'static str]) -> SmtpServer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let (mut answers, mut is_content) = (answers.iter(), false);
        if let Some(greeting) = answers.next() {
            write.write_all(format!("{greeting}\r\n").as_bytes()).await.unwrap();
        }
        while let Ok(Some(line)) = lines.next_line().await {
            if is_content && line != "." {
                continue;
            }
            let Some(answer) = answers.next() else { continue };
            is_content = answer.starts_with("354");
            write.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
        }
    });
    SmtpServer { host: "127.0.0.1".to_owned(), port, tls: SmtpTls::Off, ..server() }
}

async fn send(server: &SmtpServer, patience: Patience) -> Result<(), MailError> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut smtp = Smtp::new(server).unwrap();
    smtp.relay.patience = patience;
    let content = Content { subject: "Hello".to_owned(), body: "Hello\n.\nAda\n".to_owned() };
    timeout(LONG, smtp.send(&mail(&content, Language::English))).await.expect("a try comes to its end")
}

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(100);
const PATIENT: Patience = Patience { connect: LONG, command: LONG, content: LONG };
/// From the greeting to the yes.
const ALL: &[&str] = &["220 hello", "250 hello", "250 ok", "250 ok", "354 go on", "250 taken"];

#[tokio::test]
async fn a_server_that_falls_silent_ends_the_try_wherever_it_does() {
    let steps = [
        (Patience { connect: SHORT, ..PATIENT }, 0, "at the connection"),
        (Patience { connect: SHORT, ..PATIENT }, 1, "at the connection"),
        (Patience { command: SHORT, ..PATIENT }, 2, "at the sender"),
        (Patience { command: SHORT, ..PATIENT }, 3, "at the recipient"),
        (Patience { command: SHORT, ..PATIENT }, 4, "before the mail"),
        (Patience { content: SHORT, ..PATIENT }, 5, "after the mail"),
    ];
    for (patience, answers, place) in steps {
        let error = send(&stand_in(&ALL[..answers]).await, patience).await.unwrap_err();
        assert_eq!(error.words, format!("{place}: the mail server has not answered for 0.1 seconds"));
        assert!(!error.is_final, "{place}");
    }
    let under_tls = SmtpServer { tls: SmtpTls::Implicit, ..stand_in(&[]).await };
    let error = send(&under_tls, Patience { connect: SHORT, ..PATIENT }).await.unwrap_err();
    assert!(error.words.starts_with("at the connection: "), "{}", error.words);
}

#[tokio::test]
async fn nobody_waits_for_an_answer_to_the_goodbye() {
    // Fails by the time that `send` has here.
    send(&stand_in(ALL).await, PATIENT).await.unwrap();
}

#[tokio::test]
async fn who_refuses_says_at_which_step_and_may_be_slow_to_go() {
    let refusals: [(&[&str], &str, bool); 4] = [
        (&["554 5.7.1 not from there"], "at the connection: permanent error (554): 5.7.1 not from there", false),
        (
            &["220 hello", "250 hello", "553 5.7.1 not as that sender"],
            "at the sender: permanent error (553): 5.7.1 not as that sender",
            false,
        ),
        (
            &["220 hello", "250 hello", "250 ok", "550 5.1.1 nobody of that name"],
            "at the recipient: permanent error (550): 5.1.1 nobody of that name",
            true,
        ),
        (
            &["220 hello", "250 hello", "250 ok", "250 ok", "354 go on", "452 4.3.1 no room"],
            "after the mail: transient error (452): 4.3.1 no room",
            false,
        ),
    ];
    for (answers, words, is_final) in refusals {
        let error = send(&stand_in(answers).await, PATIENT).await.unwrap_err();
        assert_eq!((error.words.as_str(), error.is_final), (words, is_final));
    }
}

#[test]
fn a_try_ends_before_anybody_else_begins_one() {
    assert!(PATIENCE.whole() < crate::domain::mail::ONE_TRY.unsigned_abs());
}
