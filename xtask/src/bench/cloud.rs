//! The cloud: how many records a second it takes in, decides and puts into the books.

use std::{fs, path::Path, time::Instant};

use anyhow::{Context as _, ensure};
use hadir_shared::{
    demo::PASSWORD,
    ids::{BatchId, ClassId, UserId},
    time::Zone,
    wire::batch::MAX_RECORDS,
};
use hadir_tests::{
    api::Api,
    boxes::{HandBox, client, packed},
    now,
    postgres::{Database, Disk, Postgres},
    school::Plan,
};
use tokio::task::JoinSet;

use super::{Row, Scale, raw};
use crate::card::{Pupil, pupils};

const BOXES: u32 = 8;
const BATCHES: u32 = 15;
const DAY_MS: i64 = 24 * 3600 * 1000;
/// Days ago; today is not over.
const FIRST_DAY: i64 = 1;

pub async fn measure(programs: &Path, folder: &Path, scale: Scale) -> anyhow::Result<Vec<Row>> {
    let batches = scale.of(BATCHES * 10) / 10;
    let batches = batches.max(2);
    let postgres = Postgres::start_on(Disk::Waits, folder)?;
    let database = Database::create(&postgres.url()).await?;
    let raw_data = folder.join("cloud-raw");
    fs::create_dir_all(&raw_data)?;
    Plan::cloud_in(programs, &raw_data).on(&database).run(&["migrate"]).await?;
    let size = u32::try_from(MAX_RECORDS)?;
    let raw_rate = raw::fenced(&database.owner_url, BOXES, batches, size).await?;
    eprintln!("fence and UNNEST alone: {raw_rate:.0} records/s");

    let database = Database::create(&postgres.url()).await?;
    let on_postgres = ingest(programs, &folder.join("cloud-postgres"), Some(&database), batches).await?;
    eprintln!("PostgreSQL: {on_postgres:.0} records/s");
    let on_sqlite = ingest(programs, &folder.join("cloud-sqlite"), None, batches).await?;
    eprintln!("SQLite: {on_sqlite:.0} records/s");
    Ok(vec![
        Row::at_least(
            "cloud: ingest through HTTP with projection, PostgreSQL, 500 a batch, 8 boxes",
            "≥ 30,000 records/s",
            format!("{on_postgres:.0}/s"),
            on_postgres,
            30_000.0,
        ),
        Row::at_least(
            "cloud: the same, of the raw fence + UNNEST in the same run",
            "≥ 1/5",
            format!("{:.2} of {raw_rate:.0}/s", on_postgres / raw_rate),
            on_postgres,
            raw_rate / 5.0,
        ),
        Row::at_least(
            "cloud: ingest, SQLite",
            "≥ 30,000 records/s",
            format!("{on_sqlite:.0}/s"),
            on_sqlite,
            30_000.0,
        ),
    ])
}

/// Records a second, from the first request to the last receipt. The batches are made and packed before.
async fn ingest(
    programs: &Path,
    data: &Path,
    database: Option<&Database>,
    batches: u32,
) -> anyhow::Result<f64> {
    fs::create_dir_all(data)?;
    let mut plan = Plan::cloud_in(programs, data);
    if let Some(database) = database {
        plan = plan.on(database);
        plan.run(&["migrate"]).await?;
    }
    plan.run(&["demo", "--days", "0"]).await?;
    let cloud = plan.start().await?;
    let pupils = pupils(&Api::login(cloud.url(), "5001", PASSWORD).await?).await?;
    let client = client()?;
    let mut boxes = Vec::new();
    for n in 0..BOXES {
        let code = plan.enrolment_code("SMAN1").await?;
        let mut sender = HandBox::enrol(&client, cloud.url(), &code, &format!("Kotak {n}")).await?;
        let bodies = bodies(&mut sender, &pupils, n, batches).await?;
        boxes.push((sender, bodies));
    }
    let mut at_work = JoinSet::new();
    let start = Instant::now();
    for (sender, bodies) in boxes {
        let client = client.clone();
        at_work.spawn(async move {
            let mut durable = 0;
            for (batch, body) in bodies {
                let receipt = sender.post(&client, batch, body).await?;
                ensure!(receipt.verdicts.is_empty(), "not simply stored: {:?}", receipt.verdicts.first());
                durable = receipt.durable_through;
            }
            anyhow::Ok(durable)
        });
    }
    let mut records = 0;
    while let Some(durable) = at_work.join_next().await {
        records += durable??;
    }
    let took = start.elapsed().as_secs_f64();
    let sent = u64::from(BOXES * batches) * MAX_RECORDS as u64;
    ensure!(records == sent, "{sent} records were sent and {records} acknowledged");
    cloud.stop().await?;
    Ok(f64::from(u32::try_from(records)?) / took)
}

/// This box's batches, packed: every student once a day, each day of the year to one box.
async fn bodies(
    sender: &mut HandBox,
    pupils: &[Pupil],
    n: u32,
    batches: u32,
) -> anyhow::Result<Vec<(BatchId, Vec<u8>)>> {
    ensure!(!pupils.is_empty(), "no students");
    let mut packed_batches = Vec::new();
    let mut next = 0_usize;
    for _ in 0..batches {
        let mut events = Vec::with_capacity(MAX_RECORDS);
        for _ in 0..MAX_RECORDS {
            let pupil = pupils.get(next % pupils.len()).context("no students")?;
            let ago = FIRST_DAY + i64::from(n) + i64::from(BOXES) * i64::try_from(next / pupils.len())?;
            let at = now().plus_millis(-ago * DAY_MS);
            let day = Zone::JAKARTA.day(at);
            events.push(sender.scan(UserId(pupil.id), Some(ClassId(pupil.class)), day, at)?);
            next += 1;
        }
        let batch = sender.batch(events);
        packed_batches.push((batch.batch, packed(&batch).await?));
    }
    Ok(packed_batches)
}
