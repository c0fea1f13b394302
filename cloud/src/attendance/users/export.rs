//! The accounts as a file. It can be imported again, and then changes nothing.

use hadir_shared::{ids::InstitutionId, wire::roster::Role};

use crate::{
    app::App,
    attendance::{
        classes,
        people::{Person, role_name},
        settings,
    },
    db::Tx,
    fail::Fail,
    sheet::{Column, Columns},
};

/// An account, and the class its student is in today.
pub struct Line {
    person: Person,
    class: Option<String>,
}

impl Columns for Line {
    const COLUMNS: &'static [Column<Self>] = &[
        ("NISN/NIP/NIK", |line| line.person.nisn_nip_nik.as_deref().into()),
        ("Nama", |line| line.person.name.as_str().into()),
        ("Email", |line| line.person.email.as_deref().into()),
        ("HP", |line| line.person.phone.as_deref().into()),
        ("Peran", |line| line.person.role_id.map(role_name).into()),
        ("Kelas", |line| line.class.as_deref().into()),
        ("Aktif", |line| line.person.is_active.into()),
        ("Dibuat", |line| line.person.created_at.into()),
        ("Diubah", |line| line.person.updated_at.into()),
    ];
}

pub async fn lines(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    people: Vec<Person>,
) -> Result<Vec<Line>, Fail> {
    let today = settings::load(tx, institution).await?.schedule.zone.day(app.now());
    let mut classes = classes::names_on(tx, institution, today).await?;
    let line = |person: Person| {
        let class = classes.remove(&person.id).filter(|_| person.role() == Some(Role::Siswa));
        Line { person, class }
    };
    Ok(people.into_iter().map(line).collect())
}
