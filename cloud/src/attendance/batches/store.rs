use hadir_shared::{
    chain::Head,
    ids::{DeviceId, InstitutionId, LogId},
    sign::PublicKey,
    time::Millis,
    wire::batch::{Batch, Reason},
};
use serde::Serialize;
use sqlx::FromRow;

use super::plan::Line;
use crate::db::Tx;

/// One log of one box.
#[derive(Debug, Clone, Copy)]
pub struct Whose {
    pub institution: InstitutionId,
    pub device: DeviceId,
    pub log: LogId,
}

/// Where a box said its log ends, and the hash of that record where its batch led up to it.
fn told(batch: &Batch) -> (u64, Option<String>) {
    let seq = batch.acked_view.saturating_add(batch.health.pending);
    let led_to = batch.first_seq - 1 + batch.events.len() as u64;
    (seq, (led_to == seq).then(|| batch.last_hash.to_string()))
}

/// Writes down how a box is, ends the overlap of a key change once the new key was used, and answers whether the box is
/// revoked; `None` where there is no such box. Locks the box's row until the transaction ends.
pub async fn seen(
    tx: &mut Tx,
    whose: Whose,
    batch: &Batch,
    clock_offset_ms: i64,
    signed_by: &PublicKey,
    now: Millis,
) -> sqlx::Result<Option<bool>> {
    let health = &batch.health;
    let (told_seq, told_hash) = told(batch);
    let version: String = health.version.chars().filter(|c| !c.is_control()).take(50).collect();
    let row: Option<(bool,)> = tx
        .query(
            "UPDATE edge_devices SET last_seen_at = $3, version = $4, clock_offset_ms = $5, pending = $6,
                oldest_pending_at = $7, disk_free_bytes = $8, roster_cursor = $9, told_log = $11, told_seq = $12,
                told_hash = $13, previous_key = CASE WHEN public_key = $10 THEN NULL ELSE previous_key END
             WHERE institution_id = $1 AND id = $2 RETURNING revoked_at IS NOT NULL",
        )
        .bind(whose.institution.0)
        .bind(whose.device.0)
        .bind(now.0)
        .bind(version)
        .bind(clock_offset_ms)
        .bind(integer(health.pending))
        .bind(health.oldest_pending.map(|at| at.0))
        .bind(health.disk_free_bytes.map(integer))
        .bind(integer(health.roster_cursor))
        .bind(signed_by.to_string())
        .bind(whose.log.0)
        .bind(integer(told_seq))
        .bind(told_hash)
        .opt()
        .await?;
    Ok(row.map(|(is_revoked,)| is_revoked))
}

/// The key is taken, and the one before it believed a little longer. No row when another box has it.
pub async fn rotate(tx: &mut Tx, whose: Whose, key: &PublicKey) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE edge_devices SET previous_key = CASE WHEN public_key = $3 THEN previous_key ELSE public_key END,
            public_key = $3
         WHERE institution_id = $1 AND id = $2
            AND NOT EXISTS (SELECT 1 FROM edge_devices o WHERE o.public_key = $3 AND o.id <> $2)",
    )
    .bind(whose.institution.0)
    .bind(whose.device.0)
    .bind(key.to_string())
    .run()
    .await
}

#[derive(FromRow)]
struct FenceRow {
    high_seq: i64,
    high_hash: String,
    backed_up_through: i64,
    is_closed: bool,
}

/// How far a log is held, and how far of that is in a verified backup. Nobody moves it until this transaction ends.
#[derive(Debug, Clone, Copy)]
pub struct Fence {
    pub head: Head,
    pub prunable_through: u64,
    /// Another log of the box was chosen.
    pub is_closed: bool,
}

pub async fn fence(tx: &mut Tx, whose: Whose, now: Millis) -> sqlx::Result<Fence> {
    if let Some(fence) = lock(tx, whose).await? {
        return Ok(fence);
    }
    let genesis = Head::genesis(whose.log);
    tx.query(
        "INSERT INTO device_logs (institution_id, device_id, log_id, high_seq, high_hash, created_at, updated_at)
         VALUES ($1, $2, $3, 0, $4, $5, $5) ON CONFLICT DO NOTHING",
    )
    .bind(whose.institution.0)
    .bind(whose.device.0)
    .bind(whose.log.0)
    .bind(genesis.hash.to_string())
    .bind(now.0)
    .run()
    .await?;
    lock(tx, whose).await?.ok_or(sqlx::Error::RowNotFound)
}

