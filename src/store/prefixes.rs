//! Ids by their beginning.

use super::engine::Engine;
use super::query::many;
use crate::app::ports::{StoreError, Table};

/// At most two ids that begin with the text.
///
/// A range over the key serves every engine and collation: ids are hex digits and dashes in lower case, all of which
/// come before `g`.
pub(super) async fn find(engine: &dyn Engine, table: Table, prefix: &str) -> Result<Vec<String>, StoreError> {
    let from = prefix.to_lowercase();
    let to = format!("{from}g");
    let ids = many(engine, sql(table), vec![from.as_str().into(), to.into()], |row| row.of("ids").string("id")).await?;
    // Other characters would make the range wider than the prefix.
    Ok(ids.into_iter().filter(|id| id.starts_with(&from)).collect())
}

pub(super) fn sql(table: Table) -> &'static str {
    match table {
        Table::Users => "SELECT id FROM users WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 2",
        Table::Devices => "SELECT id FROM devices WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 2",
        Table::Enrollments => "SELECT id FROM enrollments WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 2",
        Table::Commands => "SELECT id FROM commands WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 2",
        Table::Sessions => "SELECT id FROM sessions WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 2",
        Table::Certificates => {
            "SELECT serial AS id FROM certificates WHERE serial >= $1 AND serial < $2 ORDER BY serial LIMIT 2"
        }
        Table::Attempts => "SELECT id FROM attempts WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 2",
        Table::Overrides => "SELECT id FROM csp_overrides WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 2",
        Table::Uploads => "SELECT id FROM uploads WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 2",
        Table::Packages => "SELECT id FROM packages WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 2",
        Table::Invitations => "SELECT id FROM invitations WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 2",
        Table::Registered => "SELECT id FROM registered_devices WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 2",
        Table::Tokens => "SELECT id FROM tokens WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 2",
    }
}
