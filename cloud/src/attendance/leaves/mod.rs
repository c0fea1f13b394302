//! Leaves: asked for by anybody, decided by those who lead the school. Section 6 of the contract.
//!
//! What always holds:
//! - a leave is seen by its owner and by those who decide; to everybody else it does not exist;
//! - it ends no earlier than it begins, and lasts a year at most;
//! - its owner changes it only while it waits, and never decides it, whoever he is;
//! - it is decided once: of two decisions at once one is made. Who decides otherwise afterwards says why;
//! - an approved one travels to the school's boxes in the transaction that approves it, and leaves them in the one that
//!   takes the approval back;
//! - `attachment_path` names an uploaded file of the same person, or nothing; a letter that no leave names any more is
//!   removed with the last one that did.

use aide::axum::{
    ApiRouter,
    routing::{get_with, post_with},
};
use axum::extract::{DefaultBodyLimit, Multipart, State, multipart::MultipartRejection};
use chrono::{Datelike as _, NaiveDate};
use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::{Millis, SchoolDay},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    dialect::{self, Created, Done, Paginated, Said},
    export::file,
    files::{self, Kept},
    people::Named,
    permits::{DecideLeaves, Use},
    roster,
};
use crate::{
    app::App,
    db::Tx,
    fail::{Fail, Flaw},
    http::{Allowed, Body, Check, Member, Page, Params, Permission as _, Segment, describe::says},
    identity::{Entry, audit},
    sheet::OrFile,
};

pub mod page;
mod store;
#[cfg(test)]
mod tests;

const TYPES: &[&str] = &["izin", "cuti", "dinas_luar", "sakit"];
const WAITING: &str = "menunggu";
const APPROVED: &str = "disetujui";
const DECISIONS: &[&str] = &[APPROVED, "ditolak"];
const STATUSES: &[&str] = &[WAITING, APPROVED, "ditolak"];

const REASON_MAX: usize = 2_000;
const COMMENT_MAX: usize = 1_000;
const LONGEST_DAYS: i64 = 366;
/// Years a leave may lie in: a slip of the finger is not a leave.
const YEARS: std::ops::RangeInclusive<i32> = 2000..=2100;
/// An attachment, and what multipart puts around it.
const ATTACHMENT_BODY_LIMIT: usize = files::MOST_ATTACHMENT_BYTES + 64 * 1024;

pub fn routes() -> ApiRouter<App> {
    let attach = post_with(attach, says("Upload the letter of a leave that waits"))
        .layer(DefaultBodyLimit::max(ATTACHMENT_BODY_LIMIT));
    ApiRouter::new()
        .api_route(
            "/leaves",
            get_with(list, says("Leaves: one's own, or all for who decides"))
                .post_with(create, says("Ask for a leave")),
        )
        .api_route(
            "/leaves/{id}",
            get_with(show, says("A leave"))
                .put_with(update, says("Decide about a leave, or correct one that waits"))
                .delete_with(delete, says("Take back a leave that waits")),
        )
        .api_route("/leaves/{id}/attachment", attach)
}

/// A leave, as the contract has it, and whose it is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Leave {
    pub id: i64,
    pub user_id: UserId,
    #[serde(rename = "leave_type")]
    kind: String,
    #[serde(serialize_with = "midnight")]
    start_date: NaiveDate,
    #[serde(serialize_with = "midnight")]
    end_date: NaiveDate,
    reason: String,
    attachment_path: Option<String>,
    status: String,
    approved_by: Option<i64>,
    approval_comment: Option<String>,
    approved_at: Option<String>,
    #[serde(with = "dialect::Instant")]
    created_at: Millis,
    #[serde(with = "dialect::Instant")]
    updated_at: Millis,
    user: Named,
}

#[derive(Deserialize, JsonSchema)]
struct Asked {
    status: Option<String>,
    leave_type: Option<String>,
    start_date: Option<NaiveDate>,
    end_date: Option<NaiveDate>,
}

/// Which leaves are wanted: those that touch the days from `from` to `to`, and so on.
#[derive(Debug, Default)]
struct Filter {
    owner: Option<UserId>,
    status: Option<String>,
    kind: Option<String>,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
}

#[derive(Deserialize, JsonSchema)]
struct New {
    leave_type: Option<String>,
    start_date: Option<NaiveDate>,
    end_date: Option<NaiveDate>,
    reason: Option<String>,
    attachment_path: Option<String>,
}

/// A decision when it has a status, else the owner's correction; what is left out stays.
#[derive(Deserialize, JsonSchema)]
struct Update {
    status: Option<String>,
    approval_comment: Option<String>,
    leave_type: Option<String>,
    start_date: Option<NaiveDate>,
    end_date: Option<NaiveDate>,
    reason: Option<String>,
    attachment_path: Option<String>,
}

