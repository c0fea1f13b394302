//! Decides what an import would do, without doing it.

use std::collections::{HashMap, HashSet, hash_map};

use hadir_shared::{
    ids::{ClassId, UserId},
    wire::roster::Role,
};

use super::layout::{Entry, plain};
use crate::{
    attendance::{
        classes,
        users::{self, PHONE},
    },
    fail::{Flaw, Problem},
    http::Check,
    identity::user::Names,
};

/// Somebody of the school who has an account.
#[derive(Debug, Clone)]
pub struct Known {
    pub id: UserId,
    pub name: String,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub role: Option<i64>,
    /// Who is not is in no class, and comes to none.
    pub is_active: bool,
    /// The classes he is in today.
    pub classes: Vec<ClassId>,
    /// May do more in the core than who imports: his account is not to be touched.
    pub is_above: bool,
}

/// What is there before an import.
#[derive(Debug, Default)]
pub struct World {
    pub school: Names,
    /// The school's people, by number.
    pub people: HashMap<String, Known>,
    /// Numbers that are somebody's of another school, or of no role here.
    pub taken_numbers: HashSet<String>,
    /// E-mail addresses in use anywhere, and whose of this school.
    pub emails: HashMap<String, Option<UserId>>,
    /// The school's classes, by [`folded`] name.
    pub classes: HashMap<String, ClassId>,
    /// Whether a class that is not there is made.
    pub makes_classes: bool,
}

/// A row that is valid, or what is wrong with it.
#[derive(Debug)]
pub struct Row {
    /// Where it stands, as a spreadsheet counts it.
    pub line: u64,
    pub number: String,
    pub name: String,
    pub step: Step,
}

#[derive(Debug)]
pub enum Step {
    Create(Person),
    Update(UserId, Person),
    Unchanged,
    Refused(Vec<Problem>),
}

/// What an account is to be. Of one that is there, `None` leaves what stands.
#[derive(Debug)]
pub struct Person {
    pub email: Option<String>,
    pub phone: Option<String>,
    pub role: i64,
    pub password: Option<String>,
    /// The name of the class he is to be in and is not.
    pub class: Option<String>,
    /// The classes he leaves for it.
    pub leaves: Vec<ClassId>,
    /// Anything of the account itself, beside the class.
    pub changes_account: bool,
}

/// Every row, in the order of the file.
pub fn plan(entries: Vec<Entry>, world: &World) -> Vec<Row> {
    let (mut numbers, mut emails) = (HashMap::new(), HashMap::new());
    entries
        .into_iter()
        .map(|entry| {
            let mut check = Check::new();
            let row = read(&mut check, entry, world);
            once(&mut check, &mut numbers, "nisn_nip_nik", &row.number, row.line);
            if let Step::Create(Person { email: Some(email), .. })
            | Step::Update(_, Person { email: Some(email), .. }) = &row.step
            {
                once(&mut check, &mut emails, "email", email, row.line);
            }
            match check.into_problems() {
                none if none.is_empty() => row,
                problems => Row { step: Step::Refused(problems), ..row },
            }
        })
        .collect()
}

/// A value that may stand in one row only.
fn once(check: &mut Check, seen: &mut HashMap<String, u64>, field: &'static str, value: &str, row: u64) {
    match seen.entry(value.to_owned()) {
        _ if value.is_empty() => {}
        hash_map::Entry::Vacant(free) => drop(free.insert(row)),
        hash_map::Entry::Occupied(first) => {
            check.flaw(field, Flaw::Said(format!("{field} sama dengan baris {}", first.get()).into()));
        }
    }
}

