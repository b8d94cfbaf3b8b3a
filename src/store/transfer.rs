//! The move of an installation from one database to another: copy, verify, hand over.
//!
//! The target is claimed first and says of itself that it is being copied to, until every table has been counted and
//! summed up on both sides. Then the source says that it is moving, the target that it is whole, the source that it has
//! moved: whoever is killed between two of these steps finds out from both what is left to do, and at no moment can both
//! be served.

use std::fmt;

use sha2::{Digest, Sha256};

use super::SqlStore;
use super::engine::{Engine, Statement, Value};
use super::migrate::{self, Found};
use super::query::rows;
use super::standing::{self, Move, Remaining, Standing};
use super::tables::{TABLES, Table};
use crate::app::ports::StoreError;

/// Why an installation was not moved.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The database that is read.
    #[error("the source")]
    Source(#[source] StoreError),
    /// The database that is written to.
    #[error("the target")]
    Target(#[source] StoreError),
    /// The installation is not to be moved there, or not any more.
    #[error("{0}")]
    Elsewhere(String),
    /// Somebody else writes to the target.
    #[error("another program has written to the target meanwhile")]
    Disturbed,
    /// The target holds something.
    #[error("the target holds an installation, or something else, already; a move needs a database of its own")]
    Taken,
    /// The schemas are not the same.
    #[error("the schema of the target differs from that of the source")]
    Schema,
    /// A table did not arrive as it was sent.
    #[error("table {table} differs: {sent} in the source, {found} in the target")]
    Differs {
        /// The table.
        table: &'static str,
        /// What it is in the source.
        sent: Content,
        /// What it is in the target.
        found: Content,
    },
}

/// What a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// How many rows.
    pub rows: u64,
    sum: [u64; 4],
}

/// A table and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableContent {
    /// Its name.
    pub table: &'static str,
    /// What it holds.
    pub content: Content,
}

/// How far a move is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Whether the rows are read back, to be compared.
    pub is_check: bool,
    /// The table.
    pub table: &'static str,
    /// Rows of it that are done.
    pub rows: u64,
    /// Whether that is all of them.
    pub is_done: bool,
}

/// Is told how far it is.
pub type Watcher<'w> = &'w mut (dyn FnMut(Progress) + Send);

impl SqlStore {
    /// What this database says about itself.
    pub async fn standing(&self) -> Result<Standing, StoreError> {
        self.standing_of(migrate::look(self.db()).await?).await
    }

    async fn standing_of(&self, found: Found) -> Result<Standing, StoreError> {
        match found {
            Found::Ours => standing::find(self.db()).await,
            Found::Nothing | Found::Foreign => Ok(Standing::Unmarked),
        }
    }

    /// Changes what this database says about itself; [`StoreError::Conflict`] if it says something else than `from`.
    pub async fn change_standing(&self, from: &Standing, to: &Standing) -> Result<(), StoreError> {
        self.submit(vec![from.change(to)]).await
    }

    /// Claims a database that is empty, or holds something of the same kind that did not come to its end: that is cleared
    /// away. Answers whether it could.
    pub(super) async fn claim(&self, claimed: &Standing) -> Result<bool, StoreError> {
        let found = migrate::look(self.db()).await?;
        let before = self.standing_of(found).await?;
        let is_free = before == Standing::Unmarked && found != Found::Foreign;
        if !is_free && !claimed.may_follow(&before) {
            return Ok(false);
        }
        // Only now that it is nobody's.
        self.migrate().await?;
        if before == Standing::Unmarked && self.holds_rows().await? {
            return Ok(false);
        }
        // The row is changed first, so that of two who claim at once one fails; clearing takes it away as well.
        let mut batch = vec![before.change(claimed)];
        batch.extend(self.db().clearing());
        batch.push(claimed.insert());
        self.db().migrate(batch).await?;
        Ok(true)
    }