/// What an owner writes.
#[derive(Debug)]
struct Content {
    kind: Option<String>,
    first: Option<NaiveDate>,
    last: Option<NaiveDate>,
    reason: Option<String>,
    attachment: Option<String>,
}

/// About a leave that stands as `from` says: if somebody else was quicker, it is not made.
#[derive(Debug)]
struct Decision<'a> {
    from: &'a str,
    to: &'a str,
    by: UserId,
    comment: Option<&'a str>,
}

async fn list(
    State(app): State<App>,
    who: Allowed<Use>,
    Params(asked): Params<Asked>,
    page: Page,
) -> Result<OrFile<Said<Paginated<Leave>>>, Fail> {
    let mut check = Check::new();
    known(&mut check, "status", asked.status.as_deref(), STATUSES);
    known(&mut check, "leave_type", asked.leave_type.as_deref(), TYPES);
    sensible(&mut check, "start_date", asked.start_date);
    sensible(&mut check, "end_date", asked.end_date);
    check.finish()?;
    let owner = (!decides(&who)).then_some(who.user);
    let filter = Filter {
        owner,
        status: asked.status,
        kind: asked.leave_type,
        from: asked.start_date,
        to: asked.end_date,
    };
    let mut tx = app.db.read(who.institution).await?;
    let total = store::count(&mut tx, who.institution, &filter).await?;
    let rows = store::page(&mut tx, who.institution, &filter, &page).await?;
    if let Some(format) = page.format {
        return file(&mut tx, &app, who.institution, format, "izin", rows).await;
    }
    let leaves = rows.into_iter().map(Leave::from).collect();
    let leaves = Paginated::new(&page, leaves, total);
    Ok(OrFile::Usual(Said("Data pengajuan izin berhasil diambil", leaves)))
}

async fn create(
    State(app): State<App>,
    who: Allowed<Use>,
    Body(new): Body<New>,
) -> Result<Created<Leave>, Fail> {
    let mut check = Check::new();
    check.that(new.leave_type.is_some(), "leave_type", Flaw::Missing);
    known(&mut check, "leave_type", new.leave_type.as_deref(), TYPES);
    let (first, last) = (new.start_date, new.end_date);
    check.that(first.is_some(), "start_date", Flaw::Missing);
    check.that(last.is_some(), "end_date", Flaw::Missing);
    sensible(&mut check, "start_date", first);
    sensible(&mut check, "end_date", last);
    let reason = Some(check.text("reason", new.reason, 1..=REASON_MAX));
    let attachment = check.optional_text("attachment_path", new.attachment_path, 1..=255);
    check.finish()?;
    let content = Content { kind: new.leave_type, first, last, reason, attachment };

    let mut tx = app.db.write(who.institution).await?;
    attachment_is_own(&mut tx, &who, content.attachment.as_deref()).await?;
    let id = store::insert(&mut tx, who.institution, who.user, &content, app.now()).await?;
    let leave = lasting(find(&mut tx, who.institution, id).await?)?;
    let entry = Entry::new(who.actor(), "leave.create", format!("leave:{id}")).of(who.institution);
    audit(&mut tx, &app, &entry.after(json!(leave))).await?;
    tx.commit().await?;
    Ok(Created("Pengajuan izin berhasil dibuat", leave))
}

async fn show(
    State(app): State<App>,
    who: Allowed<Use>,
    Segment(id): Segment<i64>,
) -> Result<Said<Leave>, Fail> {
    let leave = visible(&mut app.db.read(who.institution).await?, &who, id).await?;
    Ok(Said("Data pengajuan izin berhasil diambil", leave))
}

async fn update(
    State(app): State<App>,
    who: Allowed<Use>,
    Segment(id): Segment<i64>,
    Body(new): Body<Update>,
) -> Result<Said<Leave>, Fail> {
    match new.status {
        Some(status) => {
            let leave = decide(&app, &who, id, &status, new.approval_comment).await?;
            Ok(Said("Status pengajuan izin berhasil diperbarui", leave))
        }
        None => Ok(Said("Pengajuan izin berhasil diperbarui", edit(&app, &who, id, new).await?)),
    }
}

