//! The recap of a month, of a class and of the school: as JSON, and on paper as Indonesian schools know it.
//!
//! What always holds:
//! - what a day counts for is decided by [`hadir_shared::rules::recap`] alone, from what is in the books now: it does not
//!   matter whether absences were ever marked;
//! - a class is who was in it on the day: a student who moved appears in both, with the days he had in each; on a day on which
//!   he was in two, the one he came to last has it, so that the school counts each student and day once;
//! - the three forms say the same, and a month that is over gives the same bytes until something in it changes;
//! - a teacher sees the classes he leads; the principal and admins see all.

use std::collections::{BTreeMap, HashMap};

use aide::{
    OperationOutput,
    axum::{ApiRouter, routing::get_with},
    generate::GenContext,
    openapi::{MediaType, Operation, Response as Described},
};
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use chrono::NaiveTime;
use hadir_shared::{
    ids::{ClassId, InstitutionId, UserId},
    rules::recap::{self as rule, Evidence, Mark, Sums},
    settings::Settings,
    time::{Millis, Month, SchoolDay},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::{
    classes::{self, Class},
    dialect::Data,
    people::{self, Named},
    permits::{ReadRecap, ReadSchoolRecap},
    settings,
};
use crate::{
    app::App,
    db::Tx,
    fail::Fail,
    http::{Allowed, Member, Params, Permission as _, Segment, describe::says},
};

pub mod page;
mod paper;
mod pdf;
mod store;
#[cfg(test)]
mod tests;
mod xlsx;

use paper::Paper;
use store::Scope;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/recap/class/{id}", get_with(of_class, says("A class's recap of a month")))
        .api_route(
            "/recap/school",
            get_with(of_school, says("The school's recap of a month, class by class")),
        )
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
struct Asked {
    /// The school's current month when left out.
    month: Option<Month>,
    format: Option<Format>,
}

/// A file instead of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Format {
    Xlsx,
    Pdf,
}

/// Of marks, in the letters of the books: *hadir*, *sakit*, *izin*, *alpha*.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "RecapSums")]
struct Totals {
    #[serde(rename = "H")]
    present: i64,
    #[serde(rename = "S")]
    sick: i64,
    #[serde(rename = "I")]
    excused: i64,
    #[serde(rename = "A")]
    absent: i64,
    /// Of H, how often late.
    late: i64,
    late_minutes: i64,
    /// H + S + I + A.
    effective_days: i64,
    /// H of the effective days, one decimal, a half rounded up; null without effective days.
    percentage: Option<f64>,
}

/// A day of the month.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "RecapDay")]
#[expect(clippy::struct_field_names, reason = "as the answer names them")]
struct Day {
    day: SchoolDay,
    /// 1 is Monday.
    weekday: u8,
    /// A school day that is over.
    counted: bool,
    holiday: Option<String>,
    /// What the class did on it; null when it does not count.
    sums: Option<Totals>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "RecapMark")]
struct Marked {
    day: SchoolDay,
    /// `H`, `S`, `I` or `A`.
    mark: &'static str,
    late_minutes: i64,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "RecapStudent")]
#[expect(clippy::struct_field_names, reason = "as the answer names them")]
struct Student {
    #[serde(flatten)]
    student: Named,
    /// The counted days on which he was in the class.
    marks: Vec<Marked>,
    sums: Totals,
}

/// What both recaps say first.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "RecapHead")]
struct Head {
    school: String,
    /// Null unless there is exactly one.
    principal: Option<Named>,
    month: Month,
    /// The last day of the month that is over; null while none is.
    through: Option<SchoolDay>,
    /// Days of the month that count.
    effective_days: usize,
    days: Vec<Day>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "RecapClassName")]
struct ClassName {
    id: ClassId,
    name: String,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "ClassRecap")]
struct OfClass {
    #[serde(flatten)]
    head: Head,
    class: ClassName,
    homeroom_teacher: Option<Named>,
    students: Vec<Student>,
    total: Totals,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "RecapLine")]
struct Line {
    class: ClassName,
    homeroom_teacher: Option<Named>,
    students: usize,
    sums: Totals,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "SchoolRecap")]
struct OfSchool {
    #[serde(flatten)]
    head: Head,
    /// Those that had a student in the month, by name.
    classes: Vec<Line>,
    /// Each once, however many classes he was in.
    students: usize,
    total: Totals,
}

/// A recap as it was asked for.
enum Shown<T> {
    Data(T),
    File { format: Format, name: String, bytes: Vec<u8> },
}

async fn of_class(
    State(app): State<App>,
    who: Allowed<ReadRecap>,
    Segment(id): Segment<ClassId>,
    Params(asked): Params<Asked>,
) -> Result<Shown<OfClass>, Fail> {
    let (recap, made_at) = class_recap(&app, &who, id, asked.month).await?;
    let name = format!("rekap-{}-{}", slug(&recap.class.name), recap.head.month);
    shown(asked.format, name, made_at, recap, paper::of_class).await
}

