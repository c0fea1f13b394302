//! Schools for the tests of this module.

use std::future::Future;

use hadir_shared::{
    ids::{ClassId, InstitutionId, UserId},
    qr::{Step, token},
    time::Millis,
};
use serde_json::{Value, json};

use super::{roster, settings};
use crate::{
    db::Cloud,
    {identity::seed, testing::TestApp},
};

/// The point of every school here, and a place some eleven kilometres north of it.
pub const HERE: (f64, f64) = (-6.2, 106.8166);
pub const FAR: (f64, f64) = (-6.1, 106.8166);

/// A school with keys, a fence of 100 metres and an administrator.
pub struct School {
    pub id: InstitutionId,
    pub admin: String,
}

/// [`TestApp::both`], on each engine with a data folder of its own: what the first left of files is not the second's.
pub async fn both<F: Future<Output = ()>>(test: impl Fn(TestApp) -> F) {
    let test = &test;
    TestApp::both(|t| async move {
        let folder = tempfile::tempdir().unwrap();
        test(t.configured(|config| config.data_dir = folder.path().into())).await;
    })
    .await;
}

pub async fn school(t: &TestApp, code: &str, admin: &str) -> School {
    let id = t.institution(code).await;
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    roster::ensure_keys(&mut tx, &t.app, id).await.unwrap();
    let place = [("school_latitude", HERE.0), ("school_longitude", HERE.1)];
    let texts = place.map(|(key, degrees)| (key.to_owned(), degrees.to_string())).into();
    settings::put_texts(&mut tx, &t.app, id, &texts).await.unwrap();
    tx.commit().await.unwrap();
    let (_, admin) = t.signed_in(id, admin, seed::ADMIN).await;
    School { id, admin }
}

pub async fn choose(t: &TestApp, school: &School, key: &str, value: &str) {
    let changed =
        t.put(&format!("/api/settings/{key}"), Some(&school.admin), json!({ "value": value })).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
}

pub async fn class(t: &TestApp, school: &School, name: &str, teacher: Option<UserId>) -> ClassId {
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    let (id,): (i64,) = tx
        .query(
            "INSERT INTO classes (institution_id, name, homeroom_teacher_id, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $4) RETURNING id",
        )
        .bind(school.id.0)
        .bind(name)
        .bind(teacher.map(|id| id.0))
        .bind(t.app.now().0)
        .one()
        .await
        .unwrap();
    tx.commit().await.unwrap();
    ClassId(id)
}

/// Puts a student into a class for the academic year that begins in 2025, the year of [`crate::testing::START`], since its
/// first school day.
pub async fn join(t: &TestApp, school: &School, class: ClassId, student: UserId) {
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    tx.query(
        "INSERT INTO class_students (institution_id, class_id, student_id, academic_year, joined_on, created_at)
         VALUES ($1, $2, $3, 2025, $4, $5)",
    )
    .bind(school.id.0)
    .bind(class.0)
    .bind(student.0)
    .bind("2025-07-14".parse::<chrono::NaiveDate>().unwrap())
    .bind(t.app.now().0)
    .run()
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

/// A new student who is in a class.
pub async fn student(t: &TestApp, school: &School, class: ClassId, number: &str) -> UserId {
    let id = t.user(school.id, number, seed::STUDENT).await;
    join(t, school, class, id).await;
    id
}

/// The token the kiosk shows at a moment, by the usual interval.
pub async fn shown(t: &TestApp, school: &School, at: Millis) -> String {
    let mut tx = t.app.db.read(Cloud).await.unwrap();
    let interval = settings::load(&mut tx, school.id).await.unwrap().qr_interval;
    let key = roster::qr_key(&mut tx, &t.app, school.id).await.unwrap();
    token(&key, school.id, Step::at(at, interval)).token
}

/// What a phone sends from a place.
pub fn punch(token: &str, (latitude, longitude): (f64, f64)) -> Value {
    json!({ "qr_token": token, "latitude": latitude, "longitude": longitude, "accuracy": 5 })
}

/// Before and after of the only audit row of an action.
pub async fn audited(t: &TestApp, school: &School, action: &str) -> (Value, Value) {
    let mut tx = t.app.db.read(Cloud).await.unwrap();
    let sql = "SELECT CAST(before AS TEXT), CAST(after AS TEXT) FROM audit_log WHERE institution_id = $1 AND action = $2";
    let rows: Vec<(String, String)> = tx.query(sql).bind(school.id.0).bind(action).all().await.unwrap();
    let [(before, after)] = rows.as_slice() else { panic!("{action}: {} rows", rows.len()) };
    (serde_json::from_str(before).unwrap(), serde_json::from_str(after).unwrap())
}

/// Rows of a table that belong to a school.
pub async fn count(t: &TestApp, sql: &'static str, school: &School) -> i64 {
    let mut tx = t.app.db.read(Cloud).await.unwrap();
    let (count,) = tx.query(sql).bind(school.id.0).one().await.unwrap();
    count
}

/// A picture as a phone sends one: a data URL of a PNG, so many pixels across.
pub fn picture(across: u32) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let mut png = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_fn(across, across, |x, y| {
        image::Rgb([u8::try_from(x % 256).unwrap(), u8::try_from(y % 256).unwrap(), 90])
    })
    .write_to(&mut png, image::ImageFormat::Png)
    .unwrap();
    format!("data:image/png;base64,{}", STANDARD.encode(png.into_inner()))
}

