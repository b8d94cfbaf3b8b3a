//! `muster migrate-db`: an installation moves from the file in its data folder to a database on a server.
//!
//! It works on the data folder, whether or not a server runs there. The target is looked at and claimed before anything
//! else happens; then a running server is asked to let go of the database, and answers 503 from there on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use reqwest::StatusCode;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::client::{Client, Refusal};
use super::output::{Out, Table, remark};
use super::serve::{
    check_belonging, database_file, file_of, load_config, look_into_database, open_database, random_tag,
};
use super::{Globals, Usage};
use crate::adapters::ca_files::DataFolder;
use crate::adapters::sealer::Sealer;
use crate::adapters::system::{SystemClock, SystemRng};
use crate::config::{Config, DatabaseUrl};
use crate::store::{Progress, Remaining, SqlStore, Standing, TableContent, Transfer};

/// `muster migrate-db`
#[derive(Debug, Args)]
pub(super) struct MigrateArgs {
    /// The database to move to: postgres://…; it must be empty.
    #[arg(long, value_name = "URL")]
    to: String,
    /// File with the sealing keys; default: `keys` in the data folder.
    #[arg(long, value_name = "FILE")]
    key_file: Option<std::path::PathBuf>,
}

/// An installation, and where it is to go.
struct Migration<'g> {
    globals: &'g Globals,
    folder: DataFolder,
    config: Config,
    sealer: Arc<Sealer>,
    target: SqlStore,
    /// The target, for people.
    name: String,
    /// A name that no other try has.
    copy: String,
}

pub(super) async fn run(globals: &Globals, out: &Out, args: MigrateArgs) -> Result<()> {
    let folder = DataFolder::new(&globals.data, args.key_file);
    let config = load_config(&folder)?;
    let to = target_url(&folder, &config, args.to)?;
    let sealer = Arc::new(folder.sealer(SystemRng)?);
    let name = crate::store::postgres_name(to.expose());
    let mut there = config.clone();
    there.database.url = to;
    let target = look_into_database(&folder, &there, sealer.clone()).await.context("--to")?;
    let copy = random_tag();
    let migration = Migration { globals, folder, config, sealer, target, name, copy };
    let moved = migration.run().await;
    migration.target.close().await;
    migration.tell(out, &moved?)
}

/// Checks source and target as far as that is possible without opening them.
fn target_url(folder: &DataFolder, config: &Config, to: String) -> Result<DatabaseUrl> {
    let to = DatabaseUrl::try_from(to).map_err(|error| Usage(format!("--to: {error}")))?;
    let is_file = file_of(folder.path(), &to).map_err(|error| anyhow!("--to: {error}"))?.is_some();
    if is_file {
        return Err(
            Usage("--to: only postgres:// URLs: an installation moves to PostgreSQL, not back".to_owned()).into()
        );
    }
    let Some(file) = database_file(folder.path(), config)?.map(|file| folder.resolve(file)) else {
        bail!("this installation is on a database server already; only one in a file can be moved");
    };
    // Opened, it would come into being, and an empty installation would be moved.
    if !file.exists() {
        bail!("there is no database {}", file.display());
    }
    Ok(to)
}

