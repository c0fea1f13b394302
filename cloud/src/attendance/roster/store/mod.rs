//! The feed: where it stands, its entries and its snapshots.

use hadir_shared::{chain::Hash, ids::InstitutionId, time::Millis, wire::roster::Entry};
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

pub use self::{
    keys::{KeyRow, insert_key, keys},
    published::{approved_leaves, cards, classes, holidays, institution, people, schools, settings},
};
use crate::db::Tx;

mod keys;
mod published;

/// Where a school's feed stands.
#[derive(Debug, Clone, FromRow)]
pub struct HeadRow {
    pub generation: Uuid,
    pub latest: i64,
    pub floor: i64,
    pub revocations: i64,
}

/// Takes the next `count` numbers, opening the feed where there is none, and answers the last of them. Locks the counter
/// until the transaction ends.
pub async fn advance(
    tx: &mut Tx,
    institution: InstitutionId,
    generation: Uuid,
    count: i64,
    revokes: bool,
) -> sqlx::Result<i64> {
    let (latest,) = tx
        .query(
            "INSERT INTO feed_heads AS f (institution_id, generation, latest, floor, revocations)
             VALUES ($1, $2, $3, 0, CASE WHEN $4 THEN $3 ELSE 0 END)
             ON CONFLICT (institution_id) DO UPDATE SET latest = f.latest + $3,
                revocations = CASE WHEN $4 THEN f.latest + $3 ELSE f.revocations END
             RETURNING latest",
        )
        .bind(institution.0)
        .bind(generation)
        .bind(count)
        .bind(revokes)
        .one()
        .await?;
    Ok(latest)
}

/// A column of a JSON list, in the order of the statement.
#[derive(Serialize)]
struct Column<'e>(&'e str, &'e str, u64, &'e str, Hash, bool);

/// Puts entries in; one whose content is what stands already keeps its number.
pub async fn put_entries(
    tx: &mut Tx,
    institution: InstitutionId,
    entries: &[(Entry, Hash)],
    now: Millis,
) -> sqlx::Result<u64> {
    let rows =
        || entries.iter().map(|(e, hash)| Column(&e.entity, &e.key, e.cseq, &e.body, *hash, e.deleted));
    let json = match tx {
        Tx::Pg(_) => String::new(),
        Tx::Sqlite(_) => {
            serde_json::to_string(&rows().collect::<Vec<_>>()).map_err(|e| sqlx::Error::Encode(e.into()))?
        }
    };
    tx.query_split(
        "INSERT INTO roster_entries AS r
            (institution_id, changed_at, entity, entity_key, cseq, body, hash, is_deleted)
         SELECT $1, $2, e.* FROM UNNEST($3::TEXT[], $4::TEXT[], $5::BIGINT[], $6::TEXT[], $7::TEXT[], $8::BOOLEAN[]) AS e
         ON CONFLICT (institution_id, entity, entity_key) DO UPDATE SET cseq = excluded.cseq, body = excluded.body,
            hash = excluded.hash, is_deleted = excluded.is_deleted, changed_at = excluded.changed_at
         WHERE r.hash <> excluded.hash",
        "INSERT INTO roster_entries AS r
            (institution_id, changed_at, entity, entity_key, cseq, body, hash, is_deleted)
         SELECT $1, $2, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
         FROM jsonb_each($3) WHERE TRUE
         ON CONFLICT (institution_id, entity, entity_key) DO UPDATE SET cseq = excluded.cseq, body = excluded.body,
            hash = excluded.hash, is_deleted = excluded.is_deleted, changed_at = excluded.changed_at
         WHERE r.hash <> excluded.hash",
    )
    .bind(institution.0)
    .bind(now.0)
    .bind_split(|| rows().map(|row| row.0).collect::<Vec<_>>(), || json)
    .bind_pg(|| rows().map(|row| row.1).collect::<Vec<_>>())
    .bind_pg(|| rows().map(|row| row.2.cast_signed()).collect::<Vec<_>>())
    .bind_pg(|| rows().map(|row| row.3).collect::<Vec<_>>())
    .bind_pg(|| rows().map(|row| row.4.to_string()).collect::<Vec<_>>())
    .bind_pg(|| rows().map(|row| row.5).collect::<Vec<_>>())
    .run()
    .await
}

/// One state of the feed for all that follows in a read transaction.
pub async fn hold_still(tx: &mut Tx) -> sqlx::Result<()> {
    // A read transaction of SQLite is a snapshot by itself.
    tx.query_split("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SELECT 1").run().await.map(drop)
}

