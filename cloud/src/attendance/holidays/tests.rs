use serde_json::{Value, json};

use super::national;
use crate::{
    attendance::tests::{both, count, refuses_what_is_no_body, school},
    identity::seed,
    testing::START,
};

const IN_FEED: &str =
    "SELECT COUNT(*) FROM roster_entries WHERE institution_id = $1 AND entity = 'holiday' AND NOT is_deleted";
const PATH: &str = "/api/holidays";

#[tokio::test]
async fn a_day_and_several_in_a_row_are_entered_moved_and_taken_out_and_the_boxes_know() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let admin = Some(school.admin.as_str());
        let at = START.to_rfc3339_micros();
        let made = t.post(PATH, admin, json!({"date": "2025-11-25", "name": " Hari Guru "})).await;
        let id = made.body["data"][0]["id"].clone();
        let one = json!({"id": id, "date": "2025-11-25", "name": "Hari Guru", "created_at": at});
        let expected = json!({"success": true, "message": "Hari libur berhasil ditambahkan", "data": [one]});
        assert_eq!(made.parts(), (201, &expected), "{}", t.on);
        assert_eq!(count(&t, IN_FEED, &school).await, 1, "{}", t.on);

        let week = json!({"start_date": "2025-11-24", "end_date": "2025-11-27", "name": "Ujian luar"});
        let more = t.post(PATH, admin, week.clone()).await;
        let days: Vec<_> = more.body["data"].as_array().unwrap().iter().map(|one| &one["date"]).collect();
        assert_eq!(days, ["2025-11-24", "2025-11-26", "2025-11-27"], "{}: what stands stays", t.on);
        let taken = t.post(PATH, admin, week).await;
        assert_eq!(
            (taken.status.as_u16(), taken.body["errors"]["date"].is_array()),
            (422, true),
            "{}",
            taken.body
        );

        let path = format!("{PATH}/{id}");
        let moved = t.put(&path, admin, json!({"date": "2025-11-28", "name": "Hari Guru Nasional"})).await;
        let one = json!({"id": id, "date": "2025-11-28", "name": "Hari Guru Nasional", "created_at": at});
        let expected = json!({"success": true, "message": "Hari libur berhasil diperbarui", "data": one});
        assert_eq!(moved.parts(), (200, &expected), "{}", t.on);
        let onto_another = t.put(&path, admin, json!({"date": "2025-11-27"})).await;
        assert_eq!(onto_another.status, 422, "{} {}", t.on, onto_another.body);
        assert_eq!(count(&t, IN_FEED, &school).await, 4, "{}", t.on);

        let listed = async |query: &str| {
            let answer = t.get(&format!("{PATH}{query}"), admin).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            answer.body["data"].as_array().unwrap().len()
        };
        assert_eq!(listed("").await, 4, "this year");
        assert_eq!(listed("?year=2025&month=11").await, 4);
        assert_eq!(listed("?month=12").await, 0);
        assert_eq!(listed("?year=2026").await, 0);
        let file = t.get(&format!("{PATH}?format=csv"), admin).await;
        assert!(file.body.as_str().unwrap().contains("2025-11-28"), "{}", file.body);

        let gone = t.delete(&path, admin).await;
        let expected = json!({"success": true, "message": "Hari libur berhasil dihapus"});
        assert_eq!(gone.parts(), (200, &expected), "{}", t.on);
        let unknown = json!({"success": false, "message": "Hari libur tidak ditemukan"});
        assert_eq!(t.delete(&path, admin).await.parts(), (404, &unknown));
        assert_eq!(t.put(&path, admin, json!({"name": "Apa pun"})).await.parts(), (404, &unknown));
        assert_eq!(count(&t, IN_FEED, &school).await, 3, "{}", t.on);
        let audited = "SELECT COUNT(*) FROM audit_log WHERE institution_id = $1 AND action LIKE 'holiday.%'";
        assert_eq!(count(&t, audited, &school).await, 4, "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn the_national_days_fill_what_the_school_left_open() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let admin = Some(school.admin.as_str());
        t.post(PATH, admin, json!({"date": "2026-08-17", "name": "Karnaval sekolah"})).await;
        let prefill =
            async |year: Value| t.post(&format!("{PATH}/prefill"), admin, json!({"year": year})).await;
        let first = prefill(json!(2026)).await;
        assert_eq!(first.status, 200, "{} {}", t.on, first.body);
        assert_eq!(first.body["message"], "16 hari libur nasional 2026 ditambahkan");
        let data = &first.body["data"];
        assert_eq!(
            (&data["year"], &data["added"], &data["unconfirmed"]),
            (&json!(2026), &json!(16), &json!(0))
        );
        assert_eq!(data["holidays"][0]["name"], "Tahun Baru Masehi");
        assert_eq!(count(&t, IN_FEED, &school).await, 17, "{}", t.on);
        let again = prefill(json!(2026)).await;
        assert_eq!(again.body["data"]["added"], 0, "{}", t.on);
        let august = t.get(&format!("{PATH}?year=2026&month=8"), admin).await;
        assert_eq!(august.body["data"][0]["name"], "Karnaval sekolah", "the school's own stays");
        let reckoned = prefill(json!(2027)).await;
        let unconfirmed = national::of(2027).iter().filter(|national| !national.decreed).count();
        assert_eq!(reckoned.body["data"]["unconfirmed"], unconfirmed);
        for year in [Value::Null, json!(1999), json!(2101), json!("2026"), json!(i64::MAX)] {
            let answer = prefill(year.clone()).await;
            assert_eq!(
                (answer.status.as_u16(), answer.body["errors"]["year"].is_array()),
                (422, true),
                "{year}"
            );
        }
        let (a, b) = tokio::join!(prefill(json!(2025)), prefill(json!(2025)));
        let added = [&a, &b].map(|one| one.body["data"]["added"].as_i64().unwrap());
        assert_eq!(added.iter().sum::<i64>(), 17, "{}: two at once", t.on);
    })
    .await;
}

