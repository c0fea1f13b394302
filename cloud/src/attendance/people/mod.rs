//! People as the other resources of attendance show and look them up. No routes of its own.

use std::collections::BTreeMap;

use hadir_shared::{
    ids::{ClassId, InstitutionId, UserId},
    time::{Millis, SchoolDay},
    wire::roster::Role,
};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::FromRow;

use super::dialect;
use crate::{db::Tx, fail::Fail};

mod store;

/// A row of `users` with the role in attendance, and without anything secret.
#[derive(Debug, Clone, Serialize, FromRow, JsonSchema)]
pub struct Person {
    #[sqlx(try_from = "i64")]
    pub id: UserId,
    pub nisn_nip_nik: Option<String>,
    pub name: String,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub role_id: Option<i64>,
    pub photo_path: Option<String>,
    pub is_active: bool,
    #[sqlx(try_from = "i64")]
    #[serde(with = "dialect::Instant")]
    pub created_at: Millis,
    #[sqlx(try_from = "i64")]
    #[serde(with = "dialect::Instant")]
    pub updated_at: Millis,
}

/// The word for a role, as the documents have it.
pub fn role_name(id: i64) -> &'static str {
    match Role::try_from(id) {
        Ok(Role::Siswa) => "siswa",
        Ok(Role::Guru) => "guru",
        Ok(Role::Pegawai) => "pegawai",
        Ok(Role::KepalaSekolah) => "kepala_sekolah",
        Ok(Role::Admin) => "admin",
        Err(_) => "",
    }
}

/// What the documents show of a student who was just recorded.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Named {
    pub id: UserId,
    pub nisn_nip_nik: Option<String>,
    pub name: String,
}

impl Person {
    /// `None`: has no role in attendance.
    pub fn role(&self) -> Option<Role> {
        self.role_id.and_then(|id| Role::try_from(id).ok())
    }

    pub fn named(&self) -> Named {
        Named { id: self.id, nisn_nip_nik: self.nisn_nip_nik.clone(), name: self.name.clone() }
    }
}

/// Those of `ids` that belong to the school.
pub async fn by_ids(
    tx: &mut Tx,
    institution: InstitutionId,
    ids: impl IntoIterator<Item = UserId>,
) -> Result<BTreeMap<UserId, Person>, Fail> {
    let mut ids: Vec<i64> = ids.into_iter().map(|id| id.0).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let people = store::by_ids(tx, institution, &ids).await?;
    Ok(people.into_iter().map(|person| (person.id, person)).collect())
}

pub async fn by_id(tx: &mut Tx, institution: InstitutionId, id: UserId) -> Result<Option<Person>, Fail> {
    Ok(by_ids(tx, institution, [id]).await?.remove(&id))
}

/// By NISN, NIP or NIK.
pub async fn by_number(
    tx: &mut Tx,
    institution: InstitutionId,
    number: &str,
) -> Result<Option<Person>, Fail> {
    Ok(store::by_number(tx, institution, number).await?)
}

/// A few of those whose name or number holds a text.
pub async fn search(
    tx: &mut Tx,
    institution: InstitutionId,
    part: &str,
    most: i64,
) -> Result<Vec<Person>, Fail> {
    Ok(store::search(tx, institution, &anywhere(part), most).await?)
}

/// A LIKE pattern (`ESCAPE '!'`) that finds a text as it stands, in lower case.
fn anywhere(part: &str) -> String {
    format!("%{}%", part.replace('!', "!!").replace('%', "!%").replace('_', "!_").to_lowercase())
}

/// The students who are in a class on a day, by name.
pub async fn of_class(
    tx: &mut Tx,
    institution: InstitutionId,
    class: ClassId,
    day: SchoolDay,
) -> Result<Vec<Person>, Fail> {
    Ok(store::of_class(tx, institution, class, day).await?)
}

/// The students assigned to a class for an academic year who have not left it by `today`, by name.
pub async fn assigned_to(
    tx: &mut Tx,
    institution: InstitutionId,
    class: ClassId,
    year: i64,
    today: SchoolDay,
) -> Result<Vec<Person>, Fail> {
    Ok(store::assigned_to(tx, institution, class, year, today).await?)
}
