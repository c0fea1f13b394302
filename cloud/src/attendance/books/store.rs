use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use hadir_shared::{
    ids::{ClassId, DeviceId, EventId, InstitutionId, UserId},
    rules::{
        duplicate::{Content, NaturalKey},
        fence::Verdict,
        status::{Direction, Status},
    },
    time::{Grade, Millis, SchoolDay},
    wire::roster::Role,
};
use serde::Serialize;
use serde_json::json;
use sqlx::FromRow;
use uuid::{Uuid, fmt::Simple};

use super::plan::{Days, Entry, Person};
use crate::db::Tx;

/// Those of the people who belong to the school. Many ids at once are an array on PostgreSQL, JSON on SQLite.
pub async fn people(
    tx: &mut Tx,
    institution: InstitutionId,
    users: impl Iterator<Item = UserId>,
) -> sqlx::Result<HashMap<UserId, Person>> {
    let mut ids: Vec<i64> = users.map(|user| user.0).collect();
    ids.sort_unstable();
    ids.dedup();
    let rows: Vec<(i64, bool, Option<i64>)> = tx
        .query_split(
            "SELECT u.id, u.is_active, r.role_id FROM users u
             LEFT JOIN user_roles r ON r.user_id = u.id
                AND r.service_id = (SELECT id FROM services WHERE code = 'ATTENDANCE')
             WHERE u.institution_id = $1 AND u.id = ANY($2)",
            "SELECT u.id, u.is_active, r.role_id FROM users u
             LEFT JOIN user_roles r ON r.user_id = u.id
                AND r.service_id = (SELECT id FROM services WHERE code = 'ATTENDANCE')
             WHERE u.institution_id = $1 AND u.id IN (SELECT value FROM json_each($2))",
        )
        .bind(institution.0)
        .bind_split(|| ids.clone(), || json!(ids).to_string())
        .all()
        .await?;
    let person = |(id, active, role): (i64, bool, Option<i64>)| {
        (UserId(id), Person { active, role: role.and_then(|role| Role::try_from(role).ok()) })
    };
    Ok(rows.into_iter().map(person).collect())
}

#[derive(FromRow)]
struct StandingRow {
    id: i64,
    user_id: i64,
    day: NaiveDate,
    r#type: String,
    status: String,
    early_minutes: i64,
    event_id: Uuid,
}

#[derive(FromRow)]
struct VoidRow {
    attendance_id: Option<i64>,
    device_id: Uuid,
    scan_event: Uuid,
    user_id: i64,
    day: NaiveDate,
    r#type: String,
}

