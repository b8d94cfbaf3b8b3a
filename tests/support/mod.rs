//! What the black-box tests share: the server as a process, a client that checks every byte it is given, and a
//! simulated PC.
//!
//! Everything here is written from the open specifications and from captures, never with the crate's own readers and
//! writers: a mistake that both sides of our code share would otherwise go unseen. Failure messages begin with the
//! number of the rule that was broken (`E-` enrollment, `M-` management, `S-` security, `R-` reliability).

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of this module")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation ends the test")]

pub mod api;
pub mod captures;
pub mod certificate;
pub mod csp;
pub mod csr;
pub mod database;
pub mod der;
pub mod device;
pub mod device_host;
pub mod disk;
pub mod enrolling;
pub mod http;
pub mod inviting;
pub mod keys;
pub mod lossy;
pub mod nginx;
pub mod nodes;
pub mod openssl;
pub mod package;
pub mod plan;
pub mod postgres;
pub mod provisioning;
pub mod renewing;
pub mod reply;
pub mod scene;
pub mod server;
pub mod signing;
pub mod smtp;
pub mod soap;
pub mod standin;
pub mod syncml;
pub mod timed;
pub mod tree;
pub mod wbxml;
pub mod wns;
pub mod xcep;

use std::sync::atomic::{AtomicU64, Ordering};

use time::OffsetDateTime;

/// A number that this test process has not used yet.
pub fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

thread_local! {
    static AHEAD: std::cell::Cell<i64> = const { std::cell::Cell::new(0) };
}

/// The judge's clock, for comparing dates in answers with now: the wall clock, or as far ahead of it as the test that
/// runs on this thread has moved the server's.
#[expect(clippy::disallowed_methods, reason = "the judge has its own clock")]
pub fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc() + time::Duration::seconds(AHEAD.get())
}

/// Moves the judge's clock of this thread, forward or back.
pub fn pass(seconds: i64) {
    AHEAD.set(AHEAD.get() + seconds);
}

/// Random bytes as upper-case hex digits, two per byte: the form of DeviceID and HWDevID.
pub fn random_hex(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    getrandom::fill(&mut buffer).expect("the system has randomness");
    buffer.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Escapes text for XML content and attributes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\r' => out.push_str("&#13;"),
            _ => out.push(c),
        }
    }
    out
}

/// Asks again and again until `probe` answers; for effects that follow an answer instead of preceding it.
///
/// Each probe is a request to the server, so this waits for the server's progress, not for time.
pub fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(15);
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(std::time::Instant::now() < deadline, "did not come to pass: {what}");
    }
}
