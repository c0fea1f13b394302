//! Import of people from a spreadsheet: a list of one's own, or Dapodik's list of students.
//!
//! What always holds:
//! - all or nothing: one row that is refused refuses the file, and every refused row is named at once;
//! - a preview (`dry_run`) is the same decision, and writes nothing;
//! - a person is known by his number; who is there already keeps his role, his password and what the file leaves blank;
//! - nobody of another school is changed or told of: his number is taken, as it is for everybody else;
//! - of two imports at once the second sees what the first did; the same file twice changes nothing.
//!
//! A new account whose row has no password gets one that nobody knows: its owner signs in once an administrator gave him
//! another. Students need none to be recorded by their cards.

use aide::axum::{
    ApiRouter,
    routing::{get_with, post_with},
};
use axum::extract::{DefaultBodyLimit, Multipart, State, multipart::MultipartRejection};
use hadir_shared::time::SchoolDay;
use serde_json::json;

use super::{
    dialect::{Told, Unfit},
    permits::WriteUsers,
    settings,
};
use crate::{
    app::App,
    db::Tx,
    fail::{Fail, Flaw},
    http::{Allowed, Member, Params, describe::says},
    identity::{Entry as Audited, audit},
    sheet::{self, MOST_BYTES},
};

mod apply;
mod layout;
pub mod page;
mod plan;
mod report;
mod store;
mod template;
#[cfg(test)]
mod tests;
mod upload;
mod world;

use apply::{Hashes, apply};
use layout::Entry;
use plan::{Row, Step, World};
use report::{Report, report, unfit};
use upload::{Asked, Upload};
use world::Elsewhere;

/// A file, and what multipart puts around it.
const BODY_LIMIT: usize = MOST_BYTES + 64 * 1024;
/// Passwords of one file: hashing them takes seconds, which is as long as a request may take.
const MOST_PASSWORDS: usize = 500;

/// The report of what was done or would be, or of why nothing was.
type Answer = Result<Told<Report>, Unfit<Report>>;

pub fn routes() -> ApiRouter<App> {
    let import = post_with(import, says("Import people from a CSV or XLSX file, all or nothing"));
    ApiRouter::new()
        .api_route("/users/import", import.layer(DefaultBodyLimit::max(BODY_LIMIT)))
        .api_route("/users/import/template", get_with(template::show, says("An empty list to be filled in")))
}

/// A file that was read, and what is decided about it besides the school's own books.
struct Asking {
    entries: Vec<Entry>,
    elsewhere: Elsewhere,
    today: SchoolDay,
    creates_classes: bool,
}

impl Asking {
    /// By the books as they are in this transaction.
    async fn plan(&self, tx: &mut Tx, who: &Member) -> Result<(World, Vec<Row>), Fail> {
        let mut world = world::read(tx, who, &self.entries, &self.elsewhere, self.today).await?;
        world.makes_classes = self.creates_classes;
        let rows = plan::plan(self.entries.clone(), &world);
        Ok((world, rows))
    }
}

async fn import(
    State(app): State<App>,
    who: Allowed<WriteUsers>,
    Params(asked): Params<Asked>,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Answer, Fail> {
    let Upload { file, dry_run, creates_classes } = upload::read(form, asked).await?;
    let entries = entries(file).await?;
    let elsewhere = Elsewhere::read(&app, &who, &entries).await?;
    let mut tx = app.db.read(who.institution).await?;
    let today = settings::load(&mut tx, who.institution).await?.schedule.zone.day(app.now());
    let asking = Asking { entries, elsewhere, today, creates_classes };
    let (world, rows) = asking.plan(&mut tx, &who).await?;
    drop(tx);
    if dry_run {
        return Ok(Ok(Told("Pratinjau impor; tidak ada yang disimpan".into(), report(&rows, &world, true))));
    }
    if is_refused(&rows) {
        return Ok(Err(unfit(&rows, &world)));
    }
    let hashes = Hashes::of(&app, &rows).await?;
    write(&app, &who, &asking, &hashes).await
}

/// Decides again under the lock, and does it.
async fn write(app: &App, who: &Member, asking: &Asking, hashes: &Hashes) -> Result<Answer, Fail> {
    let mut tx = app.db.write(who.institution).await?;
    store::lock(&mut tx, who.institution).await?;
    let (world, rows) = asking.plan(&mut tx, who).await?;
    if is_refused(&rows) {
        return Ok(Err(unfit(&rows, &world)));
    }
    apply(&mut tx, app, who, &rows, &world, hashes, asking.today).await?;
    let report = report(&rows, &world, false);
    let entry = Audited::new(who.actor(), "user.import", format!("institution:{}", who.institution));
    let counts = json!({"created": report.created, "updated": report.updated, "unchanged": report.unchanged});
    audit(&mut tx, app, &entry.of(who.institution).after(counts)).await?;
    tx.commit().await?;
    app.identity.forget();
    let said = format!("Impor selesai: {} baru, {} diperbarui", report.created, report.updated);
    Ok(Ok(Told(said, report)))
}

async fn entries(file: Vec<u8>) -> Result<Vec<Entry>, Fail> {
    let flaw = |text: String| Fail::invalid("file", Flaw::Said(text.into()));
    let table = sheet::read(file).await?.map_err(|unreadable| flaw(unreadable.to_string()))?;
    let entries = layout::read(&table)
        .ok_or_else(|| flaw("judul kolom NISN/NIP/NIK dan Nama tidak ditemukan".into()))?;
    let passwords = entries.iter().filter(|entry| entry.password.is_some()).count();
    if passwords > MOST_PASSWORDS {
        return Err(flaw(format!("file berisi lebih dari {MOST_PASSWORDS} kata sandi")));
    }
    if entries.is_empty() { Err(flaw("file tidak berisi data".into())) } else { Ok(entries) }
}

fn is_refused(rows: &[Row]) -> bool {
    rows.iter().any(|row| matches!(row.step, Step::Refused(_)))
}