/// What stands of these people on these days, in both directions, and what was taken back of it. An absence that was marked
/// does not stand: who comes supersedes it.
pub async fn standing(
    tx: &mut Tx,
    institution: InstitutionId,
    days: impl Iterator<Item = (UserId, SchoolDay)>,
) -> sqlx::Result<Days> {
    let mut days: Vec<(i64, NaiveDate)> = days.map(|(user, day)| (user.0, day.0)).collect();
    days.sort_unstable();
    days.dedup();
    let rows: Vec<StandingRow> = tx
        .query_split(
            "SELECT a.id, a.user_id, a.day, a.type, a.status, a.early_minutes, a.event_id
             FROM UNNEST($2::BIGINT[], $3::DATE[]) AS k (user_id, day)
             JOIN attendance /* taken back, too */ a ON a.institution_id = $1 AND a.user_id = k.user_id AND a.day = k.day
                AND a.status <> 'alpha'",
            "SELECT a.id, a.user_id, a.day, a.type, a.status, a.early_minutes, a.event_id
             FROM jsonb_each($2) AS k CROSS JOIN attendance /* taken back, too */ a
             WHERE a.institution_id = $1 AND a.user_id = k.value ->> 0 AND a.day = k.value ->> 1 AND a.status <> 'alpha'",
        )
        .bind(institution.0)
        .bind_split(|| days.iter().map(|day| day.0).collect::<Vec<_>>(), || json!(days).to_string())
        .bind_pg(|| days.iter().map(|day| day.1).collect::<Vec<_>>())
        .all()
        .await?;
    let mut found = Days::default();
    let mut taken_back = HashSet::new();
    // After the rows: one that is taken back between the two counts as what it is by then.
    for void in voids(tx, institution, &days).await? {
        let Some(direction) = Direction::parse(&void.r#type) else {
            return Err(sqlx::Error::Decode(format!("an undo has the direction {}", void.r#type).into()));
        };
        let key = NaturalKey { user: UserId(void.user_id), day: SchoolDay(void.day), direction };
        taken_back.extend(void.attendance_id);
        let (device, scan) = (DeviceId(void.device_id), EventId(void.scan_event));
        found.put_void(key, device, scan, void.attendance_id.is_some());
    }
    for row in rows.into_iter().filter(|row| !taken_back.contains(&row.id)) {
        let (Some(direction), Some(status)) = (Direction::parse(&row.r#type), Status::parse(&row.status))
        else {
            return Err(sqlx::Error::Decode(format!("attendance {} has words that are none", row.id).into()));
        };
        let key = NaturalKey { user: UserId(row.user_id), day: SchoolDay(row.day), direction };
        found.put(
            key,
            row.id,
            Content { event: EventId(row.event_id), status, left_early: row.early_minutes > 0 },
        );
    }
    Ok(found)
}

async fn voids(
    tx: &mut Tx,
    institution: InstitutionId,
    days: &[(i64, NaiveDate)],
) -> sqlx::Result<Vec<VoidRow>> {
    tx.query_split(
        "SELECT v.attendance_id, v.device_id, v.scan_event, v.user_id, v.day, v.type
         FROM UNNEST($2::BIGINT[], $3::DATE[]) AS k (user_id, day)
         JOIN attendance_voids v ON v.institution_id = $1 AND v.user_id = k.user_id AND v.day = k.day",
        "SELECT v.attendance_id, v.device_id, v.scan_event, v.user_id, v.day, v.type
         FROM jsonb_each($2) AS k CROSS JOIN attendance_voids v
         WHERE v.institution_id = $1 AND v.user_id = k.value ->> 0 AND v.day = k.value ->> 1",
    )
    .bind(institution.0)
    .bind_split(|| days.iter().map(|day| day.0).collect::<Vec<_>>(), || json!(days).to_string())
    .bind_pg(|| days.iter().map(|day| day.1).collect::<Vec<_>>())
    .all()
    .await
}

/// Keeps rows from being taken back until the commit; answers whether one of them was, meanwhile. SQLite has one writer: what
/// was read holds.
pub async fn were_taken_back(tx: &mut Tx, institution: InstitutionId, rows: &[i64]) -> sqlx::Result<bool> {
    if rows.is_empty() || matches!(tx, Tx::Sqlite(_)) {
        return Ok(false);
    }
    let ids = || json!(rows).to_string();
    tx.query_split(
        "SELECT id FROM attendance /* taken back, too */ WHERE institution_id = $1 AND id = ANY($2) ORDER BY id FOR SHARE",
        "SELECT id FROM attendance /* taken back, too */ WHERE institution_id = $1 AND id IN (SELECT value FROM json_each($2)) ORDER BY id",
    )
    .bind(institution.0)
    .bind_split(|| rows.to_vec(), ids)
    .all::<(i64,)>()
    .await?;
    let taken_back: Vec<(i64,)> = tx
        .query_split(
            "SELECT id FROM attendance_voids WHERE institution_id = $1 AND attendance_id = ANY($2)",
            "SELECT id FROM attendance_voids
             WHERE institution_id = $1 AND attendance_id IN (SELECT value FROM json_each($2))",
        )
        .bind(institution.0)
        .bind_split(|| rows.to_vec(), ids)
        .all()
        .await?;
    Ok(!taken_back.is_empty())
}

/// Enters rows in the order given. Answers those that were entered; the others lost to somebody who was faster.
pub async fn enter(
    tx: &mut Tx,
    institution: InstitutionId,
    entries: &[Entry<'_>],
    now: Millis,
) -> sqlx::Result<Vec<(NaturalKey, i64)>> {
    let column = |of: fn(&Entry<'_>) -> i64| move || entries.iter().map(of).collect::<Vec<i64>>();
    let number =
        |of: fn(&Entry<'_>) -> Option<i64>| move || entries.iter().map(of).collect::<Vec<Option<i64>>>();
    let real =
        |of: fn(&Entry<'_>) -> Option<f64>| move || entries.iter().map(of).collect::<Vec<Option<f64>>>();
    let word =
        |of: fn(&Entry<'_>) -> &'static str| move || entries.iter().map(of).collect::<Vec<&'static str>>();
    let json = if matches!(tx, Tx::Sqlite(_)) { rows_as_json(entries)? } else { String::new() };
    let rows: Vec<(i64, i64, NaiveDate, String)> = tx
        .query_split(
            "INSERT INTO attendance (institution_id, created_at, user_id, day, type, status, late_minutes,
                early_minutes, claimed_at, trusted_at, time_grade, latitude, longitude, accuracy, fence, photo_path,
                qr_token_used, class_id, rules_version, event_id, device_id, gate, operator_id, turn)
             SELECT $1, $2, r.* FROM UNNEST($3::BIGINT[], $4::DATE[], $5::TEXT[], $6::TEXT[], $7::BIGINT[],
                $8::BIGINT[], $9::BIGINT[], $10::BIGINT[], $11::TEXT[], $12::FLOAT8[], $13::FLOAT8[], $14::FLOAT8[],
                $15::TEXT[], $16::TEXT[], $17::TEXT[], $18::BIGINT[], $19::BIGINT[], $20::UUID[], $21::UUID[],
                $22::TEXT[], $23::BIGINT[], $24::BIGINT[]) AS r
             ON CONFLICT (institution_id, user_id, day, type, turn) WHERE status <> 'alpha' DO NOTHING RETURNING id, user_id, day, type",
            "INSERT INTO attendance (institution_id, created_at, user_id, day, type, status, late_minutes,
                early_minutes, claimed_at, trusted_at, time_grade, latitude, longitude, accuracy, fence, photo_path,
                qr_token_used, class_id, rules_version, event_id, device_id, gate, operator_id, turn)
             SELECT $1, $2, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
                value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13,
                value ->> 14, value ->> 15, value ->> 16, unhex(value ->> 17), unhex(value ->> 18), value ->> 19,
                value ->> 20, value ->> 21
             FROM jsonb_each($3) WHERE TRUE
             ON CONFLICT (institution_id, user_id, day, type, turn) WHERE status <> 'alpha' DO NOTHING RETURNING id, user_id, day, type",
        )
        .bind(institution.0)
        .bind(now.0)
        .bind_split(column(|e| e.key.user.0), || json)
        .bind_pg(|| entries.iter().map(|e| e.key.day.0).collect::<Vec<_>>())
        .bind_pg(word(|e| e.key.direction.as_str()))
        .bind_pg(word(|e| e.decision.status.as_str()))
        .bind_pg(column(|e| e.decision.late_minutes))
        .bind_pg(column(|e| e.decision.early_minutes))
        .bind_pg(column(|e| e.candidate.claimed.0))
        .bind_pg(column(|e| e.candidate.trusted.0))
        .bind_pg(word(|e| e.candidate.grade.as_str()))
        .bind_pg(real(|e| e.candidate.position.map(|at| at.latitude)))
        .bind_pg(real(|e| e.candidate.position.map(|at| at.longitude)))
        .bind_pg(real(|e| e.candidate.position.and_then(|at| at.accuracy)))
        .bind_pg(|| entries.iter().map(|e| e.candidate.fence.map(Verdict::as_str)).collect::<Vec<_>>())
        .bind_pg(|| entries.iter().map(|e| e.candidate.photo_path.as_deref()).collect::<Vec<_>>())
        .bind_pg(|| entries.iter().map(|e| e.candidate.token.as_str()).collect::<Vec<_>>())
        .bind_pg(number(|e| e.candidate.class.map(|class| class.0)))
        .bind_pg(column(|e| e.candidate.schedule.version))
        .bind_pg(|| entries.iter().map(|e| e.candidate.event.0).collect::<Vec<_>>())
        .bind_pg(|| entries.iter().map(|e| e.candidate.device.map(|device| device.0)).collect::<Vec<_>>())
        .bind_pg(|| entries.iter().map(|e| e.candidate.gate.as_deref()).collect::<Vec<_>>())
        .bind_pg(number(|e| e.candidate.operator.map(|operator| operator.0)))
        .bind_pg(column(|e| e.turn))
        .all()
        .await?;
    let entered = rows.into_iter().filter_map(|(id, user, day, direction)| {
        let direction = Direction::parse(&direction)?;
        Some((NaturalKey { user: UserId(user), day: SchoolDay(day), direction }, id))
    });
    Ok(entered.collect())
}

/// The columns in the order of the statement. A tuple is a JSON list; an id is hexadecimal, because JSON has no bytes.
#[derive(Serialize)]
struct Row<'c>(
    UserId,
    SchoolDay,
    Direction,
    Status,
    i64,
    i64,
    Millis,
    Millis,
    Grade,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<Verdict>,
    Option<&'c str>,
    &'c str,
    Option<ClassId>,
    i64,
    Simple,
    Option<Simple>,
    Option<&'c str>,
    Option<UserId>,
    i64,
);

fn rows_as_json(entries: &[Entry<'_>]) -> sqlx::Result<String> {
    let rows: Vec<Row<'_>> = entries.iter().map(|e| row(e)).collect();
    serde_json::to_string(&rows).map_err(|e| sqlx::Error::Encode(e.into()))
}

fn row<'c>(entry: &Entry<'c>) -> Row<'c> {
    let (c, decision) = (entry.candidate, entry.decision);
    Row(
        entry.key.user,
        entry.key.day,
        entry.key.direction,
        decision.status,
        decision.late_minutes,
        decision.early_minutes,
        c.claimed,
        c.trusted,
        c.grade,
        c.position.map(|at| at.latitude),
        c.position.map(|at| at.longitude),
        c.position.and_then(|at| at.accuracy),
        c.fence,
        c.photo_path.as_deref(),
        &c.token,
        c.class,
        c.schedule.version,
        c.event.0.simple(),
        c.device.map(|device| device.0.simple()),
        c.gate.as_deref(),
        c.operator,
        entry.turn,
    )
}

/// A record that is in the books, or said so, with the row it names.
#[derive(FromRow)]
pub struct Evidence {
    pub id: i64,
    pub device_id: Uuid,
    pub verdict: String,
    pub body: String,
    pub user_id: Option<i64>,
    pub attendance_id: Option<i64>,
    /// The row; absent when there is none of that id in this school.
    pub row_user: Option<i64>,
    pub row_day: Option<NaiveDate>,
    pub row_type: Option<String>,
    pub row_status: Option<String>,
    pub row_late: Option<i64>,
    pub row_early: Option<i64>,
    pub row_claimed: Option<i64>,
    pub row_trusted: Option<i64>,
    pub row_event: Option<Uuid>,
    /// How the person came that day, for a check-out.
    pub arrived: Option<String>,
    /// When it was, where somebody had to say so because the record cannot know.
    pub said_at: Option<i64>,
}

/// The next records after `after` that name a row of the books, in the order they came.
pub async fn evidence(
    tx: &mut Tx,
    institution: InstitutionId,
    after: i64,
    limit: i64,
) -> sqlx::Result<Vec<Evidence>> {
    tx.query(
        "SELECT r.id, r.device_id, r.verdict, r.body, r.user_id, r.attendance_id, a.user_id AS row_user, a.day AS row_day,
            a.type AS row_type, a.status AS row_status, a.late_minutes AS row_late, a.early_minutes AS row_early,
            a.claimed_at AS row_claimed, a.trusted_at AS row_trusted, a.event_id AS row_event, i.status AS arrived,
            (SELECT d.trusted_at FROM sync_decisions d WHERE d.institution_id = r.institution_id AND d.record_id = r.id
                AND d.trusted_at IS NOT NULL ORDER BY d.id DESC LIMIT 1) AS said_at
         FROM sync_records r
         LEFT JOIN attendance a ON a.id = r.attendance_id AND a.institution_id = r.institution_id
         LEFT JOIN attendance i ON i.institution_id = a.institution_id AND i.user_id = a.user_id AND i.day = a.day
            AND i.type = 'checkin' AND i.status <> 'alpha'
            AND i.id NOT IN (
                SELECT v.attendance_id FROM attendance_voids v WHERE v.institution_id = $1 AND v.attendance_id IS NOT NULL)
         WHERE r.institution_id = $1 AND r.id > $2 AND r.user_id IS NOT NULL AND r.verdict IN ('stored', 'duplicate')
         ORDER BY r.id LIMIT $3",
    )
    .bind(institution.0)
    .bind(after)
    .bind(limit)
    .all()
    .await
}

/// The rows that came through a log.
pub async fn rows_from_devices(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Vec<(i64,)>> {
    tx.query("SELECT id FROM attendance /* taken back, too */ WHERE institution_id = $1 AND device_id IS NOT NULL ORDER BY id")
        .bind(institution.0)
        .all()
        .await
}

/// A scan that was taken back.
#[derive(FromRow)]
pub struct Taken {
    pub attendance_id: Option<i64>,
    pub device_id: Uuid,
    pub scan_event: Uuid,
    /// Of the undo's own record.
    pub event_id: Uuid,
}

pub async fn taken(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Vec<Taken>> {
    tx.query(
        "SELECT attendance_id, device_id, scan_event, event_id FROM attendance_voids WHERE institution_id = $1 ORDER BY id",
    )
    .bind(institution.0)
    .all()
    .await
}
