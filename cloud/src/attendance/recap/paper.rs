//! The recaps as a sheet of paper, before anybody draws one: XLSX and PDF are made from the same words and numbers.

use chrono::Datelike as _;
use hadir_shared::time::{Month, SchoolDay};

use super::{Head, Line, Named, OfClass, OfSchool, Student, Totals};

const MONTHS: [&str; 12] = [
    "Januari",
    "Februari",
    "Maret",
    "April",
    "Mei",
    "Juni",
    "Juli",
    "Agustus",
    "September",
    "Oktober",
    "November",
    "Desember",
];
/// From Monday.
const WEEKDAYS: [&str; 7] = ["Sn", "Sl", "Rb", "Km", "Jm", "Sb", "Mg"];
const LETTERS: [&str; 4] = ["H", "S", "I", "A"];
const LEGEND: &str = "H = hadir, S = sakit, I = izin, A = alpha (tanpa keterangan). Terlambat tetap dihitung hadir. \
                      % = H dibagi hari efektif siswa, dibulatkan ke satu desimal.";

/// A sheet: title, head, one table, notes and signatures.
#[derive(Debug, PartialEq)]
pub struct Paper {
    pub title: &'static str,
    pub school: String,
    /// Labels and values.
    pub head: Vec<(&'static str, String)>,
    pub columns: Vec<Column>,
    /// Columns that stay when the sheet is scrolled sideways.
    pub fixed: u16,
    pub rows: Vec<Vec<Cell>>,
    pub sums: Vec<Vec<Cell>>,
    pub notes: Vec<String>,
    pub signatures: Vec<Signature>,
    pub month: Month,
}

#[derive(Debug, PartialEq)]
pub struct Column {
    pub title: String,
    /// Under the title: the day of the week.
    pub beneath: Option<&'static str>,
    /// Millimetres on paper.
    pub width: f32,
    /// A day that does not count.
    pub is_off: bool,
    pub is_text: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Nothing,
    Text(String),
    Number(i64),
    /// One decimal.
    Percent(f64),
}

impl Cell {
    /// As it stands on paper, with a decimal comma.
    pub fn text(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Percent(percent) => format!("{percent:.1}").replace('.', ","),
        }
    }
}

/// Who signs, on a line of his own.
#[derive(Debug, PartialEq)]
pub struct Signature {
    pub above: &'static str,
    pub office: &'static str,
    pub name: Option<String>,
    pub number: Option<String>,
}

pub fn of_class(recap: &OfClass) -> Paper {
    let mut columns = vec![column("No", 7.0), text("NISN", 21.0), text("Nama", 49.0)];
    columns.extend(recap.head.days.iter().map(|day| Column {
        title: day.day.0.day().to_string(),
        beneath: WEEKDAYS.get(usize::from(day.weekday) - 1).copied(),
        width: 4.9,
        is_off: !day.counted,
        is_text: false,
    }));
    columns.extend(of_sums());
    let teacher = recap.homeroom_teacher.as_ref();
    let mut head = vec![("Kelas", recap.class.name.clone())];
    head.push(("Wali kelas", teacher.map_or_else(|| "-".into(), |teacher| teacher.name.clone())));
    head.extend(of_head(&recap.head));
    let right =
        signature("....................., .....................................", "Wali Kelas", teacher);
    Paper {
        title: "REKAP ABSENSI SISWA",
        school: recap.head.school.clone(),
        head,
        columns,
        fixed: 3,
        rows: recap.students.iter().zip(1..).map(|(one, no)| student(&recap.head, one, no)).collect(),
        sums: sums_of_days(recap),
        notes: notes(&recap.head),
        signatures: vec![of_principal(&recap.head), right],
        month: recap.head.month,
    }
}

pub fn of_school(recap: &OfSchool) -> Paper {
    let mut columns =
        vec![column("No", 9.0), text("Kelas", 50.0), text("Wali kelas", 85.0), column("Siswa", 18.0)];
    columns.extend(of_sums().map(|column| Column { width: column.width + 12.0, ..column }));
    let mut total = vec![Cell::Nothing, said("Jumlah"), Cell::Nothing, number(recap.students)];
    total.extend(sums(&recap.total));
    Paper {
        title: "REKAP ABSENSI SEKOLAH",
        school: recap.head.school.clone(),
        head: of_head(&recap.head),
        columns,
        fixed: 2,
        rows: recap.classes.iter().zip(1..).map(|(line, no)| of_line(line, no)).collect(),
        sums: vec![total],
        notes: notes(&recap.head),
        signatures: vec![of_principal(&recap.head)],
        month: recap.head.month,
    }
}

fn student(head: &Head, one: &Student, no: i64) -> Vec<Cell> {
    let mut cells = vec![
        Cell::Number(no),
        one.student.nisn_nip_nik.clone().map_or(Cell::Nothing, Cell::Text),
        Cell::Text(one.student.name.clone()),
    ];
    // Both are in the order of the days.
    let mut marks = one.marks.iter().peekable();
    cells.extend(
        head.days.iter().map(|day| {
            marks.next_if(|mark| mark.day == day.day).map_or(Cell::Nothing, |mark| said(mark.mark))
        }),
    );
    cells.extend(sums(&one.sums));
    cells
}

