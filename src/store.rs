//! Layer 4: the `Store` port over a small port for engines.
//!
//! Each subject has a file with its SQL, written once in the dialect that SQLite and PostgreSQL share. An engine knows
//! no subject: it reads rows and commits batches. What differs between databases is inside the engines, nowhere else.

mod alerts;
mod attempts;
mod audit;
mod authorities;
mod certificates;
mod commands;
mod csp;
mod devices;
mod engine;
mod enrollments;
mod events;
#[cfg(test)]
pub(crate) mod faulty;
mod fill;
mod invitations;
mod leases;
mod mails;
mod migrate;
mod objects;
mod packages;
mod postgres;
mod prefixes;
mod push;
mod query;
mod registered;
mod retention;
mod row;
mod sessions;
mod settings;
mod sqlite;
mod standing;
mod tables;
mod tokens;
mod transfer;
mod uploads;
mod users;
mod write;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use time::OffsetDateTime;

use crate::app::ports::{
    AttemptFilter, CommandFilter, DeviceFilter, DeviceView, DuePush, Expired, InvitationFilter, InvitationView, Known,
    Lease, Listed, Page, Sealer, SessionFilter, Store, StoreError, StoredConversation, Table, Write,
};
use crate::domain::Id;
use crate::domain::alert::AlertRecord;
use crate::domain::attempt::{Attempt, Phase};
use crate::domain::ca::CaRecord;
use crate::domain::certificate::Certificate;
use crate::domain::command::QueuedCommand;
use crate::domain::csp::{CspList, ImportedCatalogue, NodeAnswer, NodeOverride};
use crate::domain::device::Device;
use crate::domain::enrollment::{Enrollment, EnrollmentState};
use crate::domain::event::{AuditRow, Event};
use crate::domain::inventory::{InventoryItem, MissingNode};
use crate::domain::invitation::Invitation;
use crate::domain::language::Language;
use crate::domain::mail::Mail;
use crate::domain::mail_template::MailTemplate;
use crate::domain::object::{LargeObject, ObjectPart};
use crate::domain::package::Package;
use crate::domain::push::Push;
use crate::domain::registration::{RegisteredBy, RegisteredDevice};
use crate::domain::session_record::{SessionRecord, StoredAnswer, TranscriptExchange};
use crate::domain::upload::Upload;
use crate::domain::user::{Token, User};
use commands::Commands;
use engine::{Engine, Statement, Value};
pub use fill::Template;
use postgres::PostgresEngine;
use sqlite::SqliteEngine;
pub use sqlite::steps as sqlite_steps;
pub use standing::{Move, Remaining, Standing};
pub use transfer::{Content, Progress, TableContent, Transfer, TransferError, Watcher};

/// The database, whatever engine it has.
#[derive(Clone)]
pub struct SqlStore {
    engine: Arc<dyn Engine>,
    sealer: Arc<dyn Sealer>,
    /// What the database has to say about itself, or nothing is written.
    held: Option<Standing>,
}

/// Opens the SQLite database in that file, makes it if there is none, and leaves the schema as it is: what is in the file
/// may be of another build, or not ours at all.
///
/// The folder must exist. A file that another process has open is refused with [`StoreError::Unavailable`].
pub async fn look_into_sqlite(path: &Path, sealer: Arc<dyn Sealer>) -> Result<SqlStore, StoreError> {
    sqlite_with(path, sqlite::Options::default(), sealer).await
}

/// For tests: with the schema of this build.
#[cfg(test)]
pub(crate) async fn open_sqlite(path: &Path, sealer: Arc<dyn Sealer>) -> Result<SqlStore, StoreError> {
    open_sqlite_with(path, sqlite::Options::default(), sealer).await
}

/// For tests that play several processes with it.
#[cfg(test)]
pub(crate) async fn open_shared_sqlite(path: &Path, sealer: Arc<dyn Sealer>) -> Result<SqlStore, StoreError> {
    open_sqlite_with(path, sqlite::Options { is_shared: true, ..sqlite::Options::default() }, sealer).await
}

#[cfg(test)]
async fn open_sqlite_with(
    path: &Path,
    options: sqlite::Options,
    sealer: Arc<dyn Sealer>,
) -> Result<SqlStore, StoreError> {
    let store = sqlite_with(path, options, sealer).await?;
    store.migrate().await?;
    Ok(store)
}

