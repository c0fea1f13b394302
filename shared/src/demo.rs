//! The demo school: the same people in the cloud's demo, on a box that stands alone, and in tests.
//!
//! Everything is worked out from numbers, so two machines that load it agree. Names are put together from common
//! Indonesian given names and mean nobody.

use std::collections::BTreeMap;

use crate::{rules::fence::Point, wire::roster::Role};

/// The password of every account.
pub const PASSWORD: &str = "Rahasia123!";

/// A school of the demo.
#[derive(Debug, Clone, PartialEq)]
pub struct School {
    pub code: &'static str,
    pub name: &'static str,
    pub zone: &'static str,
    pub point: Point,
    pub classes: Vec<Class>,
    pub people: Vec<Person>,
}

/// A class of the demo school.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    pub name: &'static str,
    /// The number of the homeroom teacher.
    pub homeroom: String,
}

/// Somebody of the demo school.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// NISN, NIP or NIK.
    pub number: String,
    pub name: String,
    pub role: Role,
    /// An index into [`School::classes`], for students.
    pub class: Option<usize>,
}

impl School {
    /// The settings that differ from the defaults.
    pub fn settings(&self) -> BTreeMap<String, String> {
        [
            ("school_latitude", self.point.latitude.to_string()),
            ("school_longitude", self.point.longitude.to_string()),
            ("attendance_radius", "100".to_owned()),
            ("timezone", self.zone.to_owned()),
            ("school_name", self.name.to_owned()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
    }

    pub fn students(&self) -> impl Iterator<Item = &Person> {
        self.people.iter().filter(|p| p.role == Role::Siswa)
    }
}

/// Students in a class.
pub const CLASS_SIZE: usize = 30;

/// Both schools of the demo.
pub fn schools() -> [School; 2] {
    schools_of(CLASS_SIZE)
}

/// The same schools with classes of another size, for measuring. Students then have numbers of eight digits.
pub fn schools_of(class_size: usize) -> [School; 2] {
    [
        school(
            "SMAN1",
            "SMA Negeri 1 Hadir",
            "Asia/Jakarta",
            Point { latitude: -6.2, longitude: 106.8166 },
            &["X IPA 1", "X IPA 2", "X IPS 1", "XI IPA 1", "XI IPS 1", "XII IPA 1"],
            &Numbers { admin: 5001, head: 4001, staff: 3001, teachers: 2001, students: 1001 },
            class_size,
        ),
        school(
            "SMPN2",
            "SMP Negeri 2 Hadir",
            "Asia/Jayapura",
            Point { latitude: -2.5337, longitude: 140.7181 },
            &["VII A", "VII B"],
            &Numbers { admin: 5101, head: 4101, staff: 3101, teachers: 2101, students: 1301 },
            class_size,
        ),
    ]
}

struct Numbers {
    admin: usize,
    head: usize,
    staff: usize,
    teachers: usize,
    students: usize,
}

fn school(
    code: &'static str,
    name: &'static str,
    zone: &'static str,
    point: Point,
    classes: &[&'static str],
    first: &Numbers,
    class_size: usize,
) -> School {
    let first_student = if class_size == CLASS_SIZE { first.students } else { first.students * 10_000 };
    let person = |number: usize, role, class| Person {
        number: number.to_string(),
        name: if number == 5001 { "Admin Utama".into() } else { person_name(number) },
        role,
        class,
    };
    let mut people = vec![
        person(first.admin, Role::Admin, None),
        person(first.head, Role::KepalaSekolah, None),
        person(first.staff, Role::Pegawai, None),
    ];
    people.extend((0..classes.len()).map(|i| person(first.teachers + i, Role::Guru, None)));
    people.extend(
        (0..classes.len() * class_size).map(|i| person(first_student + i, Role::Siswa, Some(i / class_size))),
    );
    let classes = classes
        .iter()
        .enumerate()
        .map(|(i, name)| Class { name, homeroom: (first.teachers + i).to_string() })
        .collect();
    School { code, name, zone, point, classes, people }
}

const FIRST: [&str; 24] = [
    "Andi", "Budi", "Citra", "Dewi", "Eka", "Fajar", "Gita", "Hadi", "Indah", "Joko", "Kartika", "Lestari",
    "Maya", "Nanda", "Putri", "Rizki", "Sari", "Taufik", "Umar", "Vina", "Wahyu", "Yusuf", "Zahra", "Ayu",
];
const LAST: [&str; 23] = [
    "Pratama",
    "Santoso",
    "Wijaya",
    "Saputra",
    "Lestari",
    "Nugroho",
    "Hidayat",
    "Kusuma",
    "Permata",
    "Rahmawati",
    "Setiawan",
    "Utami",
    "Wulandari",
    "Maulana",
    "Anggraini",
    "Firmansyah",
    "Hartono",
    "Iskandar",
    "Kurniawan",
    "Mahendra",
    "Puspita",
    "Ramadhan",
    "Siregar",
];

/// Two coprime cycles: the first 552 people all have different names.
fn person_name(number: usize) -> String {
    format!("{} {}", FIRST[number % FIRST.len()], LAST[number % LAST.len()])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_school_is_the_one_that_is_promised() {
        let [sma, smp] = schools();
        assert_eq!((sma.students().count(), smp.students().count()), (180, 60));
        assert_eq!(sma.people.len(), 180 + 6 + 3);
        assert_eq!(smp.people.len(), 60 + 2 + 3);
        assert_eq!(sma.classes[5].homeroom, "2006");
        let last = sma.students().last().unwrap();
        assert_eq!((last.number.as_str(), last.class), ("1180", Some(5)));
        assert!(
            sma.people.iter().any(|p| p.number == "5001" && p.name == "Admin Utama" && p.role == Role::Admin)
        );
        let numbers: BTreeSet<_> = sma.people.iter().chain(&smp.people).map(|p| &p.number).collect();
        assert_eq!(numbers.len(), sma.people.len() + smp.people.len(), "a number is a login");
    }

    #[test]
    fn a_larger_school_keeps_every_number_unique() {
        let schools = schools_of(500);
        let numbers: BTreeSet<_> = schools.iter().flat_map(|s| &s.people).map(|p| &p.number).collect();
        assert_eq!(numbers.len(), 8 * 500 + 9 + 5);
    }

    #[test]
    fn its_settings_are_valid() {
        for school in schools() {
            crate::settings::Settings::read(1, &school.settings()).unwrap();
        }
    }
}