    async fn holds_rows(&self) -> Result<bool, StoreError> {
        // A server that was started on an empty database leaves settings in it.
        for table in TABLES.iter().filter(|table| table.name != "settings") {
            if table.has_rows(self.db()).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Claims this database for a copy. Nothing may stand in it but what did not come to its end.
    ///
    /// # Errors
    /// [`TransferError::Taken`], or the database's.
    pub async fn begin_copy(&self, copy: &str) -> Result<(), TransferError> {
        match self.claim(&being_copied(copy)).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(TransferError::Taken),
            Err(error) => Err(of_target(error)),
        }
    }

    /// Gives this database up, which was claimed for a copy that has not begun.
    ///
    /// # Errors
    /// The database's.
    pub async fn give_up_copy(&self, copy: &str) -> Result<(), TransferError> {
        self.change_standing(&being_copied(copy), &Standing::Unmarked).await.map_err(of_target)
    }

    /// The last step of a move from here, where it was interrupted before.
    ///
    /// The tables are not compared again: the target has said that it is whole only after that, and may have been served
    /// since.
    ///
    /// # Errors
    /// The database's.
    pub async fn finish_move(&self) -> Result<(), StoreError> {
        match self.standing().await? {
            Standing::Moving(gone) => {
                self.change_standing(&Standing::Moving(gone.clone()), &Standing::Moved(gone)).await
            }
            _ => Ok(()),
        }
    }

    /// What each table holds.
    ///
    /// # Errors
    /// The database's.
    pub async fn contents(&self, watch: Watcher<'_>) -> Result<Vec<TableContent>, StoreError> {
        let mut contents = Vec::with_capacity(TABLES.len());
        for table in &TABLES {
            contents.push(TableContent { table: table.name, content: content(self.db(), table, watch).await? });
        }
        Ok(contents)
    }
}

/// A move of one installation.
pub struct Transfer<'s> {
    /// From here.
    pub source: &'s SqlStore,
    /// To here.
    pub target: &'s SqlStore,
    /// A name that no other try has.
    pub copy: String,
}