#[tokio::test]
async fn everybody_reads_and_the_schools_administrators_write() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = crate::attendance::tests::school(&t, "B", "5101").await;
        let made =
            t.post(PATH, Some(&school.admin), json!({"date": "2025-11-25", "name": "Hari Guru"})).await;
        let path = format!("{PATH}/{}", made.body["data"][0]["id"]);
        let body = json!({"date": "2025-12-01", "name": "Lain", "year": 2026});
        let calls = [
            ("POST", PATH),
            ("PUT", path.as_str()),
            ("DELETE", path.as_str()),
            ("POST", "/api/holidays/prefill"),
        ];
        let denied =
            json!({"success": false, "message": "Anda tidak memiliki izin untuk mengelola hari libur"});
        for (number, role) in [
            ("1001", seed::STUDENT),
            ("2001", seed::TEACHER),
            ("3001", seed::STAFF),
            ("4001", seed::PRINCIPAL),
        ] {
            let (_, token) = t.signed_in(school.id, number, role).await;
            assert_eq!(t.get(PATH, Some(&token)).await.body["data"][0]["name"], "Hari Guru", "{number}");
            for (method, path) in calls {
                let answer = t.json(method, path, Some(&token), &body).await;
                assert_eq!(answer.parts(), (403, &denied), "{number} {method} {path}");
            }
        }
        for (method, path) in calls {
            assert_eq!(t.json(method, path, None, &body).await.status, 401, "{method} {path}");
        }
        assert_eq!(t.get(PATH, None).await.status, 401);
        let unknown = json!({"success": false, "message": "Hari libur tidak ditemukan"});
        for method in ["PUT", "DELETE"] {
            assert_eq!(
                t.json(method, &path, Some(&other.admin), &body).await.parts(),
                (404, &unknown),
                "{method}"
            );
        }
        assert_eq!(t.get(PATH, Some(&other.admin)).await.body["data"], json!([]));
        assert_eq!(t.get(PATH, Some(&school.admin)).await.body["data"], made.body["data"], "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_holiday() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let admin = Some(school.admin.as_str());
        refuses_what_is_no_body(&t, "POST", PATH, &school.admin, "name").await;
        for (body, field) in [
            (json!({"name": "X"}), "start_date"),
            (json!({"date": "2025-11-25"}), "name"),
            (json!({"date": "2025-11-25", "name": "a".repeat(101)}), "name"),
            (json!({"date": "2025-02-30", "name": "X"}), "date"),
            (json!({"date": "1999-12-31", "name": "X"}), "start_date"),
            (json!({"start_date": "2025-11-25", "end_date": "2025-11-24", "name": "X"}), "end_date"),
            (json!({"start_date": "2025-11-01", "end_date": "2026-02-01", "name": "X"}), "end_date"),
            (json!({"start_date": "2025-11-01", "end_date": "9999-12-31", "name": "X"}), "end_date"),
        ] {
            let answer = t.post(PATH, admin, body.clone()).await;
            assert_eq!(answer.status, 422, "{} {body} {}", t.on, answer.body);
            assert!(answer.body["errors"][field].is_array(), "{body} {}", answer.body);
        }
        for query in ["?month=13", "?month=0", "?month=-1", "?year=x", "?year=1999", "?year=99999999999"] {
            assert_eq!(t.get(&format!("{PATH}{query}"), admin).await.status, 422, "{query}");
        }
        assert_eq!(count(&t, "SELECT COUNT(*) FROM holidays WHERE institution_id = $1", &school).await, 0);
    })
    .await;
}
