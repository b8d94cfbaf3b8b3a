//! Migrations: numbered, forward only, each in one transaction, each remembered with a checksum.
//!
//! A database made by a newer build, or by a migration whose text was changed afterwards, is refused before anything is
//! written. The scripts are in the dialect that all engines share; the statements of one script are the statements of
//! one batch. A line `-- postgresql: …;` is a statement for that engine alone, and a comment for the others.

use sha2::{Digest, Sha256};

use super::engine::{Engine, Record, Row, Statement};
use crate::app::ports::StoreError;

/// One step of the schema.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration {
    /// Counts from 1 without gaps.
    pub(crate) number: i64,
    /// Name of the file.
    pub(crate) name: &'static str,
    /// The script.
    pub(crate) script: &'static str,
}

/// The schema of this build.
pub(crate) const MIGRATIONS: &[Migration] =
    &[Migration { number: 1, name: "0001_initial", script: include_str!("migrations/0001_initial.sql") }];

/// Brings the database to the schema of these migrations.
pub(crate) async fn run(engine: &dyn Engine, migrations: &[Migration]) -> Result<(), StoreError> {
    engine.migrate(vec![Statement::any(CREATE, Vec::new())]).await?;
    let mut begun = 0;
    loop {
        let applied = engine.query(LIST, Vec::new()).await?;
        let Some(migration) = compare(migrations, &applied)?.first() else { return Ok(()) };
        tracing::info!(migration = migration.name, "migrating the database");
        match engine.migrate(batch(migration, engine.name())).await {
            Ok(()) => {}
            // Another node was first, or else it is the script that fails.
            Err(StoreError::Conflict) if begun < migration.number => {}
            Err(error) => return Err(error),
        }
        begun = migration.number;
    }
}

/// What is in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing yet, or what we make first.
    Nothing,
    /// Our tables, of whichever build.
    Ours,
    /// Tables of somebody else.
    Foreign,
}

/// Looks at what is in a database, and changes nothing.
pub(crate) async fn look(engine: &dyn Engine) -> Result<Found, StoreError> {
    let tables = engine.tables().await?;
    let names = tables.iter().map(|row| row.of("tables").text("name").map(str::to_owned));
    let names: Vec<String> = names.collect::<Result<_, _>>()?;
    let has = |name: &str| names.iter().any(|known| known == name);
    Ok(if ["migrations", "settings", "enrollments"].into_iter().all(has) {
        Found::Ours
    } else if names.iter().all(|name| ["migrations", "commit_marks"].contains(&name.as_str())) {
        Found::Nothing
    } else {
        Found::Foreign
    })
}

/// What is left to do, if what was done is what these migrations would have done.
fn compare<'m>(migrations: &'m [Migration], applied: &[Row]) -> Result<&'m [Migration], StoreError> {
    for (index, row) in applied.iter().enumerate() {
        let row = row.of("migrations");
        match migrations.get(index) {
            None => return Err(refusal(&row, "was applied by a newer build; this one cannot use the database")?),
            Some(own) if own.number != row.number::<i64>("number")? => {
                return Err(refusal(&row, "is out of order")?);
            }
            Some(own) if checksum(own.script) != row.text("checksum")? => {
                return Err(refusal(&row, "was applied with another text than this build knows")?);
            }
            Some(_) => {}
        }
    }
    Ok(&migrations[applied.len()..])
}

fn refusal(row: &Record<'_>, what: &str) -> Result<StoreError, StoreError> {
    Ok(StoreError::Internal(format!("migration {} {what}", row.text("name")?)))
}

/// The record comes first: of two nodes with the same step in hand the second goes no further.
fn batch(migration: &Migration, engine: &str) -> Vec<Statement> {
    let record = vec![migration.number.into(), migration.name.into(), checksum(migration.script).into()];
    let script = statements(migration.script, engine).map(|sql| Statement::any(sql, Vec::new()));
    std::iter::once(Statement::one(RECORD, record)).chain(script).collect()
}

/// The statements of a script for an engine; each ends with a semicolon at the end of a line.
fn statements(script: &'static str, engine: &str) -> impl Iterator<Item = &'static str> {
    let is_statement = |text: &str| text.lines().any(|line| !line.trim().is_empty() && !line.starts_with("--"));
    script.split(";\n").map(str::trim).filter_map(move |text| {
        let own = || text.lines().last()?.strip_prefix("-- ")?.strip_prefix(engine)?.strip_prefix(": ");
        if is_statement(text) { Some(text) } else { own() }
    })
}

/// SHA-256 of the script in hex; how a checkout ends its lines does not matter.
fn checksum(script: &str) -> String {
    let digest = Sha256::digest(script.replace("\r\n", "\n"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

const CREATE: &str = "
    CREATE TABLE IF NOT EXISTS migrations (
        number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL)";

const LIST: &str = "SELECT * FROM migrations ORDER BY number";

const RECORD: &str = "INSERT INTO migrations (number, name, checksum) VALUES ($1, $2, $3)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_gaps_and_names_carry_them() {
        for (index, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(migration.number, i64::try_from(index).unwrap() + 1);
            assert!(migration.name.starts_with(&format!("{:04}_", migration.number)), "{}", migration.name);
        }
    }

    #[test]
    fn scripts_keep_to_the_common_dialect() {
        let foreign = ["AUTOINCREMENT", "STRICT", "WITHOUT ROWID", "DATETIME", "OR REPLACE", "SERIAL", "PRAGMA"];
        let foreign = foreign.into_iter().chain([" INTEGER", "BOOLEAN", " TRUE", " FALSE", "COLLATE", "BYTEA"]);
        let foreign: Vec<&str> = foreign.collect();
        for migration in MIGRATIONS {
            let code = migration.script.lines().filter(|line| !line.starts_with("--"));
            for line in code {
                let upper = line.to_uppercase();
                let found: Vec<_> = foreign.iter().filter(|word| upper.contains(**word)).collect();
                assert!(found.is_empty() || line.contains("serial"), "{}: {found:?} in {line}", migration.name);
            }
        }
    }

    #[test]
    fn a_script_is_cut_where_lines_end_in_semicolons() {
        let script =
            "-- a; b\nCREATE TABLE a (\n    b TEXT\n);\n\n-- the end;\n\nINSERT INTO a VALUES ('x;y');\n-- over\n";
        let cut: Vec<&str> = statements(script, "sqlite").collect();
        assert_eq!(cut.len(), 2, "{cut:?}");
        assert!(cut[1].ends_with("('x;y')"));
    }

    #[test]
    fn a_statement_of_one_engine_is_a_comment_for_the_others() {
        let script = "CREATE TABLE a (b TEXT);\n-- words\n-- postgresql: CREATE INDEX c ON a USING hash (b);\n-- postgresql: d;\n";
        assert_eq!(statements(script, "sqlite").count(), 1);
        let cut: Vec<&str> = statements(script, "postgresql").collect();
        assert_eq!(cut[1..], ["CREATE INDEX c ON a USING hash (b)", "d"]);
    }

    #[test]
    fn checksums_do_not_see_line_ends() {
        assert_eq!(checksum("a\r\nb"), checksum("a\nb"));
        assert_ne!(checksum("a\nb"), checksum("a\nc"));
    }
}
