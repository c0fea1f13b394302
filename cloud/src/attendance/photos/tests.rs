use std::{collections::BTreeSet, io::Cursor};

use axum::http::header;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use image::{ImageFormat, RgbImage};
use serde_json::{Value, json};

use crate::{
    attendance::{
        fleet::hand::HandBox,
        tests::{HERE, School, both, class, count, picture, school, student},
    },
    identity::seed,
    jobs::Worker,
    testing::{Answer, TestApp, request},
};

const OWN: &str = "/api/profile/photo";
const ENTRIES: &str = "SELECT COUNT(*) FROM files WHERE institution_id = $1 AND kind = 'profile'";
const AUDITED: &str = "SELECT COUNT(*) FROM audit_log WHERE institution_id = $1 AND action = 'user.photo'";
const JOBS: &str =
    "SELECT COUNT(*) FROM jobs WHERE institution_id = $1 AND kind = 'files.erase' AND state = 'waiting'";

fn of(path: &Value) -> &str {
    path["data"]["photo_path"].as_str().unwrap_or_else(|| panic!("{path}"))
}

fn png() -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    RgbImage::new(300, 200).write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A form as a browser sends one.
async fn form(t: &TestApp, path: &str, token: &str, name: &str, kind: &str, bytes: &[u8]) -> Answer {
    let head = format!(
        "--edge\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"{name}\"\r\nContent-Type: {kind}\r\n\r\n"
    );
    let body = [head.as_bytes(), bytes, b"\r\n--edge--\r\n"].concat();
    let request =
        request("POST", path, Some(token)).header("content-type", "multipart/form-data; boundary=edge");
    t.send(request.body(body.into()).unwrap()).await
}

/// The names of everything that lies in the object store.
fn objects(t: &TestApp) -> BTreeSet<String> {
    let folder = t.app.config.data_dir.join("files");
    let Ok(files) = std::fs::read_dir(folder) else { return BTreeSet::new() };
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

async fn work(t: &TestApp) -> usize {
    Worker::new(t.app.clone(), crate::kinds()).drain().await.unwrap()
}

async fn upload(t: &TestApp, path: &str, token: &str) -> String {
    let answer = t.post(path, Some(token), json!({"photo": picture(40)})).await;
    assert_eq!(answer.status, 200, "{} {}", t.on, answer.body);
    of(&answer.body).to_owned()
}

async fn pupil(t: &TestApp, school: &School, number: &str) -> (i64, String) {
    let room = class(t, school, &format!("X {number}"), None).await;
    let id = student(t, school, room, number).await;
    (id.0, t.login(number).await)
}

#[tokio::test]
async fn a_photo_is_uploaded_replaced_and_removed() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (id, pupil) = pupil(&t, &school, "1001").await;
        let first = t.post(OWN, Some(&pupil), json!({"photo": picture(40)})).await;
        assert_eq!(first.body["message"], "Foto profil berhasil diperbarui", "{} {}", t.on, first.body);
        let old = of(&first.body).to_owned();
        assert_eq!(old.len(), "/files/".len() + 32);
        for profile in ["/api/profile", &format!("/api/users/{id}")] {
            let token = if profile == "/api/profile" { &pupil } else { &school.admin };
            assert_eq!(of(&t.get(profile, Some(token)).await.body), old);
        }
        assert_eq!(work(&t).await, 0, "there was nothing to erase");

        let second = form(&t, OWN, &pupil, "../../saya.png", "image/png", &png()).await;
        let new = of(&second.body).to_owned();
        assert_ne!(new, old);
        assert_eq!(t.get(&old, Some(&pupil)).await.status, 404, "gone at once");
        assert_eq!(objects(&t).len(), 4, "and still on the disk");
        assert_eq!(count(&t, JOBS, &school).await, 1);
        assert_eq!(work(&t).await, 1);
        let key = new.strip_prefix("/files/").unwrap();
        assert_eq!(objects(&t), BTreeSet::from([key.to_owned(), format!("{key}.thumb")]));
        assert_eq!(t.get(&new, Some(&pupil)).await.status, 200);

        let gone = json!({"success": true, "message": "Foto profil berhasil dihapus"});
        for _ in 0..2 {
            assert_eq!(t.delete(OWN, Some(&pupil)).await.parts(), (200, &gone), "{}", t.on);
        }
        assert_eq!(t.get("/api/profile", Some(&pupil)).await.body["data"]["photo_path"], Value::Null);
        assert_eq!(work(&t).await, 1);
        assert_eq!((objects(&t).len(), count(&t, ENTRIES, &school).await), (0, 0), "{}", t.on);
        assert_eq!(count(&t, AUDITED, &school).await, 4);
    })
    .await;
}

