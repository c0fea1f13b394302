//! The portraits of the school's people: thumbnails, fetched from the cloud beside everything else.
//!
//! Invariants:
//! - Nobody waits for a portrait: who has none here is shown by initials.
//! - What is kept is a JPEG that was decoded within limits, sealed, whole or not at all, under the key the cloud gave it: the
//!   same for ever.
//! - A portrait that nobody has any more is deleted.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Cursor, Write as _},
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

use hadir_shared::wire::roster::Person;
use image::{ImageFormat, ImageReader, Limits};

use super::View;
use crate::{
    ids::Ids,
    link::{Link, Unreachable},
    store::seal::Seal,
};

/// Where the cloud has them.
const FEED: &str = "/api/offline-sync/photos";
/// A thumbnail of 160 by 160 has a tenth of it.
const MOST_BYTES: usize = 64 * 1024;
const LONGEST_SIDE: u32 = 512;
const ALLOCATION: u64 = 4 * 1024 * 1024;
/// Portraits kept, of the largest school there is.
const MOST: usize = 10_000;
const LONGEST_KEY: usize = 64;
const ASIDE: &str = "new";

/// What is kept, in a folder of its own.
pub struct Portraits {
    folder: PathBuf,
    seal: Seal,
    ids: Ids,
    held: RwLock<BTreeSet<String>>,
}