async fn lock(tx: &mut Tx, whose: Whose) -> sqlx::Result<Option<Fence>> {
    // SQLite has one writer, and no FOR UPDATE.
    let row: Option<FenceRow> = tx
        .query_split(
            "SELECT high_seq, high_hash, backed_up_through, closed_at IS NOT NULL AS is_closed FROM device_logs
             WHERE institution_id = $1 AND device_id = $2 AND log_id = $3 FOR UPDATE",
            "SELECT high_seq, high_hash, backed_up_through, closed_at IS NOT NULL AS is_closed FROM device_logs
             WHERE institution_id = $1 AND device_id = $2 AND log_id = $3",
        )
        .bind(whose.institution.0)
        .bind(whose.device.0)
        .bind(whose.log.0)
        .opt()
        .await?;
    row.map(|row| {
        let hash = row.high_hash.parse().map_err(|e| sqlx::Error::Decode(Box::new(e)))?;
        let head = Head { seq: row.high_seq.cast_unsigned(), hash };
        Ok(Fence { head, prunable_through: row.backed_up_through.cast_unsigned(), is_closed: row.is_closed })
    })
    .transpose()
}

/// No row when somebody else moved it, which the fence rules out.
pub async fn move_head(tx: &mut Tx, whose: Whose, from: u64, to: Head, now: Millis) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE device_logs SET high_seq = $5, high_hash = $6, updated_at = $7
         WHERE institution_id = $1 AND device_id = $2 AND log_id = $3 AND high_seq = $4",
    )
    .bind(whose.institution.0)
    .bind(whose.device.0)
    .bind(whose.log.0)
    .bind(integer(from))
    .bind(integer(to.seq))
    .bind(to.hash.to_string())
    .bind(now.0)
    .run()
    .await
}

pub async fn hash_at(tx: &mut Tx, whose: Whose, seq: u64) -> sqlx::Result<Option<String>> {
    let row: Option<(String,)> = tx
        .query("SELECT hash FROM sync_records WHERE institution_id = $1 AND device_id = $2 AND log_id = $3 AND seq = $4")
        .bind(whose.institution.0)
        .bind(whose.device.0)
        .bind(whose.log.0)
        .bind(integer(seq))
        .opt()
        .await?;
    Ok(row.map(|(hash,)| hash))
}

/// What was decided about records that are held, where they were not simply stored: number, verdict, reason.
pub async fn verdicts(
    tx: &mut Tx,
    whose: Whose,
    first: u64,
    last: u64,
) -> sqlx::Result<Vec<(i64, String, Option<String>)>> {
    tx.query(
        "SELECT seq, verdict, reason FROM sync_records
         WHERE institution_id = $1 AND device_id = $2 AND log_id = $3 AND seq BETWEEN $4 AND $5
            AND verdict <> 'stored' ORDER BY seq",
    )
    .bind(whose.institution.0)
    .bind(whose.device.0)
    .bind(whose.log.0)
    .bind(integer(first))
    .bind(integer(last))
    .all()
    .await
}

/// The columns in the order of the statement.
#[derive(Serialize)]
struct Row<'l>(
    u64,
    &'l str,
    Option<&'l str>,
    hadir_shared::chain::Hash,
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
    &'static str,
    Option<i64>,
    Option<Millis>,
    Option<Millis>,
    Option<i64>,
);

impl<'l> Row<'l> {
    fn of(line: &'l Line<'_>) -> Self {
        let decided = line.decided;
        Self(
            line.seq,
            &line.body,
            line.raw.as_deref(),
            line.hash,
            decided.verdict.as_str(),
            decided.reason.map(Reason::as_str),
            decided.reason.map(Reason::message),
            line.action,
            line.user,
            line.stamps.map(|stamps| stamps.claimed),
            line.stamps.map(|stamps| stamps.trusted),
            decided.attendance,
        )
    }
}