async fn sqlite_with(path: &Path, options: sqlite::Options, sealer: Arc<dyn Sealer>) -> Result<SqlStore, StoreError> {
    let path = path.to_owned();
    let opened = tokio::task::spawn_blocking(move || SqliteEngine::open(&path, options)).await;
    let engine = opened.map_err(|error| StoreError::Internal(error.to_string()))??;
    Ok(SqlStore { engine: Arc::new(engine), sealer, held: None })
}

/// Opens the PostgreSQL database of that URL and changes nothing in it: what is there may be of another build, or not ours
/// at all. Relative paths in the URL count from the folder. `connections` is how many there are at most.
///
/// A server that cannot be reached, and a URL that is wrong, are [`StoreError::Unavailable`]; no password is said.
pub async fn look_into_postgres(
    url: &str,
    folder: &Path,
    connections: usize,
    sealer: Arc<dyn Sealer>,
) -> Result<SqlStore, StoreError> {
    let options = postgres::Options { connections, ..postgres::Options::default() };
    let engine = PostgresEngine::open(url, folder, options).await?;
    Ok(SqlStore { engine: Arc::new(engine), sealer, held: None })
}

/// Checks the URL of a PostgreSQL database, and the files that it names, without connecting.
///
/// # Errors
/// A sentence that names what is wrong, without the password.
pub fn check_postgres(url: &str, folder: &Path) -> Result<(), String> {
    postgres::check(url, folder)
}

/// Host and database of a PostgreSQL URL, for people: without user and password.
#[must_use]
pub fn postgres_name(url: &str) -> String {
    postgres::shown(url)
}

impl SqlStore {
    /// Brings the schema up to date, or makes it.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        migrate::run(self.db(), migrate::MIGRATIONS).await
    }

    /// Finishes what was asked for and lets go of the database; every later call is [`StoreError::Unavailable`].
    pub async fn close(&self) {
        self.engine.close().await;
    }

    /// Claims a database for a new installation. What was begun in it and did not come to its end is cleared away. Answers
    /// with what writes to it only as long as nobody else has claimed it; `None` for one that holds an installation.
    pub async fn begin_installation(&self, making: &str) -> Result<Option<Self>, StoreError> {
        let claimed = being_made(making);
        let is_claimed = self.claim(&claimed).await?;
        Ok(is_claimed.then(|| Self { held: Some(claimed), ..self.clone() }))
    }

    /// The installation is whole; [`StoreError::Conflict`] if the claim is gone.
    pub async fn end_installation(&self, making: &str) -> Result<(), StoreError> {
        self.change_standing(&being_made(making), &Standing::Made).await
    }

    /// Removes what was made under that claim, and the claim; [`StoreError::Conflict`] if it is gone.
    pub async fn give_up_installation(&self, making: &str) -> Result<(), StoreError> {
        let mut batch = vec![being_made(making).hold()];
        batch.extend(self.engine.clearing());
        self.engine.migrate(batch).await
    }

    /// What is noted under a key; where that is nothing, this from now on. Of two who note something at once, both hear
    /// what the first has noted.
    pub async fn setting_or_insert(&self, key: &str, value: &str) -> Result<String, StoreError> {
        if let Some(known) = settings::find(self.db(), key).await? {
            return Ok(known);
        }
        self.submit(vec![settings::insert(key, value)]).await?;
        // Gone again only if somebody clears the database at this moment.
        settings::find(self.db(), key).await?.ok_or(StoreError::Conflict)
    }

    /// The clock of the database server, if there is a server.
    pub async fn server_time(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        self.engine.server_time().await
    }

    /// Blocks that the database server has read for this database since it was started, from its memory or from the disk;
    /// `None` where there is no server.
    pub async fn blocks_read(&self) -> Result<Option<u64>, StoreError> {
        self.engine.blocks_read().await
    }

    /// Lets a database server clean up behind old rows and gather its statistics, which it else does when it sees fit; where
    /// there is none, nothing.
    pub async fn vacuum(&self) -> Result<(), StoreError> {
        self.engine.vacuum().await
    }

    /// Removes all rows: of an installation that was made to be measured.
    pub async fn clear(&self) -> Result<(), StoreError> {
        self.engine.migrate(self.engine.clearing()).await
    }

    fn db(&self) -> &dyn Engine {
        self.engine.as_ref()
    }

    /// Commits a batch of statements.
    async fn submit(&self, batch: Vec<Statement>) -> Result<(), StoreError> {
        refuse_nul(&batch)?;
        if !batch.is_empty() {
            self.engine.commit(self.guarded(batch)).await?;
        }
        Ok(())
    }

    /// The batch, which misses where the database is not claimed as it was.
    fn guarded(&self, mut batch: Vec<Statement>) -> Vec<Statement> {
        if let Some(held) = &self.held {
            batch.insert(0, held.hold());
        }
        batch
    }

    fn queue(&self) -> Commands<'_> {
        Commands { engine: self.db(), sealer: self.sealer.as_ref() }
    }
}

