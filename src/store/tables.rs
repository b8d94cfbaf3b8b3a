//! All tables, parents before children.

use super::engine::Statement;

/// Removes all rows; the row that the readiness check writes to belongs to the schema.
pub(super) fn clear() -> impl Iterator<Item = Statement> {
    CLEAR.iter().map(|sql| Statement::any(sql, Vec::new()))
}

const CLEAR: [&str; 18] = [
    "DELETE FROM audit",
    "DELETE FROM events",
    "DELETE FROM attempts",
    "DELETE FROM answers",
    "DELETE FROM transcripts",
    "DELETE FROM sessions",
    "DELETE FROM commands",
    "DELETE FROM certificates",
    "DELETE FROM missing_nodes",
    "DELETE FROM inventory",
    "DELETE FROM conversations",
    "DELETE FROM enrollment_identifiers",
    "DELETE FROM enrollments",
    "DELETE FROM devices",
    "DELETE FROM tokens",
    "DELETE FROM users",
    "DELETE FROM leases",
    "DELETE FROM settings",
];
