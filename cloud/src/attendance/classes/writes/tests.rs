use serde_json::{Value, json};

use crate::{
    attendance::tests::{HERE, audited, both, class, count, refuses_what_is_no_body, school, student},
    identity::seed,
    testing::START,
};

#[tokio::test]
async fn made_changed_and_deleted_as_documented() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let teacher = t.user(school.id, "2001", seed::TEACHER).await;
        let at = START.to_rfc3339_micros();
        let person = json!({
            "id": teacher, "nisn_nip_nik": "2001", "name": "Orang 2001", "email": null, "phone": null, "role_id": 2,
            "photo_path": null, "is_active": true, "created_at": at, "updated_at": at,
        });
        let body = json!({"name": " XI IPS 1 ", "homeroom_teacher_id": teacher});
        let made = t.post("/api/classes", Some(&school.admin), body).await;
        let id = &made.body["data"]["id"];
        let mut one = json!({
            "id": id, "name": "XI IPS 1", "homeroom_teacher_id": teacher, "created_at": at, "updated_at": at,
            "homeroom_teacher": person,
        });
        let expected = json!({"success": true, "message": "Kelas berhasil dibuat", "data": one});
        assert_eq!(made.parts(), (201, &expected), "{}", t.on);
        let published = "SELECT COUNT(*) FROM roster_entries WHERE institution_id = $1 AND entity = 'class' AND NOT is_deleted";
        assert_eq!(count(&t, published, &school).await, 1);

        t.clock.advance_ms(60_000);
        let path = format!("/api/classes/{id}");
        let changed = t.put(&path, Some(&school.admin), json!({"name": "X IPA 1 - Updated"})).await;
        one["name"] = json!("X IPA 1 - Updated");
        one["updated_at"] = json!(t.app.now().to_rfc3339_micros());
        let expected = json!({"success": true, "message": "Kelas berhasil diperbarui", "data": one});
        assert_eq!(changed.parts(), (200, &expected), "{}", t.on);
        let without = t.put(&path, Some(&school.admin), json!({"homeroom_teacher_id": null})).await;
        one["homeroom_teacher_id"] = json!(null);
        one["homeroom_teacher"] = json!(null);
        assert_eq!(without.body["data"], one);

        let deleted = t.delete(&path, Some(&school.admin)).await;
        assert_eq!(deleted.parts(), (200, &json!({"success": true, "message": "Kelas berhasil dihapus"})));
        assert_eq!(t.get(&path, Some(&school.admin)).await.status, 404);
        assert_eq!(t.delete(&path, Some(&school.admin)).await.status, 404);
        assert_eq!(count(&t, published, &school).await, 0);
        let audited = "SELECT COUNT(*) FROM audit_log WHERE institution_id = $1 AND action LIKE 'class.%'";
        assert_eq!(count(&t, audited, &school).await, 4);
    })
    .await;
}

#[tokio::test]
async fn students_come_and_go() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let room = class(&t, &school, "X IPA 1", None).await;
        let one = t.user(school.id, "1001", seed::STUDENT).await;
        let two = t.user(school.id, "1002", seed::STUDENT).await;
        let at = START.to_rfc3339_micros();
        let group = |ids: Value| json!({"student_ids": ids, "academic_year": 2025});
        let assign = format!("/api/classes/{room}/assign-students");
        let first = t.post(&assign, Some(&school.admin), group(json!([one]))).await;
        assert_eq!(first.body["message"], "1 siswa berhasil ditetapkan ke kelas");
        let done = t.post(&assign, Some(&school.admin), group(json!([two, one, two]))).await;
        let id = &done.body["data"]["assigned_students"][0]["id"];
        let bare = json!({"id": room, "name": "X IPA 1", "homeroom_teacher_id": null, "created_at": at, "updated_at": at});
        let mut full = bare.clone();
        full["homeroom_teacher"] = json!(null);
        let data = json!({"class": full, "assigned_students": [
            {"id": id, "student_id": two, "class_id": room, "academic_year": 2025, "joined_on": "2025-11-21", "left_on": null,
             "created_at": at},
        ]});
        let expected = json!({"success": true, "message": "1 siswa berhasil ditetapkan ke kelas", "data": data});
        assert_eq!(done.parts(), (200, &expected), "{}: who is in it is skipped", t.on);
        let in_class = "SELECT COUNT(*) FROM roster_entries WHERE institution_id = $1 AND entity = 'person' AND body LIKE '%\"class\":%'
            AND body NOT LIKE '%\"class\":null%'";
        assert_eq!(count(&t, in_class, &school).await, 2, "the boxes know");
        let next = t
            .post(&assign, Some(&school.admin), json!({"student_ids": [one], "academic_year": 2026}))
            .await;
        assert_eq!(next.body["message"], "1 siswa berhasil ditetapkan ke kelas", "another year");

        let held = t.delete(&format!("/api/classes/{room}"), Some(&school.admin)).await;
        let text = "Tidak dapat menghapus kelas yang masih memiliki siswa";
        assert_eq!(held.parts(), (409, &json!({"success": false, "message": text})));

        let remove = format!("/api/classes/{room}/remove-students");
        let gone = t.post(&remove, Some(&school.admin), group(json!([one, two]))).await;
        let data = json!({"class": bare, "removed_count": 2});
        let expected = json!({"success": true, "message": "2 siswa berhasil dihapus dari kelas", "data": data});
        assert_eq!(gone.parts(), (200, &expected), "{}", t.on);
        let again = t.post(&remove, Some(&school.admin), group(json!([one, two]))).await;
        assert_eq!(again.body["data"]["removed_count"], 0);
        let (before, after) = audited(&t, &school, "class.remove").await;
        assert_eq!(after["student_ids"], json!([one, two]), "{}", t.on);
        assert_eq!(before["deleted"].as_array().unwrap().len(), 2, "who came today leaves no row");
        assert_eq!(count(&t, in_class, &school).await, 0);
    })
    .await;
}

