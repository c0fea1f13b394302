use anyhow::Context as _;
use hadir_shared::{
    ids::{DeviceId, InstitutionId, LogId},
    wire::batch::MAX_RECORDS,
};
use sqlx::FromRow;
use uuid::Uuid;

use crate::db::Tx;

#[derive(FromRow)]
pub struct LogRow {
    pub log_id: Uuid,
    pub high_seq: i64,
    pub high_hash: String,
    pub backed_up_through: i64,
}

/// In the order they were first heard of.
pub async fn logs(tx: &mut Tx, institution: InstitutionId, device: DeviceId) -> sqlx::Result<Vec<LogRow>> {
    tx.query(
        "SELECT log_id, high_seq, high_hash, backed_up_through FROM device_logs
         WHERE institution_id = $1 AND device_id = $2 ORDER BY created_at, log_id",
    )
    .bind(institution.0)
    .bind(device.0)
    .all()
    .await
}

#[derive(FromRow)]
pub struct RecordRow {
    body: String,
    raw: Option<String>,
}

impl RecordRow {
    /// What was hashed.
    pub fn bytes(self) -> anyhow::Result<String> {
        let Some(raw) = self.raw else { return Ok(self.body) };
        let bytes = data_encoding::HEXLOWER.decode(raw.as_bytes()).context("a record is not hexadecimal")?;
        String::from_utf8(bytes).context("a record is no text")
    }
}

/// At most a batch of them.
pub async fn records(
    tx: &mut Tx,
    institution: InstitutionId,
    device: DeviceId,
    log: LogId,
    after: i64,
) -> sqlx::Result<Vec<RecordRow>> {
    tx.query(
        "SELECT body, raw FROM sync_records
         WHERE institution_id = $1 AND device_id = $2 AND log_id = $3 AND seq > $4 ORDER BY seq LIMIT $5",
    )
    .bind(institution.0)
    .bind(device.0)
    .bind(log.0)
    .bind(after)
    .bind(i64::try_from(MAX_RECORDS).unwrap_or(i64::MAX))
    .all()
    .await
}
