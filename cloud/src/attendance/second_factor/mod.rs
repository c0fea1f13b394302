//! For which roles a school demands a second factor.
//!
//! What always holds: a demand counts at once, in sessions that are open already too; whoever has such a role and no second
//! factor can do nothing but set one up, whoever made the demand included.

use aide::axum::{ApiRouter, routing::get_with};
use askama::Template;
use axum::{extract::State, response::Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    dialect::{Data, Said},
    permits::WriteSettings,
};
use crate::{
    app::App,
    console::{Pages, Shell, Visit, html},
    db::Tx,
    fail::Fail,
    http::{Allowed, Body, describe::says},
    identity::{second, seed},
};

#[cfg(test)]
mod tests;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new().api_route(
        "/second-factor",
        get_with(show, says("For which roles a second factor is demanded"))
            .put_with(change, says("Demand a second factor of roles")),
    )
}

pub fn pages() -> Pages {
    Pages::default().page("/second-factor", page)
}

/// Whether each role needs one.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[expect(clippy::struct_excessive_bools, reason = "a role each")]
struct Demand {
    guru: bool,
    pegawai: bool,
    kepala_sekolah: bool,
    admin: bool,
}

/// What is to be changed; what is left out stays.
#[derive(Debug, Deserialize, JsonSchema)]
struct Change {
    guru: Option<bool>,
    pegawai: Option<bool>,
    kepala_sekolah: Option<bool>,
    admin: Option<bool>,
}

#[derive(Template)]
#[template(path = "console/second_factor_roles.html")]
struct DemandPage {
    shell: Shell,
    demand: Demand,
}

async fn show(State(app): State<App>, who: Allowed<WriteSettings>) -> Result<Data<Demand>, Fail> {
    let mut tx = app.db.read(who.institution).await?;
    Ok(Data(Demand::of(&second::required_roles(&mut tx, who.institution).await?)))
}

async fn change(
    State(app): State<App>,
    who: Allowed<WriteSettings>,
    Body(change): Body<Change>,
) -> Result<Said<Demand>, Fail> {
    let mut tx = app.db.write(who.institution).await?;
    let demand = demanded(&mut tx, &app, &who, &change).await?;
    tx.commit().await?;
    app.identity.forget();
    Ok(Said("Pengaturan verifikasi dua langkah disimpan", demand))
}

async fn demanded(
    tx: &mut Tx,
    app: &App,
    who: &Allowed<WriteSettings>,
    change: &Change,
) -> Result<Demand, Fail> {
    let before = Demand::of(&second::required_roles(tx, who.institution).await?);
    let demand = Demand {
        guru: change.guru.unwrap_or(before.guru),
        pegawai: change.pegawai.unwrap_or(before.pegawai),
        kepala_sekolah: change.kepala_sekolah.unwrap_or(before.kepala_sekolah),
        admin: change.admin.unwrap_or(before.admin),
    };
    second::require(tx, app, who.actor(), who.institution, &demand.roles()).await?;
    Ok(demand)
}

async fn page(State(app): State<App>, visit: Visit<WriteSettings>) -> Result<Response, Fail> {
    let mut tx = app.db.read(visit.institution).await?;
    let demand = Demand::of(&second::required_roles(&mut tx, visit.institution).await?);
    html(&DemandPage { shell: visit.shell, demand })
}

impl Demand {
    fn of(roles: &[i64]) -> Self {
        let has = |role| roles.contains(&role);
        Self {
            guru: has(seed::TEACHER),
            pegawai: has(seed::STAFF),
            kepala_sekolah: has(seed::PRINCIPAL),
            admin: has(seed::ADMIN),
        }
    }

    fn roles(self) -> Vec<i64> {
        let all = [
            (self.guru, seed::TEACHER),
            (self.pegawai, seed::STAFF),
            (self.kepala_sekolah, seed::PRINCIPAL),
            (self.admin, seed::ADMIN),
        ];
        all.into_iter().filter_map(|(is_demanded, role)| is_demanded.then_some(role)).collect()
    }
}