const DAY_MS: i64 = 24 * 3600 * 1000;

#[tokio::test]
async fn who_was_in_a_class_has_been_in_it() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (room, other) = (class(&t, &school, "X IPA 1", None).await, class(&t, &school, "X IPA 2", None).await);
        let pupil = t.user(school.id, "1001", seed::STUDENT).await;
        let group = |from: Value| json!({"student_ids": [pupil], "academic_year": 2025, "effective_from": from});
        let call = async |room, what: &str, from: Value| {
            t.post(&format!("/api/classes/{room}/{what}-students"), Some(&school.admin), group(from)).await.body["data"].take()
        };
        let attends = async |room, day: &str| {
            let path = format!("/api/student-attendance/class-status/{room}?date={day}");
            t.get(&path, Some(&school.admin)).await.body["data"].as_array().unwrap().len()
        };
        let listed = async |room| {
            let path = format!("/api/classes/{room}/students");
            t.get(&path, Some(&school.admin)).await.body["data"]["students"].as_array().unwrap().len()
        };
        call(room, "assign", json!("2025-09-01")).await;
        assert_eq!(
            (attends(room, "2025-08-31").await, attends(room, "2025-09-01").await),
            (0, 1),
            "{}: from the day that was said",
            t.on
        );
        assert_eq!(call(room, "remove", Value::Null).await["removed_count"], 1);
        assert_eq!(call(room, "remove", Value::Null).await["removed_count"], 0);
        call(other, "assign", Value::Null).await;
        assert_eq!((attends(room, "2025-11-20").await, attends(room, "2025-11-21").await), (1, 0), "{}", t.on);
        assert_eq!((attends(other, "2025-11-20").await, attends(other, "2025-11-21").await), (0, 1), "{}", t.on);
        assert_eq!((listed(room).await, listed(other).await), (0, 1));
        let held = t.delete(&format!("/api/classes/{room}"), Some(&school.admin)).await;
        assert_eq!(held.status, 409, "it has a past");

        // Back on the day he left, and asked for earlier: no day counts twice.
        let back = call(room, "assign", json!("2025-10-01")).await;
        assert_eq!(back["assigned_students"][0]["joined_on"], "2025-11-21", "{}", t.on);
        let rows = "SELECT COUNT(*) FROM class_students WHERE institution_id = $1";
        assert_eq!(count(&t, rows, &school).await, 3);
        assert_eq!(call(room, "remove", Value::Null).await["removed_count"], 1);
        assert_eq!(count(&t, rows, &school).await, 2, "was in it for no day");

        // To come: on the list, in the class from that day, at the box when the day has begun.
        call(room, "assign", json!("2025-11-24")).await;
        assert_eq!((listed(room).await, attends(room, "2025-11-23").await), (1, 0));
        assert_eq!(attends(room, "2025-11-24").await, 1);
        let placed = async |room| {
            let mut tx = t.app.db.read(school.id).await.unwrap();
            let (body,): (String,) = tx
                .query("SELECT body FROM roster_entries WHERE institution_id = $1 AND entity = 'person' AND entity_key = $2")
                .bind(school.id.0)
                .bind(pupil.to_string())
                .one()
                .await
                .unwrap();
            serde_json::from_str::<Value>(&body).unwrap()["class"] == json!(room)
        };
        assert!(placed(other).await, "{}", t.on);
        t.clock.advance_ms(3 * DAY_MS);
        crate::attendance::roster::refresh(&t.app).await.unwrap();
        assert!(placed(room).await, "{}: the one he came to last", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_class_with_a_past_stays() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let room = class(&t, &school, "X", None).await;
        let pupil = student(&t, &school, room, "1001").await;
        let scan = json!({"nisn_nip_nik": "1001", "latitude": HERE.0, "longitude": HERE.1});
        assert_eq!(t.post("/api/student-attendance/scan-qr", Some(&school.admin), scan).await.status, 200);
        let group = json!({"student_ids": [pupil], "academic_year": 2025});
        t.post(&format!("/api/classes/{room}/remove-students"), Some(&school.admin), group).await;
        let held = t.delete(&format!("/api/classes/{room}"), Some(&school.admin)).await;
        let text = "Tidak dapat menghapus kelas yang memiliki riwayat absensi";
        assert_eq!(held.parts(), (409, &json!({"success": false, "message": text})), "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_class_and_who_is_no_student() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = crate::attendance::tests::school(&t, "B", "5101").await;
        let foreign_teacher = t.user(other.id, "2101", seed::TEACHER).await;
        let foreign_pupil = t.user(other.id, "1301", seed::STUDENT).await;
        let pupil = t.user(school.id, "1001", seed::STUDENT).await;
        let teacher = t.user(school.id, "2001", seed::TEACHER).await;
        let room = class(&t, &school, "X", None).await;
        let (path, assign, remove) = (
            format!("/api/classes/{room}"),
            format!("/api/classes/{room}/assign-students"),
            format!("/api/classes/{room}/remove-students"),
        );
        let admin = Some(school.admin.as_str());
        refuses_what_is_no_body(&t, "POST", "/api/classes", &school.admin, "name").await;
        refuses_what_is_no_body(&t, "PUT", &path, &school.admin, "name").await;
        for (body, field) in [
            (json!({}), "name"),
            (json!({"name": "  "}), "name"),
            (json!({"name": "X"}), "name"),
            (json!({"name": "a".repeat(51)}), "name"),
            (json!({"name": 10}), "name"),
            (json!({"name": "Y", "homeroom_teacher_id": "dua"}), "homeroom_teacher_id"),
            (json!({"name": "Y", "homeroom_teacher_id": pupil}), "homeroom_teacher_id"),
        ] {
            let answer = t.post("/api/classes", admin, body.clone()).await;
            assert_eq!(answer.status, 422, "{} {body} {}", t.on, answer.body);
            assert!(answer.body["errors"][field].is_array(), "{body} {}", answer.body);
        }
        let no_teacher = t.put(&path, admin, json!({"homeroom_teacher_id": pupil})).await;
        let text = json!({"homeroom_teacher_id": ["Homeroom teacher harus merupakan seorang guru"]});
        assert_eq!((no_teacher.status.as_u16(), &no_teacher.body["errors"]), (422, &text));
        let foreign = json!({"name": "Y", "homeroom_teacher_id": foreign_teacher});
        assert_eq!(t.post("/api/classes", admin, foreign.clone()).await.status, 404);
        assert_eq!(t.put(&path, admin, foreign).await.status, 404);

        let group = |ids: Value| json!({"student_ids": ids, "academic_year": 2025});
        let no_student = t.post(&assign, admin, group(json!([pupil, teacher]))).await;
        let text = json!({"student_ids": [format!("ID {teacher} bukan milik seorang siswa")]});
        assert_eq!((no_student.status.as_u16(), &no_student.body["errors"]), (422, &text));
        for path in [&assign, &remove] {
            for id in [json!(foreign_pupil), json!(0), json!(-1), json!(i64::MAX)] {
                let answer = t.post(path, admin, group(json!([pupil, id]))).await;
                let text = format!("ID {id} bukan milik seorang siswa");
                assert_eq!(answer.parts(), (404, &json!({"success": false, "message": text})), "{path}");
            }
            for body in [
                json!({}),
                json!({"student_ids": [], "academic_year": 2025}),
                json!({"student_ids": [1]}),
                json!({"student_ids": [1], "academic_year": 0}),
                json!({"student_ids": [1], "academic_year": "2025/2026"}),
                json!({"student_ids": ["x"], "academic_year": 2025}),
                json!({"student_ids": 1, "academic_year": 2025}),
                json!({"student_ids": (1..=501).collect::<Vec<_>>(), "academic_year": 2025}),
                json!({"student_ids": [1], "academic_year": 2025, "effective_from": "kemarin"}),
                json!({"student_ids": [1], "academic_year": 2025, "effective_from": "2026-07-01"}),
            ] {
                assert_eq!(t.post(path, admin, body.clone()).await.status, 422, "{path} {body}");
            }
        }
        let members = "SELECT COUNT(*) FROM class_students WHERE institution_id = $1";
        assert_eq!(count(&t, members, &school).await, 0, "all or nothing");
        assert_eq!(count(&t, "SELECT COUNT(*) FROM classes WHERE institution_id = $1", &school).await, 1);
    })
    .await;
}

