//! People with an account.

use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::Millis,
};
use serde_json::json;
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    audit::{Actor, Entry, audit},
    login::Key,
    password,
    session::{self, Caller},
    store,
};
use crate::{
    app::App,
    db::{ResultExt as _, Tx},
    fail::{Fail, Flaw},
    http::Patch,
};

/// A row of `users`.
#[derive(Debug, Clone, FromRow)]
pub struct User {
    #[sqlx(try_from = "i64")]
    pub id: UserId,
    pub uuid: Uuid,
    pub institution_id: Option<i64>,
    pub nisn_nip_nik: Option<String>,
    pub username: Option<String>,
    pub name: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub email: Option<String>,
    pub email_verified_at: Option<i64>,
    pub phone: Option<String>,
    pub phone_verified_at: Option<i64>,
    /// The kind of account he registered for and was not yet given.
    pub applied_as: Option<String>,
    pub password_hash: String,
    pub photo_path: Option<String>,
    pub avatar: Option<String>,
    pub cover: Option<String>,
    pub is_active: bool,
    pub token_version: i64,
    #[sqlx(try_from = "i64")]
    pub created_at: Millis,
    #[sqlx(try_from = "i64")]
    pub updated_at: Millis,
}

/// Somebody to be registered. Texts are valid, e-mail and username in lower case.
#[derive(Debug, Clone, Default)]
pub struct NewUser<'a> {
    pub institution: Option<InstitutionId>,
    pub number: Option<&'a str>,
    pub username: Option<&'a str>,
    pub name: &'a str,
    pub email: Option<&'a str>,
    pub phone: Option<&'a str>,
    /// From [`super::password::Hasher::hash`].
    pub password_hash: &'a str,
    pub first_name: Option<&'a str>,
    pub last_name: Option<&'a str>,
    /// A kind of account that somebody else has to give him: until then he is inactive.
    pub applied_as: Option<&'a str>,
}

/// Told of a person who changed, inside the change's transaction: a module that keeps copies of people. `crate::WITNESSES`.
pub type Witness = for<'a> fn(&'a mut Tx, &'a App, InstitutionId, UserId) -> crate::jobs::Work<'a>;

/// As [`Witness`], of an institution that is new or has a new service. `crate::FOUNDERS`.
pub type InstitutionWitness = for<'a> fn(&'a mut Tx, &'a App, InstitutionId) -> crate::jobs::Work<'a>;

/// As [`Witness`], of an account that is about to go: a module whose rows refer to it and die with it. `crate::CLEARERS`.
pub type RemovalWitness = for<'a> fn(&'a mut Tx, &'a App, UserId) -> crate::jobs::Work<'a>;

/// Tells every module of an institution it may have to prepare for.
pub async fn announce_institution(tx: &mut Tx, app: &App, institution: InstitutionId) -> Result<(), Fail> {
    for founder in crate::FOUNDERS {
        founder(tx, app, institution).await?;
    }
    Ok(())
}

/// Tells every module of somebody who changed. What a module changes itself, it knows.
pub async fn announce(tx: &mut Tx, app: &App, user: &User) -> Result<(), Fail> {
    let Some(institution) = user.institution_id.map(InstitutionId) else { return Ok(()) };
    for witness in crate::WITNESSES {
        witness(tx, app, institution, user.id).await?;
    }
    Ok(())
}

/// Registers somebody. The number, username or e-mail may be somebody else's: `taken` says which failure that is (ask
/// [`name_in_use`] before, where the field must be named).
pub async fn create(
    tx: &mut Tx,
    app: &App,
    by: Actor,
    new: &NewUser<'_>,
    taken: Fail,
) -> Result<UserId, Fail> {
    let now = app.now();
    let id = store::insert_user(tx, app.ids.uuid(now), new, now).await.on_taken(taken)?;
    let mut entry = Entry::new(by, "user.create", format!("user:{id}"))
        .after(json!({"name": new.name, "number": new.number}));
    entry.institution = new.institution;
    audit(tx, app, &entry).await?;
    Ok(id)
}

