//! The recap of a month, in a school of 2,000 with a year of records: as the person who asks waits for it.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hadir_shared::{
    demo::PASSWORD,
    time::{Month, Zone},
};
use hadir_tests::{
    api::Api,
    now,
    postgres::{Database, Disk, Postgres},
    school::Plan,
};
use reqwest::Method;
use rusqlite::Connection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqlSafeStr as _};

use super::{Row, Scale};

const STUDENTS: u32 = 2_000;
const IN_A_CLASS: u32 = 40;
/// Of records.
const DAYS: i64 = 365;
const DAY_MS: i64 = 24 * 3600 * 1000;
const SUNDAY: u8 = 7;
const TIMES: usize = 40;

/// How long the slowest but two of [`TIMES`] took, in milliseconds.
struct Measured {
    class: f64,
    xlsx: f64,
    pdf: f64,
    school: f64,
}

pub async fn measure(programs: &Path, folder: &Path, scale: Scale) -> anyhow::Result<Vec<Row>> {
    let students = scale.of(STUDENTS);
    let postgres = Postgres::start_on(Disk::Waits, folder)?;
    let database = Database::create(&postgres.url()).await?;
    let on_postgres = asked(programs, &folder.join("recap-postgres"), Some(&database), students).await?;
    let on_sqlite = asked(programs, &folder.join("recap-sqlite"), None, students).await?;
    let said = |m: &Measured| format!("{:.0} ms (XLSX {:.0} ms, PDF {:.0} ms)", m.class, m.xlsx, m.pdf);
    let class =
        |what, m: &Measured| Row::below(what, "< 50 ms", said(m), m.class.max(m.xlsx).max(m.pdf), 50.0);
    let school =
        |what, m: &Measured| Row::below(what, "< 2 s", format!("{:.0} ms", m.school), m.school, 2_000.0);
    Ok(vec![
        class("cloud: recap of a class of 40 for a month, a year of records, PostgreSQL, p95", &on_postgres),
        class("cloud: the same, SQLite", &on_sqlite),
        school("cloud: recap of a school of 2,000 for a month, PostgreSQL, p95", &on_postgres),
        school("cloud: the same, SQLite", &on_sqlite),
    ])
}

async fn asked(
    programs: &Path,
    data: &Path,
    database: Option<&Database>,
    students: u32,
) -> anyhow::Result<Measured> {
    fs::create_dir_all(data)?;
    let mut plan = Plan::cloud_in(programs, data);
    if let Some(database) = database {
        plan = plan.on(database);
        plan.run(&["migrate"]).await?;
    }
    plan.run(&["demo", "--days", "0"]).await?;
    fill(data, database, students).await?;
    let cloud = plan.start().await?;
    let api = Api::login(cloud.url(), "5001", PASSWORD).await?;
    let classes = api.get("/api/classes").await?;
    let mut filled = classes["data"].as_array().into_iter().flatten();
    let class = filled.find(|class| class["name"] == "Uji 1").context("no class of the school")?;
    let of_class = format!("/api/recap/class/{}?month={}", class["id"], last_month());
    let measured = Measured {
        class: milliseconds(&api, &of_class).await?,
        xlsx: milliseconds(&api, &format!("{of_class}&format=xlsx")).await?,
        pdf: milliseconds(&api, &format!("{of_class}&format=pdf")).await?,
        school: milliseconds(&api, &format!("/api/recap/school?month={}", last_month())).await?,
    };
    cloud.stop().await?;
    Ok(measured)
}

async fn milliseconds(api: &Api, path: &str) -> anyhow::Result<f64> {
    let mut took = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let start = Instant::now();
        api.request(Method::GET, path).send().await?.error_for_status()?.bytes().await?;
        took.push(start.elapsed());
    }
    took.sort_unstable();
    let slow = took.get(TIMES * 95 / 100).copied().unwrap_or(Duration::MAX);
    Ok(slow.as_secs_f64() * 1e3)
}

/// The last month that is over in Jakarta.
fn last_month() -> Month {
    let today = Zone::JAKARTA.day(now());
    let days = (0..).map(|ago| Zone::JAKARTA.day(now().plus_millis(-ago * DAY_MS)));
    let mut months = days.map(Month::of).skip_while(|month| *month == Month::of(today));
    months.next().unwrap_or(Month::of(today))
}

