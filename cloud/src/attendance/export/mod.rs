//! Lists as files: every list of this module takes `?format=csv|xlsx`, with the permission and the filters it always has.
//! No routes of its own.

use hadir_shared::ids::InstitutionId;

use super::settings;
use crate::{
    app::App,
    db::Tx,
    fail::Fail,
    sheet::{self, Columns, Format, OrFile},
};

#[cfg(test)]
mod tests;

/// The rows as a file called `name`, with times by the school's clocks.
pub async fn file<T: Columns, A>(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    format: Format,
    name: &'static str,
    rows: Vec<T>,
) -> Result<OrFile<A>, Fail> {
    let zone = settings::load(tx, institution).await?.schedule.zone;
    Ok(OrFile::File(sheet::file(format, name, zone, app.now(), rows).await?))
}