pub async fn head(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Option<HeadRow>> {
    tx.query("SELECT generation, latest, floor, revocations FROM feed_heads WHERE institution_id = $1")
        .bind(institution.0)
        .opt()
        .await
}

/// The head, which nobody moves until this transaction ends.
pub async fn lock_head(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Option<HeadRow>> {
    // SQLite has one writer, and no FOR UPDATE.
    tx.query_split(
        "SELECT generation, latest, floor, revocations FROM feed_heads WHERE institution_id = $1 FOR UPDATE",
        "SELECT generation, latest, floor, revocations FROM feed_heads WHERE institution_id = $1",
    )
    .bind(institution.0)
    .opt()
    .await
}

#[derive(FromRow)]
pub struct EntryRow {
    cseq: i64,
    entity: String,
    entity_key: String,
    is_deleted: bool,
    body: String,
}

impl From<EntryRow> for Entry {
    fn from(row: EntryRow) -> Self {
        let EntryRow { cseq, entity, entity_key: key, is_deleted: deleted, body } = row;
        Self { cseq: cseq.cast_unsigned(), entity, key, deleted, body }
    }
}

/// What changed after a cursor, tombstones included.
pub async fn entries_after(
    tx: &mut Tx,
    institution: InstitutionId,
    since: i64,
    limit: i64,
) -> sqlx::Result<Vec<EntryRow>> {
    tx.query(
        "SELECT cseq, entity, entity_key, is_deleted, body FROM roster_entries
         WHERE institution_id = $1 AND cseq > $2 ORDER BY cseq LIMIT $3",
    )
    .bind(institution.0)
    .bind(since)
    .bind(limit)
    .all()
    .await
}

/// Everything that lives.
pub async fn living(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Vec<EntryRow>> {
    tx.query(
        "SELECT cseq, entity, entity_key, is_deleted, body FROM roster_entries
         WHERE institution_id = $1 AND NOT is_deleted ORDER BY cseq",
    )
    .bind(institution.0)
    .all()
    .await
}

/// Kind, key and hash of everything that lives: what the digest is made of.
pub async fn living_hashes(
    tx: &mut Tx,
    institution: InstitutionId,
) -> sqlx::Result<Vec<(String, String, String)>> {
    tx.query(
        "SELECT entity, entity_key, hash FROM roster_entries WHERE institution_id = $1 AND NOT is_deleted",
    )
    .bind(institution.0)
    .all()
    .await
}

pub async fn living_keys(
    tx: &mut Tx,
    institution: InstitutionId,
    entity: &str,
) -> sqlx::Result<Vec<(String,)>> {
    tx.query(
        "SELECT entity_key FROM roster_entries WHERE institution_id = $1 AND entity = $2 AND NOT is_deleted",
    )
    .bind(institution.0)
    .bind(entity)
    .all()
    .await
}

// Snapshots.

#[derive(FromRow)]
pub struct SnapshotRow {
    pub generation: Uuid,
    pub cursor_at: i64,
    /// The chunks' hashes, in order, with a space between them.
    pub chunks: String,
    pub digest: String,
}

pub async fn snapshot(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Option<SnapshotRow>> {
    tx.query("SELECT generation, cursor_at, chunks, digest FROM roster_snapshots WHERE institution_id = $1")
        .bind(institution.0)
        .opt()
        .await
}

pub async fn put_snapshot(
    tx: &mut Tx,
    institution: InstitutionId,
    snapshot: &SnapshotRow,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO roster_snapshots (institution_id, generation, cursor_at, chunks, digest, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (institution_id) DO UPDATE SET generation = excluded.generation, cursor_at = excluded.cursor_at,
            chunks = excluded.chunks, digest = excluded.digest, created_at = excluded.created_at",
    )
    .bind(institution.0)
    .bind(snapshot.generation)
    .bind(snapshot.cursor_at)
    .bind(&snapshot.chunks)
    .bind(&snapshot.digest)
    .bind(now.0)
    .run()
    .await
}

/// One that is there already is young again, so that it outlives the snapshot it belongs to.
pub async fn put_chunk(
    tx: &mut Tx,
    institution: InstitutionId,
    hash: Hash,
    body: &str,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO roster_chunks (institution_id, hash, body, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (institution_id, hash) DO UPDATE SET created_at = excluded.created_at",
    )
    .bind(institution.0)
    .bind(hash.to_string())
    .bind(body)
    .bind(now.0)
    .run()
    .await
}

pub async fn chunk(tx: &mut Tx, institution: InstitutionId, hash: Hash) -> sqlx::Result<Option<String>> {
    let row: Option<(String,)> = tx
        .query("SELECT body FROM roster_chunks WHERE institution_id = $1 AND hash = $2")
        .bind(institution.0)
        .bind(hash.to_string())
        .opt()
        .await?;
    Ok(row.map(|(body,)| body))
}

/// Deletes snapshots made before `then`; the next box that asks has a new one made.
pub async fn purge_snapshots(tx: &mut Tx, then: Millis) -> sqlx::Result<u64> {
    tx.query("DELETE FROM roster_snapshots WHERE created_at < $1").bind(then.0).run().await?;
    tx.query("DELETE FROM roster_chunks WHERE created_at < $1").bind(then.0).run().await
}

/// Deletes tombstones set before `then`. A cursor older than the newest of them refetches.
pub async fn purge_tombstones(tx: &mut Tx, then: Millis) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE feed_heads SET floor = COALESCE((SELECT MAX(r.cseq) FROM roster_entries r
            WHERE r.institution_id = feed_heads.institution_id AND r.is_deleted AND r.changed_at < $1), floor)",
    )
    .bind(then.0)
    .run()
    .await?;
    tx.query("DELETE FROM roster_entries WHERE is_deleted AND changed_at < $1").bind(then.0).run().await
}
