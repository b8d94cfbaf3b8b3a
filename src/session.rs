//! The OMA-DM engine, sans I/O: one message in, one answer and what changed out.
//!
//! A device posts one message per request and the next may reach another process, so the engine keeps nothing: the
//! [`Conversation`] of an enrollment comes from the store, goes in with the message, and comes out again. Time and ids are
//! arguments; the engine never logs, it returns [`Notice`]s.
//!
//! [`classify`] judges what a message is (management reference 1.14); [`step`] processes it (1.16).

mod alerts;
mod arrival;
mod auth;
mod automatic;
mod batch;
mod classify;
mod conversation;
mod documents;
mod engine;
mod exchange;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod plan_tests;
mod provisioned;
mod push;
mod queue;
mod receive;
mod reply;
mod sending;
mod settle;
mod signatures;
mod snapshot;
mod status_page;
mod work;
#[cfg(test)]
mod world;

pub use arrival::{Arrival, ObjectChange, Origin};
pub use auth::{Account, Admission, Challenge, DigestState, Knocking, Nonce, Proven, Verdict, challenge};
pub use automatic::{Automatic, Stage};
pub use classify::{Incoming, Rejection, classify, is_farewell_repetition, says_goodbye};
pub use conversation::{Closed, Closing, Conversation, Farewell, Login, Opening, SessionState};
pub use documents::{DocumentTurn, KnownDocument};
pub use engine::{refuse, respond, step, time_out};
pub use exchange::{AlertNotice, Answer, Input, Limits, Notice, Output};
pub use provisioned::{Given, Missed, Part, ProvisionTurn, Provisioned, Standing, TRUSTED_CA, TrustedCa, Wanted};
pub use push::{PushReport, PushTurn};
pub use sending::{Sending, Supply, Want};
pub(crate) use settle::fits;
pub use signatures::{SeenSignatures, SignatureMark};
pub use snapshot::{Redactor, Snapshot};
pub use status_page::{PageRules, PageStage, PageTurn, StatusPage};