impl Migration<'_> {
    /// Moves it, or finishes a move that was interrupted; answers what each table holds.
    async fn run(&self) -> Result<Vec<TableContent>> {
        let opened = self.open_source().await;
        // One that is served has not been moved.
        let standing = match &opened {
            Ok(source) => source.standing().await?,
            Err(_) => Standing::Unmarked,
        };
        let there = self.target.standing().await?;
        let remaining = standing.remaining(&there, &self.name).map_err(|error| anyhow!(error))?;
        let source = match opened {
            Ok(source) => {
                if remaining == Remaining::Everything {
                    self.claim().await?;
                }
                source
            }
            Err(error) => self.drained(error).await?,
        };
        let moved = match remaining {
            Remaining::Everything => self.transfer(&source, &there).await,
            Remaining::LastMark | Remaining::Nothing => finish(&source).await,
        };
        source.close().await;
        moved
    }

    async fn open_source(&self) -> Result<SqlStore> {
        open_database(&self.folder, &self.config, self.sealer.clone()).await
    }

    async fn claim(&self) -> Result<()> {
        self.target.begin_copy(&self.copy).await.with_context(|| format!("--to {}", self.name))
    }

    /// Opens the source after the server that has it open was asked to let go; the target is claimed before.
    async fn drained(&self, refused: anyhow::Error) -> Result<SqlStore> {
        let client = self.server().await.map_err(|error| {
            anyhow!("{refused:#}; and no server of this installation can be asked to let go of it: {error:#}")
        })?;
        self.claim().await?;
        remark("asking the server to let go of the database; from now on devices are told to come back later");
        let answer = client.post_within(self.drain_time(), "/drain", &json!({})).await;
        // Whatever the answer: it may be that of a second try, after the database was closed.
        let opened = self.open_source().await;
        match (opened, answer) {
            (Ok(source), _) => Ok(source),
            (Err(error), Ok(_)) => self.give_up(error.context(self.drained_in_vain())).await,
            (Err(_), Err(error)) if is_refused(&error) => self.give_up(error.context("nothing was changed")).await,
            (Err(_), Err(error)) => self.give_up(error.context(self.drained_in_vain())).await,
        }
    }

    /// How long a server may take to let go of the database.
    fn drain_time(&self) -> Duration {
        Duration::from_secs(u64::from(self.config.limits.drain_seconds)) + CLOSING
    }

    /// What has become of a server that was asked to let go of the database, and the database was not free after that.
    fn drained_in_vain(&self) -> String {
        let data = self.folder.path().display();
        format!(
            "not moved: the server was asked to let go of the database, and it was not free in time; a server that \
             answers with 503 from now on has to be started again: muster serve --data {data}"
        )
    }

    /// The running server of this installation, if its administrator may ask it.
    async fn server(&self) -> Result<Client> {
        let client = Client::connect(&Globals { server: None, ..self.globals.clone() })?;
        let me = client.get("/me", &[]).await?;
        if me["role"] != "admin" {
            bail!("this needs a token with the role admin");
        }
        Ok(client)
    }

    /// Leaves the target as it was found.
    async fn give_up(&self, error: anyhow::Error) -> Result<SqlStore> {
        self.target.give_up_copy(&self.copy).await?;
        Err(error)
    }

    /// Moves it to the claimed target, which said that about itself before.
    async fn transfer(&self, source: &SqlStore, there: &Standing) -> Result<Vec<TableContent>> {
        let transfer = Transfer { source, target: &self.target, copy: self.copy.clone() };
        if let Err(error) = transfer.begin(&self.name, there).await {
            // Two moves at once: while this one waited for the server, the other has come to its end.
            let _ = self.target.give_up_copy(&self.copy).await;
            return Err(error.into());
        }
        match self.transfer_all(&transfer).await {
            Ok(moved) => Ok(moved),
            Err(error) => Err(error.context(self.after_failure(source).await)),
        }
    }

    async fn transfer_all(&self, transfer: &Transfer<'_>) -> Result<Vec<TableContent>> {
        check_belonging(transfer.source, &self.config, &self.sealer).await?;
        let moved = transfer.copy(&mut watch()).await?;
        let now = SystemClock.now().replace_nanosecond(0)?.format(&Rfc3339)?;
        transfer.hand_over(&self.name, &now).await?;
        Ok(moved)
    }

    /// What an installation is that could not be moved.
    async fn after_failure(&self, source: &SqlStore) -> String {
        if matches!(source.standing().await, Ok(Standing::Moving(_)) | Err(_)) {
            return "the move was interrupted in its last step; run the same command again to finish it".to_owned();
        }
        let data = self.folder.path().display();
        format!(
            "not moved, and nothing was changed here: `muster serve --data {data}`, started anew, goes on as before"
        )
    }

    fn tell(&self, out: &Out, moved: &[TableContent]) -> Result<()> {
        let items: Vec<Value> = moved.iter().map(document).collect();
        if out.json {
            out.document(&json!({"to": self.name, "tables": items}))?;
        } else {
            out.list(&items, "", || table(moved))?;
        }
        let data = self.folder.path();
        let rows: u64 = moved.iter().map(|table| table.content.rows).sum();
        remark(&format!("moved to {}: {rows} rows", self.name));
        remark(&format!(
            "1. stop the server if it still runs; {} is not served any more",
            database(data, &self.config)?
        ));
        remark(&format!("2. put into {}, below [database]:", self.folder.config().display()));
        remark(&format!("       url = \"postgres://[user and password]@{}\"", self.name));
        remark("   the whole URL that was given with --to; or into the environment, as MUSTER__DATABASE__URL");
        remark(&format!("3. start it again: muster serve --data {}", data.display()));
        remark(
            "every further node needs the same `keys`, `ca`, `tls` and muster.toml; the keys are not in the database",
        );
        Ok(())
    }
}

/// Whether the server said no; 503 says that it lets go of the database already.
fn is_refused(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refusal>().is_some_and(|refusal| refusal.status != StatusCode::SERVICE_UNAVAILABLE)
}

/// The last step of a move that was interrupted, if it is not done.
async fn finish(source: &SqlStore) -> Result<Vec<TableContent>> {
    source.finish_move().await?;
    Ok(source.contents(&mut |_| {}).await?)
}

fn database(data: &Path, config: &Config) -> Result<String> {
    let file = database_file(data, config)?.context("the source is a file")?;
    Ok(data.join(file).display().to_string())
}

fn document(moved: &TableContent) -> Value {
    json!({"name": moved.table, "rows": moved.content.rows, "checksum": moved.content.checksum()})
}

/// For people the beginning of the checksums is enough.
fn table(moved: &[TableContent]) -> Table {
    let mut table = Table::new(["TABLE", "ROWS", "CHECKSUM"]);
    for moved in moved {
        table.row([moved.table.to_owned(), moved.content.rows.to_string(), moved.content.checksum()[..16].to_owned()]);
    }
    table
}

/// Tells when a table is done, and of a large one now and then how far it is.
fn watch() -> impl FnMut(Progress) + Send {
    let mut told = 0;
    move |progress: Progress| {
        let is_far = progress.rows >= told + OFTEN;
        if progress.is_done || is_far {
            let verb = if progress.is_check { "verified" } else { "copied" };
            let more = if progress.is_done { "" } else { " …" };
            remark(&format!("{verb} {}: {}{more}", progress.table, progress.rows));
            told = if progress.is_done { 0 } else { progress.rows };
        }
    }
}

/// What a server may take to close the database, after the requests had their time.
const CLOSING: Duration = Duration::from_secs(60);

/// Rows between two remarks.
const OFTEN: u64 = 100_000;
