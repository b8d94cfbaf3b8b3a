//! A way to PostgreSQL on which commits get lost: some never arrive, of others the answer does not come back.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::server::workspace;
use super::unique;

/// The message with which a transaction ends: a simple query.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// Of so many commits one does not arrive and one is not answered.
const ONE_IN: usize = 7;

/// Listens like PostgreSQL and passes on what it is told.
pub struct LossyWay {
    folder: PathBuf,
}

impl LossyWay {
    /// A way to the socket in that folder.
    pub fn to(sockets: &Path) -> Self {
        let folder = workspace().join(format!("way-{}", unique()));
        std::fs::create_dir(&folder).expect("the workspace is writable");
        let listener = UnixListener::bind(folder.join(".s.PGSQL.5432")).expect("the folder is new");
        let target = sockets.join(".s.PGSQL.5432");
        std::thread::spawn(move || {
            let commits = Arc::new(AtomicUsize::new(0));
            for client in listener.incoming().flatten() {
                if let Ok(server) = UnixStream::connect(&target) {
                    join(&client, &server, &commits);
                }
            }
        });
        Self { folder }
    }

    /// The URL of a database, with the folder of another socket in it, over this way.
    pub fn url(&self, url: &str, sockets: &Path) -> String {
        let host = |folder: &Path| folder.display().to_string().replace('/', "%2F");
        let changed = url.replace(&host(sockets), &host(&self.folder));
        assert_ne!(changed, url, "the URL names the socket's folder");
        changed
    }
}

fn join(client: &UnixStream, server: &UnixStream, commits: &Arc<AtomicUsize>) {
    let is_deaf = Arc::new(AtomicBool::new(false));
    let twin = |stream: &UnixStream| stream.try_clone().expect("a socket can be shared");
    let (from, to, deaf, commits) = (twin(client), twin(server), Arc::clone(&is_deaf), Arc::clone(commits));
    std::thread::spawn(move || {
        pass(from, to, |bytes| {
            let number = bytes.ends_with(COMMIT).then(|| commits.fetch_add(1, Ordering::SeqCst) % ONE_IN);
            deaf.fetch_or(number == Some(ONE_IN - 1), Ordering::SeqCst);
            number != Some(ONE_IN / 2)
        });
    });
    let (from, to) = (twin(server), twin(client));
    std::thread::spawn(move || pass(from, to, |_| !is_deaf.load(Ordering::SeqCst)));
}

/// Passes on what may be passed on; the first that may not ends the connection on both sides.
fn pass(mut from: UnixStream, mut to: UnixStream, may_pass: impl Fn(&[u8]) -> bool) {
    let mut buffer = [0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).unwrap_or(0);
        if read == 0 || !may_pass(&buffer[..read]) || to.write_all(&buffer[..read]).is_err() {
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
            return;
        }
    }
}
