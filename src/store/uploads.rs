//! Files that devices uploaded, in rows of bounded size.
//!
//! Only one try at a time may write, and every row of it makes sure that it still is the one. What a try leaves that broke
//! off goes with the next one, or with upkeep.

use time::OffsetDateTime;

use super::engine::{Engine, Row, Statement};
use super::query::{List, cursor, one};
use crate::app::ports::{Listed, Page, StoreError};
use crate::domain::Id;
use crate::domain::device::Device;
use crate::domain::upload::{Received, Upload, UploadAttempt, UploadChunk};

pub(super) fn insert(upload: &Upload) -> Statement {
    let params = vec![
        upload.id.into(),
        upload.device_id.into(),
        upload.enrollment_id.into(),
        upload.secret_hash.as_slice().into(),
        upload.created_at.into(),
        upload.expires_at.into(),
    ];
    Statement::one(INSERT, params)
}

/// The newest try is the one that counts; a miss where the file is there already.
pub(super) fn begin(id: Id<Upload>, attempt: Id<UploadAttempt>, at: OffsetDateTime) -> [Statement; 2] {
    let begin = Statement::one(BEGIN, vec![id.into(), attempt.into(), at.into()]);
    [begin, Statement::any(DELETE_OTHER_CHUNKS, vec![id.into(), attempt.into()])]
}

/// A miss where another try has begun meanwhile.
pub(super) fn append(chunk: &UploadChunk, at: OffsetDateTime) -> [Statement; 2] {
    let (id, attempt) = (chunk.upload_id, chunk.attempt);
    let insert = vec![id.into(), attempt.into(), chunk.seq.into(), chunk.sealed.as_slice().into()];
    [Statement::one(BEAT, vec![id.into(), attempt.into(), at.into()]), Statement::one(INSERT_CHUNK, insert)]
}

/// Likewise.
pub(super) fn finish(id: Id<Upload>, attempt: Id<UploadAttempt>, received: &Received) -> Statement {
    let params = vec![
        id.into(),
        attempt.into(),
        received.at.into(),
        received.bytes.into(),
        received.chunks.into(),
        received.sha256.as_slice().into(),
    ];
    Statement::one(FINISH, params)
}

/// Whatever that try wrote goes, unless it has come to its end.
pub(super) fn abandon(id: Id<Upload>, attempt: Id<UploadAttempt>) -> [Statement; 2] {
    let both = || vec![id.into(), attempt.into()];
    [Statement::any(DELETE_CHUNKS_OF, both()), Statement::at_most_one(ABANDON, both())]
}

/// What tries left that have been quiet since before that moment.
pub(super) fn forget_quiet(quiet_since: OffsetDateTime) -> [Statement; 2] {
    // The rows first: a try that goes on at this moment has either sent something since, or lost its place.
    [Statement::any(FORGET_QUIET, vec![quiet_since.into()]), Statement::any(DELETE_LEFT_CHUNKS, Vec::new())]
}

/// One that is not there is a miss.
pub(super) fn delete(id: Id<Upload>) -> Statement {
    Statement::one(DELETE, vec![id.into()])
}

pub(super) async fn find(engine: &dyn Engine, id: Id<Upload>) -> Result<Option<Upload>, StoreError> {
    one(engine, FIND, vec![id.into()], read).await
}

pub(super) async fn list(
    engine: &dyn Engine,
    device: Option<Id<Device>>,
    page: &Page,
) -> Result<Listed<Upload>, StoreError> {
    let (sql, more) = match device {
        Some(device) => (LIST_OF_DEVICE, vec![device.into()]),
        None => (LIST, Vec::new()),
    };
    let place = |upload: &Upload| cursor(upload.created_at, upload.id);
    List { sql, more, read, place, page }.load(engine).await
}

pub(super) async fn chunk(engine: &dyn Engine, id: Id<Upload>, seq: u32) -> Result<Option<Vec<u8>>, StoreError> {
    let sealed = |row: &Row| Ok(row.of("upload_chunks").bytes("sealed")?.to_vec());
    one(engine, CHUNK, vec![id.into(), seq.into()], sealed).await
}

fn read(row: &Row) -> Result<Upload, StoreError> {
    let row = row.of("uploads");
    let received = match row.opt_time("received_at")? {
        Some(at) => Some(Received {
            at,
            bytes: row.number("bytes")?,
            chunks: row.number("chunks")?,
            sha256: row.digest("sha256")?,
        }),
        None => None,
    };
    Ok(Upload {
        id: row.id("id")?,
        device_id: row.id("device_id")?,
        enrollment_id: row.id("enrollment_id")?,
        secret_hash: row.digest("secret_hash")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        attempt: row.opt_id("attempt")?,
        attempt_at: row.opt_time("attempt_at")?,
        received,
    })
}

const INSERT: &str = "
    INSERT INTO uploads (id, device_id, enrollment_id, secret_hash, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6)";

const BEGIN: &str = "
    UPDATE uploads SET attempt = $2, attempt_at = $3
    WHERE id = $1 AND received_at IS NULL";

const DELETE_OTHER_CHUNKS: &str = "DELETE FROM upload_chunks WHERE upload_id = $1 AND attempt <> $2";

const BEAT: &str = "
    UPDATE uploads SET attempt_at = $3 WHERE id = $1 AND attempt = $2 AND received_at IS NULL";

const INSERT_CHUNK: &str = "
    INSERT INTO upload_chunks (upload_id, attempt, seq, sealed) VALUES ($1, $2, $3, $4)";

const FINISH: &str = "
    UPDATE uploads SET received_at = $3, bytes = $4, chunks = $5, sha256 = $6
    WHERE id = $1 AND attempt = $2 AND received_at IS NULL";

const DELETE_CHUNKS_OF: &str = "
    DELETE FROM upload_chunks WHERE upload_id = $1 AND attempt = $2
        AND upload_id NOT IN (SELECT id FROM uploads WHERE id = $1 AND received_at IS NOT NULL)";

const ABANDON: &str = "
    UPDATE uploads SET attempt = NULL, attempt_at = NULL WHERE id = $1 AND attempt = $2 AND received_at IS NULL";

const DELETE_LEFT_CHUNKS: &str = "
    DELETE FROM upload_chunks
    WHERE upload_id IN (SELECT id FROM uploads WHERE received_at IS NULL AND attempt IS NULL)";

const FORGET_QUIET: &str = "
    UPDATE uploads SET attempt = NULL, attempt_at = NULL WHERE received_at IS NULL AND attempt_at < $1";

const DELETE: &str = "DELETE FROM uploads WHERE id = $1";

pub(super) const FIND: &str = "SELECT * FROM uploads WHERE id = $1";

pub(super) const LIST: &str = "
    SELECT * FROM uploads WHERE (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT $3";

pub(super) const LIST_OF_DEVICE: &str = "
    SELECT * FROM uploads WHERE device_id = $4 AND (created_at, id) < ($1, $2)
    ORDER BY created_at DESC, id DESC LIMIT $3";

pub(super) const CHUNK: &str = "SELECT sealed FROM upload_chunks WHERE upload_id = $1 AND seq = $2";
