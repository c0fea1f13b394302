//! Changing an account: one's own, or as who manages accounts somebody else's.

use axum::extract::State;
use hadir_shared::ids::InstitutionId;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    super::{
        Reach, companies,
        dialect::Said,
        form::Form,
        permits::{WriteCompanies, WriteUsers},
        pictures::{self, Kept, Owner},
    },
    enter::{self, NAME, USERNAME},
    register::joined,
    shown::{Account, shown},
    store, unknown,
};
use crate::{
    app::App,
    db::{Cloud, ResultExt as _, Tx},
    fail::{Fail, Flaw},
    http::{Check, Permission as _, Segment},
    identity::{self, Caller, Entry, User, audit, budget::Budget, seed, session, user},
};

/// Permissions of the core: who has one that the caller lacks is not his to change.
const CORE: &str = "sso.";
/// How often the old password may be tried for a new one.
const BUDGET: Budget = Budget { of: "prove", most: 10, window_ms: 15 * 60_000 };

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "AccountChange")]
pub struct New {
    first_name: Option<String>,
    last_name: Option<String>,
    username: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    password: Option<String>,
    /// The old password, where one's own is changed.
    current_password: Option<String>,
    /// `true` or `false`.
    isactive: Option<String>,
    /// For who makes institutions: where an account without one belongs from now on.
    institution_id: Option<String>,
}

/// What stays or changes of somebody's names.
#[derive(Debug, Default)]
pub struct Names {
    pub first_name: Option<String>,
    /// Empty: he has none any more.
    pub last_name: Option<String>,
    pub name: String,
    pub username: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
}

/// A change that is valid, and that the caller may make.
struct Change {
    names: Names,
    active: Option<bool>,
    password_hash: Option<String>,
    institution: Option<InstitutionId>,
}

pub async fn change(
    State(app): State<App>,
    who: Caller,
    Segment(uuid): Segment<Uuid>,
    form: Form<New>,
) -> Result<Said<Account>, Fail> {
    let (reach, before) = find(&app, &who, uuid).await?;
    let change = read(&app, &who, &before, form.fields).await?;
    let kept = pictures::keep(&app, form.avatar, form.cover).await?;
    let changed = apply(&app, &who, reach, &before, &change, &kept).await;
    if changed.is_err() {
        pictures::drop_all(&app, &kept).await;
    }
    app.identity.forget();
    app.jobs.ring();
    Ok(Said("Data pengguna berhasil diperbarui", changed?))
}

/// Himself, or somebody within reach of who manages accounts and not above him.
async fn find(app: &App, who: &Caller, uuid: Uuid) -> Result<(Reach, User), Fail> {
    if uuid == who.uuid {
        let mut tx = app.db.read(who.institution).await?;
        let own = who.institution.map_or(Reach::Everywhere, Reach::Own);
        return Ok((own, user::by_id(&mut tx, who.user).await?.ok_or_else(unknown)?));
    }
    if !who.may(WriteUsers::CODE) {
        return Err(Fail::denied(WriteUsers::REFUSAL));
    }
    let reach = Reach::of(who)?;
    let mut tx = app.db.read(reach).await?;
    let user = within(&mut tx, reach, uuid).await?;
    not_above(&mut tx, who, &user).await?;
    Ok((reach, user))
}

/// Somebody within reach; anybody else does not exist.
pub async fn within(tx: &mut Tx, reach: Reach, uuid: Uuid) -> Result<User, Fail> {
    let user = user::by_uuid(tx, uuid).await?;
    let is_near = |user: &User| reach.only().is_none_or(|only| user.institution_id == Some(only));
    user.filter(is_near).ok_or_else(unknown)
}

/// Nobody takes over an account that may do more than he.
pub async fn not_above(tx: &mut Tx, who: &Caller, user: &User) -> Result<(), Fail> {
    let theirs = user::permissions(tx, user.id).await?;
    if theirs.iter().any(|code| code.starts_with(CORE) && !who.may(code)) {
        return Err(Fail::denied("Anda tidak memiliki izin untuk mengubah akun ini"));
    }
    Ok(())
}

