//! Registering oneself.

use axum::{extract::State, http::HeaderMap};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    super::{dialect::Created, form::Form, pictures},
    enter::{self, NAME, Person},
    shown::{Account, shown},
    unknown,
};
use crate::{
    app::App,
    db::Cloud,
    fail::Fail,
    http::{Check, ClientAddress},
    identity::{Actor, budget::Budget, seed, user},
    mail::Language,
};

/// What an address may register: a class that does it together is one address.
const BUDGET: Budget = Budget { of: "register", most: 60, window_ms: 10 * 60_000 };
/// What somebody may register as: neither is a role by itself.
pub const TYPES: &[&str] = &["USER", "COMPANY_ADMIN"];

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "Registration")]
pub struct New {
    first_name: Option<String>,
    last_name: Option<String>,
    username: Option<String>,
    email: Option<String>,
    password: Option<String>,
    user_istype: Option<String>,
}

pub async fn register(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    form: Form<New>,
) -> Result<Created<Account>, Fail> {
    BUDGET.spend(&app, address).await?;
    let person = read(form.fields)?;
    let kept = pictures::keep(&app, form.avatar, form.cover).await?;
    let language = Language::of(&headers);
    let entered = enter::enter(&app, Actor::System, &person, &kept, language, async |_, _| Ok(())).await;
    let id = match entered {
        Ok(id) => id,
        Err(fail) => {
            pictures::drop_all(&app, &kept).await;
            return Err(fail);
        }
    };
    let mut tx = app.db.read(Cloud).await?;
    let user = user::by_id(&mut tx, id).await?.ok_or_else(unknown)?;
    Ok(Created("Pendaftaran berhasil", shown(&mut tx, user).await?))
}

fn read(new: New) -> Result<Person, Fail> {
    let mut check = Check::new();
    let first = check.line("first_name", new.first_name, NAME);
    let last = check.optional_line("last_name", new.last_name, NAME);
    let (username, email, password) = enter::credentials(&mut check, new.username, new.email, new.password);
    enter::strong(&mut check, &password, &[&first, last.as_deref().unwrap_or_default(), &username, &email]);
    let wanted = new.user_istype.filter(|wanted| !wanted.trim().is_empty());
    let wanted = wanted.as_deref().map_or("USER", str::trim);
    check.one_of("user_istype", wanted, TYPES);
    check.finish()?;
    let applied_as = (wanted == "COMPANY_ADMIN").then_some("COMPANY_ADMIN");
    Ok(Person {
        name: joined(&first, last.as_deref()),
        first_name: Some(first),
        last_name: last,
        username,
        email,
        password,
        institution: None,
        role: applied_as.is_none().then_some(seed::USER),
        applied_as,
    })
}

/// A name of its parts.
pub fn joined(first: &str, last: Option<&str>) -> String {
    last.map_or_else(|| first.to_owned(), |last| format!("{first} {last}"))
}