impl Transfer<'_> {
    /// Copies every table to the claimed target, then reads it back and compares.
    ///
    /// # Errors
    /// The first that went wrong; the source is as it was, and the target says that it is not whole.
    pub async fn copy(&self, watch: Watcher<'_>) -> Result<Vec<TableContent>, TransferError> {
        self.compare_schemas().await?;
        let mut sent = Vec::with_capacity(TABLES.len());
        for table in &TABLES {
            sent.push(TableContent { table: table.name, content: self.copy_table(table, watch).await? });
        }
        for (table, sent) in TABLES.iter().zip(&sent) {
            self.compare(table, sent.content, watch).await?;
        }
        Ok(sent)
    }

    async fn compare_schemas(&self) -> Result<(), TransferError> {
        let ours = migrations(self.source).await.map_err(TransferError::Source)?;
        let theirs = migrations(self.target).await.map_err(TransferError::Target)?;
        if ours == theirs { Ok(()) } else { Err(TransferError::Schema) }
    }

    /// Copies a table page by page, each page a batch, and sums up what was read.
    async fn copy_table(&self, table: &Table, watch: Watcher<'_>) -> Result<Content, TransferError> {
        let mut content = Content::EMPTY;
        let mut page = self.page(table, None).await?;
        while let Some(last) = page.last() {
            let after = last[..table.key].to_vec();
            page.iter().for_each(|row| content.add(row));
            let inserts = page.into_iter().map(|row| insert(table, row));
            let (next, ()) = tokio::try_join!(self.page(table, Some(after)), self.write(inserts.collect()))?;
            page = next;
            watch(Progress { is_check: false, table: table.name, rows: content.rows, is_done: false });
        }
        self.link(table).await?;
        let counted = table.count(self.source.db()).await.map_err(TransferError::Source)?;
        check_count(table, content.rows, counted).map_err(TransferError::Source)?;
        watch(Progress { is_check: false, table: table.name, rows: content.rows, is_done: true });
        Ok(content)
    }

    /// Fills in what refers to the table itself, now that all of it is there.
    async fn link(&self, table: &Table) -> Result<(), TransferError> {
        let Some((link, place)) = table.link.as_ref().and_then(|link| Some((link, table.place(link.column)?))) else {
            return Ok(());
        };
        let mut page = self.page(table, None).await?;
        while let Some(last) = page.last() {
            let after = last[..table.key].to_vec();
            let linked = page.iter().filter(|row| row[place] != Value::Text(None));
            let updates = linked.map(|row| Statement::one(link.update, vec![row[0].clone(), row[place].clone()]));
            self.write(updates.collect()).await?;
            page = self.page(table, Some(after)).await?;
        }
        Ok(())
    }

    async fn page(&self, table: &Table, after: Option<Vec<Value>>) -> Result<Vec<Vec<Value>>, TransferError> {
        page(self.source.db(), table, after).await.map_err(TransferError::Source)
    }

    /// Commits to the target, as long as it is ours.
    async fn write(&self, mut batch: Vec<Statement>) -> Result<(), TransferError> {
        if batch.is_empty() {
            return Ok(());
        }
        batch.insert(0, self.claimed().hold());
        self.target.submit(batch).await.map_err(of_target)
    }

    async fn compare(&self, table: &Table, sent: Content, watch: Watcher<'_>) -> Result<(), TransferError> {
        let found = content(self.target.db(), table, watch).await.map_err(of_target)?;
        if sent == found { Ok(()) } else { Err(TransferError::Differs { table: table.name, sent, found }) }
    }

    /// Makes sure that the installation is still in the source, whole: it may have moved on while the source was waited for.
    /// Answers with what the source says about itself.
    ///
    /// `target` is what the target said about itself before it was claimed for this move.
    ///
    /// # Errors
    /// [`TransferError::Elsewhere`], or the source's.
    pub async fn stay(&self, to: &str, target: &Standing) -> Result<Standing, TransferError> {
        let standing = self.source.standing().await.map_err(TransferError::Source)?;
        match standing.remaining(target, to) {
            Ok(Remaining::Everything) => Ok(standing),
            Ok(Remaining::LastMark | Remaining::Nothing) => Err(TransferError::Disturbed),
            Err(why) => Err(TransferError::Elsewhere(why)),
        }
    }

    /// Begins with a claimed target: a move that was interrupted in its last step is taken back, for by the claim it is
    /// known not to have come to its end. The source can be served again from here on, whatever becomes of the copy.
    ///
    /// # Errors
    /// As for [`stay`](Self::stay).
    pub async fn begin(&self, to: &str, target: &Standing) -> Result<(), TransferError> {
        let standing = self.stay(to, target).await?;
        if let Standing::Moving(_) = &standing {
            let taken_back = self.source.change_standing(&standing, &Standing::Made).await;
            taken_back.map_err(TransferError::Source)?;
        }
        Ok(())
    }

    /// The source says that it moves, the target that it is whole, the source that it has moved.
    ///
    /// # Errors
    /// Whatever kept it from its end. The source goes on saying that it moves where the target may be whole; in all other
    /// cases it is as it was.
    pub async fn hand_over(&self, to: &str, at: &str) -> Result<(), TransferError> {
        let before = self.stay(to, &self.claimed()).await?;
        let gone = Move { copy: self.copy.clone(), to: to.to_owned(), at: at.to_owned() };
        let moving = Standing::Moving(gone.clone());
        self.source.change_standing(&before, &moving).await.map_err(TransferError::Source)?;
        let whole = Standing::Copied { copy: self.copy.clone() };
        if let Err(error) = self.target.change_standing(&self.claimed(), &whole).await {
            if !matches!(error, StoreError::InDoubt(_)) {
                self.source.change_standing(&moving, &before).await.map_err(TransferError::Source)?;
            }
            return Err(of_target(error));
        }
        self.source.change_standing(&moving, &Standing::Moved(gone)).await.map_err(TransferError::Source)
    }

    fn claimed(&self) -> Standing {
        being_copied(&self.copy)
    }
}

