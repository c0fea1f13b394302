//! The accounts of a school's people. Section 13 of the contract; admins only.
//!
//! What always holds:
//! - an account is of the administrator's own school and has one of the five roles, whatever the body says;
//! - nobody takes over an account that may do more than he in the core itself, nor locks himself out;
//! - somebody who was ever recorded is not deleted but deactivated; either way he is out at once;
//! - a change travels to the school's boxes and is in the audit log, without the password's hash.
//!
//! A `photo_path` names the person's own profile photo (`photos/`) or is refused; one of the documents' own server
//! (`profiles/andi.jpg`) is passed over.

use aide::axum::{ApiRouter, routing::get_with};
use axum::extract::State;
use hadir_shared::{
    ids::{ClassId, InstitutionId, UserId},
    time::SchoolDay,
    wire::roster::Role,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{
    classes,
    dialect::{Created, Done, Paginated, Said},
    export::file,
    files,
    people::{self, Person},
    permits::WriteUsers,
    roster, settings,
};
use crate::{
    app::App,
    db::{Cloud, Tx},
    fail::{Fail, Flaw},
    http::{Allowed, Body, Check, Member, Page, Params, Patch, Segment, describe::says},
    identity::{
        Entry, Key, NewUser, audit, password, seed, session,
        user::{self, Profile},
    },
    sheet::OrFile,
};

mod export;
pub mod page;
pub mod roles;
mod store;
#[cfg(test)]
mod tests;

pub use store::anywhere;

const NUMBER_MAX: usize = 64;
/// Characters of a phone number.
pub const PHONE: std::ops::RangeInclusive<usize> = 5..=20;
/// Permissions of the core: who has one that the administrator lacks is not his to change.
const CORE: &str = "sso.";
const NO_ADMIN: &str = "Sekolah harus memiliki sedikitnya satu admin aktif";

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/users",
            get_with(list, says("The accounts of the school")).post_with(create, says("Make an account")),
        )
        .api_route(
            "/users/{id}",
            get_with(show, says("An account"))
                .put_with(update, says("Change an account"))
                .delete_with(delete, says("Delete an account, or deactivate one with records")),
        )
}

#[derive(Deserialize, JsonSchema)]
struct Asked {
    role_id: Option<i64>,
    is_active: Option<String>,
    search: Option<String>,
    /// Students who are in it today. Beyond the documents.
    class_id: Option<ClassId>,
}

/// Which accounts are wanted.
#[derive(Debug)]
struct Filter {
    role: Option<i64>,
    active: Option<bool>,
    /// Part of a name or number, in lower case.
    part: Option<String>,
    class: Option<ClassId>,
    /// Students who are in no class.
    unplaced: bool,
    /// The day on which they are in the class, or in none.
    today: SchoolDay,
    /// By name, as people look for each other; else in the order in which the accounts were made.
    by_name: bool,
}