fn being_made(making: &str) -> Standing {
    Standing::BeingMade { making: making.to_owned() }
}

/// PostgreSQL cannot store NUL in text. To cut or replace it would store something that nobody wrote, so it is refused
/// here for every engine; doors that can receive NUL refuse it before, in their own words.
fn refuse_nul(batch: &[Statement]) -> Result<(), StoreError> {
    match batch.iter().find(|statement| !statement.params.iter().all(Value::is_storable)) {
        None => Ok(()),
        Some(odd) => Err(StoreError::Internal(format!("text with NUL cannot be stored: {}", odd.sql.trim()))),
    }
}

#[async_trait]
impl Store for SqlStore {
    async fn commit(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        self.submit(write::batch(writes, self.sealer.as_ref())?).await
    }

    async fn commit_from_reserve(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        let batch = write::batch(writes, self.sealer.as_ref())?;
        refuse_nul(&batch)?;
        self.engine.commit_from_reserve(self.guarded(batch)).await.map(|_| ())
    }

    async fn secure_reserve(&self) -> Result<bool, StoreError> {
        self.engine.secure_reserve().await
    }

    async fn user(&self, id: Id<User>) -> Result<Option<User>, StoreError> {
        users::find(self.db(), id).await
    }

    async fn user_by_name(&self, name: &str) -> Result<Option<User>, StoreError> {
        users::find_by_name(self.db(), name).await
    }

    async fn users_by_local_part(&self, local: &str) -> Result<Vec<User>, StoreError> {
        users::find_by_local_part(self.db(), local).await
    }

    async fn users(&self, query: Option<&str>, page: &Page) -> Result<Listed<User>, StoreError> {
        users::list(self.db(), query, page).await
    }

    async fn devices_of(&self, user: Id<User>) -> Result<u32, StoreError> {
        users::devices_of(self.db(), user).await
    }

    async fn own_devices_of(&self, user: Id<User>) -> Result<u32, StoreError> {
        users::own_devices_of(self.db(), user).await
    }

    async fn enrollments_of(&self, user: Id<User>) -> Result<i64, StoreError> {
        users::enrollments_of(self.db(), user).await
    }

    async fn token(&self, secret_hash: &[u8; 32]) -> Result<Option<(Token, User)>, StoreError> {
        tokens::find(self.db(), secret_hash).await
    }

    async fn registered(&self, kind: RegisteredBy, key: &str) -> Result<Option<RegisteredDevice>, StoreError> {
        registered::find(self.db(), kind, key).await
    }

    async fn registered_device(&self, id: Id<RegisteredDevice>) -> Result<Option<RegisteredDevice>, StoreError> {
        registered::find_by_id(self.db(), id).await
    }

    async fn registered_devices(&self, page: &Page) -> Result<Listed<RegisteredDevice>, StoreError> {
        registered::list(self.db(), page).await
    }

    async fn open_devices(&self) -> Result<u32, StoreError> {
        registered::open_devices(self.db()).await
    }

    async fn admissions(&self) -> Result<i64, StoreError> {
        registered::admissions(self.db()).await
    }

    async fn tokens(&self, page: &Page) -> Result<Listed<Token>, StoreError> {
        tokens::list(self.db(), page).await
    }

    async fn package(&self, id: Id<Package>) -> Result<Option<Package>, StoreError> {
        packages::find(self.db(), id).await
    }

    async fn package_by_secret(&self, user: Id<User>, secret_hash: &[u8; 32]) -> Result<Option<Package>, StoreError> {
        packages::find_by_secret(self.db(), user, secret_hash).await
    }

    async fn package_with_pin(&self, user: Id<User>, now: OffsetDateTime) -> Result<Option<Package>, StoreError> {
        packages::with_pin(self.db(), user, now).await
    }

