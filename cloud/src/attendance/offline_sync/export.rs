//! The log as a file.

use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::{Millis, Zone},
};
use serde_json::Value;
use uuid::Uuid;

use super::{filter::Filter, shown, store};
use crate::{
    attendance::people,
    db::Tx,
    fail::Fail,
    sheet::{Column, Columns, MOST_WRITTEN},
};

/// Rows read at once: what a record says is let go of before the next are read.
const STRETCH: i64 = 1_000;

pub struct Line {
    id: i64,
    received_at: Millis,
    number: Option<String>,
    name: Option<String>,
    action: String,
    direction: Option<String>,
    timestamp: Option<String>,
    status: &'static str,
    error: Option<String>,
    verdict: String,
    reason: Option<String>,
    device: Uuid,
    seq: i64,
    tries: i64,
}

impl Columns for Line {
    const COLUMNS: &'static [Column<Self>] = &[
        ("ID", |line| line.id.into()),
        ("Diterima", |line| line.received_at.into()),
        ("NISN/NIP/NIK", |line| line.number.as_deref().into()),
        ("Nama", |line| line.name.as_deref().into()),
        ("Aksi", |line| line.action.as_str().into()),
        ("Jenis", |line| line.direction.as_deref().into()),
        ("Waktu tercatat", |line| line.timestamp.as_deref().into()),
        ("Status", |line| line.status.into()),
        ("Keterangan", |line| line.error.as_deref().into()),
        ("Putusan", |line| line.verdict.as_str().into()),
        ("Alasan", |line| line.reason.as_deref().into()),
        ("Perangkat", |line| line.device.to_string().into()),
        ("Urutan", |line| line.seq.into()),
        ("Percobaan", |line| line.tries.into()),
    ];
}

/// Every line that meets the filter, the newest first; one more than may be written when there are too many.
pub async fn lines(
    tx: &mut Tx,
    institution: InstitutionId,
    zone: Zone,
    filter: &Filter,
) -> Result<Vec<Line>, Fail> {
    let (mut lines, mut after) = (Vec::new(), None);
    let search = store::list::Search::new(tx, institution, filter).await?;
    while lines.len() <= MOST_WRITTEN as usize {
        let part = store::list::Part { after, limit: STRETCH, offset: 0 };
        let rows = search.page(tx, institution, part).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.id);
        let ids = rows.iter().filter_map(|row| row.user_id.map(UserId));
        let people = people::by_ids(tx, institution, ids).await?;
        lines.extend(rows.into_iter().map(|row| {
            let person = row.user_id.and_then(|id| people.get(&UserId(id)));
            let data = shown::read(&row.body, zone).data;
            let text = |key: &str| data.get(key).and_then(Value::as_str).map(str::to_owned);
            let status = shown::status(&row.verdict);
            Line {
                id: row.id,
                received_at: row.received_at,
                number: person.and_then(|person| person.nisn_nip_nik.clone()),
                name: person.map(|person| person.name.clone()),
                direction: text("type"),
                timestamp: text("timestamp"),
                action: row.action_type,
                status,
                error: row.error_message,
                verdict: row.verdict,
                reason: row.reason,
                device: row.device_id,
                seq: row.seq,
                tries: row.tries,
            }
        }));
    }
    Ok(lines)
}