#[tokio::test]
async fn only_the_schools_administrators() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = crate::attendance::tests::school(&t, "B", "5101").await;
        let room = class(&t, &school, "X", None).await;
        let pupil = student(&t, &school, room, "1001").await;
        let group = json!({"student_ids": [pupil], "academic_year": 2025});
        let calls = [
            ("PUT", format!("/api/classes/{room}"), json!({"name": "Y"})),
            ("DELETE", format!("/api/classes/{room}"), json!({})),
            ("POST", format!("/api/classes/{room}/assign-students"), group.clone()),
            ("POST", format!("/api/classes/{room}/remove-students"), group),
        ];
        let denied = json!({"success": false, "message": "Anda tidak memiliki izin untuk mengelola kelas"});
        let mut others = Vec::new();
        for (number, role) in [
            ("1002", seed::STUDENT),
            ("2001", seed::TEACHER),
            ("3001", seed::STAFF),
            ("4001", seed::PRINCIPAL),
        ] {
            others.push(t.signed_in(school.id, number, role).await.1);
        }
        for (method, path, body) in &calls {
            let unknown = json!({"success": false, "message": "Kelas tidak ditemukan"});
            assert_eq!(
                t.json(method, path, Some(&other.admin), body).await.parts(),
                (404, &unknown),
                "{path}"
            );
            assert_eq!(t.json(method, path, None, body).await.status, 401);
            for who in &others {
                assert_eq!(t.json(method, path, Some(who), body).await.parts(), (403, &denied), "{path}");
            }
        }
        for who in &others {
            let made = t.post("/api/classes", Some(who), json!({"name": "Y"})).await;
            assert_eq!(made.parts(), (403, &denied));
        }
        let kept = t.get(&format!("/api/classes/{room}/students"), Some(&school.admin)).await;
        assert_eq!(kept.body["data"]["class"]["name"], "X");
        assert_eq!(kept.body["data"]["students"][0]["id"], json!(pupil));
    })
    .await;
}

