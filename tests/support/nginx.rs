//! nginx as Debian ships it, in front of the device side: started from a configuration of the test, in a folder of its
//! own, on a free port.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::server::{self, Server};
use super::unique;

/// From where nginx connects to the server, so that it can be told from everybody else on this machine.
pub const ADDRESS: &str = "127.0.0.2";

/// A running nginx; killed when dropped.
pub struct Nginx {
    child: Child,
    pub url: String,
}

impl Nginx {
    /// Puts nginx in front of the device side. `block` is a `server` block of `docs/operations.md`; its host, files and
    /// addresses are replaced by those of the test.
    #[track_caller]
    pub fn start(server: &Server, block: &str) -> Self {
        // A port that is free now may be taken in the next moment.
        for _ in 0..5 {
            if let Some(nginx) = Self::try_start(server, block) {
                return nginx;
            }
        }
        panic!("nginx does not start");
    }

    fn try_start(server: &Server, block: &str) -> Option<Self> {
        let folder = server::workspace().join(format!("nginx-{}", unique()));
        fs::create_dir(&folder).expect("the workspace is writable");
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let file = folder.join("nginx.conf");
        fs::write(&file, configuration(server, block, &folder, port)).expect("the workspace is writable");
        let program = ["/usr/sbin/nginx", "/usr/bin/nginx"].into_iter().find(|path| PathBuf::from(path).exists());
        let mut child = Command::new(program.expect("nginx is needed for these tests"))
            .arg("-e")
            .arg(folder.join("error.log"))
            .arg("-p")
            .arg(&folder)
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx starts");
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = fs::read_to_string(folder.join("error.log")).unwrap_or_default();
            if child.try_wait().expect("nginx can be asked").is_some() {
                assert!(log.contains("in use"), "nginx ended: {log}");
                return None;
            }
            assert!(Instant::now() < deadline, "nginx takes no connections: {log}");
        }
        Some(Self { child, url: format!("https://localhost:{port}") })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The block with what is this machine's own, in the smallest configuration that holds it.
fn configuration(server: &Server, block: &str, folder: &std::path::Path, port: u16) -> String {
    let data = server.data();
    let path = |name: &str| data.join(name).display().to_string();
    let authorities = folder.join("muster-ca.pem");
    let both = [fs::read(data.join("ca/root.pem")), fs::read(data.join("ca/issuing.pem"))];
    let both: Vec<u8> = both.into_iter().flat_map(|pem| pem.expect("init writes both certificates")).collect();
    fs::write(&authorities, both).expect("the workspace is writable");
    let mut block = block.to_owned();
    for (from, to) in [
        ("listen 443 ssl;", format!("listen 127.0.0.1:{port} ssl; proxy_bind {ADDRESS};")),
        ("/etc/nginx/mdm.example.com.pem", path("tls/server.pem")),
        ("/etc/nginx/mdm.example.com.key", path("tls/server.key")),
        ("/etc/nginx/muster-ca.pem", authorities.display().to_string()),
        ("https://10.0.0.11:8443", server.device_url.clone()),
        ("mdm.example.com", "localhost".to_owned()),
    ] {
        let optional = from.ends_with("muster-ca.pem");
        assert!(optional || block.contains(from), "the configuration in the documentation has no {from}:\n{block}");
        block = block.replace(from, &to);
    }
    let shown = folder.display();
    format!(
        "daemon off;\nmaster_process off;\npid {shown}/nginx.pid;\nevents {{}}\nhttp {{\naccess_log off;\n\
         client_body_temp_path {shown}/body;\nproxy_temp_path {shown}/proxy;\nfastcgi_temp_path {shown}/fastcgi;\n\
         uwsgi_temp_path {shown}/uwsgi;\nscgi_temp_path {shown}/scgi;\n{block}\n}}\n"
    )
}

/// The `server` block of the documentation that stands below that heading.
#[track_caller]
pub fn documented(heading: &str) -> String {
    let text = include_str!("../../docs/operations.md");
    let section = text.split_once(&format!("### {heading}\n")).unwrap_or_else(|| panic!("no heading {heading}")).1;
    let block = section.split_once("```nginx\n").expect("a configuration follows").1;
    block.split_once("```").expect("the configuration ends").0.to_owned()
}