/// A line for each letter, day by day, and one for all.
fn sums_of_days(recap: &OfClass) -> Vec<Vec<Cell>> {
    let of = |letter: usize, sums: &Totals| letters(sums).get(letter).copied().unwrap_or_default();
    let line = |name: &str, of_day: &dyn Fn(&Totals) -> i64, end: [Cell; 6]| {
        let mut cells = vec![Cell::Nothing, Cell::Nothing, said(name)];
        let day =
            |day: &super::Day| day.sums.as_ref().map_or(Cell::Nothing, |sums| Cell::Number(of_day(sums)));
        cells.extend(recap.head.days.iter().map(day));
        cells.extend(end);
        cells
    };
    let nothing = || [const { Cell::Nothing }; 6];
    let names = ["Hadir (H)", "Sakit (S)", "Izin (I)", "Alpha (A)"].into_iter().enumerate();
    let mut lines: Vec<_> =
        names.map(|(letter, name)| line(name, &|sums| of(letter, sums), nothing())).collect();
    lines.push(line("Jumlah", &|sums| sums.effective_days, sums(&recap.total)));
    lines
}

fn of_line(line: &Line, no: i64) -> Vec<Cell> {
    let teacher =
        line.homeroom_teacher.as_ref().map_or(Cell::Nothing, |teacher| Cell::Text(teacher.name.clone()));
    let mut cells =
        vec![Cell::Number(no), Cell::Text(line.class.name.clone()), teacher, number(line.students)];
    cells.extend(sums(&line.sums));
    cells
}

const fn letters(sums: &Totals) -> [i64; 4] {
    [sums.present, sums.sick, sums.excused, sums.absent]
}

fn sums(sums: &Totals) -> [Cell; 6] {
    let [present, sick, excused, absent] = letters(sums).map(Cell::Number);
    let percentage = sums.percentage.map_or(Cell::Nothing, Cell::Percent);
    [present, sick, excused, absent, Cell::Number(sums.late_minutes), percentage]
}

fn of_sums() -> impl Iterator<Item = Column> {
    let letters = LETTERS.into_iter().map(|letter| column(letter, 6.4));
    letters.chain([column("Terlambat (menit)", 13.0), column("%", 9.5)])
}

fn of_head(head: &Head) -> Vec<(&'static str, String)> {
    let year = head.month.first().academic_year();
    let mut bulan = month(head.month);
    if let Some(through) = head.through.filter(|through| *through != head.month.last()) {
        bulan = format!("{bulan} (sampai {})", day(through));
    }
    vec![
        ("Bulan", bulan),
        ("Tahun pelajaran", format!("{year}/{}", year + 1)),
        ("Hari efektif", head.effective_days.to_string()),
    ]
}

fn notes(head: &Head) -> Vec<String> {
    let named: Vec<_> =
        head.days.iter().filter_map(|one| Some((one.day.0.day(), one.holiday.as_deref()?))).collect();
    // A holiday of some days is named once.
    let runs = named.chunk_by(|(day, name), (next, other)| day + 1 == *next && name == other);
    let run = |run: &[(u32, &str)]| match run {
        [] => None,
        [(day, name)] => Some(format!("{day} {name}")),
        [(first, name), .., (last, _)] => Some(format!("{first}–{last} {name}")),
    };
    let holidays: Vec<String> = runs.filter_map(run).collect();
    let mut notes = vec![LEGEND.to_owned()];
    if !holidays.is_empty() {
        notes.push(format!("Hari libur: {}.", holidays.join("; ")));
    }
    notes
}

fn of_principal(head: &Head) -> Signature {
    signature("Mengetahui,", "Kepala Sekolah", head.principal.as_ref())
}

fn signature(above: &'static str, office: &'static str, by: Option<&Named>) -> Signature {
    Signature {
        above,
        office,
        name: by.map(|one| one.name.clone()),
        number: by.and_then(|one| one.nisn_nip_nik.clone()),
    }
}

/// `November 2025`.
fn month(month: Month) -> String {
    let first = month.first().0;
    format!("{} {}", MONTHS.get(first.month0() as usize).unwrap_or(&""), first.year())
}

/// `21 November 2025`.
fn day(day: SchoolDay) -> String {
    format!("{} {}", day.0.day(), month(Month::of(day)))
}

fn column(title: &str, width: f32) -> Column {
    Column { title: title.into(), beneath: None, width, is_off: false, is_text: false }
}

fn text(title: &str, width: f32) -> Column {
    Column { is_text: true, ..column(title, width) }
}

fn said(text: &str) -> Cell {
    Cell::Text(text.into())
}

fn number(count: usize) -> Cell {
    Cell::Number(i64::try_from(count).unwrap_or(i64::MAX))
}