fn being_copied(copy: &str) -> Standing {
    Standing::BeingCopied { copy: copy.to_owned() }
}

/// A conflict in the target can only be somebody else's work: it was empty.
fn of_target(error: StoreError) -> TransferError {
    match error {
        StoreError::Conflict => TransferError::Disturbed,
        error => TransferError::Target(error),
    }
}

fn insert(table: &Table, mut row: Vec<Value>) -> Statement {
    if let Some(place) = table.link.as_ref().and_then(|link| table.place(link.column)) {
        row[place] = Value::Text(None);
    }
    Statement::one(table.insert, row)
}

async fn page(engine: &dyn Engine, table: &Table, after: Option<Vec<Value>>) -> Result<Vec<Vec<Value>>, StoreError> {
    table.read(engine, after).await?.iter().map(|row| table.values(row)).collect()
}

/// What a table holds, read from its first row to its last.
async fn content(engine: &dyn Engine, table: &Table, watch: Watcher<'_>) -> Result<Content, StoreError> {
    let mut content = Content::EMPTY;
    let mut rows = page(engine, table, None).await?;
    while let Some(last) = rows.last() {
        let after = last[..table.key].to_vec();
        rows.iter().for_each(|row| content.add(row));
        watch(Progress { is_check: true, table: table.name, rows: content.rows, is_done: false });
        rows = page(engine, table, Some(after)).await?;
    }
    check_count(table, content.rows, table.count(engine).await?)?;
    watch(Progress { is_check: true, table: table.name, rows: content.rows, is_done: true });
    Ok(content)
}

fn check_count(table: &Table, read: u64, counted: u64) -> Result<(), StoreError> {
    if read == counted {
        return Ok(());
    }
    Err(StoreError::Internal(format!("{read} rows of {} were read, and {counted} counted", table.name)))
}

/// The migrations of a database, each with its checksum.
async fn migrations(store: &SqlStore) -> Result<Vec<(i64, String)>, StoreError> {
    let applied = rows(store.db(), MIGRATIONS, Vec::new()).await?;
    let read = applied.iter().map(|row| row.of("migrations"));
    read.map(|row| Ok((row.number("number")?, row.string("checksum")?))).collect()
}

const MIGRATIONS: &str = "SELECT number, checksum FROM migrations ORDER BY number";

impl Content {
    const EMPTY: Self = Self { rows: 0, sum: [0; 4] };

    /// Adds a row: the sum of the rows' hashes does not depend on their order.
    fn add(&mut self, row: &[Value]) {
        let mut hash = Sha256::new();
        row.iter().for_each(|value| add_value(&mut hash, value));
        let digest: [u8; 32] = hash.finalize().into();
        for (sum, part) in self.sum.iter_mut().zip(digest.chunks_exact(8)) {
            *sum = sum.wrapping_add(part.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)));
        }
        self.rows += 1;
    }

    /// The sum of the rows' hashes, in hex.
    #[must_use]
    pub fn checksum(&self) -> String {
        self.sum.iter().map(|part| format!("{part:016x}")).collect()
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows with the checksum {}", self.rows, self.checksum())
    }
}

/// Type, length and content: no two rows of a table are written alike.
fn add_value(hash: &mut Sha256, value: &Value) {
    let mut add = |kind: u8, bytes: &[u8]| {
        hash.update([kind]);
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    match value {
        Value::Int(None) | Value::Text(None) | Value::Bytes(None) => add(0, &[]),
        Value::Int(Some(number)) => add(1, &number.to_be_bytes()),
        Value::Text(Some(text)) => add(2, text.as_bytes()),
        Value::Bytes(Some(bytes)) => add(3, bytes),
    }
}

#[cfg(test)]
mod tests;
