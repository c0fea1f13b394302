//! A day's roll: who came, who is excused, who is missing. Decided here from what the books say, for the overview.
//!
//! What always holds: everybody is counted in one class, the one he came to last; the last correction stands over what was
//! recorded, a check-in over a leave.

use std::collections::HashMap;

use hadir_shared::{
    ids::{ClassId, UserId},
    time::Millis,
    wire::roster::Role,
};
use sqlx::FromRow;

use crate::attendance::classes::Class;

/// Somebody who is expected at school, and what the books say of his day.
#[derive(Debug, Clone, FromRow)]
pub struct Person {
    #[sqlx(try_from = "i64")]
    pub id: UserId,
    pub name: String,
    pub role_id: i64,
    /// Of the check-in, as it counts now.
    pub status: Option<String>,
    pub late_minutes: i64,
    pub trusted_at: Option<i64>,
    pub gate: Option<String>,
    /// Of an approved leave for this day.
    pub leave_type: Option<String>,
}

/// What somebody's day is so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Present,
    Late,
    /// Ill, or away with leave.
    Excused,
    /// Said to be absent by a correction.
    Absent,
    NotYet,
}

impl Person {
    pub fn standing(&self) -> Standing {
        match self.status.as_deref() {
            Some("hadir") => Standing::Present,
            Some("terlambat") => Standing::Late,
            Some("sakit" | "izin") => Standing::Excused,
            Some(_) => Standing::Absent,
            None if self.leave_type.is_some() => Standing::Excused,
            None => Standing::NotYet,
        }
    }

    pub fn is_student(&self) -> bool {
        self.role_id == i64::from(Role::Siswa)
    }

    /// When he came, if he did.
    pub fn came_at(&self) -> Option<Millis> {
        let came = matches!(self.standing(), Standing::Present | Standing::Late);
        self.trusted_at.filter(|_| came).map(Millis)
    }
}

/// How many of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub present: i64,
    pub late: i64,
    pub excused: i64,
    pub absent: i64,
    pub not_yet: i64,
}

impl Tally {
    pub fn of<'p>(people: impl IntoIterator<Item = &'p Person>) -> Self {
        let mut tally = Self::default();
        for person in people {
            *match person.standing() {
                Standing::Present => &mut tally.present,
                Standing::Late => &mut tally.late,
                Standing::Excused => &mut tally.excused,
                Standing::Absent => &mut tally.absent,
                Standing::NotYet => &mut tally.not_yet,
            } += 1;
        }
        tally
    }

    pub const fn total(&self) -> i64 {
        self.came() + self.excused + self.missing()
    }

    /// On time or late.
    pub const fn came(&self) -> i64 {
        self.present + self.late
    }

    /// Neither came nor is excused.
    pub const fn missing(&self) -> i64 {
        self.absent + self.not_yet
    }
}

/// A class, and who of it is missing, by name.
#[derive(Debug)]
pub struct Line {
    pub class: Class,
    pub tally: Tally,
    pub missing: Vec<Person>,
}

/// The lines of `classes`, in their order; a class without students has none. `members` are in the order they came to it.
pub fn lines(classes: Vec<Class>, members: &[(UserId, ClassId)], people: &[Person]) -> Vec<Line> {
    let class_of: HashMap<UserId, ClassId> = members.iter().copied().collect();
    let mut of_class: HashMap<ClassId, Vec<&Person>> = HashMap::new();
    for person in people {
        if let Some(class) = class_of.get(&person.id) {
            of_class.entry(*class).or_default().push(person);
        }
    }
    let line = |class: Class| {
        let own = of_class.remove(&class.id)?;
        let missing = |person: &&&Person| matches!(person.standing(), Standing::Absent | Standing::NotYet);
        let tally = Tally::of(own.iter().copied());
        let missing = own.iter().filter(missing).map(|person| (*person).clone()).collect();
        Some(Line { class, tally, missing })
    };
    classes.into_iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(id: i64, status: Option<&str>, leave: Option<&str>) -> Person {
        Person {
            id: UserId(id),
            name: format!("Orang {id}"),
            role_id: 1,
            status: status.map(Into::into),
            late_minutes: 0,
            trusted_at: Some(id),
            gate: None,
            leave_type: leave.map(Into::into),
        }
    }

    #[test]
    fn a_check_in_stands_over_a_leave_and_a_correction_over_both() {
        for (status, leave, state) in [
            (Some("hadir"), None, Standing::Present),
            (Some("hadir"), Some("sakit"), Standing::Present),
            (Some("terlambat"), None, Standing::Late),
            (Some("izin"), None, Standing::Excused),
            (Some("alpha"), Some("sakit"), Standing::Absent),
            (None, Some("dinas_luar"), Standing::Excused),
            (None, None, Standing::NotYet),
        ] {
            let one = person(1, status, leave);
            assert_eq!(one.standing(), state, "{status:?} {leave:?}");
            assert_eq!(one.came_at().is_some(), matches!(state, Standing::Present | Standing::Late));
        }
    }

    #[test]
    fn everybody_is_in_the_class_he_came_to_last() {
        let class = |id: i64| Class {
            id: ClassId(id),
            name: format!("X {id}"),
            homeroom_teacher_id: None,
            created_at: Millis(0),
            updated_at: Millis(0),
        };
        let people = [person(1, Some("hadir"), None), person(2, None, None), person(3, None, Some("sakit"))];
        let members = [
            (UserId(1), ClassId(7)),
            (UserId(2), ClassId(7)),
            (UserId(3), ClassId(8)),
            (UserId(1), ClassId(8)),
        ];
        let lines = lines(vec![class(7), class(8), class(9)], &members, &people);
        let told: Vec<_> = lines
            .iter()
            .map(|line| (line.class.id.0, line.tally.came(), line.tally.excused, line.tally.missing()))
            .collect();
        assert_eq!(told, [(7, 0, 0, 1), (8, 1, 1, 0)]);
        assert_eq!(lines[0].missing[0].id, UserId(2));
        let all = Tally::of(&people);
        assert_eq!((all.total(), all.came(), all.missing()), (3, 1, 1));
    }
}
