//! Several servers on one PostgreSQL database, behind TCP balancers that send each connection to one of them by chance.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::device::FakeDevice;
use super::http::{Address, Connection, Response};
use super::server::Server;

/// One installation that several processes serve under one address.
pub struct Nodes {
    pub servers: Vec<Server>,
    /// Where each takes devices.
    device_listeners: Vec<SocketAddr>,
    /// For repeating what went wrong: the same seed makes the same choices.
    pub seed: u64,
}

impl Nodes {
    /// Starts them; the seed of the choices comes from `MUSTER_TEST_SEED`, or is a new one, and is printed.
    pub fn start(count: usize, overrides: &[(&str, &str)]) -> Self {
        let seed = std::env::var("MUSTER_TEST_SEED").ok().map(|text| text.parse().expect("a seed is a number"));
        let seed = seed.unwrap_or_else(|| getrandom::u64().expect("the system has randomness"));
        eprintln!("seed: {seed}");
        let (web, device) = (Balancer::start(seed), Balancer::start(!seed));
        let mut nodes = Self { servers: Vec::new(), device_listeners: Vec::new(), seed };
        for _ in 0..count {
            nodes.add(&web, &device, overrides);
        }
        nodes
    }

    fn add(&mut self, web: &Balancer, device: &Balancer, overrides: &[(&str, &str)]) {
        let listeners = [free_address(), free_address()];
        let (listen, device_listen) = (listeners[0].to_string(), listeners[1].to_string());
        let mut settings = vec![
            ("MUSTER__SERVER__URL", web.url.as_str()),
            ("MUSTER__SERVER__DEVICE_URL", &device.url),
            ("MUSTER__SERVER__LISTEN", &listen),
            ("MUSTER__SERVER__DEVICE_LISTEN", &device_listen),
        ];
        settings.extend(overrides);
        let server = match self.servers.first() {
            None => Server::start_with(&settings),
            Some(first) => first.further_node(&settings),
        };
        web.add(listeners[0]);
        device.add(listeners[1]);
        self.servers.push(server);
        self.device_listeners.push(listeners[1]);
    }

    /// Any of them: all are reached under the same address.
    pub fn any(&self) -> &Server {
        &self.servers[0]
    }

    /// Sends a message of a device to one of the nodes, past the balancer.
    pub fn post_to(&self, node: usize, device: &FakeDevice, message: &str) -> io::Result<Response> {
        let public = Address::of(device.management_url());
        let direct = Address { port: self.device_listeners[node].port(), ..public.clone() };
        let request = device.request(message).header("Host", &format!("{}:{}", public.host, public.port));
        Connection::open(&direct, device.config())?.send(&request)
    }
}

/// Takes TCP connections and hands each to one of its targets; to another one when that does not answer.
struct Balancer {
    url: String,
    targets: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Balancer {
    fn start(seed: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
        let url = format!("https://localhost:{}", listener.local_addr().expect("it has an address").port());
        let targets = Arc::new(Mutex::new(Vec::new()));
        let known = Arc::clone(&targets);
        std::thread::spawn(move || {
            for (number, client) in listener.incoming().enumerate() {
                let targets = known.lock().expect("nobody panics with the lock").clone();
                if let (Ok(client), Some(target)) = (client, connect(&targets, chance(seed, number))) {
                    join(client, target);
                }
            }
        });
        Self { url, targets }
    }

    fn add(&self, target: SocketAddr) {
        self.targets.lock().expect("nobody panics with the lock").push(target);
    }
}

fn connect(targets: &[SocketAddr], choice: usize) -> Option<TcpStream> {
    (0..targets.len()).find_map(|n| TcpStream::connect(targets[(choice % targets.len() + n) % targets.len()]).ok())
}

/// Passes bytes on in both directions until both have ended.
fn join(client: TcpStream, server: TcpStream) {
    let pass = |mut from: TcpStream, mut to: TcpStream| {
        std::thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    };
    // Else each small record waits for the acknowledgement of the one before it.
    let _ = client.set_nodelay(true).and_then(|()| server.set_nodelay(true));
    if let (Ok(to_client), Ok(to_server)) = (client.try_clone(), server.try_clone()) {
        pass(client, to_server);
        pass(server, to_client);
    }
}

/// The n-th random number of a seed (splitmix64).
pub fn chance(seed: u64, n: usize) -> usize {
    let mut mixed = seed.wrapping_add((n as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    usize::try_from((mixed ^ (mixed >> 31)) >> 1).expect("63 bits fit")
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
    listener.local_addr().expect("it has an address")
}
