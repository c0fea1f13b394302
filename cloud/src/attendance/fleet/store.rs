use hadir_shared::{
    ids::{DeviceId, InstitutionId, LogId},
    time::Millis,
};
use sqlx::FromRow;
use uuid::Uuid;

use super::alerts::Heard;
use crate::{
    db::Tx,
    sheet::{Column, Columns},
};

// The cloud's own key, and the store's name.

const ALGORITHM: &str = "Ed25519-sync";

/// Sealed.
pub async fn active_cloud_key(tx: &mut Tx) -> sqlx::Result<Option<(String,)>> {
    tx.query("SELECT secret FROM signing_keys WHERE algorithm = $1 AND state = 'active'")
        .bind(ALGORITHM)
        .opt()
        .await
}

pub async fn cloud_keys(tx: &mut Tx) -> sqlx::Result<Vec<(String,)>> {
    tx.query("SELECT public FROM signing_keys WHERE algorithm = $1 AND state <> 'removed' ORDER BY created_at, kid")
        .bind(ALGORITHM)
        .all()
        .await
}

pub async fn insert_cloud_key(
    tx: &mut Tx,
    kid: &str,
    secret: &str,
    public: &str,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO signing_keys (kid, algorithm, secret, public, state, created_at, state_at)
         VALUES ($1, $2, $3, $4, 'active', $5, $5) ON CONFLICT DO NOTHING",
    )
    .bind(kid)
    .bind(ALGORITHM)
    .bind(secret)
    .bind(public)
    .bind(now.0)
    .run()
    .await
}

/// The store's name; `id` where it has none yet.
pub async fn store_id(tx: &mut Tx, id: Uuid, now: Millis) -> sqlx::Result<Uuid> {
    tx.query(
        "INSERT INTO store_incarnation (one, id, created_at) VALUES (1, $1, $2) ON CONFLICT (one) DO NOTHING",
    )
    .bind(id)
    .bind(now.0)
    .run()
    .await?;
    let (id,) = tx.query("SELECT id FROM store_incarnation WHERE one = 1").one().await?;
    Ok(id)
}

// Boxes.

#[derive(FromRow)]
pub struct DeviceRow {
    pub institution_id: i64,
    pub public_key: String,
    pub previous_key: Option<String>,
    pub revoked_at: Option<i64>,
}

/// By its id alone: this is where its school comes from.
pub async fn device(tx: &mut Tx, id: DeviceId) -> sqlx::Result<Option<DeviceRow>> {
    tx.query("SELECT institution_id, public_key, previous_key, revoked_at FROM edge_devices WHERE id = $1")
        .bind(id.0)
        .opt()
        .await
}

/// What the fleet page shows of a box.
#[derive(Debug, FromRow)]
pub struct ListedRow {
    pub id: Uuid,
    pub name: String,
    pub public_key: String,
    pub version: String,
    pub enrolled_at: i64,
    pub revoked_at: Option<i64>,
    pub last_seen_at: Option<i64>,
    pub clock_offset_ms: Option<i64>,
    pub pending: Option<i64>,
    pub oldest_pending_at: Option<i64>,
    pub disk_free_bytes: Option<i64>,
    pub roster_cursor: Option<i64>,
    /// The last record of the box's own log, as it told, and its hash where it told that, too.
    pub told_seq: Option<i64>,
    pub told_hash: Option<String>,
    /// How far that log is held here.
    pub high_seq: Option<i64>,
    pub high_hash: Option<String>,
    /// More than one: it had to begin anew, or there are two of it.
    pub logs: i64,
}

impl ListedRow {
    /// Whether the box's last record and ours are the same one. `None`: it has never told, or has some under way.
    pub fn heads_equal(&self) -> Option<bool> {
        let (told, held) = (self.told_seq?, self.high_seq?);
        match self.told_hash.as_ref() {
            Some(hash) if told == held => Some(Some(hash) == self.high_hash.as_ref()),
            // It has lost what it sent before, or it is another box with the same key.
            Some(_) if told < held => Some(false),
            _ => None,
        }
    }
}

impl Columns for ListedRow {
    const COLUMNS: &'static [Column<Self>] = &[
        ("Nama", |row| row.name.as_str().into()),
        ("ID", |row| row.id.to_string().into()),
        ("Versi", |row| row.version.as_str().into()),
        ("Terdaftar", |row| Millis(row.enrolled_at).into()),
        ("Dicabut", |row| row.revoked_at.map(Millis).into()),
        ("Terakhir terlihat", |row| row.last_seen_at.map(Millis).into()),
        ("Selisih jam (ms)", |row| row.clock_offset_ms.into()),
        ("Belum terkirim", |row| row.pending.into()),
        ("Tertua sejak", |row| row.oldest_pending_at.map(Millis).into()),
        ("Sisa disk (byte)", |row| row.disk_free_bytes.into()),
        ("Tercatat", |row| row.told_seq.into()),
        ("Diterima", |row| row.high_seq.into()),
    ];
}