async fn of_school(
    State(app): State<App>,
    who: Allowed<ReadSchoolRecap>,
    Params(asked): Params<Asked>,
) -> Result<Shown<OfSchool>, Fail> {
    let (recap, made_at) = school_recap(&app, &who, asked.month).await?;
    let name = format!("rekap-sekolah-{}", recap.head.month);
    shown(asked.format, name, made_at, recap, paper::of_school).await
}

/// A class's recap, for whoever may see it, and when files of it were made.
async fn class_recap(
    app: &App,
    who: &Member,
    id: ClassId,
    month: Option<Month>,
) -> Result<(OfClass, Millis), Fail> {
    let mut tx = app.db.read(who.institution).await?;
    let class = classes::find(&mut tx, who.institution, id).await?;
    let leads = class.homeroom_teacher_id == Some(who.user.0);
    if !leads && !who.may(ReadSchoolRecap::CODE) {
        return Err(Fail::denied("Anda hanya dapat melihat rekap kelas yang Anda ampu"));
    }
    let month = Known::load(&mut tx, app, who.institution, month, Some(id)).await?;
    let teacher = teachers(&mut tx, who.institution, std::slice::from_ref(&class)).await?;
    Ok((month.class(class, &teacher), month.made_at))
}

/// The school's, for whoever was let in, and when files of it were made.
async fn school_recap(app: &App, who: &Member, month: Option<Month>) -> Result<(OfSchool, Millis), Fail> {
    let mut tx = app.db.read(who.institution).await?;
    let month = Known::load(&mut tx, app, who.institution, month, None).await?;
    let classes = classes::all(&mut tx, who.institution).await?;
    let teachers = teachers(&mut tx, who.institution, &classes).await?;
    Ok((month.school(classes, &teachers), month.made_at))
}

/// All that is known of a month, of a class or of every class.
struct Known {
    head: Head,
    counted: Vec<SchoolDay>,
    memberships: BTreeMap<ClassId, Vec<rule::Membership>>,
    people: HashMap<UserId, Named>,
    evidence: Evidence,
    /// Of the files: depends on the month and what of it is over, not on when somebody asks.
    made_at: Millis,
}

impl Known {
    async fn load(
        tx: &mut Tx,
        app: &App,
        institution: InstitutionId,
        month: Option<Month>,
        class: Option<ClassId>,
    ) -> Result<Self, Fail> {
        let settings = settings::load(tx, institution).await?;
        let now = app.now();
        let month = month.unwrap_or_else(|| Month::of(settings.schedule.zone.day(now)));
        let scope = Scope { institution, class, month };
        let holidays = store::holidays(tx, institution, month).await?;
        let off = holidays.keys().copied().collect();
        let counted = rule::counted_days(month, &settings.school_days, &off, &settings.schedule, now);
        let (memberships, people) = store::members(tx, scope).await?;
        let evidence = Evidence::new(
            &store::check_ins(tx, scope).await?,
            store::corrections(tx, scope).await?,
            store::leaves(tx, scope).await?,
        );
        let through = rule::through(month, &settings.schedule, now);
        let made_at = settings.schedule.zone.instant(through.unwrap_or(month.first()), NaiveTime::MIN);
        let head = Head {
            school: school(tx, institution, &settings).await?,
            principal: store::principal(tx, institution).await?,
            month,
            through,
            effective_days: counted.len(),
            days: days(month, &counted, &holidays),
        };
        Ok(Self { head, counted, memberships, people, evidence, made_at })
    }

    fn table(&self, class: ClassId) -> rule::Table {
        let members = self.memberships.get(&class).map(Vec::as_slice).unwrap_or_default();
        rule::table(&self.counted, members, &self.evidence)
    }

    fn class(&self, class: Class, teachers: &HashMap<UserId, Named>) -> OfClass {
        let table = self.table(class.id);
        let mut students: Vec<Student> = table
            .rows
            .iter()
            .filter_map(|row| Some(self.student(self.people.get(&row.student)?, row)))
            .collect();
        students.sort_by_cached_key(|one| (one.student.name.to_lowercase(), one.student.id));
        OfClass {
            head: self.head_with(&table.columns),
            homeroom_teacher: teacher(&class, teachers),
            class: ClassName { id: class.id, name: class.name },
            students,
            total: table.total.into(),
        }
    }

    fn student(&self, student: &Named, row: &rule::Row) -> Student {
        let marked = |(day, mark): (&SchoolDay, &Option<Mark>)| {
            let mark = (*mark)?;
            Some(Marked { day: *day, mark: mark.letter(), late_minutes: mark.late_minutes() })
        };
        let marks = self.counted.iter().zip(&row.marks).filter_map(marked).collect();
        Student { student: student.clone(), marks, sums: row.sums.into() }
    }