#[tokio::test]
async fn eight_at_once_leave_one_photo() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (_, pupil) = pupil(&t, &school, "1001").await;
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (t, pupil) = (t.clone(), pupil.clone());
                tokio::spawn(async move { upload(&t, OWN, &pupil).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!((count(&t, ENTRIES, &school).await, work(&t).await), (1, 7), "{}", t.on);
        let profile = t.get("/api/profile", Some(&pupil)).await.body;
        let key = of(&profile).strip_prefix("/files/").unwrap().to_owned();
        assert_eq!(objects(&t), BTreeSet::from([key.clone(), format!("{key}.thumb")]), "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn staff_of_the_school_see_it_large_and_small_and_nobody_else_does() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = super::super::tests::school(&t, "B", "5101").await;
        let (_, pupil) = pupil(&t, &school, "1001").await;
        t.user(school.id, "1002", seed::STUDENT).await;
        let classmate = t.login("1002").await;
        let (_, teacher) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let (_, clerk) = t.signed_in(school.id, "3001", seed::STAFF).await;
        let (_, principal) = t.signed_in(school.id, "4001", seed::PRINCIPAL).await;
        let (_, foreign) = t.signed_in(other.id, "2101", seed::TEACHER).await;
        let path = upload(&t, OWN, &pupil).await;
        let small = format!("{path}?size=thumb");
        for who in [&pupil, &teacher, &clerk, &principal, &school.admin] {
            for path in [&path, &small] {
                let seen = t.get(path, Some(who)).await;
                assert_eq!(seen.status, 200, "{}", t.on);
                assert_eq!(seen.headers[header::CONTENT_TYPE], "image/jpeg");
                assert_eq!(seen.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
                assert_eq!(seen.headers[header::CACHE_CONTROL], "private, max-age=86400, immutable");
            }
        }
        let unknown = json!({"success": false, "message": "File tidak ditemukan"});
        for who in [&classmate, &foreign, &other.admin] {
            for path in [&path, &small] {
                assert_eq!(t.get(path, Some(who)).await.parts(), (404, &unknown), "{}", t.on);
            }
        }
        assert_eq!(t.get(&path, None).await.status, 401);
        assert_eq!(t.get(&format!("{path}.thumb"), Some(&school.admin)).await.status, 404);
        let bad = t.get(&format!("{path}?size=large"), Some(&pupil)).await;
        assert_eq!((bad.status.as_u16(), bad.body["errors"]["size"].is_array()), (422, true));

        // What a browser has it is not sent again, and only to who may see it.
        let tag = t.get(&path, Some(&pupil)).await.headers[header::ETAG].clone();
        let again = async |token: &str| {
            let asked = request("GET", &path, Some(token)).header(header::IF_NONE_MATCH, &tag);
            t.send(asked.body(axum::body::Body::empty()).unwrap()).await.parts().0
        };
        assert_eq!((again(&pupil).await, again(&classmate).await), (304, 404));
    })
    .await;
}

#[tokio::test]
async fn what_is_no_photo_is_refused_and_leaves_nothing() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (_, pupil) = pupil(&t, &school, "1001").await;
        let mut jpeg = Cursor::new(Vec::new());
        RgbImage::new(300, 200).write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
        let jpeg = jpeg.into_inner();
        // A PNG's header that claims 50,000 × 50,000.
        let mut bomb = png();
        bomb[16..24].copy_from_slice(&[0, 0, 0xc3, 0x50, 0, 0, 0xc3, 0x50]);
        let svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>";
        let long = [png(), vec![0; 2 << 20]].concat();
        let cases: [(&str, &[u8]); 6] = [
            ("SVG", svg),
            ("a page", b"<!doctype html><script>alert(1)</script>"),
            ("a bomb", &bomb),
            ("a JPEG cut short", &jpeg[..jpeg.len() / 2]),
            ("2 MB and more", &long),
            ("nothing", b""),
        ];
        let said = json!(["photo harus berupa gambar JPEG, PNG atau WebP, paling besar 2 MB"]);
        for (what, bytes) in cases {
            let sent = form(&t, OWN, &pupil, "saya.png", "image/png", bytes).await;
            assert_eq!(
                (sent.status.as_u16(), &sent.body["errors"]["photo"]),
                (422, &said),
                "{what} {}",
                sent.body
            );
            if !bytes.is_empty() {
                let sent = t.post(OWN, Some(&pupil), json!({"photo": STANDARD.encode(bytes)})).await;
                assert_eq!((sent.status.as_u16(), &sent.body["errors"]["photo"]), (422, &said), "{what}");
            }
        }
        for missing in [json!({}), json!({"photo": null}), json!({"photo": " "}), json!({"photo": ""})] {
            let sent = t.post(OWN, Some(&pupil), missing).await;
            assert_eq!(sent.body["errors"]["photo"], json!(["photo wajib diisi"]), "{}", sent.body);
        }
        let huge = vec![0; 10 << 20];
        assert_eq!(form(&t, OWN, &pupil, "x.png", "image/png", &huge).await.status, 413);
        assert_eq!(t.post(OWN, Some(&pupil), json!({"photo": "A".repeat(10 << 20)})).await.status, 413);
        let form_without_edges =
            request("POST", OWN, Some(&pupil)).header("content-type", "multipart/form-data");
        assert_eq!(t.send(form_without_edges.body(png().into()).unwrap()).await.status, 422);
        let raw = request("POST", OWN, Some(&pupil)).header("content-type", "image/png");
        assert_eq!(t.send(raw.body(png().into()).unwrap()).await.status, 415);
        assert_eq!((objects(&t).len(), count(&t, ENTRIES, &school).await), (0, 0), "{}", t.on);
        refuses_what_is_no_photo_at_all(&t, &pupil).await;

        // A picture that is a page as well, under a name that is a path, is only a picture afterwards.
        let polyglot = [jpeg, b"<script>alert(1)</script>".to_vec()].concat();
        let kept = form(&t, OWN, &pupil, "../../x.html", "text/html", &polyglot).await;
        assert_eq!(kept.status, 200, "{}", kept.body);
        let key = of(&kept.body).strip_prefix("/files/").unwrap().to_owned();
        assert_eq!(objects(&t), BTreeSet::from([key.clone(), format!("{key}.thumb")]));
        for name in objects(&t) {
            let bytes = std::fs::read(t.app.config.data_dir.join("files").join(name)).unwrap();
            assert!(!bytes.windows(7).any(|part| part == b"<script"));
        }
        assert_eq!((t.delete(OWN, Some(&pupil)).await.status.as_u16(), work(&t).await), (200, 1));
    })
    .await;
}