/// Writes the log, all of it or none. (On SQLite `jsonb_each` takes half the time of `json_each`: a row is parsed once.)
///
/// A record that is there already is a fault of the fence, and an error.
pub async fn append(tx: &mut Tx, whose: Whose, lines: &[Line<'_>], now: Millis) -> sqlx::Result<u64> {
    let rows: Vec<Row<'_>> = lines.iter().map(Row::of).collect();
    let json = match tx {
        Tx::Pg(_) => String::new(),
        Tx::Sqlite(_) => serde_json::to_string(&rows).map_err(|e| sqlx::Error::Encode(e.into()))?,
    };
    tx.query_split(
        "INSERT INTO sync_records (institution_id, device_id, log_id, received_at, decided_at, seq, body, raw, hash,
            verdict, reason, error_message, action_type, user_id, claimed_at, trusted_at, attendance_id)
         SELECT $1, $2, $3, $4, $4, r.* FROM UNNEST($5::BIGINT[], $6::TEXT[], $7::TEXT[], $8::TEXT[], $9::TEXT[],
            $10::TEXT[], $11::TEXT[], $12::TEXT[], $13::BIGINT[], $14::BIGINT[], $15::BIGINT[], $16::BIGINT[]) AS r",
        "INSERT INTO sync_records (institution_id, device_id, log_id, received_at, decided_at, seq, body, raw, hash,
            verdict, reason, error_message, action_type, user_id, claimed_at, trusted_at, attendance_id)
         SELECT $1, $2, $3, $4, $4, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
            value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11
         FROM jsonb_each($5)",
    )
    .bind(whose.institution.0)
    .bind(whose.device.0)
    .bind(whose.log.0)
    .bind(now.0)
    .bind_split(|| rows.iter().map(|row| integer(row.0)).collect::<Vec<_>>(), || json)
    .bind_pg(|| rows.iter().map(|row| row.1).collect::<Vec<_>>())
    .bind_pg(|| rows.iter().map(|row| row.2).collect::<Vec<_>>())
    .bind_pg(|| rows.iter().map(|row| row.3.to_string()).collect::<Vec<_>>())
    .bind_pg(|| rows.iter().map(|row| row.4).collect::<Vec<_>>())
    .bind_pg(|| rows.iter().map(|row| row.5).collect::<Vec<_>>())
    .bind_pg(|| rows.iter().map(|row| row.6).collect::<Vec<_>>())
    .bind_pg(|| rows.iter().map(|row| row.7).collect::<Vec<_>>())
    .bind_pg(|| rows.iter().map(|row| row.8).collect::<Vec<_>>())
    .bind_pg(|| rows.iter().map(|row| row.9.map(|at| at.0)).collect::<Vec<_>>())
    .bind_pg(|| rows.iter().map(|row| row.10.map(|at| at.0)).collect::<Vec<_>>())
    .bind_pg(|| rows.iter().map(|row| row.11).collect::<Vec<_>>())
    .run()
    .await
}

/// Every log and how far it is held, to be written into a backup's manifest.
pub async fn heads(tx: &mut Tx) -> sqlx::Result<Vec<super::Held>> {
    tx.query(
        "SELECT institution_id, device_id, log_id, high_seq, high_hash FROM device_logs ORDER BY 1, 2, 3",
    )
    .all()
    .await
}

/// A record as it is held.
#[derive(FromRow)]
pub struct HeldRow {
    pub seq: i64,
    body: String,
    raw: Option<String>,
    pub hash: String,
}

impl HeldRow {
    /// What was hashed.
    pub fn bytes(self) -> anyhow::Result<String> {
        match self.raw {
            None => Ok(self.body),
            Some(raw) => Ok(String::from_utf8(data_encoding::HEXLOWER.decode(raw.as_bytes())?)?),
        }
    }
}

/// The records of a log after a number, in order, a few at a time.
pub async fn records_after(tx: &mut Tx, log: &super::Held, after: u64) -> sqlx::Result<Vec<HeldRow>> {
    tx.query(
        "SELECT seq, body, raw, hash FROM sync_records
         WHERE institution_id = $1 AND device_id = $2 AND log_id = $3 AND seq > $4 ORDER BY seq LIMIT 1000",
    )
    .bind(log.institution_id)
    .bind(log.device_id)
    .bind(log.log_id)
    .bind(integer(after))
    .all()
    .await
}

/// The store's name; a copy has that of the store it is a copy of.
pub async fn store_name(tx: &mut Tx) -> sqlx::Result<Option<(uuid::Uuid,)>> {
    tx.query("SELECT id FROM store_incarnation WHERE one = 1").opt().await
}

/// Never lowers, and never past what is held under the very hash that the backup has.
pub async fn raise_backed_up(tx: &mut Tx, held: &super::Held) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE device_logs SET backed_up_through = $4
         WHERE institution_id = $1 AND device_id = $2 AND log_id = $3 AND backed_up_through < $4
            AND ((high_seq = $4 AND high_hash = $5) OR EXISTS (SELECT 1 FROM sync_records r
                WHERE r.institution_id = $1 AND r.device_id = $2 AND r.log_id = $3 AND r.seq = $4 AND r.hash = $5))",
    )
    .bind(held.institution_id)
    .bind(held.device_id)
    .bind(held.log_id)
    .bind(held.high_seq)
    .bind(&held.high_hash)
    .run()
    .await
}

/// Numbers on the wire are unsigned; none that was checked is larger than this.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
