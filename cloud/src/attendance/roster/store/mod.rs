use std::collections::BTreeMap;

use chrono::NaiveDate;
use hadir_shared::{
    chain::Hash,
    ids::InstitutionId,
    time::{Millis, SchoolDay},
    wire::roster::Entry,
};
use serde::Serialize;
use serde_json::json;
use sqlx::FromRow;
use uuid::Uuid;

use crate::db::Tx;

// The feed.

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

// What is published. `ids` names rows, as an array or as JSON; `None` means all of the school's.

#[derive(FromRow)]
pub struct PersonRow {
    pub id: i64,
    pub uuid: Uuid,
    pub number: String,
    pub name: String,
    pub password_hash: String,
    pub is_active: bool,
    pub role_id: i64,
    pub class_id: Option<i64>,
    pub photo_path: Option<String>,
}

/// Those who have a login and a role in attendance, with the class they are in on a day: of two, the one they came to last.
pub async fn people(
    tx: &mut Tx,
    institution: InstitutionId,
    ids: Option<&[i64]>,
    day: SchoolDay,
) -> sqlx::Result<Vec<PersonRow>> {
    tx.query_split(
        "SELECT u.id, u.uuid, u.nisn_nip_nik AS number, u.name, u.password_hash, u.is_active, u.photo_path, r.role_id,
            (SELECT c.class_id FROM class_students c
             WHERE c.institution_id = $1 AND c.student_id = u.id AND c.academic_year = $3
                AND c.joined_on <= $4 AND (c.left_on IS NULL OR c.left_on > $4)
             ORDER BY c.joined_on DESC, c.id DESC LIMIT 1) AS class_id
         FROM users u JOIN user_roles r ON r.user_id = u.id JOIN services s ON s.id = r.service_id
         WHERE u.institution_id = $1 AND s.code = 'ATTENDANCE' AND u.nisn_nip_nik IS NOT NULL
            AND ($2::BIGINT[] IS NULL OR u.id = ANY($2)) ORDER BY u.id",
        "SELECT u.id, u.uuid, u.nisn_nip_nik AS number, u.name, u.password_hash, u.is_active, u.photo_path, r.role_id,
            (SELECT c.class_id FROM class_students c
             WHERE c.institution_id = $1 AND c.student_id = u.id AND c.academic_year = $3
                AND c.joined_on <= $4 AND (c.left_on IS NULL OR c.left_on > $4)
             ORDER BY c.joined_on DESC, c.id DESC LIMIT 1) AS class_id
         FROM users u JOIN user_roles r ON r.user_id = u.id JOIN services s ON s.id = r.service_id
         WHERE u.institution_id = $1 AND s.code = 'ATTENDANCE' AND u.nisn_nip_nik IS NOT NULL
            AND ($2 IS NULL OR u.id IN (SELECT value FROM json_each($2))) ORDER BY u.id",
    )
    .bind(institution.0)
    .bind_split(|| ids, || as_json(ids))
    .bind(day.academic_year())
    .bind(day.0)
    .all()
    .await
}

/// Id, name, homeroom teacher.
pub async fn classes(
    tx: &mut Tx,
    institution: InstitutionId,
    ids: Option<&[i64]>,
) -> sqlx::Result<Vec<(i64, String, Option<i64>)>> {
    tx.query_split(
        "SELECT id, name, homeroom_teacher_id FROM classes
         WHERE institution_id = $1 AND ($2::BIGINT[] IS NULL OR id = ANY($2)) ORDER BY id",
        "SELECT id, name, homeroom_teacher_id FROM classes
         WHERE institution_id = $1 AND ($2 IS NULL OR id IN (SELECT value FROM json_each($2))) ORDER BY id",
    )
    .bind(institution.0)
    .bind_split(|| ids, || as_json(ids))
    .all()
    .await
}

#[derive(FromRow)]
pub struct CardRow {
    pub id: i64,
    pub student_id: i64,
    pub serial: i64,
    pub qr_code: String,
    pub is_active: bool,
}