/// Every box of a school that is not revoked.
pub async fn heard(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Vec<Heard>> {
    tx.query(
        "SELECT institution_id, id, name, enrolled_at, last_seen_at, clock_offset_ms, disk_free_bytes FROM edge_devices
         WHERE institution_id = $1 AND revoked_at IS NULL ORDER BY enrolled_at, id",
    )
    .bind(institution.0)
    .all()
    .await
}

pub async fn list(
    tx: &mut Tx,
    institution: InstitutionId,
    offset: i64,
    limit: i64,
) -> sqlx::Result<Vec<ListedRow>> {
    tx.query(
        "SELECT d.id, d.name, d.public_key, d.version, d.enrolled_at, d.revoked_at, d.last_seen_at, d.clock_offset_ms,
            d.pending, d.oldest_pending_at, d.disk_free_bytes, d.roster_cursor, d.told_seq, d.told_hash,
            l.high_seq, l.high_hash, (SELECT COUNT(*) FROM device_logs o
                WHERE o.institution_id = d.institution_id AND o.device_id = d.id) AS logs
         FROM edge_devices d LEFT JOIN device_logs l
            ON l.institution_id = d.institution_id AND l.device_id = d.id AND l.log_id = d.told_log
         WHERE d.institution_id = $1 ORDER BY d.enrolled_at, d.id LIMIT $2 OFFSET $3",
    )
    .bind(institution.0)
    .bind(limit)
    .bind(offset)
    .all()
    .await
}

pub async fn count(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<i64> {
    let (total,) = tx
        .query("SELECT COUNT(*) FROM edge_devices WHERE institution_id = $1")
        .bind(institution.0)
        .one()
        .await?;
    Ok(total)
}

pub async fn one(tx: &mut Tx, institution: InstitutionId, id: DeviceId) -> sqlx::Result<Option<ListedRow>> {
    tx.query(
        "SELECT d.id, d.name, d.public_key, d.version, d.enrolled_at, d.revoked_at, d.last_seen_at, d.clock_offset_ms,
            d.pending, d.oldest_pending_at, d.disk_free_bytes, d.roster_cursor, d.told_seq, d.told_hash,
            l.high_seq, l.high_hash, (SELECT COUNT(*) FROM device_logs o
                WHERE o.institution_id = d.institution_id AND o.device_id = d.id) AS logs
         FROM edge_devices d LEFT JOIN device_logs l
            ON l.institution_id = d.institution_id AND l.device_id = d.id AND l.log_id = d.told_log
         WHERE d.institution_id = $1 AND d.id = $2",
    )
    .bind(institution.0)
    .bind(id.0)
    .opt()
    .await
}

/// No row when it is revoked already.
pub async fn revoke(tx: &mut Tx, institution: InstitutionId, id: DeviceId, now: Millis) -> sqlx::Result<u64> {
    tx.query("UPDATE edge_devices SET revoked_at = $3 WHERE institution_id = $1 AND id = $2 AND revoked_at IS NULL")
        .bind(institution.0)
        .bind(id.0)
        .bind(now.0)
        .run()
        .await
}

/// No row when there is no such box.
pub async fn rename(tx: &mut Tx, institution: InstitutionId, id: DeviceId, name: &str) -> sqlx::Result<u64> {
    tx.query("UPDATE edge_devices SET name = $3 WHERE institution_id = $1 AND id = $2")
        .bind(institution.0)
        .bind(id.0)
        .bind(name)
        .run()
        .await
}

/// The names of all boxes, those that were revoked too: their records stay.
pub async fn names(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Vec<(Uuid, String)>> {
    tx.query("SELECT id, name FROM edge_devices WHERE institution_id = $1 ORDER BY name, enrolled_at, id")
        .bind(institution.0)
        .all()
        .await
}

/// What the boxes have not delivered, as they told last.
pub async fn undelivered(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<i64> {
    let (records,) = tx
        .query(
            "SELECT CAST(COALESCE(SUM(pending), 0) AS BIGINT) FROM edge_devices
             WHERE institution_id = $1 AND revoked_at IS NULL",
        )
        .bind(institution.0)
        .one()
        .await?;
    Ok(records)
}

// Logs.

/// A log of a box.
#[derive(Debug, FromRow)]
pub struct LogRow {
    pub log_id: Uuid,
    pub high_seq: i64,
    pub high_hash: String,
    pub created_at: i64,
    pub updated_at: i64,
    pub closed_at: Option<i64>,
}

/// The logs of a box, the one that was heard of last first.
pub async fn logs(tx: &mut Tx, institution: InstitutionId, device: DeviceId) -> sqlx::Result<Vec<LogRow>> {
    tx.query(
        "SELECT log_id, high_seq, high_hash, created_at, updated_at, closed_at FROM device_logs
         WHERE institution_id = $1 AND device_id = $2 ORDER BY updated_at DESC, log_id",
    )
    .bind(institution.0)
    .bind(device.0)
    .all()
    .await
}

/// What the logs of a box have in quarantine, where they have any.
pub async fn quarantined(
    tx: &mut Tx,
    institution: InstitutionId,
    device: DeviceId,
) -> sqlx::Result<Vec<(Uuid, i64)>> {
    tx.query(
        "SELECT log_id, COUNT(*) FROM sync_records WHERE institution_id = $1 AND device_id = $2
            AND verdict NOT IN ('stored', 'duplicate', 'corrected') AND verdict = 'quarantined' GROUP BY log_id",
    )
    .bind(institution.0)
    .bind(device.0)
    .all()
    .await
}

/// Opens one log of a box and closes its others. Answers how many are the box's.
pub async fn choose_log(
    tx: &mut Tx,
    institution: InstitutionId,
    device: DeviceId,
    log: LogId,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE device_logs SET closed_at = CASE WHEN log_id = $3 THEN NULL ELSE COALESCE(closed_at, $4) END
         WHERE institution_id = $1 AND device_id = $2
            AND EXISTS (SELECT 1 FROM device_logs o
                WHERE o.institution_id = $1 AND o.device_id = $2 AND o.log_id = $3)
            AND EXISTS (SELECT 1 FROM edge_devices d WHERE d.institution_id = $1 AND d.id = $2)",
    )
    .bind(institution.0)
    .bind(device.0)
    .bind(log.0)
    .bind(now.0)
    .run()
    .await
}

/// How late records of a box came, by when they were made: the time's number, the latest, how many.
pub async fn lags(
    tx: &mut Tx,
    institution: InstitutionId,
    device: DeviceId,
    since: Millis,
    step_ms: i64,
) -> sqlx::Result<Vec<(i64, i64, i64)>> {
    tx.plan_for_values().await?;
    tx.query(
        "SELECT (happened_at - $3) / $4 AS step, MAX(received_at - happened_at) AS latest, COUNT(*) AS records
         FROM sync_records WHERE institution_id = $1 AND device_id = $2 AND happened_at >= $3
         GROUP BY (happened_at - $3) / $4 ORDER BY 1",
    )
    .bind(institution.0)
    .bind(device.0)
    .bind(since.0)
    .bind(step_ms)
    .all()
    .await
}

/// No row when the key is somebody's already.
pub async fn insert_device(
    tx: &mut Tx,
    institution: InstitutionId,
    id: DeviceId,
    name: &str,
    key: &str,
    version: &str,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO edge_devices (id, institution_id, name, public_key, version, enrolled_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (public_key) DO NOTHING",
    )
    .bind(id.0)
    .bind(institution.0)
    .bind(name)
    .bind(key)
    .bind(version)
    .bind(now.0)
    .run()
    .await
}

/// Id, school, and whether it is revoked.
pub async fn device_by_key(tx: &mut Tx, key: &str) -> sqlx::Result<Option<(Uuid, i64, Option<i64>)>> {
    tx.query("SELECT id, institution_id, revoked_at FROM edge_devices WHERE public_key = $1")
        .bind(key)
        .opt()
        .await
}

// Enrolment.

#[derive(FromRow)]
pub struct CodeRow {
    pub institution_id: i64,
    pub expires_at: i64,
    pub device_id: Option<Uuid>,
}

/// The code, which nobody else uses until this transaction ends.
pub async fn lock_code(tx: &mut Tx, hash: &str) -> sqlx::Result<Option<CodeRow>> {
    // SQLite has one writer, and no FOR UPDATE.
    tx.query_split(
        "SELECT institution_id, expires_at, device_id FROM enrolment_codes WHERE code_hash = $1 FOR UPDATE",
        "SELECT institution_id, expires_at, device_id FROM enrolment_codes WHERE code_hash = $1",
    )
    .bind(hash)
    .opt()
    .await
}

pub async fn use_code(tx: &mut Tx, hash: &str, device: DeviceId, now: Millis) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE enrolment_codes SET device_id = $2, used_at = $3 WHERE code_hash = $1 AND device_id IS NULL",
    )
    .bind(hash)
    .bind(device.0)
    .bind(now.0)
    .run()
    .await
}

/// Code and name.
pub async fn institution(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<(String, String)> {
    tx.query("SELECT code, name FROM institutions WHERE id = $1").bind(institution.0).one().await
}
