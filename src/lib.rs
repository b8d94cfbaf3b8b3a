//! Muster: an MDM server for Windows.
//!
//! The map of the crate, lowest layer first; imports point downwards only, and `tests/layering.rs` enforces it.
//!
//! | layer | modules | know |
//! |---|---|---|
//! | 1 | [`proto`] | nobody: bytes to types and back; no clock, randomness, I/O, async, log |
//! | 2 | [`domain`], [`pki`] | `proto` |
//! | 2 | [`session`] | `proto`, `domain`, `pki` |
//! | 2 | [`sim`], [`doctor`] | `proto` |
//! | 3 | [`replay`] | `proto`, `domain`, `session` |
//! | 3 | [`app`] | layer 2 and its own ports |
//! | 4 | [`store`], [`adapters`] | `app::ports`, and what the ports speak of; `adapters` also [`doctor`] |
//! | 5 | [`http`], [`cli`] | everything; [`config`] and [`observe`] are theirs |
//!
//! Beside them stands [`failpoint`], which knows nobody and is empty in a release: layers 3 to 5 mark with it where tests
//! let the process die.
//!
//! `docs/architecture.md` walks through an enrollment, a check-in and a retirement.

pub mod adapters;
pub mod app;
pub mod cli;
pub mod config;
pub mod doctor;
pub mod domain;
pub mod failpoint;
pub mod http;
pub mod observe;
pub mod pki;
pub mod proto;
pub mod replay;
pub mod session;
pub mod sim;
pub mod store;
