//! The network side of simulated devices: certificates, versions of TLS, resumption, counts.

use muster::cli::sim::transport::{Client, Network, Settings, TlsVersion, roots_from_file};
use muster::sim::{Device, Enrolled, Enrollment, KeyPool, Managed, Options, Profile, Step, Turn, discovery_url};

use super::support::server::Server;

fn settings(server: &Server) -> Settings {
    Settings::new(roots_from_file(&server.data().join("ca/root.pem")).unwrap())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn enroll(client: &mut Client, server: &Server, device: Device, key: u32) -> Enrolled {
    let user = server.api().add_user();
    let options = Options::with_password(&discovery_url(&server.url), &user.email, user.password.clone().into());
    let pool = KeyPool::new("transport");
    let options = Options { key: Some(pool.key(key).unwrap()), ..options };
    let (mut enrollment, mut request) = Enrollment::start(device, options);
    loop {
        let reply = client.send(&request).await.unwrap();
        match enrollment.receive(&reply.response()).unwrap() {
            Step::Send(next) => request = next,
            Step::SignIn(page) => panic!("a page to sign in: {page}"),
            Step::Enrolled(enrolled) => return *enrolled,
        }
    }
}

/// One session; how many messages it took.
async fn session(client: &mut Client, managed: &mut Managed) -> u32 {
    let mut request = managed.start_session().unwrap();
    for messages in 1.. {
        let reply = client.send(&request).await.unwrap();
        match managed.receive(&reply.response()).unwrap() {
            Turn::Send(next) => request = next,
            Turn::Done => {
                client.close();
                return messages;
            }
            Turn::Dropped => panic!("nobody asked it to leave"),
        }
    }
    unreachable!("a session ends")
}

#[test]
fn one_connection_a_session_and_every_byte_counted() {
    let server = Server::start();
    runtime().block_on(async {
        let network = Network::new(settings(&server));
        let device = Device::new(Profile::Windows11, "transport");
        let mut web = network.client(None).unwrap();
        let enrolled = enroll(&mut web, &server, device.clone(), 0).await;
        assert_eq!(network.traffic().counts().connections, 1, "an enrollment keeps its connection");
        let mut client = network.client(Some(&enrolled)).unwrap();
        let mut managed = Managed::new(device, enrolled);
        let before = network.traffic().counts();
        let messages = session(&mut client, &mut managed).await;
        session(&mut client, &mut managed).await;
        let after = network.traffic().counts();
        assert!(messages >= 2, "the first session asks for the inventory");
        assert_eq!((after.connections - before.connections, after.resumed), (2, 0));
        assert!(after.up - before.up > 2_000 && after.down - before.down > 2_000, "{before:?} {after:?}");
        // A request without the certificate gets no further than HTTP.
        let url = managed.enrolled().account.addr.clone();
        let stranger = muster::sim::Request { method: "POST", url, headers: Vec::new(), body: b"<SyncML/>".to_vec() };
        assert_eq!(network.client(None).unwrap().send(&stranger).await.unwrap().status, 403);
    });
}

#[test]
fn both_versions_of_tls_with_resumption() {
    let server = Server::start_with(&[("MUSTER__SERVER__DEVICE_TLS13", "true")]);
    for (key, version) in [(0, TlsVersion::Tls12), (1, TlsVersion::Tls13)] {
        runtime().block_on(async {
            let settings = Settings { tls: Some(version), resume: true, ..settings(&server) };
            let network = Network::new(settings);
            let device = Device::new(Profile::HoloLens2, &format!("resuming {key}"));
            let mut web = network.client(None).unwrap();
            let enrolled = enroll(&mut web, &server, device.clone(), key).await;
            let mut client = network.client(Some(&enrolled)).unwrap();
            let mut managed = Managed::new(device, enrolled);
            for _ in 0..3 {
                session(&mut client, &mut managed).await;
            }
            assert_eq!(network.traffic().counts().resumed, 2, "{version:?}");
        });
    }
}

#[test]
fn who_is_not_trusted_or_not_there_is_told_apart() {
    let server = Server::start();
    runtime().block_on(async {
        let stranger = rustls::RootCertStore::empty();
        let url = format!("{}/EnrollmentServer/Discovery.svc", server.url);
        let mut client = Network::new(Settings::new(stranger)).client(None).unwrap();
        assert_eq!(client.connect_only(&url).await.unwrap_err().kind(), "tls");
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut client = Network::new(settings(&server)).client(None).unwrap();
        assert_eq!(client.connect_only(&format!("https://{free}/")).await.unwrap_err().kind(), "connect");
        assert_eq!(client.connect_only("http://localhost/").await.unwrap_err().kind(), "address");
    });
}
