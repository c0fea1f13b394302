//! What a class is called a year later, as Indonesian schools name them: *X IPA 1* is *XI IPA 1*, *7A* is *8A*.

/// The next grade's name, or that there is none: the students of the last grade leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    Named(String),
    Leaves,
    /// The name begins with no grade.
    Unknown,
}

/// Grades in Roman numerals. The last grade of each kind of school is 6, 9 or 12.
const ROMAN: &[&str] = &["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// `names` are the school's classes: whether grade 7 follows 6 in this very school is seen by them.
pub fn next<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Next {
    let Some(grade) = Grade::read(name) else { return Next::Unknown };
    let has_next = || names.into_iter().filter_map(Grade::read).any(|other| other.number == grade.number + 1);
    if matches!(grade.number, 6 | 9 | 12) && (grade.number == 12 || !has_next()) {
        return Next::Leaves;
    }
    Next::Named(grade.raised())
}

/// A grade at the beginning of a name, and what follows it.
struct Grade<'a> {
    number: usize,
    is_roman: bool,
    before: &'a str,
    rest: &'a str,
}

impl<'a> Grade<'a> {
    fn read(name: &'a str) -> Option<Self> {
        let trimmed = name.trim_start();
        let start = if trimmed.to_lowercase().starts_with("kelas ") { "kelas ".len() } else { 0 };
        let (before, name) = trimmed.split_at(start);
        let digits = name.find(|c: char| !c.is_ascii_digit()).unwrap_or(name.len());
        let letters = name.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(name.len());
        if digits > 0 {
            let number = name.get(..digits)?.parse().ok().filter(|n| (1..=12).contains(n))?;
            return Some(Self { number, is_roman: false, before, rest: name.get(digits..)? });
        }
        let number = ROMAN.iter().position(|roman| name.get(..letters) == Some(*roman))? + 1;
        Some(Self { number, is_roman: true, before, rest: name.get(letters..)? })
    }

    fn raised(&self) -> String {
        let next = self.number + 1;
        let written = match ROMAN.get(next - 1) {
            Some(roman) if self.is_roman => (*roman).to_owned(),
            _ => next.to_string(),
        };
        format!("{}{written}{}", self.before, self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_goes_to_the_grade_after_its_own() {
        let to = |text: &str| Next::Named(text.into());
        let cases = [
            ("X IPA 1", to("XI IPA 1")),
            ("XI-B", to("XII-B")),
            ("XII IPS 2", Next::Leaves),
            ("VII A", to("VIII A")),
            ("7A", to("8A")),
            ("9C", Next::Leaves),
            ("Kelas 4", to("Kelas 5")),
            ("6", to("7")),
            ("12 TKJ", Next::Leaves),
            ("Tahfiz", Next::Unknown),
            ("XIPA", Next::Unknown),
            ("13", Next::Unknown),
            ("", Next::Unknown),
        ];
        let names = ["6", "7A", "8A", "9C", "X IPA 1", "XI IPA 1"];
        for (name, expected) in cases {
            // A school that ends with grade 9 has no 10.
            let own = names.iter().copied().filter(|other| name != "9C" || !other.starts_with('X'));
            assert_eq!(next(name, own), expected, "{name}");
        }
        assert_eq!(next("VI", ["V", "VI"]), Next::Leaves);
    }
}
