//! `muster demo`: the main job on this machine. A server in a folder of its own, a simulated PC that enrolls, is locked and
//! is let go, told in words.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use reqwest::{Certificate, Client};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::init::{NewInstallation, init};
use super::serve::{Options, Running, start};
use super::sim::transport::{self, Network, Settings};
use crate::adapters::system::SystemRng;
use crate::proto::mde2::DiscoverResponse;
use crate::proto::soap::envelope::Envelope;
use crate::proto::xcep::PolicySettings;
use crate::proto::xml::Limits;
use crate::sim::{self, Device, Effect, Enrolled, Enrollment, Event, Managed, Profile, Step, Turn};

/// Who enrolls.
const USER: &str = "ada@demo.example";
/// Shown, because it protects nothing.
const PASSWORD: &str = "correct horse battery staple";
/// Longest that one request may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// Longest that an action may take to reach its end, asked every few milliseconds.
const PATIENCE: u32 = 400;

/// Runs the demo; the folder stays, so that what happened can be looked at.
pub async fn run(out: &mut impl std::io::Write) -> Result<()> {
    let folder = new_folder()?;
    writeln!(out, "Muster demo: one PC enrolls with a password, is locked, and is let go. All on this machine.\n")?;
    let data = folder.join("data");
    init(installation(&data)).await?;
    let mut options = Options::new(data.clone());
    options.ops = false;
    let running = start(options).await?;
    let told = tell(out, &running, &folder).await;
    running.shutdown().await;
    told?;
    writeln!(out, "\nDone. To look around: muster serve --data {}", data.display())?;
    Ok(())
}

async fn tell(out: &mut impl std::io::Write, running: &Running, folder: &Path) -> Result<()> {
    let demo = Demo::new(running, folder)?;
    step(out, "Server", &format!("{} for people and enrollment, {} for devices", running.url, running.device_url))?;
    let user = demo.api("POST", "/users", Some(json!({"email": USER, "name": "Ada", "password": PASSWORD}))).await?;
    step(out, "User", &format!("{} may enroll with a password", text(&user, "email")))?;
    let device = Device::new(Profile::Windows11, "demo");
    let enrolled = demo.enroll(out, device.clone()).await?;
    let mut pc = Pc { client: demo.network.client(Some(&enrolled))?, managed: Managed::new(device, enrolled), told: 0 };

    let messages = pc.session().await?;
    let found = demo.api("GET", "/devices", None).await?;
    let shown = demo.api("GET", &format!("/devices/{}", text(&found["items"][0], "id")), None).await?;
    let nodes = shown["inventory"].as_object().map_or(0, serde_json::Map::len);
    let words = format!(
        "{messages} messages: {} reported {nodes} facts about itself, Windows {}",
        text(&shown, "name"),
        text(&shown, "os_version")
    );
    step(out, "Session 1", &words)?;

    let id = text(&shown, "id").to_owned();
    let lock = demo.act(&id, json!({"type": "lock", "reason": "left in a taxi"})).await?;
    step(out, "Lock", &format!("asked for; it is {}: {}", text(&lock, "state"), text(&lock, "detail")))?;
    pc.session().await?;
    let lock = demo.finished(&lock).await?;
    ensure!(text(&lock, "state") == "succeeded", "the lock ended {}", text(&lock, "state"));
    ensure!(pc.did(&Effect::Locked), "the PC was not locked");
    let words = format!(
        "the PC answered status {}: it is {} ({})",
        lock["status"],
        text(&lock, "state"),
        text(&lock, "detail")
    );
    step(out, "Session 2", &words)?;

    let retire = demo.act(&id, json!({"type": "retire"})).await?;
    pc.session().await?;
    step(
        out,
        "Retire",
        "asked for; the PC got Unenroll, dropped the session, and tells in one of its own that it leaves",
    )?;
    pc.session().await?;
    let retire = demo.finished(&retire).await?;
    let gone = demo.api("GET", &format!("/devices/{id}"), None).await?;
    ensure!(text(&gone, "state") == "retired", "the device is {}", text(&gone, "state"));
    let words = format!(
        "the retire is {} ({}), the device is {}",
        text(&retire, "state"),
        text(&retire, "detail"),
        text(&gone, "state")
    );
    step(out, "Session 4", &words)?;
    let refused = pc.knock().await?;
    ensure!(refused == 403, "the certificate of the retired device was answered with {refused}");
    step(out, "Afterwards", "its certificate is revoked: the next message was answered with 403")?;
    let transcript = demo.write_transcript(&id).await?;
    step(out, "Transcript", &transcript.display().to_string())
}