async fn read(app: &App, who: &Caller, before: &User, new: New) -> Result<Change, Fail> {
    let own = before.id == who.user;
    let mut check = Check::new();
    let first_name = check.optional_line("first_name", new.first_name, NAME);
    // Sent empty, it is taken away.
    let last_name = match new.last_name {
        Some(name) if name.trim().is_empty() => Some(String::new()),
        name => check.optional_line("last_name", name, NAME),
    };
    let username = check.optional_line("username", new.username, USERNAME).map(|name| name.to_lowercase());
    enter::plain(&mut check, username.as_deref().unwrap_or_default());
    let email = check.email("email", new.email);
    let phone = check.optional_line("phone", new.phone, 5..=20);
    let active = flag(&mut check, new.isactive);
    let institution = number(&mut check, new.institution_id);
    let password = new.password.filter(|password| !password.is_empty());
    if let Some(password) = &password {
        let new = [&first_name, &last_name, &username, &email];
        let new: Vec<&str> = new.into_iter().filter_map(Option::as_deref).collect();
        let mut tx = app.db.read(Cloud).await?;
        if let Some(flaw) = user::password_flaw(&mut tx, before, password, &new).await? {
            check.flaw("password", flaw);
        }
    }
    check.that(
        !own || active != Some(false),
        "isactive",
        said("Anda tidak dapat menonaktifkan akun sendiri"),
    );
    let current = new.current_password.filter(|_| own && password.is_some());
    check.that(!own || password.is_none() || current.is_some(), "current_password", Flaw::Missing);
    check.finish()?;

    // What a client only repeats is not a wish.
    let username = username.filter(|name| before.username.as_ref() != Some(name));
    let email = email.filter(|email| before.email.as_ref() != Some(email));
    let active = active.filter(|active| before.is_active != *active);
    let institution = institution.filter(|id| before.institution_id != Some(*id)).map(InstitutionId);
    let guarded = username.is_some() || email.is_some() || active.is_some();
    if guarded && !who.may(WriteUsers::CODE) {
        return Err(Fail::denied(
            "Anda tidak memiliki izin untuk mengubah username, email, atau status akun",
        ));
    }
    if institution.is_some() && !who.may(WriteCompanies::CODE) {
        return Err(Fail::denied(WriteCompanies::REFUSAL));
    }
    enter::unique(app, username.as_deref(), email.as_deref(), Some(before.id)).await?;
    let password_hash = match &password {
        Some(password) => Some(new_hash(app, who, current.as_deref(), password).await?),
        None => None,
    };
    let first = first_name.as_deref().or(before.first_name.as_deref()).unwrap_or(&before.name);
    let last = last_name.as_deref().or(before.last_name.as_deref()).filter(|name| !name.is_empty());
    let parts_change = first_name.is_some() || last_name.is_some();
    let name = if parts_change { joined(first, last) } else { before.name.clone() };
    let names = Names { first_name, last_name, name, username, email, phone };
    Ok(Change { names, active, password_hash, institution })
}

/// `current` is asked of who changes his own.
async fn new_hash(app: &App, who: &Caller, current: Option<&str>, password: &str) -> Result<String, Fail> {
    if let Some(current) = current {
        BUDGET.spend_on(app, &who.user.to_string()).await?;
        identity::prove(app, who, current).await.map_err(|fail| match fail {
            Fail::BadCredentials => Fail::bad_request("Password saat ini salah"),
            other => other,
        })?;
    }
    app.identity.hasher().hash(&app.ids, password).await
}

async fn apply(
    app: &App,
    who: &Caller,
    reach: Reach,
    before: &User,
    change: &Change,
    kept: &Kept,
) -> Result<Account, Fail> {
    // Who joins an institution comes from none: no school's scope would see both.
    let mut tx = match change.institution {
        Some(_) => app.db.write(Cloud).await?,
        None => app.db.write(reach).await?,
    };
    let taken = enter::taken();
    let row = store::set_names(&mut tx, reach, before.id, &change.names, app.now()).await.on_taken(taken)?;
    if row == 0 {
        return Err(unknown());
    }
    if let Some(institution) = change.institution {
        join(&mut tx, app, who, before, institution).await?;
    }
    if let Some(active) = change.active {
        user::set_active(&mut tx, app, who.actor(), before.id, active).await?;
        if !active {
            session::revoke_all(&mut tx, app, who.actor(), before.id, None).await?;
        }
    }
    match &change.password_hash {
        Some(hash) if before.id == who.user => user::change_password(&mut tx, app, who, hash).await?,
        Some(hash) => user::set_password(&mut tx, app, who.actor(), before.id, hash).await?,
        None => {}
    }
    let home = change.institution.or(before.institution_id.map(InstitutionId));
    pictures::hang(&mut tx, app, Owner::User(before.id, home), kept).await?;
    let after = user::by_id(&mut tx, before.id).await?.ok_or_else(unknown)?;
    let entry = Entry::new(who.actor(), "user.update", format!("user:{}", before.id)).about(before.id);
    audit(&mut tx, app, &entry.before(told(before)).after(told(&after))).await?;
    user::announce(&mut tx, app, &after).await?;
    let account = shown(&mut tx, after).await?;
    tx.commit().await?;
    Ok(account)
}

/// Who registered as a company's administrator is one now, and may come in.
async fn join(
    tx: &mut Tx,
    app: &App,
    who: &Caller,
    user: &User,
    institution: InstitutionId,
) -> Result<(), Fail> {
    companies::by_id(tx, institution).await?.ok_or_else(companies::unknown)?;
    if store::join_institution(tx, institution, user.id, app.now()).await? == 0 {
        return Err(Fail::conflict("Pengguna ini sudah terhubung dengan institusi lain"));
    }
    store::move_pictures(tx, institution, user.id).await?;
    if user.applied_as.as_deref() == Some("COMPANY_ADMIN") {
        user::set_role(tx, app, who.actor(), user.id, seed::COMPANY_ADMIN).await?;
        user::set_active(tx, app, who.actor(), user.id, true).await?;
    }
    Ok(())
}

/// An account as the audit log keeps it.
fn told(user: &User) -> Value {
    json!({
        "name": user.name, "username": user.username, "email": user.email, "phone": user.phone,
        "is_active": user.is_active, "institution_id": user.institution_id,
        "avatar": user.avatar, "cover": user.cover,
    })
}

fn flag(check: &mut Check, text: Option<String>) -> Option<bool> {
    let text = text.map(|text| text.trim().to_lowercase()).filter(|text| !text.is_empty())?;
    match text.as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => {
            check.flaw("isactive", Flaw::NotOneOf(&["true", "false"]));
            None
        }
    }
}

fn number(check: &mut Check, text: Option<String>) -> Option<i64> {
    let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())?;
    let number = text.parse().ok();
    check.that(number.is_some(), "institution_id", Flaw::WrongType("a whole number".into()));
    number
}

fn said(text: &'static str) -> Flaw {
    Flaw::Said(text.into())
}
