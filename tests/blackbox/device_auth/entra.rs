//! Entra tokens: who the user is, never which device.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::device_auth::newest_session;
use crate::support::database::{self, files_below};
use crate::support::device::FakeDevice;
use crate::support::keys::Key;
use crate::support::reply::Reply;
use crate::support::server::Server;
use crate::support::{now, openssl};

/// A way in which a token reaches the server.
type Place<'a> = Box<dyn Fn(&mut FakeDevice) -> Reply + 'a>;

const TENANT: &str = "3f0a9d52-0c0e-4b50-9d3f-5b0c1f7a2b11";
const AUDIENCE: &str = "https://mdm.example.test";
const DEVICE: &str = "1a2b3c4d-5e6f-4708-8192-a3b4c5d6e733";

fn replace(uri: &str) -> String {
    format!(
        r#"<Replace><CmdID>1</CmdID><Item><Target><LocURI>{uri}</LocURI></Target><Meta><Format xmlns="syncml:metinf">chr</Format></Meta><Data>x</Data></Item></Replace>"#
    )
}

/// A setting for the user and one for the device, in the queue.
fn queue(server: &Server, device: &FakeDevice) -> [String; 2] {
    let id = device.id(server);
    let uris = ["./User/Vendor/MSFT/Example/Mine", "./Device/Vendor/MSFT/Example/Ours"];
    uris.map(|uri| {
        let response = server.api().try_command(&id, &replace(uri), "?unchecked=true");
        let document: Value = serde_json::from_str(response.text()).expect("a command document");
        document["id"].as_str().expect("a command has an id").to_owned()
    })
}

fn is_user_reached(replies: &[Reply]) -> bool {
    replies.iter().any(|reply| reply.find("Replace", "/Mine").is_some())
}