/// A school's year, written by the database itself: what is measured is reading it.
async fn fill(data: &Path, database: Option<&Database>, students: u32) -> anyhow::Result<()> {
    if let Some(database) = database {
        let mut connection = PgConnection::connect(&database.owner_url).await?;
        let sql = statements(students, "gen_random_uuid()", "CAST(d.day AS DATE)");
        // As autovacuum does on its own after a while.
        connection.execute(AssertSqlSafe(format!("{sql}; ANALYZE")).into_sql_str()).await?;
    } else {
        let connection = Connection::open(data.join("cloud.db"))?;
        connection.execute_batch(&statements(students, "randomblob(16)", "d.day"))?;
    }
    Ok(())
}

fn statements(students: u32, uuid: &str, day: &str) -> String {
    let today = Zone::JAKARTA.day(now());
    let ago = |days: i64| Zone::JAKARTA.day(now().plus_millis(-days * DAY_MS));
    let school_days = (1..=DAYS).map(ago).filter(|day| day.weekday() != SUNDAY);
    let mut days = String::new();
    for (n, day) in school_days.enumerate() {
        let _ = write!(days, "{}('{day}', {n})", if n == 0 { "" } else { ", " });
    }
    let classes = students.div_ceil(IN_A_CLASS);
    let years = [today.academic_year(), today.academic_year() - 1];
    let since = ago(2 * DAYS);
    let memberships = years.map(|year| {
        format!(
            "INSERT INTO class_students (institution_id, class_id, student_id, academic_year, joined_on, created_at)
             SELECT c.institution_id, c.id, u.id, {year}, '{since}', 0 FROM users u
             JOIN classes c ON c.institution_id = u.institution_id
                AND c.name = 'Uji ' || CAST(CAST(u.nisn_nip_nik AS BIGINT) % {classes} + 1 AS TEXT)
             WHERE u.nisn_nip_nik LIKE '7000____'"
        )
    });
    let count = |most: u32| {
        format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most})")
    };
    format!(
        "{count_students}
         INSERT INTO users (uuid, institution_id, nisn_nip_nik, name, password_hash, created_at, updated_at)
         SELECT {uuid}, s.id, CAST(70000000 + n.i AS TEXT), 'Siswa ' || CAST(n.i AS TEXT), '', 0, 0
         FROM n CROSS JOIN institutions s WHERE s.code = 'SMAN1';
         INSERT INTO user_roles (user_id, service_id, role_id) SELECT u.id, r.service_id, r.id
         FROM users u CROSS JOIN roles r WHERE r.id = 1 AND u.nisn_nip_nik LIKE '7000____';
         {count_classes}
         INSERT INTO classes (institution_id, name, created_at, updated_at)
         SELECT s.id, 'Uji ' || CAST(n.i AS TEXT), 0, 0 FROM n CROSS JOIN institutions s WHERE s.code = 'SMAN1';
         {first}; {second};
         WITH d (day, n) AS (VALUES {days}), k (type) AS (VALUES ('checkin'), ('checkout'))
         INSERT INTO attendance (institution_id, user_id, day, type, status, late_minutes, early_minutes, claimed_at,
            trusted_at, time_grade, qr_token_used, rules_version, event_id, created_at)
         SELECT u.institution_id, u.id, {day}, k.type, CASE WHEN (u.id + d.n) % 7 = 0 THEN 'terlambat' ELSE 'hadir' END,
            CASE WHEN (u.id + d.n) % 7 = 0 THEN 9 ELSE 0 END, 0, 0, 0, 'anchored', 'HC1', 1, u.uuid, 0
         FROM d CROSS JOIN k CROSS JOIN users u WHERE u.nisn_nip_nik LIKE '7000____' AND (u.id + d.n) % 11 <> 0;
         WITH d (day, n) AS (VALUES {days})
         INSERT INTO leaves (institution_id, user_id, leave_type, start_date, end_date, reason, status, created_at, updated_at)
         SELECT u.institution_id, u.id, 'sakit', {day}, {day}, 'Demam', 'disetujui', 0, 0
         FROM d CROSS JOIN users u WHERE u.nisn_nip_nik LIKE '7000____' AND (u.id + d.n) % 55 = 0",
        count_students = count(students),
        count_classes = count(classes),
        first = memberships[0],
        second = memberships[1],
    )
}