pub async fn by_id(tx: &mut Tx, id: UserId) -> Result<Option<User>, Fail> {
    Ok(store::user(tx, id).await?)
}

pub async fn by_uuid(tx: &mut Tx, uuid: Uuid) -> Result<Option<User>, Fail> {
    Ok(store::user_by_uuid(tx, uuid).await?)
}

/// By number, username or e-mail (both in any case).
pub async fn by_key(tx: &mut Tx, key: Key<'_>) -> Result<Option<User>, Fail> {
    // Nobody is called so, and PostgreSQL takes no NUL.
    if key.text().contains('\0') {
        return Ok(None);
    }
    Ok(match key {
        Key::Number(number) => store::user_by_number(tx, number.trim()).await?,
        Key::Username(name) => store::user_by_username(tx, &name.trim().to_lowercase()).await?,
        Key::Email(email) => store::user_by_email(tx, &email.trim().to_lowercase()).await?,
    })
}

/// Whether a number, username or e-mail is that of somebody other than `except`.
pub async fn name_in_use(tx: &mut Tx, key: Key<'_>, except: Option<UserId>) -> Result<bool, Fail> {
    Ok(by_key(tx, key).await?.is_some_and(|user| Some(user.id) != except))
}

/// Gives a user a role: one per service, a second one replaces the first. Tokens of the old role end. Afterwards: commit,
/// then [`super::Identity::forget`].
pub async fn set_role(tx: &mut Tx, app: &App, by: Actor, user: UserId, role: i64) -> Result<(), Fail> {
    store::upsert_user_role(tx, user, role).await.on_missing(Fail::not_found("Peran tidak ditemukan"))?;
    store::raise_token_version(tx, user, app.now()).await?;
    audit(
        tx,
        app,
        &Entry::new(by, "user.role", format!("user:{user}")).about(user).after(json!({"role_id": role})),
    )
    .await
}

/// An inactive user cannot sign in, and his tokens end. Afterwards as for [`set_role`].
pub async fn set_active(tx: &mut Tx, app: &App, by: Actor, user: UserId, active: bool) -> Result<(), Fail> {
    store::set_user_active(tx, user, active, app.now()).await?;
    store::raise_token_version(tx, user, app.now()).await?;
    audit(
        tx,
        app,
        &Entry::new(by, "user.active", format!("user:{user}"))
            .about(user)
            .after(json!({"is_active": active})),
    )
    .await
}

/// Sets a password without asking for the old one: an admin's reset. All sessions end. Afterwards as for [`set_role`].
pub async fn set_password(tx: &mut Tx, app: &App, by: Actor, user: UserId, hash: &str) -> Result<(), Fail> {
    store::set_password_hash(tx, user, hash, app.now()).await?;
    session::revoke_all(tx, app, by, user, None).await?;
    audit(tx, app, &Entry::new(by, "user.password", format!("user:{user}")).about(user)).await
}

/// Gives the caller the new password he chose, after [`super::prove`]: his other sessions end. Afterwards as for [`set_role`].
pub async fn change_password(tx: &mut Tx, app: &App, who: &Caller, hash: &str) -> Result<(), Fail> {
    store::set_password_hash(tx, who.user, hash, app.now()).await?;
    session::revoke_all(tx, app, who.actor(), who.user, Some(who.session)).await?;
    audit(tx, app, &Entry::new(who.actor(), "user.password", format!("user:{}", who.user)).about(who.user))
        .await
}

/// Changes what a user may change of himself; `None` leaves a field as it is.
pub async fn set_contact(
    tx: &mut Tx,
    app: &App,
    by: Actor,
    user: &User,
    change: &Contact,
) -> Result<(), Fail> {
    store::set_contact(tx, user.id, change, app.now())
        .await
        .on_taken(Fail::Taken { field: "email", message: "Email sudah digunakan".into() })?;
    let fields = json!({
        "name": change.name.is_some(), "email": change.email.is_some(), "phone": change.phone.is_some()
    });
    audit(tx, app, &Entry::new(by, "user.update", format!("user:{}", user.id)).about(user.id).after(fields))
        .await
}

/// See [`set_contact`].
#[derive(Debug, Clone, Default)]
pub struct Contact {
    pub name: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
}