impl Portraits {
    /// Finds what an earlier run kept. A folder that cannot be read holds none.
    pub fn open(data_dir: &Path, seal: Seal, ids: Ids) -> Self {
        let folder = data_dir.join("photos").join("portraits");
        let names = fs::read_dir(&folder).into_iter().flatten().flatten();
        let held = names.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| is_key(name));
        Self { held: RwLock::new(held.collect()), folder, seal, ids }
    }

    /// The key of somebody's portrait, if it is here.
    pub fn of(&self, person: &Person) -> Option<String> {
        person.photo.clone().filter(|key| self.holds(key))
    }

    fn holds(&self, key: &str) -> bool {
        self.held.read().unwrap_or_else(PoisonError::into_inner).contains(key)
    }

    /// The picture; `None` when it is not here, or cannot be opened. Reads the disk.
    pub fn read(&self, key: &str) -> Option<Vec<u8>> {
        let sealed = self.holds(key).then(|| fs::read(self.folder.join(key)).ok()).flatten()?;
        self.seal.open(&name(key), &sealed).ok()
    }

    /// Fetches what is missing of the people of `view`, two at a time, and deletes what nobody has any more. Answers how many
    /// the cloud did not have, or had something else for: they are asked for again another time.
    ///
    /// Nothing happens before the first roster is here.
    ///
    /// # Errors
    /// The cloud cannot be reached: the rest waits.
    pub async fn keep_up(&self, view: &View, link: &Link) -> Result<usize, Unreachable> {
        if view.cursor == 0 {
            return Ok(0);
        }
        let named = view.people().filter(|p| p.active).filter_map(|p| p.photo.as_deref());
        let wanted: BTreeSet<&str> = named.filter(|key| is_key(key)).take(MOST).collect();
        self.forget_all_but(&wanted);
        let missing: Vec<&str> = wanted.into_iter().filter(|key| !self.holds(key)).collect();
        let mut without = 0;
        for two in missing.chunks(2) {
            let second = async {
                match two.get(1) {
                    Some(key) => self.fetch(key, link).await,
                    None => Ok(true),
                }
            };
            let (first, second) = tokio::join!(self.fetch(two[0], link), second);
            without += usize::from(!first?) + usize::from(!second?);
        }
        Ok(without)
    }

    async fn fetch(&self, key: &str, link: &Link) -> Result<bool, Unreachable> {
        let answer = link.get(&format!("{FEED}/{key}")).await?;
        if answer.status != 200 || answer.body.len() > MOST_BYTES {
            return Ok(false);
        }
        let sealed = self.seal.seal(&self.ids, &name(key), &answer.body);
        let (aside, place) = (self.folder.join(format!("{key}.{ASIDE}")), self.folder.join(key));
        let kept = tokio::task::spawn_blocking(move || {
            is_portrait(&answer.body) && write(&aside, &place, &sealed).is_ok()
        });
        let is_kept = kept.await.unwrap_or(false);
        if is_kept {
            self.held.write().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned());
        }
        Ok(is_kept)
    }

    /// Whatever else lies in the folder goes too: nothing but portraits belongs there.
    fn forget_all_but(&self, wanted: &BTreeSet<&str>) {
        self.held.write().unwrap_or_else(PoisonError::into_inner).retain(|key| wanted.contains(key.as_str()));
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if !entry.file_name().to_str().is_some_and(|name| wanted.contains(name)) {
                // What stays is tried again the next time.
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

fn name(key: &str) -> String {
    format!("portrait/{key}")
}

/// Fit for a file's name and an address.
fn is_key(text: &str) -> bool {
    (1..=LONGEST_KEY).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn is_portrait(bytes: &[u8]) -> bool {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Jpeg);
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(ALLOCATION);
    reader.limits(limits);
    reader.decode().is_ok()
}

/// Aside, and then renamed: a power cut leaves a whole one or none.
fn write(aside: &Path, place: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::create(aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(aside, place)
}

#[cfg(test)]
mod tests {
    use hadir_shared::{
        ids::{InstitutionId, UserId},
        wire::roster::{Entry, Institution, Role, entity},
    };
    use image::{DynamicImage, Rgb, RgbImage};
    use uuid::Uuid;

    use super::*;
    use axum::{
        Router,
        http::{StatusCode, Uri},
        routing::get,
    };

    fn jpeg(side: u32) -> Vec<u8> {
        let mut bytes = Cursor::new(vec![]);
        let picture = DynamicImage::from(RgbImage::from_pixel(side, side, Rgb([200, 150, 120])));
        picture.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
        bytes.into_inner()
    }

    fn view(photos: &[(&str, bool)]) -> View {
        let people = (1_i64..).zip(photos).map(|(id, (photo, active))| {
            let person = Person {
                id: UserId(id),
                uuid: Uuid::nil(),
                number: id.to_string(),
                name: "Andi".into(),
                role: Role::Siswa,
                active: *active,
                class: None,
                verifier: None,
                photo: Some((*photo).into()),
            };
            let body = serde_json::to_string(&person).unwrap();
            Entry { cseq: 1, entity: entity::PERSON.into(), key: id.to_string(), deleted: false, body }
        });
        let entries: Vec<Entry> = people.collect();
        let school = Institution { id: InstitutionId(1), code: "A".into(), name: "A".into() };
        View::build(school, 1, None, &entries).0
    }

    async fn cloud() -> Link {
        let answer = async |at: Uri| match at.path().rsplit('/').next().unwrap_or_default() {
            "good" | "gone" => (StatusCode::OK, jpeg(160)),
            "huge" => (StatusCode::OK, jpeg(2_000)),
            "fat" => (StatusCode::OK, vec![0xFF; MOST_BYTES + 1]),
            "html" => (StatusCode::OK, b"<html>login</html>".to_vec()),
            _ => (StatusCode::NOT_FOUND, vec![]),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route(&format!("{FEED}/{{key}}"), get(answer));
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        Link::new(&base, Ids::seeded(1), None).unwrap()
    }

    fn open(folder: &Path) -> Portraits {
        Portraits::open(folder, Seal::new(&[7; 32]), Ids::seeded(2))
    }

    #[tokio::test]
    async fn what_people_have_is_fetched_once_kept_sealed_and_forgotten_with_them() {
        let (folder, link) = (tempfile::tempdir().unwrap(), cloud().await);
        let portraits = open(folder.path());
        let school = view(&[("good", true), ("gone", true), ("left", false)]);
        let person = |view: &View, id| view.person(UserId(id)).unwrap().clone();
        assert_eq!(portraits.of(&person(&school, 1)), None, "not yet");
        assert_eq!(portraits.keep_up(&school, &link).await.unwrap(), 0);
        assert_eq!(portraits.of(&person(&school, 1)).as_deref(), Some("good"));
        assert_eq!(portraits.of(&person(&school, 3)), None, "who has left");
        assert_eq!(portraits.read("good").unwrap(), jpeg(160));
        let lies = folder.path().join("photos/portraits/good");
        assert_ne!(fs::read(&lies).unwrap(), jpeg(160), "sealed");

        // Another run finds them, and the cloud is not asked again: nobody answers at this address.
        let nobody = Link::new("http://127.0.0.1:1", Ids::seeded(1), None).unwrap();
        let again = open(folder.path());
        assert_eq!(again.keep_up(&school, &nobody).await.unwrap(), 0);
        fs::write(folder.path().join("photos/portraits/torn.new"), b"x").unwrap();
        assert_eq!(again.keep_up(&view(&[("good", true)]), &nobody).await.unwrap(), 0);
        assert_eq!(again.read("gone"), None);
        let left: Vec<_> =
            fs::read_dir(lies.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["good"]);
        fs::write(&lies, b"another").unwrap();
        assert_eq!(again.read("good"), None, "what cannot be opened is not shown");
    }

    #[tokio::test]
    async fn what_is_no_portrait_is_not_kept() {
        let (folder, link) = (tempfile::tempdir().unwrap(), cloud().await);
        let portraits = open(folder.path());
        let strange = ["huge", "fat", "html", "missing", "../../secret.key", "", "a/b", ".", ".."];
        let school = view(&strange.map(|key| (key, true)));
        assert_eq!(portraits.keep_up(&school, &link).await.unwrap(), 4, "the others are not even asked for");
        for (id, key) in (1..).zip(strange) {
            assert_eq!(portraits.of(school.person(UserId(id)).unwrap()), None, "{key}");
            assert_eq!(portraits.read(key), None, "{key}");
        }
        let nobody = Link::new("http://127.0.0.1:1", Ids::seeded(1), None).unwrap();
        assert!(portraits.keep_up(&school, &nobody).await.is_err());
    }
}