async fn refuses_what_is_no_photo_at_all(t: &TestApp, token: &str) {
    // Larger bodies than elsewhere are read here, so the shared table's 413 does not hold.
    for (kind, body, status) in [
        ("application/json", "{", 400),
        ("application/json", "[]", 422),
        ("application/json", "{\"photo\": 7}", 422),
        ("text/plain", "{\"photo\": \"x\"}", 415),
        ("multipart/form-data; boundary=edge", "--edge\r\nbroken", 400),
    ] {
        let sent = request("POST", OWN, Some(token)).header("content-type", kind).body(body.into()).unwrap();
        let sent = t.send(sent).await;
        assert_eq!(sent.status, status, "{kind} {body} {}", sent.body);
        assert_eq!(sent.body["success"], false);
    }
}

#[tokio::test]
async fn only_admins_of_the_school_change_somebody_elses() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = super::super::tests::school(&t, "B", "5101").await;
        let (id, pupil) = pupil(&t, &school, "1001").await;
        let classmate = t.user(school.id, "1002", seed::STUDENT).await;
        let (_, teacher) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let path = format!("/api/users/{id}/photo");
        let photo = json!({"photo": picture(8)});
        let denied =
            json!({"success": false, "message": "Anda tidak memiliki izin untuk mengelola pengguna"});
        for (who, whose) in [(&pupil, classmate.0), (&pupil, id), (&teacher, id)] {
            let path = format!("/api/users/{whose}/photo");
            assert_eq!(t.post(&path, Some(who), photo.clone()).await.parts(), (403, &denied), "{}", t.on);
            assert_eq!(t.delete(&path, Some(who)).await.parts(), (403, &denied));
        }
        assert_eq!(t.post(&path, None, photo.clone()).await.status, 401);
        assert_eq!(t.post(OWN, None, photo.clone()).await.status, 401);
        let unknown = json!({"success": false, "message": "Pengguna tidak ditemukan"});
        for path in [&path, "/api/users/999999/photo"] {
            assert_eq!(t.post(path, Some(&other.admin), photo.clone()).await.parts(), (404, &unknown));
            assert_eq!(t.delete(path, Some(&other.admin)).await.parts(), (404, &unknown));
        }
        assert_eq!(objects(&t).len(), 0, "nothing was kept for a refusal");

        let kept = upload(&t, &path, &school.admin).await;
        assert_eq!(of(&t.get("/api/profile", Some(&pupil)).await.body), kept);
        assert_eq!(t.delete(&path, Some(&other.admin)).await.status, 404);
        assert_eq!(t.get(&kept, Some(&pupil)).await.status, 200, "untouched");
        assert_eq!(t.delete(&path, Some(&school.admin)).await.status, 200);
        assert_eq!(t.get(&kept, Some(&pupil)).await.status, 404);
        assert_eq!(work(&t).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_path_in_an_account_is_the_persons_own_photo_or_none() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (id, pupil) = pupil(&t, &school, "1001").await;
        let second = t.user(school.id, "1002", seed::STUDENT).await;
        let (_, teacher) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let theirs = upload(&t, &format!("/api/users/{second}/photo"), &school.admin).await;
        let mine = upload(&t, OWN, &pupil).await;
        let scan =
            json!({"nisn_nip_nik": "1001", "latitude": HERE.0, "longitude": HERE.1, "photo": picture(8)});
        let scan = t.post("/api/student-attendance/scan-qr", Some(&teacher), scan).await.body;
        let gate = of(&scan).to_owned();
        let account = format!("/api/users/{id}");
        let put = async |path: Value| t.put(&account, Some(&school.admin), json!({"photo_path": path})).await;
        let no_such = json!({"photo_path": ["photo_path tidak ditemukan"]});
        let nothing = format!("/files/{}", "0".repeat(32));
        for foreign in [theirs.as_str(), &gate, &nothing, "/files/../cloud.db", "/files/", "/files/%2e%2e"] {
            let refused = put(foreign.into()).await;
            assert_eq!((refused.status.as_u16(), &refused.body["errors"]), (422, &no_such), "{foreign}");
        }
        for kept in [mine.as_str(), "profiles/andi.jpg", "../../etc/passwd"] {
            assert_eq!(of(&put(kept.into()).await.body), mine, "{kept}");
        }
        let new = json!({
            "nisn_nip_nik": "1009", "name": "Baru", "password": crate::testing::PASSWORD, "role_id": 1, "photo_path": theirs,
        });
        let refused = t.post("/api/users", Some(&school.admin), new).await;
        assert_eq!((refused.status.as_u16(), &refused.body["errors"]), (422, &no_such));

        assert_eq!(put(Value::Null).await.body["data"]["photo_path"], Value::Null);
        assert_eq!(t.get(&mine, Some(&pupil)).await.status, 404, "cleared is removed");
        assert_eq!(put(mine.into()).await.status, 422, "and does not come back");
        assert_eq!(work(&t).await, 1);
        // Who leaves no record takes his photo with him.
        assert_eq!(t.delete(&format!("/api/users/{second}"), Some(&school.admin)).await.status, 200);
        assert_eq!((count(&t, ENTRIES, &school).await, work(&t).await), (0, 1), "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_box_fetches_thumbnails_of_its_own_school() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = super::super::tests::school(&t, "B", "5101").await;
        let (_, pupil) = pupil(&t, &school, "1001").await;
        let (_, teacher) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let photo = upload(&t, OWN, &pupil).await;
        let scan =
            json!({"nisn_nip_nik": "1001", "latitude": HERE.0, "longitude": HERE.1, "photo": picture(8)});
        let scan = t.post("/api/student-attendance/scan-qr", Some(&teacher), scan).await.body;
        let route = |path: &str| path.replace("/files/", "/api/offline-sync/photos/");
        let (own, foreign) = (HandBox::enrol(&t, school.id).await, HandBox::enrol(&t, other.id).await);
        let seen = own.get(&t, &route(&photo)).await;
        assert_eq!(seen.status, 200, "{} {}", t.on, seen.body);
        assert_eq!(seen.headers[header::CONTENT_TYPE], "image/jpeg");
        let thumb = t.get(&format!("{photo}?size=thumb"), Some(&pupil)).await;
        assert_eq!((&seen.body, &seen.headers[header::ETAG]), (&thumb.body, &thumb.headers[header::ETAG]));
        assert_eq!(foreign.get(&t, &route(&photo)).await.status, 404);
        assert_eq!(own.get(&t, &route(of(&scan))).await.status, 404, "no photo of a check-in");
        for wrong in ["x", "..%2fcloud.db", &"0".repeat(32)] {
            assert_eq!(
                own.get(&t, &format!("/api/offline-sync/photos/{wrong}")).await.status,
                404,
                "{wrong}"
            );
        }
        assert_eq!(t.get(&route(&photo), Some(&school.admin)).await.status, 401, "not for people");
        let revoke = format!("/api/edge-devices/{}/revoke", own.device);
        assert_eq!(t.post(&revoke, Some(&school.admin), json!({})).await.status, 200);
        assert_eq!(own.get(&t, &route(&photo)).await.status, 403);
    })
    .await;
}
