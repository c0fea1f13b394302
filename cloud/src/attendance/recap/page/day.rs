//! What a day was for one student: the mark, what was recorded, what was decided about it, and the form that corrects it.

use hadir_shared::{
    ids::UserId,
    rules::status::Direction,
    time::{Millis, SchoolDay},
};

use super::super::{Named, OfClass, ReadRecap};
use crate::{
    app::App,
    attendance::{
        corrections::{self, Correction},
        people,
        permits::CorrectRecords,
        records,
    },
    console::{Shell, Visit},
    fail::Fail,
    http::Permission as _,
};

/// A person's day, as it is shown.
pub struct Look {
    pub student: Named,
    pub day: SchoolDay,
    pub mark: &'static str,
    pub late_minutes: i64,
    pub records: Vec<Passage>,
    pub corrections: Vec<Decided>,
    pub may_correct: bool,
}

/// What was recorded.
pub struct Passage {
    pub direction: String,
    /// `None`: the mark that nobody came.
    pub at: Option<Millis>,
    pub status: String,
    pub late_minutes: i64,
    pub gate: Option<String>,
}

/// A correction, and whose it is.
pub struct Decided {
    pub correction: Correction,
    pub by: String,
}

/// Of somebody who has a mark on that day in this recap; else there is no such page.
pub async fn look(
    app: &App,
    visit: &Visit<ReadRecap>,
    recap: &OfClass,
    (student, day): (UserId, SchoolDay),
) -> Result<Look, Fail> {
    let line = recap.students.iter().find(|line| line.student.id == student).ok_or(Fail::NoRoute)?;
    let mark = line.marks.iter().find(|mark| mark.day == day).ok_or(Fail::NoRoute)?;
    let mut tx = app.db.read(visit.institution).await?;
    let mut passages = Vec::new();
    for direction in [Direction::CheckIn, Direction::CheckOut] {
        let row = records::of_day(&mut tx, visit.institution, student, day, direction).await?;
        passages.extend(row.map(passage));
    }
    let corrections = corrections::of_person(&mut tx, visit.institution, student, (day, day)).await?;
    let by = corrections.iter().map(|one| one.corrected_by);
    let names = people::by_ids(&mut tx, visit.institution, by).await?;
    let decided = |correction: Correction| {
        let by = names.get(&correction.corrected_by).map_or("Hadir", |person| person.name.as_str());
        Decided { by: by.to_owned(), correction }
    };
    Ok(Look {
        student: line.student.clone(),
        day,
        mark: mark.mark,
        late_minutes: mark.late_minutes,
        records: passages,
        corrections: corrections.into_iter().rev().map(decided).collect(),
        may_correct: visit.may(CorrectRecords::CODE),
    })
}

fn passage(row: records::Row) -> Passage {
    Passage {
        at: (!row.is_absence()).then_some(row.trusted_at),
        direction: row.direction,
        status: row.status,
        late_minutes: row.late_minutes,
        gate: row.gate,
    }
}

impl Look {
    /// The letter's word, and the class of its colour.
    pub fn mark_word(&self, shell: &Shell) -> (&'static str, &'static str) {
        match self.mark {
            "H" if self.late_minutes > 0 => ("warn", shell.t("Hadir, terlambat", "Present, late")),
            "H" => ("good", shell.t("Hadir", "Present")),
            "S" => ("calm", shell.t("Sakit", "Ill")),
            "I" => ("calm", shell.t("Izin", "Excused")),
            _ => ("bad", shell.t("Alpa", "Absent")),
        }
    }
}

/// A status of the books.
pub fn status_word(shell: &Shell, status: &str) -> &'static str {
    match status {
        "hadir" => shell.t("Hadir", "Present"),
        "terlambat" => shell.t("Terlambat", "Late"),
        "sakit" => shell.t("Sakit", "Ill"),
        "izin" => shell.t("Izin", "Excused"),
        _ => shell.t("Alpa", "Absent"),
    }
}