async fn decide(
    app: &App,
    who: &Member,
    id: i64,
    status: &str,
    comment: Option<String>,
) -> Result<Leave, Fail> {
    if !decides(who) {
        return Err(Fail::denied(DecideLeaves::REFUSAL));
    }
    let mut check = Check::new();
    check.one_of("status", status, DECISIONS);
    let comment = check.optional_text("approval_comment", comment, 1..=COMMENT_MAX);
    check.finish()?;
    let mut tx = app.db.write(who.institution).await?;
    let before = visible(&mut tx, who, id).await?;
    if before.user_id == who.user {
        return Err(Fail::denied("Anda tidak dapat memutuskan pengajuan izin sendiri"));
    }
    let reverses = before.status != WAITING;
    if reverses && (before.status == status || comment.is_none()) {
        return Err(processed());
    }
    let decision = Decision { from: &before.status, to: status, by: who.user, comment: comment.as_deref() };
    if !store::decide(&mut tx, who.institution, id, &decision, app.now()).await? {
        return Err(processed());
    }
    let after = find(&mut tx, who.institution, id).await?;
    let entry = Entry::new(who.actor(), "leave.decide", format!("leave:{id}")).of(who.institution);
    audit(&mut tx, app, &entry.before(json!(before)).after(json!(after))).await?;
    if status == APPROVED || before.status == APPROVED {
        roster::touch_leave(&mut tx, app, who.institution, id).await?;
    }
    tx.commit().await?;
    Ok(after)
}

async fn edit(app: &App, who: &Member, id: i64, new: Update) -> Result<Leave, Fail> {
    let mut check = Check::new();
    known(&mut check, "leave_type", new.leave_type.as_deref(), TYPES);
    sensible(&mut check, "start_date", new.start_date);
    sensible(&mut check, "end_date", new.end_date);
    let reason = check.optional_text("reason", new.reason, 1..=REASON_MAX);
    let attachment = check.optional_text("attachment_path", new.attachment_path, 1..=255);
    check.finish()?;
    let content =
        Content { kind: new.leave_type, first: new.start_date, last: new.end_date, reason, attachment };

    let mut tx = app.db.write(who.institution).await?;
    let before = visible(&mut tx, who, id).await?;
    if before.user_id != who.user {
        // Who decides about somebody else's leave has to say what.
        return Err(Fail::invalid("status", Flaw::Missing));
    }
    attachment_is_own(&mut tx, who, content.attachment.as_deref()).await?;
    if !store::edit(&mut tx, who.institution, who.user, id, &content, app.now()).await? {
        return Err(processed());
    }
    // Looked at as it is now, when its row is ours: another edit may have moved the other end.
    let after = lasting(find(&mut tx, who.institution, id).await?)?;
    let entry = Entry::new(who.actor(), "leave.update", format!("leave:{id}")).of(who.institution);
    audit(&mut tx, app, &entry.before(json!(before)).after(json!(after))).await?;
    tx.commit().await?;
    Ok(after)
}

async fn delete(State(app): State<App>, who: Allowed<Use>, Segment(id): Segment<i64>) -> Result<Done, Fail> {
    let mut tx = app.db.write(who.institution).await?;
    let leave = own(&mut tx, &who, id).await?;
    if !store::delete(&mut tx, who.institution, who.user, id).await? {
        return Err(processed());
    }
    let entry = Entry::new(who.actor(), "leave.delete", format!("leave:{id}")).of(who.institution);
    audit(&mut tx, &app, &entry.before(json!(leave))).await?;
    let unused = release(&mut tx, &who, leave.attachment_path.as_deref()).await?;
    tx.commit().await?;
    erase(&app, unused).await;
    Ok(Done("Pengajuan izin berhasil dihapus"))
}

async fn attach(
    State(app): State<App>,
    who: Allowed<Use>,
    Segment(id): Segment<i64>,
    upload: Result<Multipart, MultipartRejection>,
) -> Result<Said<Leave>, Fail> {
    let leave = own(&mut app.db.read(who.institution).await?, &who, id).await?;
    if leave.status != WAITING {
        return Err(processed());
    }
    let kept = files::keep_attachment(&app, files::first_file("attachment", upload).await?).await?;
    let attached = hold(&app, &who, &leave, &kept).await;
    if attached.is_err() {
        files::forget(&app, &kept).await;
    }
    Ok(Said("Lampiran berhasil diunggah", attached?))
}

async fn hold(app: &App, who: &Member, before: &Leave, kept: &Kept) -> Result<Leave, Fail> {
    let id = before.id;
    let content =
        Content { kind: None, first: None, last: None, reason: None, attachment: Some(kept.path()) };
    let mut tx = app.db.write(who.institution).await?;
    if !store::edit(&mut tx, who.institution, who.user, id, &content, app.now()).await? {
        return Err(processed());
    }
    files::record(&mut tx, app, who.institution, who.user, kept).await?;
    let entry = Entry::new(who.actor(), "leave.attach", format!("leave:{id}")).of(who.institution);
    audit(&mut tx, app, &entry.after(json!({"attachment_path": content.attachment}))).await?;
    let unused = release(&mut tx, who, before.attachment_path.as_deref()).await?;
    let leave = find(&mut tx, who.institution, id).await?;
    tx.commit().await?;
    erase(app, unused).await;
    Ok(leave)
}

