use hadir_shared::{
    ids::{DeviceId, InstitutionId},
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
        "SELECT id, name, public_key, version, enrolled_at, revoked_at, last_seen_at, clock_offset_ms, pending,
            oldest_pending_at, disk_free_bytes, roster_cursor FROM edge_devices
         WHERE institution_id = $1 ORDER BY enrolled_at, id LIMIT $2 OFFSET $3",
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
        "SELECT id, name, public_key, version, enrolled_at, revoked_at, last_seen_at, clock_offset_ms, pending,
            oldest_pending_at, disk_free_bytes, roster_cursor FROM edge_devices WHERE institution_id = $1 AND id = $2",
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