pub async fn cards(
    tx: &mut Tx,
    institution: InstitutionId,
    ids: Option<&[i64]>,
) -> sqlx::Result<Vec<CardRow>> {
    tx.query_split(
        "SELECT id, student_id, serial, qr_code, is_active FROM student_cards
         WHERE institution_id = $1 AND ($2::BIGINT[] IS NULL OR id = ANY($2)) ORDER BY id",
        "SELECT id, student_id, serial, qr_code, is_active FROM student_cards
         WHERE institution_id = $1 AND ($2 IS NULL OR id IN (SELECT value FROM json_each($2))) ORDER BY id",
    )
    .bind(institution.0)
    .bind_split(|| ids, || as_json(ids))
    .all()
    .await
}

#[derive(FromRow)]
pub struct LeaveRow {
    pub id: i64,
    pub user_id: i64,
    pub leave_type: String,
    pub start_date: NaiveDate,
    pub end_date: NaiveDate,
}

pub async fn approved_leaves(
    tx: &mut Tx,
    institution: InstitutionId,
    ids: Option<&[i64]>,
) -> sqlx::Result<Vec<LeaveRow>> {
    tx.query_split(
        "SELECT id, user_id, leave_type, start_date, end_date FROM leaves
         WHERE institution_id = $1 AND status = 'disetujui' AND ($2::BIGINT[] IS NULL OR id = ANY($2)) ORDER BY id",
        "SELECT id, user_id, leave_type, start_date, end_date FROM leaves
         WHERE institution_id = $1 AND status = 'disetujui' AND ($2 IS NULL OR id IN (SELECT value FROM json_each($2)))
         ORDER BY id",
    )
    .bind(institution.0)
    .bind_split(|| ids, || as_json(ids))
    .all()
    .await
}

pub async fn holidays(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Vec<(NaiveDate, String)>> {
    tx.query("SELECT day, name FROM holidays WHERE institution_id = $1 ORDER BY day")
        .bind(institution.0)
        .all()
        .await
}

/// The version, and what the school has chosen.
pub async fn settings(
    tx: &mut Tx,
    institution: InstitutionId,
) -> sqlx::Result<(i64, BTreeMap<String, String>)> {
    let version: Option<(i64,)> = tx
        .query("SELECT version FROM settings_versions WHERE institution_id = $1")
        .bind(institution.0)
        .opt()
        .await?;
    let chosen: Vec<(String, String)> = tx
        .query("SELECT key_name, value FROM settings WHERE institution_id = $1")
        .bind(institution.0)
        .all()
        .await?;
    Ok((version.map_or(0, |(version,)| version), chosen.into_iter().collect()))
}

/// The schools that have attendance.
pub async fn schools(tx: &mut Tx) -> sqlx::Result<Vec<InstitutionId>> {
    let rows: Vec<(i64,)> = tx
        .query(
            "SELECT l.institution_id FROM institution_services l JOIN services s ON s.id = l.service_id
             WHERE s.code = 'ATTENDANCE' ORDER BY l.institution_id",
        )
        .all()
        .await?;
    Ok(rows.into_iter().map(|(id,)| InstitutionId(id)).collect())
}

/// Code and name.
pub async fn institution(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<(String, String)> {
    tx.query("SELECT code, name FROM institutions WHERE id = $1").bind(institution.0).one().await
}

fn as_json(ids: Option<&[i64]>) -> Option<String> {
    ids.map(|ids| json!(ids).to_string())
}

// The school's keys.

#[derive(FromRow)]
pub struct KeyRow {
    pub epoch: i64,
    /// Sealed.
    pub secret: String,
    pub public: Option<String>,
}

/// The keys of one purpose, the newest last.
pub async fn keys(tx: &mut Tx, institution: InstitutionId, purpose: &str) -> sqlx::Result<Vec<KeyRow>> {
    tx.query(
        "SELECT epoch, secret, public FROM institution_keys WHERE institution_id = $1 AND purpose = $2 ORDER BY epoch",
    )
    .bind(institution.0)
    .bind(purpose)
    .all()
    .await
}

pub async fn insert_key(
    tx: &mut Tx,
    institution: InstitutionId,
    purpose: &str,
    epoch: i64,
    secret: &str,
    public: Option<&str>,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO institution_keys (institution_id, purpose, epoch, secret, public, created_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(institution.0)
    .bind(purpose)
    .bind(epoch)
    .bind(secret)
    .bind(public)
    .bind(now.0)
    .run()
    .await
}