/// What an administrator changes of somebody's account. See [`set_profile`].
#[derive(Debug, Clone, Default)]
pub struct Profile {
    pub number: Option<String>,
    pub name: Option<String>,
    pub email: Patch<String>,
    pub phone: Patch<String>,
    pub photo_path: Patch<String>,
}

/// Changes an account in somebody else's name; who does it writes the audit row, because he knows what is shown. Fails with
/// `taken` when the number or e-mail is another's (ask [`name_in_use`] before, where the field must be named).
pub async fn set_profile(
    tx: &mut Tx,
    app: &App,
    user: UserId,
    change: &Profile,
    taken: Fail,
) -> Result<(), Fail> {
    store::set_profile(tx, user, change, app.now()).await.on_taken(taken)?;
    Ok(())
}

/// Deletes an account that nothing refers to but what identity itself keeps of it (roles, sessions, codes), and what goes with
/// it elsewhere. Fails with `in_use` where anything else does; the transaction is over then. Afterwards as for [`set_role`],
/// and ring [`App::jobs`].
pub async fn remove(tx: &mut Tx, app: &App, user: UserId, in_use: Fail) -> Result<(), Fail> {
    for clearer in crate::CLEARERS {
        clearer(tx, app, user).await?;
    }
    store::delete_user(tx, user).await.on_missing(in_use)?;
    Ok(())
}

/// The codes of what somebody may do, in every service.
pub async fn permissions(tx: &mut Tx, user: UserId) -> Result<Vec<String>, Fail> {
    Ok(store::permissions_of(tx, user).await?.into_iter().map(|(code,)| code).collect())
}

/// The codes of what a role may do in its service.
pub async fn role_permissions(tx: &mut Tx, role: i64) -> Result<Vec<String>, Fail> {
    Ok(store::permissions_of_role(tx, role).await?.into_iter().map(|(code,)| code).collect())
}

/// Makes a school and opens services to it, by their codes.
pub async fn create_institution(
    tx: &mut Tx,
    app: &App,
    by: Actor,
    code: &str,
    name: &str,
    services: &[&str],
) -> Result<InstitutionId, Fail> {
    let now = app.now();
    let taken = Fail::Taken { field: "code", message: "Kode sekolah sudah digunakan".into() };
    let id = store::insert_institution(tx, app.ids.uuid(now), code, name, now).await.on_taken(taken)?;
    for service in services {
        store::link_service(tx, id, service, now).await?;
    }
    let entry = Entry::new(by, "institution.create", format!("institution:{id}")).of(id);
    audit(tx, app, &entry.after(json!({"code": code, "name": name}))).await?;
    Ok(id)
}

/// What everybody in an institution knows it by; of none, nothing.
#[derive(Debug, Default, FromRow)]
pub struct Names {
    pub code: String,
    pub name: String,
}

pub async fn institution_names(tx: &mut Tx, institution: Option<InstitutionId>) -> Result<Names, Fail> {
    match institution {
        Some(institution) => Ok(store::institution_names(tx, institution).await?),
        None => Ok(Names::default()),
    }
}

/// What is wrong with a new password for somebody who is there, if anything: [`password::flaw_among`] his names, `new` ones
/// that he is to have, and his institution's.
pub async fn password_flaw(
    tx: &mut Tx,
    user: &User,
    wanted: &str,
    new: &[&str],
) -> Result<Option<Flaw>, Fail> {
    let around = institution_names(tx, user.institution_id.map(InstitutionId)).await?;
    let own = [Some(&user.name), user.nisn_nip_nik.as_ref(), user.username.as_ref(), user.email.as_ref()];
    let own = own.into_iter().flatten().chain([&around.code, &around.name]).map(String::as_str);
    let known: Vec<&str> = own.chain(new.iter().copied()).collect();
    Ok(password::flaw_among(wanted, &known))
}

/// The school with this code.
pub async fn institution_by_code(tx: &mut Tx, code: &str) -> Result<Option<InstitutionId>, Fail> {
    Ok(store::institution_by_code(tx, code).await?)
}
