//! A school's settings. Section 11 of the contract; admins only.
//!
//! What always holds: a change is valid together with all that stays; every change raises the version in its own
//! transaction, under the lock of the version's row, and travels to the boxes; a change of many is all or nothing.

use std::collections::BTreeMap;

use aide::axum::{
    ApiRouter,
    routing::{get_with, put_with},
};
use axum::extract::State;
use hadir_shared::{
    ids::InstitutionId,
    settings::{self as known, Setting, Settings},
    time::Millis,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    dialect::{self, Data, Said},
    export::file,
    permits::WriteSettings,
    roster,
};
use crate::{
    app::App,
    db::Tx,
    fail::{Fail, Flaw, Problem},
    http::{Allowed, Body, Check, Segment, describe::says},
    identity::{Actor, Entry, audit},
    sheet::{AsFile, Column, Columns, OrFile},
};

mod drawing;
pub mod page;
mod store;
#[cfg(test)]
mod tests;

/// The longest value: the outline of a school with some hundred corners.
const VALUE_MAX: usize = 4_000;
/// Settings in one bulk update; there are fewer keys than this.
const BULK_MAX: usize = 100;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/settings", get_with(list, says("The settings of the school")))
        .api_route(
            "/settings/bulk-update",
            put_with(update_many, says("Change several settings, all or none")),
        )
        .api_route(
            "/settings/{key}",
            get_with(show, says("A setting")).put_with(update, says("Change a setting")),
        )
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Setting")]
struct Shown {
    key_name: &'static str,
    value: String,
    description: String,
    #[serde(with = "dialect::Instant")]
    updated_at: Millis,
}

#[derive(Deserialize, JsonSchema)]
struct Update {
    value: Option<String>,
    description: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct UpdateMany {
    settings: Option<Vec<Item>>,
}

#[derive(Deserialize, JsonSchema)]
struct Item {
    key: Option<String>,
    value: Option<String>,
}

/// One setting to be changed. `field` is where the client wrote the value.
struct Change {
    setting: &'static Setting,
    value: String,
    description: Option<String>,
    field: String,
}

/// The settings that hold now; their version is in `schedule.version`.
pub async fn load(tx: &mut Tx, institution: InstitutionId) -> Result<Settings, Fail> {
    let (version, texts) = texts(tx, institution).await?;
    Ok(Settings::read(version, &texts).map_err(anyhow::Error::from)?)
}

/// The version, and the texts of every key a school has chosen.
pub async fn texts(tx: &mut Tx, institution: InstitutionId) -> Result<(i64, BTreeMap<String, String>), Fail> {
    let version = store::version(tx, institution).await?;
    let rows = store::all(tx, institution).await?;
    Ok((version, rows.into_iter().map(|row| (row.key_name, row.value)).collect()))
}

/// Lays valid texts over a school's settings, without asking who does it: for seeds.
pub async fn put_texts(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    texts: &BTreeMap<String, String>,
) -> Result<(), Fail> {
    let changes = texts.iter().map(|(key, value)| {
        let setting = find(key)?;
        Ok(Change { setting, value: value.clone(), description: None, field: key.clone() })
    });
    let changes: Vec<Change> = changes.collect::<Result<_, Fail>>()?;
    apply(tx, app, Actor::System, institution, &changes).await
}

async fn list(
    State(app): State<App>,
    who: Allowed<WriteSettings>,
    AsFile(format): AsFile,
) -> Result<OrFile<Data<Vec<Shown>>>, Fail> {
    let mut tx = app.db.read(who.institution).await?;
    let settings = shown(&mut tx, who.institution).await?;
    match format {
        Some(format) => file(&mut tx, &app, who.institution, format, "pengaturan", settings).await,
        None => Ok(OrFile::Usual(Data(settings))),
    }
}

impl Columns for Shown {
    const COLUMNS: &'static [Column<Self>] = &[
        ("Kunci", |setting| setting.key_name.into()),
        ("Nilai", |setting| setting.value.as_str().into()),
        ("Keterangan", |setting| setting.description.as_str().into()),
        ("Diubah", |setting| setting.updated_at.into()),
    ];
}

async fn show(
    State(app): State<App>,
    who: Allowed<WriteSettings>,
    Segment(key): Segment<String>,
) -> Result<Data<Shown>, Fail> {
    let setting = find(&key)?;
    Ok(Data(shown_one(&mut app.db.read(who.institution).await?, who.institution, setting).await?))
}

async fn update(
    State(app): State<App>,
    who: Allowed<WriteSettings>,
    Segment(key): Segment<String>,
    Body(new): Body<Update>,
) -> Result<Said<Shown>, Fail> {
    let setting = find(&key)?;
    let mut check = Check::new();
    let value = value(&mut check, "value".into(), new.value);
    let description = check.optional_text("description", new.description, 1..=255);
    check.finish()?;
    let mut tx = app.db.write(who.institution).await?;
    let change = Change { setting, value, description, field: "value".into() };
    apply(&mut tx, &app, who.actor(), who.institution, &[change]).await?;
    let now = shown_one(&mut tx, who.institution, setting).await?;
    tx.commit().await?;
    Ok(Said("Pengaturan berhasil diperbarui", now))
}