/// A token signed with a key, by OpenSSL.
pub(crate) fn token(key: &Key, kid: &str, claims: &Value) -> String {
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": kid});
    let [header, claims] = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let signed = format!("{header}.{claims}");
    let signature = openssl::sign(&key.file, "-sha256", signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

pub(crate) fn claims() -> Value {
    let now = now().unix_timestamp();
    json!({
        "aud": AUDIENCE, "iss": format!("https://sts.windows.net/{TENANT}/"), "tid": TENANT, "deviceid": DEVICE,
        "oid": "8d7c6b5a-4e3f-4210-9a8b-7c6d5e4f3a22", "upn": "ada@example.test", "nbf": now - 60, "exp": now + 3600,
    })
}

/// The key set of a tenant that signs with that key.
fn key_set(key: &Key, kid: &str) -> Value {
    let file = key.file.to_string_lossy();
    let modulus = String::from_utf8(openssl::run(&["rsa", "-in", &file, "-noout", "-modulus"], b"")).unwrap();
    let digits = modulus.trim().strip_prefix("Modulus=").unwrap();
    let bytes: Vec<u8> =
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect();
    json!({"keys": [{"kty": "RSA", "use": "sig", "kid": kid, "n": URL_SAFE_NO_PAD.encode(bytes), "e": "AQAB"}]})
}

/// A server with one connected tenant.
pub(crate) fn connected(key: &Key) -> Server {
    let mut server = Server::start();
    fs::write(server.data().join("entra-keys.json"), key_set(key, "k1").to_string()).unwrap();
    let file = server.data().join("muster.toml");
    let text = fs::read_to_string(&file).unwrap();
    let tenant = format!(
        "\n[[entra]]\ntenant_id = \"{TENANT}\"\naudience = [\"{AUDIENCE}\"]\nkeys_file = \"entra-keys.json\"\n"
    );
    fs::write(&file, text + &tenant).unwrap();
    server.restart();
    server
}

/// A device with nothing waiting for it, at that server.
fn settled(server: &Server) -> FakeDevice {
    let (device, _) = FakeDevice::settled(server);
    device
}

// covers: M-36, M-107, M-146
#[test]
fn a_token_that_is_not_believed_holds_back_the_user_alone_and_is_written_nowhere() {
    let server = Server::start();
    let mut device = settled(&server);
    let id = device.id(&server);
    let secret = "eyJhbGciOiJub25lIn0.c2VjcmV0LXRva2VuLW9mLWFkYQ.c2lnbmF0dXJlLW9mLWFkYQ";
    let [user, ours] = queue(&server, &device);
    let places: [(&str, Place<'_>); 4] = [
        (
            "Authorization",
            Box::new(|device| {
                device.headers = vec![("Authorization".to_owned(), format!("bearer {secret}"))];
                device.start_session()
            }),
        ),
        (
            "DeviceToken",
            Box::new(|device| {
                device.headers = vec![("DeviceToken".to_owned(), secret.to_owned())];
                device.start_session()
            }),
        ),
        (
            "AADUserToken",
            Box::new(|device| {
                let mut message = device.package_one();
                message.typed_alert(1224, "com.microsoft/MDM/AADUserToken", "", secret);
                device.exchange(&message)
            }),
        ),
        (
            "AADDeviceToken",
            Box::new(|device| {
                let mut message = device.package_one();
                message.typed_alert(1224, "com.microsoft/MDM/AADDeviceToken", "", secret);
                device.exchange(&message)
            }),
        ),
    ];
    for (place, open) in &places {
        let reply = open(&mut device);
        let visit = device.finish(reply);
        device.headers.clear();
        assert!(!is_user_reached(&visit.replies), "M-36: {place}");
        let session = newest_session(&server, &device);
        assert_eq!(session["state"], "completed", "M-36: {place}: the session does not end by it");
        assert_eq!(session["entra"]["proven"], false, "M-36: {place}: {session}");
        assert!(session["entra"]["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{place}: {session}");
        let detail = server.api().command_document(&user)["detail"].clone();
        assert!(detail.as_str().unwrap_or_default().contains("Entra token"), "M-36: {place}: {detail}");
        assert_eq!(server.api().command_state(&user), "queued", "M-36: {place}");
    }
    assert_eq!(server.api().command_state(&ours), "succeeded", "M-36: the device's own go on");
    let visit = device.check_in();
    assert!(is_user_reached(&visit.replies), "without a token it is as it was");
    assert_eq!(server.api().command_state(&user), "succeeded");
    crate::support::eventually("the transcripts are written", || {
        let sessions = server.api().sessions(&id);
        let newest = sessions.first()?["id"].as_str()?.to_owned();
        let messages = server.api().get(&format!("/sessions/{newest}"))["messages"].as_array()?.len();
        (messages > 0).then_some(())
    });
    for part in secret.split('.') {
        assert!(!server.log().contains(part), "M-107: a log");
        assert!(!database::holds(&server, part), "M-146: the database");
        let everything = [server.api().events(), server.api().list("/audit?limit=200"), server.api().sessions(&id)];
        assert!(!everything.iter().flatten().any(|row| row.to_string().contains(part)), "M-107: the API");
        let written = files_below(&server.data()).into_iter().filter_map(|file| fs::read(file).ok());
        assert!(!written.into_iter().any(|bytes| database::contains(&bytes, part.as_bytes())), "M-107: a file");
    }
}

// covers: M-36
#[test]
fn a_token_of_a_connected_tenant_proves_the_user() {
    let key = Key::generate();
    let server = connected(&key);
    let mut device = settled(&server);
    let id = device.id(&server);
    let [user, _] = queue(&server, &device);
    let good = token(&key, "k1", &claims());
    device.headers = vec![("Authorization".to_owned(), format!("Bearer {good}"))];
    let mut message = device.package_one();
    message.typed_alert(1224, "com.microsoft/MDM/AADUserToken", "", &good);
    let reply = device.exchange(&message);
    let visit = device.finish(reply);
    assert!(is_user_reached(&visit.replies));
    assert_eq!(server.api().command_state(&user), "succeeded");
    let entra = newest_session(&server, &device)["entra"].clone();
    assert_eq!(
        (&entra["proven"], &entra["user"], &entra["device_id"]),
        (&json!(true), &json!("ada@example.test"), &json!(DEVICE))
    );
    assert_eq!((&entra["tenant_id"], &entra["reason"]), (&json!(TENANT), &json!(null)));
    assert_eq!(server.api().device(&id)["entra_device_id"], DEVICE, "from now on it is that device");
    let with = |name: &str, value: Value| {
        let mut all = claims();
        all[name] = value;
        token(&key, "k1", &all)
    };
    let changed = {
        let mut parts: Vec<String> = good.split('.').map(str::to_owned).collect();
        parts[1] = URL_SAFE_NO_PAD.encode(claims().to_string().replace("ada@", "bob@"));
        parts.join(".")
    };
    let cases = [
        ("expired", with("exp", json!(now().unix_timestamp() - 600)), "it expired"),
        ("for another server", with("aud", json!("https://other.example.test")), "for another server"),
        ("of another tenant", with("iss", json!("https://sts.windows.net/x/")), "by another tenant"),
        ("of another device", with("deviceid", json!("00000000-0000-4000-8000-000000000001")), "of another device"),
        ("with another key", token(&Key::generate(), "k1", &claims()), "signature does not verify"),
        ("with an unknown key", token(&key, "k2", &claims()), "no connected tenant"),
        ("changed", changed, "signature does not verify"),
        ("no token", "x".to_owned(), "malformed"),
    ];
    for (what, token, reason) in cases {
        let [user, _] = queue(&server, &device);
        device.headers = vec![("Authorization".to_owned(), format!("Bearer {token}"))];
        let visit = device.check_in();
        assert!(!is_user_reached(&visit.replies), "M-36: {what}");
        let entra = newest_session(&server, &device)["entra"].clone();
        assert_eq!(entra["proven"], false, "M-36: {what}");
        assert!(entra["reason"].as_str().unwrap_or_default().contains(reason), "M-36: {what}: {entra}");
        device.headers = vec![("Authorization".to_owned(), format!("Bearer {good}"))];
        device.check_in();
        assert_eq!(server.api().command_state(&user), "succeeded", "M-36: {what}: in a good session it goes");
    }
    assert_eq!(server.api().device(&id)["entra_device_id"], DEVICE);
}

#[test]
fn a_tenant_without_keys_is_named_at_the_start() {
    let key = Key::generate();
    let mut server = connected(&key);
    fs::write(server.data().join("entra-keys.json"), "{}").unwrap();
    assert!(!server.restart_under(&[]), "it does not start without the keys it was told of");
    assert!(server.log().contains("[[entra]] keys_file"), "{}", server.log());
}