/// The administrator's and the PC's view of the demo server.
struct Demo<'r> {
    running: &'r Running,
    folder: PathBuf,
    client: Client,
    /// The PC's way to the server.
    network: Arc<Network>,
    token: String,
}

impl<'r> Demo<'r> {
    fn new(running: &'r Running, folder: &Path) -> Result<Self> {
        let data = folder.join("data");
        let root = data.join("ca/root.pem");
        let client = client(&Certificate::from_pem(&std::fs::read(&root)?)?)?;
        let network = Network::new(Settings::new(transport::roots_from_file(&root)?));
        let token = std::fs::read_to_string(data.join("admin.token"))?.trim().to_owned();
        Ok(Self { running, folder: folder.to_owned(), client, network, token })
    }

    async fn api(&self, method: &str, path: &str, body: Option<Value>) -> Result<Value> {
        let url = format!("{}/api/v1{path}", self.running.url);
        let mut request = self.client.request(method.parse()?, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let status = response.status();
        let value: Value = response.json().await?;
        ensure!(status.is_success(), "{method} {path} was answered with {status}: {value}");
        Ok(value)
    }

    async fn act(&self, device: &str, action: Value) -> Result<Value> {
        self.api("POST", &format!("/devices/{device}/actions"), Some(action)).await
    }

    /// The action once its state is final.
    async fn finished(&self, action: &Value) -> Result<Value> {
        for _ in 0..PATIENCE {
            let action = self.api("GET", &format!("/actions/{}", text(action, "id")), None).await?;
            if !matches!(text(&action, "state"), "queued" | "sent") {
                return Ok(action);
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        bail!("the {} did not end", text(action, "type"))
    }

    /// Discovery, policy, enrollment, as the PC does them; tells what each answer held.
    async fn enroll(&self, out: &mut impl std::io::Write, device: Device) -> Result<Enrolled> {
        let discovery = sim::discovery_url(&self.running.url);
        let options = sim::Options::with_password(&discovery, USER, SecretString::from(PASSWORD));
        let (mut enrollment, mut request) = Enrollment::start(device, options);
        let mut client = self.network.client(None)?;
        loop {
            let reply = client.send(&request).await?;
            tell_answer(out, &reply.body)?;
            match enrollment.receive(&reply.response())? {
                Step::Send(next) => request = next,
                Step::SignIn(_) => bail!("the server wants a web page, not a password"),
                Step::Enrolled(enrolled) => {
                    let certificate = self.api("GET", "/certificates", None).await?;
                    let certificate = &certificate["items"][0];
                    step(
                        out,
                        "Enrollment",
                        "the password was right; the provisioning document is in order: chain, thumbprints, key",
                    )?;
                    let words =
                        format!("serial {}, until {}", text(certificate, "serial"), text(certificate, "not_after"));
                    step(out, "Certificate", &words)?;
                    return Ok(*enrolled);
                }
            }
        }
    }

    /// All sessions of the device, oldest first, as one readable file.
    async fn write_transcript(&self, device: &str) -> Result<PathBuf> {
        let sessions = self.api("GET", &format!("/sessions?device={device}"), None).await?;
        let mut lines = String::new();
        for session in sessions["items"].as_array().into_iter().flatten().rev() {
            let id = text(session, "id");
            let shown = self.transcript(id).await?;
            lines.push_str(&format!(
                "Session {id}, {} to {}\n\n",
                text(session, "opened_at"),
                text(session, "last_at")
            ));
            for message in shown["messages"].as_array().into_iter().flatten() {
                let (who, at, body) = (text(message, "direction"), text(message, "at"), text(message, "body"));
                lines.push_str(&format!("{at} {who}:\n{body}\n\n"));
            }
        }
        let path = self.folder.join("transcript.txt");
        std::fs::write(&path, lines)?;
        Ok(path)
    }

    /// A session with all its messages; they are written behind the answers.
    async fn transcript(&self, session: &str) -> Result<Value> {
        for _ in 0..PATIENCE {
            let shown = self.api("GET", &format!("/sessions/{session}"), None).await?;
            let kept = shown["messages"].as_array().map_or(0, Vec::len) as u64;
            if shown["message_count"].as_u64().is_some_and(|count| kept >= count * 2) {
                return Ok(shown);
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        bail!("the transcript of session {session} is not complete")
    }
}

/// The simulated PC with its connection.
struct Pc {
    client: transport::Client,
    managed: Managed,
    told: usize,
}

impl Pc {
    /// One session from package 1 to its end; returns the messages sent.
    async fn session(&mut self) -> Result<u32> {
        let Some(mut request) = self.managed.start_session() else { bail!("the PC is gone") };
        let mut messages = 0;
        loop {
            messages += 1;
            let reply = self.client.send(&request).await?;
            match self.managed.receive(&reply.response())? {
                Turn::Send(next) => request = next,
                Turn::Done | Turn::Dropped => {
                    self.client.close();
                    return Ok(messages);
                }
            }
        }
    }

    /// Whether the PC did that since it was asked last.
    fn did(&mut self, effect: &Effect) -> bool {
        let found = self.managed.log()[self.told..].iter().any(|event| *event == Event::Did(effect.clone()));
        self.told = self.managed.log().len();
        found
    }

    /// The status that an empty message gets.
    async fn knock(&mut self) -> Result<u16> {
        let url = self.managed.enrolled().account.addr.clone();
        let request = sim::Request { method: "POST", url, headers: Vec::new(), body: b"<SyncML/>".to_vec() };
        Ok(self.client.send(&request).await?.status)
    }
}

fn tell_answer(out: &mut impl std::io::Write, body: &[u8]) -> Result<()> {
    let Ok(envelope) = Envelope::decode(body, &Limits::default()) else { return Ok(()) };
    if let Ok(answer) = DiscoverResponse::decode(&envelope) {
        let words = format!("{USER} is to sign in by {}; policy at {}", answer.auth_policy.as_str(), answer.policy_url);
        step(out, "Discovery", &words)?;
    } else if let Ok(policy) = PolicySettings::decode(&envelope) {
        let days = policy.validity_seconds / 86_400;
        step(
            out,
            "Policy",
            &format!("RSA with at least {} bits, certificates for {days} days", policy.minimal_key_length),
        )?;
    }
    Ok(())
}

/// A client that trusts the demo's root alone.
fn client(root: &Certificate) -> Result<Client> {
    let builder = Client::builder()
        .tls_certs_only([root.clone()])
        .https_only(true)
        // Everything is on this machine.
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(DEADLINE);
    Ok(builder.build()?)
}

fn installation(data: &Path) -> NewInstallation {
    NewInstallation {
        data_dir: data.to_owned(),
        key_file: None,
        url: "https://localhost:0".to_owned(),
        device_url: Some("https://localhost:0".to_owned()),
        admin: "admin@demo.example".to_owned(),
        password: None,
        database: None,
        provider_id: None,
        listen: None,
        device_listen: None,
        organization: None,
        tls: None,
    }
}

/// A new folder that only we can read.
fn new_folder() -> Result<PathBuf> {
    let name: String = SystemRng.bytes::<4>().iter().map(|byte| format!("{byte:02x}")).collect();
    let folder = std::env::temp_dir().join(format!("muster-demo-{name}"));
    crate::adapters::private_file::create_folder(&folder)?;
    Ok(folder)
}

fn step(out: &mut impl std::io::Write, what: &str, words: &str) -> Result<()> {
    writeln!(out, "{what:<12} {words}")?;
    out.flush()?;
    Ok(())
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}