/// A route that takes a body answers every body that is none in words, and never as if it were our fault. `text` is a field
/// that takes a text.
pub async fn refuses_what_is_no_body(t: &TestApp, method: &str, path: &str, token: &str, text: &str) {
    use crate::testing::request;
    let send = async |kind: &str, body: String| {
        t.send(request(method, path, Some(token)).header("content-type", kind).body(body.into()).unwrap())
            .await
    };
    let json = "application/json";
    let not_json = json!({"success": false, "message": "Isi permintaan bukan JSON yang valid"});
    for body in ["{", "{\"a\":1}x", "\u{0}"] {
        assert_eq!(send(json, body.into()).await.parts(), (400, &not_json), "{path} {body:?}");
    }
    let large = format!("{{\"{text}\":\"{}\"}}", "a".repeat(1 << 20));
    assert_eq!(send(json, large).await.status, 413, "{path}");
    assert_eq!(send("text/plain", "{\"a\":1}".into()).await.status, 415, "{path}");
    for body in [format!("{{\"{text}\":[1]}}"), format!("{{\"{text}\":{{}}}}"), "[]".into(), "7".into()] {
        let answer = send(json, body.clone()).await;
        assert_eq!(answer.status, 422, "{path} {body} {}", answer.body);
        assert_eq!(answer.body["message"], "Validasi gagal", "{path} {body}");
    }
}

/// A list refuses pages that are none.
pub async fn refuses_pages_that_are_none(t: &TestApp, path: &str, token: &str) {
    for query in
        ["page=0", "page=-1", "page=99999999999", "per_page=0", "per_page=101", "per_page=-5", "page=x"]
    {
        let answer = t.get(&format!("{path}?{query}"), Some(token)).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["message"]),
            (422, &json!("Validasi gagal")),
            "{query}"
        );
    }
    let behind = t.get(&format!("{path}?page=1000000"), Some(token)).await;
    assert_eq!((behind.status.as_u16(), &behind.body["data"]["data"]), (200, &json!([])), "{path}");
}

/// The paginator's frame around one page of everything there is.
pub fn one_page(path: &str, rows: &Value) -> Value {
    let url = format!("http://absensi.test{path}");
    let total = rows.as_array().unwrap().len();
    json!({
        "current_page": 1, "data": rows, "first_page_url": format!("{url}?page=1"), "from": 1, "last_page": 1,
        "last_page_url": format!("{url}?page=1"), "next_page_url": null, "path": url, "per_page": 15,
        "prev_page_url": null, "to": total, "total": total,
    })
}