fn read(check: &mut Check, entry: Entry, world: &World) -> Row {
    let number = users::number(check, entry.number);
    let name = check.line("name", entry.name, 1..=255);
    let email = check.email("email", entry.email);
    let phone = check.optional_text("phone", entry.phone, PHONE);
    if let Some(password) = &entry.password {
        let email = email.as_deref().unwrap_or_default();
        users::strong(check, password, &[&name, &number, email, &world.school.code, &world.school.name]);
    }
    let role = role(check, entry.role.as_deref());
    let class = check.optional_text("class", entry.class, 1..=classes::NAME_MAX);
    let known = world.people.get(&number);
    check.that(!world.taken_numbers.contains(&number), "nisn_nip_nik", Flaw::Taken);
    if let Some(owner) = email.as_ref().and_then(|email| world.emails.get(email)) {
        check.that(owner.is_some() && *owner == known.map(|known| known.id), "email", Flaw::Taken);
    }
    if let Some(class) = &class {
        check.that(world.makes_classes || world.class(class).is_some(), "class", Flaw::NoSuch);
    }
    let is_role = |role: i64| role == i64::from(Role::Siswa);
    let new = Person {
        email,
        phone,
        role: role.or(known.and_then(|known| known.role)).unwrap_or(Role::Siswa.into()),
        password: entry.password,
        class,
        leaves: Vec::new(),
        changes_account: true,
    };
    check.that(
        new.class.is_none() || is_role(new.role),
        "class",
        Flaw::Said("hanya siswa yang dapat dimasukkan ke kelas".into()),
    );
    let step = match known {
        None => Step::Create(new),
        Some(known) => change(check, known, role, &name, new, world),
    };
    Row { line: entry.row, number, name, step }
}

fn change(
    check: &mut Check,
    known: &Known,
    role: Option<i64>,
    name: &str,
    new: Person,
    world: &World,
) -> Step {
    let keeps_role = role.is_none() || role == known.role;
    check.that(keeps_role, "role", Flaw::Said("peran akun yang sudah ada tidak diubah oleh impor".into()));
    let differs = |new: &Option<String>, old: &Option<String>| new.is_some() && new != old;
    let changes_account =
        name != known.name || differs(&new.email, &known.email) || differs(&new.phone, &known.phone);
    check.that(
        !(changes_account && known.is_above),
        "nisn_nip_nik",
        Flaw::Said("Anda tidak memiliki izin untuk mengubah akun ini".into()),
    );
    // Who is in the class already stays as he is; who comes to it leaves the others.
    let class =
        new.class.filter(|name| world.class(name).is_none_or(|class| !known.classes.contains(&class)));
    check.that(class.is_none() || known.is_active, "class", Flaw::Said("akun ini tidak aktif".into()));
    let leaves = if class.is_some() { known.classes.clone() } else { Vec::new() };
    if changes_account || class.is_some() {
        Step::Update(known.id, Person { class, leaves, changes_account, ..new })
    } else {
        Step::Unchanged
    }
}

impl World {
    pub fn class(&self, name: &str) -> Option<ClassId> {
        self.classes.get(&folded(name)).copied()
    }
}

/// A class's name, as two are compared: `x ipa 1` is `X IPA 1`, but `XI I` is not `X II`.
pub fn folded(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// A word for a role, or its number.
fn role(check: &mut Check, given: Option<&str>) -> Option<i64> {
    let given = given?;
    let role = match plain(given).as_str() {
        "siswa" | "pesertadidik" | "murid" | "student" | "1" => Role::Siswa,
        "guru" | "teacher" | "2" => Role::Guru,
        "pegawai" | "tendik" | "staff" | "3" => Role::Pegawai,
        "kepalasekolah" | "principal" | "4" => Role::KepalaSekolah,
        "admin" | "5" => Role::Admin,
        _ => {
            check.flaw("role", Flaw::NotOneOf(&["siswa", "guru", "pegawai", "kepala_sekolah", "admin"]));
            return None;
        }
    };
    Some(role.into())
}

/// The names of classes that are not there yet, each once, as the file spells it first.
pub fn new_classes(rows: &[Row], world: &World) -> Vec<String> {
    let mut seen = HashSet::new();
    let name = |row: &Row| match &row.step {
        Step::Create(person) | Step::Update(_, person) => person.class.clone(),
        Step::Unchanged | Step::Refused(_) => None,
    };
    rows.iter()
        .filter_map(name)
        .filter(|name| world.class(name).is_none() && seen.insert(folded(name)))
        .collect()
}
