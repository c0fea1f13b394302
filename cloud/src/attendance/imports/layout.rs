//! Which column of a table means what, by the text of its heading: columns move between versions of Dapodik, and every
//! school makes its own lists.

use crate::sheet::{Line, Table};

/// Lines in which the headings are looked for: titles stand above them.
const HEAD: usize = 20;
/// Digits of a NISN. A spreadsheet that takes it for a number drops the zeros before it, up to three of them for who was
/// born since 2000: the first three digits are the year of birth.
const NISN: usize = 10;
const LEAST_OF_NISN: usize = 7;

/// Headings as [`plain`] leaves them, each list by preference: of two columns that mean the same, the first that is filled
/// counts.
const NUMBER: &[&str] =
    &["nisnnipnik", "nisn", "nip", "nik", "nomorinduk", "noinduk", "idnumber", "studentnumber"];
const NAME: &[&str] =
    &["nama", "namalengkap", "namasiswa", "namapesertadidik", "namaguru", "name", "fullname"];
const EMAIL: &[&str] = &["email", "alamatemail", "surel", "emailaddress"];
const PHONE: &[&str] = &[
    "hp",
    "nohp",
    "nomorhp",
    "handphone",
    "nohandphone",
    "whatsapp",
    "nowa",
    "telepon",
    "notelepon",
    "nomortelepon",
    "telp",
    "notelp",
    "phone",
    "phonenumber",
    "mobile",
];
const ROLE: &[&str] = &["peran", "role", "roleid"];
const CLASS: &[&str] = &["kelas", "rombelsaatini", "rombel", "rombonganbelajar", "namakelas", "class"];
const PASSWORD: &[&str] = &["password", "katasandi", "sandi"];

const NISN_HEADING: &str = "nisn";
/// A table with these headings is Dapodik's list of students ("Daftar Peserta Didik"): only the NISN is a login there, never
/// the NIK beside it, and everybody in it is a student.
const DAPODIK: &[&str] = &[NISN_HEADING, "nama", "rombelsaatini"];

/// One person of a file, in texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// As a spreadsheet counts it.
    pub row: u64,
    pub number: Option<String>,
    pub name: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub role: Option<String>,
    pub class: Option<String>,
    pub password: Option<String>,
}

/// The columns of one meaning, and whether each is headed NISN.
struct Columns(Vec<(usize, bool)>);

impl Columns {
    fn find(headings: &[(usize, String)], known: &[&str]) -> Self {
        let column = |word: &&str| {
            let found = headings.iter().find(|(_, heading)| heading == word)?;
            Some((found.0, *word == NISN_HEADING))
        };
        Self(known.iter().filter_map(column).collect())
    }

    fn text(&self, line: &Line) -> Option<String> {
        let given = |(column, is_nisn): &(usize, bool)| {
            let given = line.cell(*column)?;
            Some(if *is_nisn { nisn(&given.text) } else { given.text.clone() })
        };
        self.0.iter().find_map(given)
    }

    /// A mobile number that was kept as a number has lost its zero.
    fn phone(&self, line: &Line) -> Option<String> {
        let given = self.0.iter().find_map(|(column, _)| line.cell(*column))?;
        Some(if given.is_number && given.text.starts_with('8') {
            format!("0{}", given.text)
        } else {
            given.text.clone()
        })
    }
}

/// The people of a table; `None` where no line has a heading for a number and one for a name.
pub fn read(table: &Table) -> Option<Vec<Entry>> {
    let headed = |line: &Line| {
        let headings: Vec<_> = line.cells().map(|(column, text)| (column, plain(text))).collect();
        let has = |known| !Columns::find(&headings, known).0.is_empty();
        (has(NUMBER) && has(NAME)).then_some(headings)
    };
    let (at, headings) =
        table.lines.iter().take(HEAD).enumerate().find_map(|(n, line)| Some((n, headed(line)?)))?;
    let is_dapodik = DAPODIK.iter().all(|word| headings.iter().any(|(_, heading)| heading == word));
    let columns = |known| Columns::find(&headings, known);
    let number = columns(if is_dapodik { &[NISN_HEADING] } else { NUMBER });
    let (name, email, phone) = (columns(NAME), columns(EMAIL), columns(PHONE));
    let (role, class, password) = (columns(ROLE), columns(CLASS), columns(PASSWORD));
    let entry = |line: &Line| Entry {
        row: line.row,
        number: number.text(line),
        name: name.text(line),
        email: email.text(line),
        phone: phone.phone(line),
        role: if is_dapodik { Some("siswa".into()) } else { role.text(line) },
        class: class.text(line).map(|name| name.split_whitespace().collect::<Vec<_>>().join(" ")),
        password: password.text(line),
    };
    // The second line of Dapodik's headings, and notes under a list, have nothing in our columns.
    let is_somebody = |entry: &Entry| {
        [&entry.number, &entry.name, &entry.email, &entry.phone, &entry.class]
            .iter()
            .any(|text| text.is_some())
    };
    Some(table.lines.iter().skip(at + 1).map(entry).filter(is_somebody).collect())
}

/// Letters and digits, in lower case: `E-Mail` and `email`, `No. HP` and `no hp` are the same.
pub fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// With the zeros a spreadsheet dropped.
fn nisn(text: &str) -> String {
    let is_short = (LEAST_OF_NISN..NISN).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if is_short { format!("{text:0>NISN$}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_that_are_the_same() {
        for text in ["E-Mail", "EMAIL", " e mail ", "e_mail"] {
            assert_eq!(plain(text), "email");
        }
        assert_eq!(plain("NISN / NIP / NIK"), "nisnnipnik");
        let all = [NUMBER, NAME, EMAIL, PHONE, ROLE, CLASS, PASSWORD].concat();
        assert!(all.iter().all(|word| plain(word) == *word), "as headings are compared");
    }

    #[test]
    fn zeros_that_were_dropped() {
        for (given, kept) in [
            ("51234567", "0051234567"),
            ("101234567", "0101234567"),
            ("1234567", "0001234567"),
            ("0051234567", "0051234567"),
            ("1001", "1001"),
            ("5123456A", "5123456A"),
            ("12345678901", "12345678901"),
        ] {
            assert_eq!(nisn(given), kept);
        }
    }
}