#[derive(Deserialize, JsonSchema)]
struct New {
    nisn_nip_nik: Option<String>,
    name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    password: Option<String>,
    role_id: Option<i64>,
    photo_path: Option<String>,
    is_active: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
struct Update {
    nisn_nip_nik: Option<String>,
    name: Option<String>,
    #[serde(default)]
    email: Patch<String>,
    #[serde(default)]
    phone: Patch<String>,
    password: Option<String>,
    role_id: Option<i64>,
    #[serde(default)]
    photo_path: Patch<String>,
    is_active: Option<bool>,
}

/// An [`Update`] that is valid.
struct Change {
    profile: Profile,
    role: Option<i64>,
    active: Option<bool>,
    password_hash: Option<String>,
}

async fn list(
    State(app): State<App>,
    who: Allowed<WriteUsers>,
    Params(asked): Params<Asked>,
    page: Page,
) -> Result<OrFile<Said<Paginated<Person>>>, Fail> {
    let mut tx = app.db.read(who.institution).await?;
    let today = settings::load(&mut tx, who.institution).await?.schedule.zone.day(app.now());
    let filter = filter(asked, today)?;
    let total = store::count(&mut tx, who.institution, &filter).await?;
    let people = store::page(&mut tx, who.institution, &filter, &page).await?;
    if let Some(format) = page.format {
        let lines = export::lines(&mut tx, &app, who.institution, people).await?;
        return file(&mut tx, &app, who.institution, format, "pengguna", lines).await;
    }
    let people = Paginated::new(&page, people, total);
    Ok(OrFile::Usual(Said("Data pengguna berhasil diambil", people)))
}

fn filter(asked: Asked, today: SchoolDay) -> Result<Filter, Fail> {
    let mut check = Check::new();
    role(&mut check, asked.role_id);
    let active = asked.is_active.and_then(|text| match text.as_str() {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => {
            check.flaw("is_active", Flaw::NotOneOf(&["1", "0"]));
            None
        }
    });
    let part = check.optional_text("search", asked.search, 1..=100).map(|part| part.to_lowercase());
    check.finish()?;
    Ok(Filter {
        role: asked.role_id,
        active,
        part,
        class: asked.class_id,
        unplaced: false,
        today,
        by_name: false,
    })
}

async fn show(
    State(app): State<App>,
    who: Allowed<WriteUsers>,
    Segment(id): Segment<UserId>,
) -> Result<Said<Person>, Fail> {
    let person = find(&mut app.db.read(who.institution).await?, who.institution, id).await?;
    Ok(Said("Data pengguna berhasil diambil", person))
}

async fn create(
    State(app): State<App>,
    who: Allowed<WriteUsers>,
    Body(new): Body<New>,
) -> Result<Created<Person>, Fail> {
    let mut check = Check::new();
    let number = number(&mut check, new.nisn_nip_nik);
    let name = check.line("name", new.name, 1..=255);
    let email = check.email("email", new.email);
    let phone = check.optional_text("phone", new.phone, PHONE);
    let password = check.required("password", new.password.filter(|password| !password.is_empty()));
    if !password.is_empty() {
        let mut tx = app.db.read(who.institution).await?;
        let school = user::institution_names(&mut tx, Some(who.institution)).await?;
        let email = email.as_deref().unwrap_or_default();
        strong(&mut check, &password, &[&name, &number, email, &school.code, &school.name]);
    }
    let chosen = check.required("role_id", new.role_id);
    role(&mut check, new.role_id);
    // Who is not there yet has no photo.
    check.that(!new.photo_path.as_deref().is_some_and(files::claims), "photo_path", Flaw::NoSuch);
    check.finish()?;
    unique(&app, Some(&number), email.as_deref(), None).await?;

    let password_hash = app.identity.hasher().hash(&app.ids, &password).await?;
    let account = NewUser {
        institution: Some(who.institution),
        number: Some(&number),
        username: None,
        name: &name,
        email: email.as_deref(),
        phone: phone.as_deref(),
        password_hash: &password_hash,
        ..NewUser::default()
    };
    match enter(&app, &who, &account, chosen, new.is_active.unwrap_or(true)).await {
        // Somebody else was quicker: he says which field it is.
        Err(taken @ Fail::Taken { .. }) => {
            unique(&app, Some(&number), email.as_deref(), None).await?;
            Err(taken)
        }
        entered => Ok(Created("Pengguna berhasil ditambahkan", entered?)),
    }
}

async fn enter(
    app: &App,
    who: &Member,
    account: &NewUser<'_>,
    role: i64,
    active: bool,
) -> Result<Person, Fail> {
    let mut tx = app.db.write(who.institution).await?;
    let id = user::create(&mut tx, app, who.actor(), account, taken()).await?;
    user::set_role(&mut tx, app, who.actor(), id, role).await?;
    if !active {
        user::set_active(&mut tx, app, who.actor(), id, false).await?;
    }
    roster::touch_person(&mut tx, app, who.institution, id).await?;
    let person = find(&mut tx, who.institution, id).await?;
    tx.commit().await?;
    Ok(person)
}

async fn update(
    State(app): State<App>,
    who: Allowed<WriteUsers>,
    Segment(id): Segment<UserId>,
    Body(new): Body<Update>,
) -> Result<Said<Person>, Fail> {
    let change = read(&app, &who, id, new).await?;
    let number = change.profile.number.as_deref();
    let email = change.profile.email.value().map(String::as_str);
    unique(&app, number, email, Some(id)).await?;
    let changed = apply(&app, &who, id, &change).await;
    if let Err(Fail::Taken { .. }) = changed {
        unique(&app, number, email, Some(id)).await?;
    }
    app.identity.forget();
    Ok(Said("Data pengguna berhasil diperbarui", changed?))
}

/// Validates, and hashes before anything is locked.
async fn read(app: &App, who: &Member, id: UserId, new: Update) -> Result<Change, Fail> {
    let mut check = Check::new();
    let number = check.optional_text("nisn_nip_nik", new.nisn_nip_nik, 1..=NUMBER_MAX);
    one_word(&mut check, number.as_deref());
    let name = check.optional_line("name", new.name, 1..=255);
    let email = patched(new.email, |text| check.email("email", Some(text)));
    let phone = patched(new.phone, |text| check.optional_text("phone", Some(text), PHONE));
    let password = new.password.filter(|password| !password.is_empty());
    if let Some(password) = &password {
        strong(&mut check, password, &[]);
    }
    role(&mut check, new.role_id);
    let own = id == who.user;
    let keeps_role = new.role_id.is_none_or(|role| role == seed::ADMIN);
    check.that(!own || keeps_role, "role_id", said("Anda tidak dapat mengubah peran akun sendiri"));
    let stays = new.is_active != Some(false);
    check.that(!own || stays, "is_active", said("Anda tidak dapat menonaktifkan akun sendiri"));
    check.finish()?;

    let mut tx = app.db.read(who.institution).await?;
    changeable(&mut tx, who, id).await?;
    if let (Some(password), Some(user)) = (&password, user::by_id(&mut tx, id).await?) {
        let new = [number.as_deref(), name.as_deref(), email.value().map(String::as_str)];
        let new: Vec<&str> = new.into_iter().flatten().collect();
        if let Some(flaw) = user::password_flaw(&mut tx, &user, password, &new).await? {
            return Err(Fail::invalid("password", flaw));
        }
    }
    drop(tx);
    let photo_path = match new.photo_path {
        Patch::Set(path) if !files::claims(&path) => Patch::Keep,
        photo_path => photo_path,
    };
    let password_hash = match &password {
        Some(password) => Some(app.identity.hasher().hash(&app.ids, password).await?),
        None => None,
    };
    let profile = Profile { number, name, email, phone, photo_path };
    Ok(Change { profile, role: new.role_id, active: new.is_active, password_hash })
}

async fn apply(app: &App, who: &Member, id: UserId, change: &Change) -> Result<Person, Fail> {
    let mut tx = app.db.write(who.institution).await?;
    let before = changeable(&mut tx, who, id).await?;
    let gives_up = change.role.is_some_and(|role| role != seed::ADMIN) || change.active == Some(false);
    if gives_up {
        // Before anything is locked: two who take it from each other wait here, in one order.
        let field = if change.active == Some(false) { "is_active" } else { "role_id" };
        keeps_an_admin(&mut tx, who.institution, id)
            .await?
            .ok_or_else(|| Fail::invalid(field, said(NO_ADMIN)))?;
    }
    user::set_profile(&mut tx, app, id, &change.profile, taken()).await?;
    photo(&mut tx, app, who.institution, id, &change.profile.photo_path).await?;
    if let Some(role) = change.role.filter(|role| before.role_id != Some(*role)) {
        free_of_class(&mut tx, app, who.institution, id).await?;
        user::set_role(&mut tx, app, who.actor(), id, role).await?;
    }
    if let Some(active) = change.active.filter(|active| before.is_active != *active) {
        set_active(&mut tx, app, who, id, active).await?;
    }
    if let Some(hash) = &change.password_hash {
        user::set_password(&mut tx, app, who.actor(), id, hash).await?;
    }
    roster::touch_person(&mut tx, app, who.institution, id).await?;
    let after = find(&mut tx, who.institution, id).await?;
    let entry = Entry::new(who.actor(), "user.update", format!("user:{id}")).of(who.institution);
    audit(&mut tx, app, &entry.before(json!(before)).after(json!(after))).await?;
    tx.commit().await?;
    app.jobs.ring();
    Ok(after)
}

/// The person's row names this photo already, and is locked: it stays his only one, or it is erased.
async fn photo(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    id: UserId,
    path: &Patch<String>,
) -> Result<(), Fail> {
    match path {
        Patch::Keep => Ok(()),
        Patch::Clear => files::replace_portrait(tx, app, institution, id, None).await,
        Patch::Set(path) if files::is_portrait_of(tx, institution, id, path).await? => Ok(()),
        Patch::Set(_) => Err(Fail::invalid("photo_path", Flaw::NoSuch)),
    }
}

async fn delete(
    State(app): State<App>,
    who: Allowed<WriteUsers>,
    Segment(id): Segment<UserId>,
) -> Result<Done, Fail> {
    if id == who.user {
        return Err(Fail::bad_request("Anda tidak dapat menghapus akun sendiri"));
    }
    if !remove(&app, &who, id).await? {
        deactivate(&app, &who, id).await?;
    }
    app.identity.forget();
    Ok(Done("Pengguna berhasil dihapus"))
}

/// `false`: something refers to him, and nothing was changed.
async fn remove(app: &App, who: &Member, id: UserId) -> Result<bool, Fail> {
    let mut tx = app.db.write(who.institution).await?;
    let before = changeable(&mut tx, who, id).await?;
    keeps_an_admin(&mut tx, who.institution, id).await?.ok_or_else(|| Fail::bad_request(NO_ADMIN))?;
    if store::is_recorded(&mut tx, who.institution, id).await? {
        return Ok(false);
    }
    files::replace_portrait(&mut tx, app, who.institution, id, None).await?;
    match user::remove(&mut tx, app, id, Fail::conflict("in use")).await {
        Err(Fail::Conflict(_)) => return Ok(false),
        removed => removed?,
    }
    roster::touch_person(&mut tx, app, who.institution, id).await?;
    let entry = Entry::new(who.actor(), "user.delete", format!("user:{id}")).of(who.institution);
    audit(&mut tx, app, &entry.before(json!(before))).await?;
    tx.commit().await?;
    app.jobs.ring();
    Ok(true)
}

async fn deactivate(app: &App, who: &Member, id: UserId) -> Result<(), Fail> {
    let mut tx = app.db.write(who.institution).await?;
    let before = changeable(&mut tx, who, id).await?;
    keeps_an_admin(&mut tx, who.institution, id).await?.ok_or_else(|| Fail::bad_request(NO_ADMIN))?;
    set_active(&mut tx, app, who, id, false).await?;
    roster::touch_person(&mut tx, app, who.institution, id).await?;
    let after = find(&mut tx, who.institution, id).await?;
    let entry = Entry::new(who.actor(), "user.deactivate", format!("user:{id}")).of(who.institution);
    audit(&mut tx, app, &entry.before(json!(before)).after(json!(after))).await?;
    tx.commit().await?;
    Ok(())
}

/// Who is deactivated signs in no more and is in no class any more: from today on he is not missing. A class he is to be
/// in again is given anew.
async fn set_active(tx: &mut Tx, app: &App, who: &Member, id: UserId, active: bool) -> Result<(), Fail> {
    user::set_active(tx, app, who.actor(), id, active).await?;
    if !active {
        session::revoke_all(tx, app, who.actor(), id, None).await?;
        let today = settings::load(tx, who.institution).await?.schedule.zone.day(app.now());
        classes::withdraw(tx, app, who.actor(), who.institution, id, today).await?;
    }
    Ok(())
}

/// Somebody of the school with a role in attendance. Another school's is as unknown as one that does not exist.
async fn find(tx: &mut Tx, institution: InstitutionId, id: UserId) -> Result<Person, Fail> {
    let person = people::by_id(tx, institution, id).await?.filter(|person| person.role().is_some());
    person.ok_or_else(|| Fail::not_found("Pengguna tidak ditemukan"))
}

/// As [`find`], and not above the caller.
pub(super) async fn changeable(tx: &mut Tx, who: &Member, id: UserId) -> Result<Person, Fail> {
    let person = find(tx, who.institution, id).await?;
    let theirs = user::permissions(tx, id).await?;
    if theirs.iter().any(|code| code.starts_with(CORE) && !who.may(code)) {
        return Err(Fail::denied("Anda tidak memiliki izin untuk mengubah akun ini"));
    }
    Ok(person)
}

/// `None`: without this one the school would have no administrator who can sign in. Nobody else makes it so until the commit.
async fn keeps_an_admin(tx: &mut Tx, institution: InstitutionId, id: UserId) -> Result<Option<()>, Fail> {
    let admins = store::hold_admins(tx, institution).await?;
    Ok((!admins.contains(&id.0) || admins.len() > 1).then_some(()))
}

/// Who leads a class or is in one this year keeps his role.
async fn free_of_class(tx: &mut Tx, app: &App, institution: InstitutionId, id: UserId) -> Result<(), Fail> {
    let today = settings::load(tx, institution).await?.schedule.zone.day(app.now());
    let leads = store::leads_class(tx, institution, id).await?;
    let learns = store::is_in_class(tx, institution, id, today.academic_year()).await?;
    let mut check = Check::new();
    check.that(!leads, "role_id", said("Pengguna ini masih menjadi wali kelas"));
    check.that(!learns, "role_id", said("Pengguna ini masih terdaftar sebagai siswa di kelas"));
    check.finish()
}

/// Both are unique over the whole cloud: a login names no school.
async fn unique(
    app: &App,
    number: Option<&str>,
    email: Option<&str>,
    except: Option<UserId>,
) -> Result<(), Fail> {
    let mut tx = app.db.read(Cloud).await?;
    let mut check = Check::new();
    if let Some(number) = number {
        let taken = user::name_in_use(&mut tx, Key::Number(number), except).await?;
        check.that(!taken, "nisn_nip_nik", Flaw::Taken);
    }
    if let Some(email) = email {
        let taken = user::name_in_use(&mut tx, Key::Email(email), except).await?;
        check.that(!taken, "email", Flaw::Taken);
    }
    check.finish()
}

/// For a race whose winner is gone again when he is looked for.
fn taken() -> Fail {
    Fail::Taken { field: "nisn_nip_nik", message: "nisn_nip_nik sudah digunakan".into() }
}

fn role(check: &mut Check, id: Option<i64>) {
    if let Some(id) = id {
        check.range("role_id", id, Role::Siswa.into()..=Role::Admin.into());
    }
}

/// That a new password is one, for somebody who is known by these words.
pub fn strong(check: &mut Check, password: &str, known: &[&str]) {
    if let Some(flaw) = password::flaw_among(password, known) {
        check.flaw("password", flaw);
    }
}

/// The number somebody signs in with: it must be there.
pub fn number(check: &mut Check, given: Option<String>) -> String {
    let number = check.text("nisn_nip_nik", given, 1..=NUMBER_MAX);
    one_word(check, Some(&number));
    number
}

fn one_word(check: &mut Check, number: Option<&str>) {
    let holds = number.is_none_or(|number| !number.contains(char::is_whitespace));
    check.that(holds, "nisn_nip_nik", Flaw::WrongType("a number without spaces".into()));
}

/// A text that is blank clears, as `null` does.
fn patched(field: Patch<String>, read: impl FnOnce(String) -> Option<String>) -> Patch<String> {
    match field {
        Patch::Set(text) => read(text).map_or(Patch::Clear, Patch::Set),
        kept => kept,
    }
}

fn said(text: &'static str) -> Flaw {
    Flaw::Said(text.into())
}
