//! Places at which a test lets the process die, to see what survives (invariants ).
//!
//! Only a build with the crate feature `failpoints` can do that, and no release is built with it. In any other build
//! [`here`] and [`arm`] are empty, which the compiler itself is asked to confirm below.
//!
//! With the feature, the environment variable `FAILPOINTS` of `muster serve` says where to die, in the syntax of the
//! `fail` crate: under `FAILPOINTS=check-in-before-commit=7*off->return` the process ends as it gets there for the
//! eighth time. It ends as by `kill -9`: nothing is unwound, closed or written any more.

/// A message of a device was read and nothing was done with it: our last answer is out, its Status is not taken in.
pub const MESSAGE_RECEIVED: &str = "message-received";
/// All that a message changes was worked out and nothing of it was written.
pub const CHECK_IN_BEFORE_COMMIT: &str = "check-in-before-commit";
/// An engine ran the statements of a transaction and did not commit it; for every commit, also those of the API.
pub const STORE_BEFORE_COMMIT: &str = "store-before-commit";
/// A transaction is durable and nobody was told; for every commit, also those of the API: accepted, not answered.
pub const STORE_AFTER_COMMIT: &str = "store-after-commit";
/// What a message changed is durable, and the caller of the store knows.
pub const CHECK_IN_AFTER_COMMIT: &str = "check-in-after-commit";
/// The answer to a device is made, and no byte of it was written.
pub const REPLY_MADE: &str = "reply-made";
/// The kernel took all bytes of an answer, to a device or to a caller of the API. Whether they arrive is not known.
pub const REPLY_WRITTEN: &str = "reply-written";

/// Every place.
pub const ALL: &[&str] = &[
    MESSAGE_RECEIVED,
    CHECK_IN_BEFORE_COMMIT,
    STORE_BEFORE_COMMIT,
    STORE_AFTER_COMMIT,
    CHECK_IN_AFTER_COMMIT,
    REPLY_MADE,
    REPLY_WRITTEN,
];

/// Reads `FAILPOINTS`; the process may die from now on.
#[cfg(feature = "failpoints")]
pub fn arm() {
    // The scenario lasts as long as the process; its end would disarm everything.
    std::mem::forget(fail::FailScenario::setup());
}

/// Does nothing in this build.
#[cfg(not(feature = "failpoints"))]
pub const fn arm() {}

/// Dies if the place is armed and its turn has come.
#[cfg(feature = "failpoints")]
pub fn here(place: &'static str) {
    fail::fail_point!(place, |_| die());
}

/// Does nothing in this build.
#[cfg(not(feature = "failpoints"))]
pub const fn here(_place: &'static str) {}

#[cfg(feature = "failpoints")]
fn die() {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    // The kernel ends this thread on its way back from the call; should it be late, nothing must happen meanwhile.
    loop {
        std::thread::park();
    }
}

/// A build without the feature holds none of it: the compiler can run these at compile time, so they do nothing.
#[cfg(not(feature = "failpoints"))]
const _: () = {
    arm();
    here(ALL[0]);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_names_of_their_own_and_are_not_armed_by_themselves() {
        let mut names = ALL.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        ALL.iter().for_each(|place| here(place));
    }
}
