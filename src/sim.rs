//! Layer 2: a simulated Windows device.
//!
//! It enrolls and holds management sessions as Windows does, checks what it is given as Windows would, and keeps a
//! log of what it carried out. Sans-IO: it hands out requests and takes answers; sending them, the time and random
//! seeds are its caller's business. It knows `proto` and nothing of the server, so it speaks to any.

mod chance;
mod csr;
mod der;
mod device;
mod enrollment;
mod faults;
mod interpreter;
mod key;
mod key_pool;
mod machine;
mod nodes;
mod policy;
mod provisioning;
mod renewal;
mod schedule;
mod session;
pub mod specimen;
mod spoil;
mod tree;

pub use chance::Chance;
pub use device::{Device, Profile, UnknownProfile};
pub use enrollment::{Enrollment, EnrollmentError, Options, Step, discovery_url};
pub use faults::{Fault, Faults, FaultsError};
pub use interpreter::Executed;
pub use key::{DeviceKey, KeyError};
pub use key_pool::KeyPool;
pub use machine::{Behaviour, Effect, Login};
pub use provisioning::{Account, Enrolled, ProvisioningError};
pub use schedule::Schedule;
pub use session::{Event, Managed, SessionError, Turn};
pub use spoil::{cmd_ids, spoil};
pub use tree::{Access, Node, Tree};

/// An HTTP request that the device wants to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Absolute address.
    pub url: String,
    /// Headers beside `Host` and `Content-Length`.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty with `GET`.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Request {
    /// Bodies hold passwords and tokens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Request");
        shown.field("method", &self.method).field("url", &self.url).field("body", &self.body.len()).finish()
    }
}

/// The answer to a [`Request`].
#[derive(Clone, Copy)]
pub struct Response<'a> {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`, if there was one.
    pub content_type: Option<&'a str>,
    /// The whole body.
    pub body: &'a [u8],
}

impl Response<'_> {
    /// Whether the answer has this media type, parameters aside.
    fn is(&self, media_type: &str) -> bool {
        let own = self.content_type.and_then(|text| text.split(';').next()).unwrap_or_default();
        own.trim().eq_ignore_ascii_case(media_type)
    }
}