async fn update_many(
    State(app): State<App>,
    who: Allowed<WriteSettings>,
    Body(new): Body<UpdateMany>,
) -> Result<Said<Vec<Shown>>, Fail> {
    let changes = read_many(new)?;
    let mut tx = app.db.write(who.institution).await?;
    apply(&mut tx, &app, who.actor(), who.institution, &changes).await?;
    let mut now = shown(&mut tx, who.institution).await?;
    tx.commit().await?;
    now.retain(|one| changes.iter().any(|change| change.setting.key == one.key_name));
    Ok(Said("Pengaturan berhasil diperbarui", now))
}

fn read_many(new: UpdateMany) -> Result<Vec<Change>, Fail> {
    let mut check = Check::new();
    let items = check.required("settings", new.settings.filter(|items| !items.is_empty()));
    check.that(items.len() <= BULK_MAX, "settings", Flaw::TooLong(BULK_MAX));
    let mut wanted = Vec::new();
    for (i, item) in items.into_iter().take(BULK_MAX).enumerate() {
        let key = check.required(format!("settings.{i}.key"), item.key);
        let twice = wanted.iter().any(|(earlier, _, _)| *earlier == key);
        check.that(!twice, format!("settings.{i}.key"), Flaw::Said("key ini muncul dua kali".into()));
        let field = format!("settings.{i}.value");
        let value = value(&mut check, field.clone(), item.value);
        wanted.push((key, value, field));
    }
    check.finish()?;
    let change = |(key, value, field): (String, String, String)| {
        Ok(Change { setting: find(&key)?, value, description: None, field })
    };
    wanted.into_iter().map(change).collect()
}

/// Validates and writes; the caller's commit makes it hold.
async fn apply(
    tx: &mut Tx,
    app: &App,
    by: Actor,
    institution: InstitutionId,
    changes: &[Change],
) -> Result<(), Fail> {
    let now = app.now();
    let version = store::raise_version(tx, institution).await?;
    let (_, before) = texts(tx, institution).await?;
    let texts = changes.iter().map(|change| (change.setting.key.to_owned(), change.value.clone())).collect();
    known::validate(&before, &texts).map_err(|invalid| {
        let field = changes
            .iter()
            .find(|change| change.setting.key == invalid.key)
            .map(|change| change.field.clone());
        let said = Flaw::Said(format!("{} {}", invalid.key, invalid.problem).into());
        Fail::Invalid(vec![Problem::new(field.unwrap_or(invalid.key), said)])
    })?;
    for change in changes {
        let Setting { key, description, .. } = change.setting;
        store::put(tx, institution, key, &change.value, change.description.as_deref(), description, now)
            .await?;
        let old = before.get(*key).map_or(change.setting.default, String::as_str);
        let entry = Entry::new(by, "setting.update", format!("setting:{key}")).of(institution);
        let after = json!({"value": change.value, "version": version});
        audit(tx, app, &entry.before(json!({"value": old})).after(after)).await?;
    }
    roster::touch_settings(tx, app, institution).await
}

/// Every key there is, with its default where the school has not chosen.
async fn shown(tx: &mut Tx, institution: InstitutionId) -> Result<Vec<Shown>, Fail> {
    let since = store::institution_since(tx, institution).await?;
    let rows = store::all(tx, institution).await?;
    let mut chosen: BTreeMap<String, store::Row> =
        rows.into_iter().map(|row| (row.key_name.clone(), row)).collect();
    let show = |setting: &'static Setting| match chosen.remove(setting.key) {
        Some(row) => Shown {
            key_name: setting.key,
            value: row.value,
            description: row.description,
            updated_at: row.updated_at,
        },
        None => Shown {
            key_name: setting.key,
            value: setting.default.into(),
            description: setting.description.into(),
            updated_at: since,
        },
    };
    Ok(known::ALL.iter().map(show).collect())
}

async fn shown_one(tx: &mut Tx, institution: InstitutionId, setting: &Setting) -> Result<Shown, Fail> {
    let all = shown(tx, institution).await?;
    all.into_iter().find(|one| one.key_name == setting.key).ok_or_else(unknown)
}

fn value(check: &mut Check, field: String, value: Option<String>) -> String {
    let value = check.required(field.clone(), value);
    check.that(value.chars().count() <= VALUE_MAX, field.clone(), Flaw::TooLong(VALUE_MAX));
    check.that(
        !value.chars().any(char::is_control),
        field,
        Flaw::WrongType("text without control characters".into()),
    );
    value
}

fn find(key: &str) -> Result<&'static Setting, Fail> {
    known::find(key).ok_or_else(unknown)
}

fn unknown() -> Fail {
    Fail::not_found("Pengaturan dengan key tersebut tidak ditemukan")
}