/// Takes a letter of the caller's out of the books, unless another leave of his names it.
async fn release(tx: &mut Tx, who: &Member, path: Option<&str>) -> Result<Option<String>, Fail> {
    let Some(path) = path else { return Ok(None) };
    if store::refers(tx, who.institution, who.user, path).await? {
        return Ok(None);
    }
    files::release(tx, who.institution, who.user, path).await
}

async fn erase(app: &App, unused: Option<String>) {
    if let Some(key) = unused {
        files::erase(app, &key).await;
    }
}

/// The newest leaves of one person.
pub async fn newest_of(
    tx: &mut Tx,
    institution: InstitutionId,
    owner: UserId,
    most: i64,
) -> Result<Vec<Leave>, Fail> {
    let filter = Filter { owner: Some(owner), ..Filter::default() };
    Ok(store::newest(tx, institution, &filter, most).await?.into_iter().map(Leave::from).collect())
}

/// The newest leaves that nobody has decided yet.
pub async fn newest_waiting(tx: &mut Tx, institution: InstitutionId, most: i64) -> Result<Vec<Leave>, Fail> {
    let filter = Filter { status: Some(WAITING.into()), ..Filter::default() };
    Ok(store::newest(tx, institution, &filter, most).await?.into_iter().map(Leave::from).collect())
}

/// The newest leaves of the students whose homeroom teacher somebody is, in an academic year.
pub async fn newest_of_homeroom(
    tx: &mut Tx,
    institution: InstitutionId,
    teacher: UserId,
    today: SchoolDay,
    most: i64,
) -> Result<Vec<Leave>, Fail> {
    let rows = store::newest_of_homeroom(tx, institution, teacher, today, most).await?;
    Ok(rows.into_iter().map(Leave::from).collect())
}

async fn find(tx: &mut Tx, institution: InstitutionId, id: i64) -> Result<Leave, Fail> {
    Ok(store::by_id(tx, institution, id).await?.ok_or_else(unknown)?.into())
}

/// A leave the caller may see.
async fn visible(tx: &mut Tx, who: &Member, id: i64) -> Result<Leave, Fail> {
    let leave = find(tx, who.institution, id).await?;
    if leave.user_id == who.user || decides(who) { Ok(leave) } else { Err(unknown()) }
}

/// A leave of the caller's own.
async fn own(tx: &mut Tx, who: &Member, id: i64) -> Result<Leave, Fail> {
    let leave = visible(tx, who, id).await?;
    if leave.user_id == who.user {
        Ok(leave)
    } else {
        Err(Fail::denied("Anda tidak memiliki izin untuk mengubah pengajuan izin milik pengguna lain"))
    }
}

fn decides(who: &Member) -> bool {
    who.may(DecideLeaves::CODE)
}

async fn attachment_is_own(tx: &mut Tx, who: &Member, path: Option<&str>) -> Result<(), Fail> {
    let Some(path) = path else { return Ok(()) };
    if files::belongs(tx, who.institution, who.user, path).await? {
        Ok(())
    } else {
        Err(Fail::invalid("attachment_path", Flaw::NoSuch))
    }
}

/// Whether its two days fit together.
fn lasting(leave: Leave) -> Result<Leave, Fail> {
    let days = (leave.end_date - leave.start_date).num_days() + 1;
    let mut check = Check::new();
    check.that(
        days >= 1,
        "end_date",
        Flaw::Said("end_date harus sama dengan atau setelah start_date".into()),
    );
    check.that(days <= LONGEST_DAYS, "end_date", Flaw::Said("pengajuan izin paling lama satu tahun".into()));
    check.finish()?;
    Ok(leave)
}

fn known(check: &mut Check, field: &'static str, word: Option<&str>, words: &'static [&'static str]) {
    if let Some(word) = word {
        check.one_of(field, word, words);
    }
}

fn sensible(check: &mut Check, field: &'static str, day: Option<NaiveDate>) {
    let holds = day.is_none_or(|day| YEARS.contains(&day.year()));
    check.that(holds, field, Flaw::WrongType("a day between 2000 and 2100".into()));
}

/// `2025-08-22T00:00:00.000000Z`: how the contract writes a day.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde wants")]
fn midnight<S: serde::Serializer>(day: &NaiveDate, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_args!("{day}T00:00:00.000000Z"))
}

fn processed() -> Fail {
    Fail::bad_request("Pengajuan izin tidak dapat diubah karena sudah diproses")
}

fn unknown() -> Fail {
    Fail::not_found("Pengajuan izin tidak ditemukan")
}
