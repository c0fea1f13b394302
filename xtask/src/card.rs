//! `cargo xtask card DIR`: the demo school's cards as pictures.

use std::{collections::HashMap, fs, path::PathBuf};

use anyhow::Context as _;
use clap::Args;
use hadir_shared::{
    card::Card,
    demo::{self, PASSWORD},
    ids::{InstitutionId, UserId},
    sign::SecretKey,
};
use hadir_tests::{api::Api, cards};
use serde_json::Value;

#[derive(Args)]
pub struct Arguments {
    /// Where to put the pictures, one PNG a student
    dir: PathBuf,
    /// The school's code
    #[arg(long, default_value = "SMAN1")]
    school: String,
    /// A running cloud with the demo school: its cards are drawn, with the codes it signed
    #[arg(long, value_name = "URL", conflicts_with = "key")]
    cloud: Option<String>,
    /// Without a cloud: a file with the school's card key, 32 bytes in hexadecimal; made when it is missing
    #[arg(long, value_name = "FILE", default_value = "card.key")]
    key: PathBuf,
}

pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let faces = match &arguments.cloud {
        Some(cloud) => {
            let school = school(&arguments.school)?;
            let admin =
                school.people.iter().find(|person| person.role == hadir_shared::wire::roster::Role::Admin);
            let number = &admin.context("a school without an administrator")?.number;
            let pupils = pupils(&Api::login(cloud, number, PASSWORD).await?).await?;
            pupils.into_iter().map(|pupil| cards::Face { school: school.name.into(), ..pupil.face }).collect()
        }
        None => alone(&school(&arguments.school)?, &key(&arguments.key)?)?,
    };
    fs::create_dir_all(&arguments.dir)?;
    for face in &faces {
        cards::draw(face)?.save(arguments.dir.join(format!("{}.png", face.number)))?;
    }
    println!("{} cards in {}", faces.len(), arguments.dir.display());
    Ok(())
}

fn school(code: &str) -> anyhow::Result<demo::School> {
    demo::schools()
        .into_iter()
        .find(|school| school.code == code)
        .with_context(|| format!("no demo school {code}"))
}

/// The cards of a box that stands alone: its school is number 1, its students are numbered as their logins say.
fn alone(school: &demo::School, key: &SecretKey) -> anyhow::Result<Vec<cards::Face>> {
    let face = |person: &demo::Person| {
        let student = UserId(person.number.parse()?);
        let card = Card { institution: InstitutionId(1), student, serial: 1, epoch: 0 };
        Ok(cards::Face {
            school: school.name.into(),
            name: person.name.clone(),
            number: person.number.clone(),
            class: person
                .class
                .and_then(|class| school.classes.get(class))
                .map_or(String::new(), |c| c.name.into()),
            code: card.sign(key)?,
        })
    };
    school.students().map(face).collect()
}

fn key(path: &PathBuf) -> anyhow::Result<SecretKey> {
    if !path.exists() {
        let seed: [u8; 32] = rand::random();
        fs::write(path, format!("{}\n", hadir_shared::chain::Hash(seed)))?;
        eprintln!("made a card key in {}", path.display());
    }
    let text = fs::read_to_string(path)?;
    let seed: hadir_shared::chain::Hash = text.trim().parse().context("not 32 bytes in hexadecimal")?;
    Ok(SecretKey::from_seed(&seed.0))
}

/// A student of a running cloud, and the card that is valid now.
#[derive(Debug, Clone)]
pub struct Pupil {
    pub id: i64,
    pub class: i64,
    pub face: cards::Face,
}

/// A class of a running cloud.
#[derive(Debug, Clone)]
pub struct Class {
    pub id: i64,
    pub name: String,
}

/// The school's classes, by number.
///
/// # Errors
/// When the cloud does not answer as its contract says.
pub async fn classes(admin: &Api) -> anyhow::Result<Vec<Class>> {
    let answer = admin.get("/api/classes").await?;
    let class =
        |class: &Value| Some(Class { id: class["id"].as_i64()?, name: class["name"].as_str()?.into() });
    let all: Option<Vec<_>> =
        answer["data"].as_array().context("no list of classes")?.iter().map(class).collect();
    all.context("a class without a number or a name")
}

/// Every student with an active card, by number.
///
/// # Errors
/// When the cloud does not answer as its contract says.
pub async fn pupils(admin: &Api) -> anyhow::Result<Vec<Pupil>> {
    let answer = admin.get("/api/student-qr-cards").await?;
    let list = answer["data"].as_array().context("no list of cards")?;
    let active = list.iter().filter(|card| card["is_active"] == true);
    let active: HashMap<_, _> =
        active.filter_map(|card| Some((card["student_id"].as_i64()?, card))).collect();
    let mut pupils = Vec::with_capacity(active.len());
    for class in classes(admin).await? {
        let answer = admin.get(&format!("/api/classes/{}/students", class.id)).await?;
        for student in answer["data"]["students"].as_array().context("a class without students")? {
            let id = student["id"].as_i64().context("a student without a number")?;
            let Some(card) = active.get(&id) else { continue };
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            pupils.push(Pupil {
                id,
                class: class.id,
                face: cards::Face {
                    school: "Hadir".into(),
                    name: text(&student["name"]),
                    number: text(&student["nisn_nip_nik"]),
                    class: class.name.clone(),
                    code: text(&card["signed_code"]),
                },
            });
        }
    }
    pupils.sort_by(|a, b| a.face.number.cmp(&b.face.number));
    Ok(pupils)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_made_without_a_cloud_are_signed_by_the_key_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("card.key");
        let first = key(&file).unwrap();
        assert_eq!(first.public(), key(&file).unwrap().public(), "the key is kept");
        let faces = alone(&school("SMAN1").unwrap(), &first).unwrap();
        assert_eq!(faces.len(), 180);
        let Ok(hadir_shared::card::Code::Signed(card)) = hadir_shared::card::parse(&faces[0].code) else {
            panic!()
        };
        assert!(card.verify(InstitutionId(1), |_| Some(first.public())).is_ok());
    }
}
