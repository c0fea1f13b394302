//! What follows from an undo at a gate: the books take the scan back, and of a day that is over an absence remains. No routes of
//! its own: undos come with the batches of boxes.

use hadir_shared::{ids::InstitutionId, rules::status::Direction};

use super::{
    absences,
    books::{self, Outcome, Undo},
};
use crate::{app::App, db::Tx, fail::Fail};

#[cfg(test)]
mod tests;

/// Takes a scan back; the caller's commit makes it hold.
pub async fn apply(tx: &mut Tx, app: &App, institution: InstitutionId, undo: &Undo) -> Result<Outcome, Fail> {
    let outcome = books::take_back(tx, institution, undo, app.now()).await?;
    if matches!(outcome, Outcome::Stored { .. }) && undo.void.direction == Direction::CheckIn {
        // The night marked everybody else of that day, and this one was still there.
        absences::reconsider(tx, app, institution, undo.void.day).await?;
    }
    Ok(outcome)
}