    fn school(&self, classes: Vec<Class>, teachers: &HashMap<UserId, Named>) -> OfSchool {
        let mut columns = vec![Sums::default(); self.counted.len()];
        let mut total = Sums::default();
        let mut lines = Vec::new();
        for class in classes.into_iter().filter(|class| self.memberships.contains_key(&class.id)) {
            let table = self.table(class.id);
            for (column, of_class) in columns.iter_mut().zip(&table.columns) {
                *column += *of_class;
            }
            total += table.total;
            lines.push(Line {
                homeroom_teacher: teacher(&class, teachers),
                class: ClassName { id: class.id, name: class.name },
                students: table.rows.len(),
                sums: table.total.into(),
            });
        }
        lines.sort_by_cached_key(|line| (line.class.name.to_lowercase(), line.class.id));
        OfSchool {
            head: self.head_with(&columns),
            classes: lines,
            students: self.people.len(),
            total: total.into(),
        }
    }

    fn head_with(&self, columns: &[Sums]) -> Head {
        let mut head = self.head.clone();
        for (day, sums) in head.days.iter_mut().filter(|day| day.counted).zip(columns) {
            day.sums = Some((*sums).into());
        }
        head
    }
}

fn days(month: Month, counted: &[SchoolDay], holidays: &BTreeMap<SchoolDay, String>) -> Vec<Day> {
    let day = |day: SchoolDay| Day {
        day,
        weekday: day.weekday(),
        counted: counted.binary_search(&day).is_ok(),
        holiday: holidays.get(&day).cloned(),
        sums: None,
    };
    month.days().map(day).collect()
}

async fn school(tx: &mut Tx, institution: InstitutionId, settings: &Settings) -> Result<String, Fail> {
    Ok(match settings.school_name.as_str() {
        "" => store::school(tx, institution).await?,
        name => name.to_owned(),
    })
}

async fn teachers(
    tx: &mut Tx,
    institution: InstitutionId,
    classes: &[Class],
) -> Result<HashMap<UserId, Named>, Fail> {
    let ids = classes.iter().filter_map(|class| class.homeroom_teacher_id.map(UserId));
    let people = people::by_ids(tx, institution, ids).await?;
    Ok(people.into_iter().map(|(id, person)| (id, person.named())).collect())
}

fn teacher(class: &Class, teachers: &HashMap<UserId, Named>) -> Option<Named> {
    class.homeroom_teacher_id.and_then(|id| teachers.get(&UserId(id)).cloned())
}

/// Files are drawn off the threads that answer.
async fn shown<T: Send + 'static>(
    format: Option<Format>,
    name: String,
    made_at: Millis,
    recap: T,
    lay_out: fn(&T) -> Paper,
) -> Result<Shown<T>, Fail> {
    let Some(format) = format else { return Ok(Shown::Data(recap)) };
    let draw = move || match format {
        Format::Xlsx => xlsx::write(&lay_out(&recap), made_at),
        Format::Pdf => pdf::draw(&lay_out(&recap), made_at),
    };
    let bytes = spawn_blocking(draw).await.map_err(anyhow::Error::from)??;
    Ok(Shown::File { format, name, bytes })
}

/// A name as it may stand in a file's: `X IPA 1` is `x-ipa-1`.
fn slug(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

impl Format {
    const fn media(self) -> &'static str {
        match self {
            Self::Xlsx => crate::sheet::Format::Xlsx.media(),
            Self::Pdf => "application/pdf",
        }
    }

    const fn extension(self) -> &'static str {
        match self {
            Self::Xlsx => "xlsx",
            Self::Pdf => "pdf",
        }
    }
}

impl From<Sums> for Totals {
    #[expect(clippy::cast_precision_loss, reason = "at most a thousand")]
    fn from(sums: Sums) -> Self {
        Self {
            present: sums.present,
            sick: sums.sick,
            excused: sums.excused,
            absent: sums.absent,
            late: sums.late,
            late_minutes: sums.late_minutes,
            effective_days: sums.effective_days(),
            percentage: sums.present_per_mille().map(|per_mille| per_mille as f64 / 10.0),
        }
    }
}

impl<T: Serialize> IntoResponse for Shown<T> {
    fn into_response(self) -> Response {
        match self {
            Self::Data(recap) => Data(recap).into_response(),
            Self::File { format, name, bytes } => {
                let file = format!("attachment; filename=\"{name}.{}\"", format.extension());
                let headers = [
                    (header::CONTENT_TYPE, format.media().to_owned()),
                    (header::CONTENT_DISPOSITION, file),
                    (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
                    (header::CACHE_CONTROL, "private, no-store".to_owned()),
                ];
                (headers, bytes).into_response()
            }
        }
    }
}

impl<T: JsonSchema> OperationOutput for Shown<T> {
    type Inner = T;

    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Vec<(Option<u16>, Described)> {
        let mut answers = Data::<T>::inferred_responses(ctx, operation);
        for (_, answer) in &mut answers {
            for format in [Format::Xlsx, Format::Pdf] {
                answer.content.insert(format.media().to_owned(), MediaType::default());
            }
        }
        answers
    }
}
