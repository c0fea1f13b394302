//! Cards for everybody who has none.

use aide::axum::{ApiRouter, routing::post_with};
use axum::extract::State;
use hadir_shared::ids::{ClassId, UserId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{issue, store};
use crate::{
    app::App,
    attendance::{classes, dialect::Told, permits::WriteCards, settings},
    fail::Fail,
    http::{Allowed, Body, describe::says},
    identity::{Entry, audit},
};

/// Cards in one request: what is made under one lock in a second.
const AT_ONCE: i64 = 100;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new().api_route(
        "/student-qr-cards/generate-missing",
        post_with(generate, says("Make a card for every student of a class who has none")),
    )
}

#[derive(Deserialize, JsonSchema)]
struct Asked {
    /// Every class, when it is left out.
    class_id: Option<ClassId>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MissingCards")]
struct Made {
    generated: usize,
    /// Students still without a card: ask again.
    remaining: i64,
}

/// Who has an active card keeps it. May be asked until nobody is left.
async fn generate(
    State(app): State<App>,
    who: Allowed<WriteCards>,
    Body(asked): Body<Asked>,
) -> Result<Told<Made>, Fail> {
    let mut tx = app.db.write(who.institution).await?;
    if let Some(class) = asked.class_id {
        classes::find(&mut tx, who.institution, class).await?;
    }
    let today = settings::load(&mut tx, who.institution).await?.schedule.zone.day(app.now());
    let without = store::without(&mut tx, who.institution, asked.class_id, today, AT_ONCE).await?;
    let (mut cards, mut students) = (Vec::new(), Vec::new());
    for (student, _) in &without {
        let student = UserId(*student);
        store::lock(&mut tx, who.institution, student).await?;
        // Somebody may have made one meanwhile: it stays.
        if store::active_of(&mut tx, who.institution, [student]).await?.is_empty() {
            cards.push(issue(&mut tx, &app, who.institution, student).await?.id);
            students.push(student);
        }
    }
    if !cards.is_empty() {
        let entry =
            Entry::new(who.actor(), "card.generate_missing", format!("institution:{}", who.institution));
        let after = json!({"class_id": asked.class_id, "student_ids": students, "card_ids": cards});
        audit(&mut tx, &app, &entry.of(who.institution).after(after)).await?;
    }
    tx.commit().await?;
    let all = without.first().map_or(0, |(_, all)| *all);
    let looked_at = i64::try_from(without.len()).unwrap_or(all);
    let made = Made { generated: cards.len(), remaining: all - looked_at };
    Ok(Told(format!("{} kartu baru dibuat", made.generated), made))
}