    async fn live_packages_with_root(
        &self,
        root: &str,
        now: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<Package>, StoreError> {
        packages::live_with_root(self.db(), root, now, limit).await
    }

    async fn live_packages_with_other_url(
        &self,
        generations: [Option<&str>; 2],
        now: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<Package>, StoreError> {
        packages::live_with_other_url(self.db(), generations, now, limit).await
    }

    async fn packages(&self, page: &Page) -> Result<Listed<Package>, StoreError> {
        packages::list(self.db(), page).await
    }

    async fn invitation(&self, id: Id<Invitation>) -> Result<Option<InvitationView>, StoreError> {
        invitations::find(self.db(), id).await
    }

    async fn invitation_by_token(&self, token_hash: &[u8; 32]) -> Result<Option<InvitationView>, StoreError> {
        invitations::find_by_token(self.db(), token_hash).await
    }

    async fn open_invitation(&self, user: Id<User>) -> Result<Option<Invitation>, StoreError> {
        invitations::open_of(self.db(), user).await
    }

    async fn invitations(&self, filter: &InvitationFilter, page: &Page) -> Result<Listed<InvitationView>, StoreError> {
        invitations::list(self.db(), filter, page).await
    }

    async fn mail(&self, id: Id<Mail>) -> Result<Option<Mail>, StoreError> {
        mails::find(self.db(), self.sealer.as_ref(), id).await
    }

    async fn due_mails(&self, now: OffsetDateTime, limit: u32) -> Result<Vec<Mail>, StoreError> {
        mails::due(self.db(), self.sealer.as_ref(), now, limit).await
    }

    async fn mail_template(&self, language: Language) -> Result<Option<MailTemplate>, StoreError> {
        mails::template(self.db(), language).await
    }

    async fn device(&self, id: Id<Device>) -> Result<Option<DeviceView>, StoreError> {
        devices::find(self.db(), id).await
    }

    async fn devices(&self, filter: &DeviceFilter, page: &Page) -> Result<Listed<DeviceView>, StoreError> {
        devices::list(self.db(), filter, page).await
    }

    async fn inventory(&self, device: Id<Device>) -> Result<Vec<InventoryItem>, StoreError> {
        devices::inventory(self.db(), device).await
    }

    async fn missing_nodes(&self, device: Id<Device>) -> Result<Vec<MissingNode>, StoreError> {
        devices::missing_nodes(self.db(), device).await
    }

    async fn enrollment(&self, id: Id<Enrollment>) -> Result<Option<Enrollment>, StoreError> {
        enrollments::find(self.db(), id).await
    }

    async fn enrollments_claiming(&self, identifier: &str) -> Result<Vec<Enrollment>, StoreError> {
        enrollments::claiming(self.db(), identifier).await
    }

    async fn former_enrollments(&self, user: Id<User>, identifier: &str) -> Result<Vec<Enrollment>, StoreError> {
        enrollments::former(self.db(), user, identifier).await
    }

    async fn enrollments_quiet_since(
        &self,
        state: EnrollmentState,
        before: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<Enrollment>, StoreError> {
        enrollments::quiet_since(self.db(), state, before, limit).await
    }

    async fn conversation(&self, enrollment: Id<Enrollment>) -> Result<Option<StoredConversation>, StoreError> {
        enrollments::conversation(self.db(), enrollment).await
    }

    async fn known(&self, enrollment: Id<Enrollment>) -> Result<Option<Known>, StoreError> {
        enrollments::known(self.db(), enrollment).await
    }

    async fn known_by_certificate(&self, sha256: &[u8; 32]) -> Result<Option<(Certificate, Known)>, StoreError> {
        enrollments::known_by_certificate(self.db(), sha256).await
    }

    async fn push(&self, enrollment: Id<Enrollment>) -> Result<Option<Push>, StoreError> {
        push::find(self.db(), self.sealer.as_ref(), enrollment).await
    }

    async fn due_pushes(&self, now: OffsetDateTime, limit: u32) -> Result<Vec<DuePush>, StoreError> {
        push::due(self.db(), self.sealer.as_ref(), now, limit).await
    }

    async fn certificate(&self, sha256: &[u8; 32]) -> Result<Option<Certificate>, StoreError> {
        certificates::find(self.db(), sha256).await
    }

    async fn certificate_by_serial(&self, serial: &str) -> Result<Option<Certificate>, StoreError> {
        certificates::find_by_serial(self.db(), serial).await
    }

    async fn key_owner(&self, key_sha256: &[u8; 32]) -> Result<Option<Id<Enrollment>>, StoreError> {
        certificates::key_owner(self.db(), key_sha256).await
    }

    async fn certificates_of(&self, enrollment: Id<Enrollment>) -> Result<Vec<Certificate>, StoreError> {
        certificates::list_of_enrollment(self.db(), enrollment).await
    }

    async fn certificates(&self, device: Option<Id<Device>>, page: &Page) -> Result<Listed<Certificate>, StoreError> {
        certificates::list(self.db(), device, page).await
    }

    async fn revoked_certificates(&self, now: OffsetDateTime) -> Result<Vec<Certificate>, StoreError> {
        certificates::revoked(self.db(), now).await
    }

    async fn late_renewals(&self, now: OffsetDateTime, until: OffsetDateTime) -> Result<u64, StoreError> {
        certificates::count_late(self.db(), now, until).await
    }

    async fn untold_late_renewals(
        &self,
        now: OffsetDateTime,
        until: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<Certificate>, StoreError> {
        certificates::late(self.db(), now, until, limit).await
    }

    async fn command(&self, id: Id<QueuedCommand>) -> Result<Option<QueuedCommand>, StoreError> {
        self.queue().find(id).await
    }

    async fn commands(&self, filter: &CommandFilter, page: &Page) -> Result<Listed<QueuedCommand>, StoreError> {
        self.queue().list(filter, page).await
    }

    async fn open_commands(&self, enrollment: Id<Enrollment>, limit: u32) -> Result<Vec<QueuedCommand>, StoreError> {
        self.queue().open(enrollment, limit).await
    }

    async fn sendable_commands(
        &self,
        enrollment: Id<Enrollment>,
        at: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<QueuedCommand>, StoreError> {
        self.queue().sendable(enrollment, at, limit).await
    }

    async fn offered_commands(
        &self,
        enrollment: Id<Enrollment>,
        session: Option<(Id<SessionRecord>, u64)>,
    ) -> Result<Vec<QueuedCommand>, StoreError> {
        self.queue().offered(enrollment, session).await
    }

    async fn overdue_commands(&self, now: OffsetDateTime, limit: u32) -> Result<Vec<QueuedCommand>, StoreError> {
        self.queue().overdue(now, limit).await
    }

    async fn orphaned_commands(&self, limit: u32) -> Result<Vec<QueuedCommand>, StoreError> {
        self.queue().orphaned(limit).await
    }

    async fn object(&self, id: Id<LargeObject>) -> Result<Option<LargeObject>, StoreError> {
        objects::find(self.db(), id).await
    }

    async fn object_parts(
        &self,
        id: Id<LargeObject>,
        span: (u64, u64),
        limit: u32,
    ) -> Result<Vec<ObjectPart>, StoreError> {
        objects::parts(self.db(), self.sealer.as_ref(), id, span, limit).await
    }

    async fn object_bytes(&self, enrollment: Id<Enrollment>) -> Result<(u64, u64), StoreError> {
        objects::taken(self.db(), enrollment).await
    }

    async fn session(&self, id: Id<SessionRecord>) -> Result<Option<SessionRecord>, StoreError> {
        sessions::find(self.db(), id).await
    }

    async fn sessions(&self, filter: &SessionFilter, page: &Page) -> Result<Listed<SessionRecord>, StoreError> {
        sessions::list(self.db(), filter, page).await
    }

    async fn idle_sessions(&self, before: OffsetDateTime, limit: u32) -> Result<Vec<SessionRecord>, StoreError> {
        sessions::idle(self.db(), before, limit).await
    }

    async fn transcript(&self, session: Id<SessionRecord>) -> Result<Vec<TranscriptExchange>, StoreError> {
        sessions::transcript(self.db(), session).await
    }

    async fn stored_answer(&self, session: Id<SessionRecord>) -> Result<Option<StoredAnswer>, StoreError> {
        sessions::answer(self.db(), session).await
    }

    async fn open_attempt(
        &self,
        email: &str,
        address: &str,
        phase: Phase,
        since: OffsetDateTime,
    ) -> Result<Option<Attempt>, StoreError> {
        attempts::find_open(self.db(), email, address, phase, since).await
    }

    async fn is_due(&self, what: Expired, before: OffsetDateTime) -> Result<bool, StoreError> {
        retention::is_due(self.db(), what, before).await
    }

    async fn attempt(&self, id: Id<Attempt>) -> Result<Option<Attempt>, StoreError> {
        attempts::find(self.db(), id).await
    }

    async fn failed_attempt(&self, like: &Attempt, since: OffsetDateTime) -> Result<Option<Attempt>, StoreError> {
        attempts::find_failed(self.db(), like, since).await
    }

    async fn attempts(&self, filter: &AttemptFilter, page: &Page) -> Result<Listed<Attempt>, StoreError> {
        attempts::list(self.db(), filter, page).await
    }

    async fn alerts(&self, device: Id<Device>, page: &Page) -> Result<Listed<AlertRecord>, StoreError> {
        alerts::list(self.db(), device, page).await
    }

    async fn upload(&self, id: Id<Upload>) -> Result<Option<Upload>, StoreError> {
        uploads::find(self.db(), id).await
    }

    async fn uploads(&self, device: Option<Id<Device>>, page: &Page) -> Result<Listed<Upload>, StoreError> {
        uploads::list(self.db(), device, page).await
    }

    async fn upload_chunk(&self, id: Id<Upload>, seq: u32) -> Result<Option<Vec<u8>>, StoreError> {
        uploads::chunk(self.db(), id, seq).await
    }

    async fn imported_catalogue(&self) -> Result<Option<ImportedCatalogue>, StoreError> {
        csp::catalogue(self.db()).await
    }

    async fn node_overrides(&self, page: &Page) -> Result<Listed<NodeOverride>, StoreError> {
        csp::list_overrides(self.db(), page).await
    }

    async fn all_node_overrides(&self) -> Result<Vec<NodeOverride>, StoreError> {
        csp::overrides(self.db()).await
    }

    async fn node_answers(&self, build: u32, edition: u32) -> Result<Vec<NodeAnswer>, StoreError> {
        csp::answers(self.db(), build, edition).await
    }

    async fn answers_of_node(&self, path: &str) -> Result<Vec<NodeAnswer>, StoreError> {
        csp::answers_of(self.db(), path).await
    }

    async fn csp_lists(&self) -> Result<Vec<CspList>, StoreError> {
        csp::csps(self.db()).await
    }

    async fn event(&self, id: Id<Event>) -> Result<Option<Event>, StoreError> {
        events::find(self.db(), id).await
    }

    async fn events_after(&self, seq: i64, subject: Option<&str>, limit: u32) -> Result<Vec<Event>, StoreError> {
        events::after(self.db(), seq, subject, limit).await
    }

    async fn unnumbered_events(&self, limit: u32) -> Result<Vec<Event>, StoreError> {
        events::unnumbered(self.db(), limit).await
    }

    async fn last_event_seq(&self) -> Result<i64, StoreError> {
        events::last_seq(self.db()).await
    }

    async fn audit(&self, object_id: Option<&str>, page: &Page) -> Result<Listed<AuditRow>, StoreError> {
        audit::list(self.db(), object_id, page).await
    }

    async fn authorities(&self) -> Result<Vec<CaRecord>, StoreError> {
        authorities::list(self.db()).await
    }

    async fn count_without_root(&self, root: &str) -> Result<u64, StoreError> {
        authorities::count_without(self.db(), root).await
    }

    async fn devices_without_root(&self, root: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        authorities::names_without(self.db(), root, limit).await
    }

    async fn count_live_certificates(&self, issuer: &str, now: OffsetDateTime) -> Result<u64, StoreError> {
        authorities::count_live(self.db(), issuer, now).await
    }

    async fn last_written(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        audit::last_written(self.db()).await
    }

    async fn ids_with_prefix(&self, table: Table, prefix: &str) -> Result<Vec<String>, StoreError> {
        prefixes::find(self.db(), table, prefix).await
    }

    async fn setting(&self, key: &str) -> Result<Option<String>, StoreError> {
        settings::find(self.db(), key).await
    }

    async fn set_setting(&self, key: &str, value: &str) -> Result<(), StoreError> {
        self.submit(vec![settings::set(key, value)]).await
    }

    fn is_shared(&self) -> bool {
        self.engine.is_shared()
    }

    async fn lease(&self, name: &str) -> Result<Option<Lease>, StoreError> {
        leases::find(self.db(), name).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.submit(settings::trial().into()).await?;
        // Whatever it finds: the way to read is what counts.
        settings::find(self.db(), "readiness").await.map(drop)
    }
}

#[cfg(test)]
mod contract;
