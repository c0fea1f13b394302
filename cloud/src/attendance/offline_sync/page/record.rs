//! One record: its very bytes, its times, what was decided about it, and what can be.

use askama::Template;
use axum::{extract::State, response::Response};
use hadir_shared::{
    ids::UserId,
    time::Millis,
    wire::{batch::Reason, record::Record},
};
use serde::Deserialize;

use super::{
    super::{
        shown::DISCARDED,
        store::{self, decisions::Made},
        unknown,
    },
    Line, lines, words,
};
use crate::{
    app::App,
    attendance::{
        fleet,
        people::{self, Person},
        permits::{ReadSyncLog, RetrySync},
    },
    console::{Lang, Shell, Visit, html},
    fail::Fail,
    http::{Params, Permission as _, Segment},
};

/// People offered for a record at once.
const MOST_FOUND: i64 = 8;

#[derive(Deserialize)]
pub struct Search {
    /// Part of a name or number.
    who: Option<String>,
}

#[derive(Template)]
#[template(path = "console/record.html")]
struct RecordPage {
    shell: Shell,
    line: Line,
    hash: String,
    body: String,
    /// How much the trusted time is to be trusted.
    grade: Option<&'static str>,
    decisions: Vec<Decision>,
    /// What was looked for, and who was found.
    who: String,
    found: Vec<Person>,
    may_retry: bool,
}

struct Decision {
    made: Made,
    by: Option<String>,
    of: Option<String>,
}

pub async fn show(
    State(app): State<App>,
    visit: Visit<ReadSyncLog>,
    Segment((_, id)): Segment<(i64, i64)>,
    Params(search): Params<Search>,
) -> Result<Response, Fail> {
    let institution = visit.institution;
    let mut tx = app.db.read(institution).await?;
    let row = store::list::by_id(&mut tx, institution, id).await?.ok_or_else(unknown)?;
    let boxes = fleet::names(&mut tx, institution).await?;
    let zone = visit.shell.zone();
    let line = lines(&mut tx, institution, zone, std::slice::from_ref(&row), &boxes).await?.pop();
    let made = store::decisions::of_record(&mut tx, institution, id).await?;
    let deciders = made.iter().map(|made| made.decided_by);
    let ids: Vec<_> = deciders.chain(made.iter().filter_map(|made| made.user_id)).map(UserId).collect();
    let named = people::by_ids(&mut tx, institution, ids).await?;
    let name = |id: i64| named.get(&UserId(id)).map(|person| person.name.clone());
    let decisions = made.into_iter().map(|made| Decision {
        by: name(made.decided_by),
        of: made.user_id.and_then(name),
        made,
    });
    let decisions = decisions.collect();
    let who = search.who.or_else(|| code(&row.body)).unwrap_or_default();
    let who: String = who.trim().chars().take(100).collect();
    let found = if who.is_empty() {
        Vec::new()
    } else {
        people::search(&mut tx, institution, &who, MOST_FOUND).await?
    };
    html(&RecordPage {
        line: line.ok_or_else(unknown)?,
        hash: row.hash,
        grade: serde_json::from_str::<Record>(&row.body).ok().map(|record| record.at.grade.as_str()),
        body: row.body,
        decisions,
        who,
        found,
        may_retry: visit.may(RetrySync::CODE),
        shell: visit.shell,
    })
}

/// What stood on a card nobody knew: often a number, and so whose it is.
fn code(body: &str) -> Option<String> {
    use hadir_shared::wire::record::What;
    match serde_json::from_str::<Record>(body).ok()?.what {
        What::UnknownCard(card) => Some(card.code),
        _ => None,
    }
}

impl RecordPage {
    const fn lang(&self) -> Lang {
        self.shell.lang
    }

    /// What mends it.
    fn advice(&self) -> &'static str {
        self.line.reason.map_or("", |reason| words::advice(self.lang(), reason))
    }

    fn is_discarded(&self) -> bool {
        self.line.verdict == DISCARDED
    }

    /// Whether it can be given to somebody: nobody known is named, or somebody said whose it is before.
    fn can_map(&self) -> bool {
        self.line.is_failed()
            && (matches!(self.line.reason, Some(Reason::UnknownPerson | Reason::UnknownCard))
                || self.decisions.iter().any(|decision| decision.made.user_id.is_some()))
    }

    fn can_accept(&self) -> bool {
        use Reason::{Contradicts, ImpossibleTime, InactivePerson, NotAllowed, OutsideArea, RevokedDevice};
        self.line.is_failed()
            && matches!(
                self.line.reason,
                Some(
                    Contradicts | ImpossibleTime | InactivePerson | NotAllowed | OutsideArea | RevokedDevice
                )
            )
    }

    /// Whether accepting it asks when it was.
    fn asks_when(&self) -> bool {
        self.line.reason == Some(Reason::ImpossibleTime)
    }

    fn decided(&self, decision: &Decision) -> &'static str {
        words::decision(self.lang(), &decision.made.action)
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as a template hands it over")]
    fn at(&self, at: &i64) -> String {
        self.shell.moment(&Millis(*at))
    }

    fn grade_words(&self) -> &'static str {
        match self.grade {
            Some("anchored") => self.shell.t("dari jam yang dicocokkan", "from a clock that was compared"),
            Some("estimated") => self.shell.t("diperkirakan", "estimated"),
            Some("suspect") => self.shell.t("meragukan", "doubtful"),
            _ => "",
        }
    }
}
