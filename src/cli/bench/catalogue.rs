//! The figures by their ids.

/// Id and name of each.
pub(super) const FIGURES: [(&str, &str); 19] = [
    ("P-01", "session without commands ÷ bare"),
    ("P-02", "session with two commands, two durable commits ÷ bare"),
    ("P-03", "the same, TLS resumed ÷ bare resumed"),
    ("P-04", "session without commands ÷ Go handler that does nothing"),
    ("P-05", "typed SyncML message ÷ raw scan of its XML"),
    ("P-06", "enrollment ÷ bare, request check and issue"),
    ("P-07", "durable writes ÷ bare syncs of the disk, per second"),
    ("P-08", "what durability adds to a message of one device ÷ one sync"),
    ("P-09", "memory of an idle connection ÷ bare"),
    ("P-10", "session at 100,000 devices ÷ at 100"),
    ("P-10-work", "the same, counted in what the database does"),
    ("P-13", "start to first session, seconds"),
    ("P-14", "processor for 100,000 devices each minute, share of 2 cores"),
    ("P-16", "refused handshake ÷ accepted"),
    ("P-17", "size of the program, MB"),
    ("P-17-rss", "memory after the start, MB"),
    ("settings-100", "session with 100 settings ÷ bare"),
    ("noop-resumed", "session without commands, TLS resumed ÷ bare resumed"),
    ("noop-tls13", "session without commands, TLS 1.3 ÷ bare"),
];

/// The name of a figure.
pub(super) fn name(id: &str) -> Option<&'static str> {
    FIGURES.iter().find(|(known, _)| *known == id).map(|(_, name)| *name)
}

/// All ids, for a sentence.
pub(super) fn ids() -> String {
    FIGURES.map(|(id, _)| id).join(", ")
}