#[tokio::test]
async fn of_two_alike_at_once_one_is_made() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let name = json!({"name": "X"});
        let (a, b) = tokio::join!(
            t.post("/api/classes", Some(&school.admin), name.clone()),
            t.post("/api/classes", Some(&school.admin), name)
        );
        let mut both = [a.status.as_u16(), b.status.as_u16()];
        both.sort_unstable();
        assert_eq!(both, [201, 422], "{} {} {}", t.on, a.body, b.body);
        let made = if a.status == 201 { a } else { b };
        let pupil = t.user(school.id, "1001", seed::STUDENT).await;
        let path = format!("/api/classes/{}/assign-students", made.body["data"]["id"]);
        let group = json!({"student_ids": [pupil], "academic_year": 2025});
        let (a, b) = tokio::join!(
            t.post(&path, Some(&school.admin), group.clone()),
            t.post(&path, Some(&school.admin), group)
        );
        assert_eq!((a.status.as_u16(), b.status.as_u16()), (200, 200));
        let rows = [&a, &b].map(|one| one.body["data"]["assigned_students"].as_array().unwrap().len());
        assert_eq!(rows.iter().sum::<usize>(), 1, "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn who_is_not_active_comes_to_no_class() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let room = class(&t, &school, "X", None).await;
        let [gone, stays] =
            [t.user(school.id, "1001", seed::STUDENT).await, t.user(school.id, "1002", seed::STUDENT).await];
        let off = json!({"is_active": false});
        assert_eq!(t.put(&format!("/api/users/{gone}"), Some(&school.admin), off).await.status, 200);
        let path = format!("/api/classes/{room}/assign-students");
        let group = json!({"student_ids": [gone, stays], "academic_year": 2025});
        let refused = t.post(&path, Some(&school.admin), group).await;
        assert_eq!(refused.status, 422, "{}", t.on);
        let said = format!("ID {gone} sudah tidak aktif");
        assert_eq!(refused.body["errors"], json!({"student_ids": [said]}), "{}", t.on);
        let members = "SELECT COUNT(*) FROM class_students WHERE institution_id = $1";
        assert_eq!(count(&t, members, &school).await, 0, "{}", t.on);
    })
    .await;
}
