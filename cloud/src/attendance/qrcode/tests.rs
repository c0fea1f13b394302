use hadir_shared::ids::UserId;
use serde_json::{Value, json};

use crate::{
    attendance::tests::{HERE, both, choose, class, count, punch, school, shown, student},
    db::Cloud,
    identity::seed,
    testing::START,
};

const ROWS: &str = "SELECT COUNT(*) FROM attendance WHERE institution_id = $1";

fn verify(token: &str, kind: &str, user: Option<UserId>) -> Value {
    let mut body = punch(token, HERE);
    body["type"] = kind.into();
    if let Some(user) = user {
        body["user_id"] = user.0.into();
    }
    body
}

#[tokio::test]
async fn the_token_that_is_shown_is_the_one_that_is_accepted() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        for (number, role, status) in [
            ("2001", seed::TEACHER, 200),
            ("3001", seed::STAFF, 200),
            ("4001", seed::PRINCIPAL, 200),
            ("5002", seed::ADMIN, 200),
            ("1001", seed::STUDENT, 403),
        ] {
            let (_, token) = t.signed_in(school.id, number, role).await;
            assert_eq!(t.get("/api/qrcode/dynamic", Some(&token)).await.status, status, "{number}");
        }
        let got = t.get("/api/qrcode/dynamic", Some(&school.admin)).await;
        let data = &got.body["data"];
        let body = json!({
            "success": true, "message": "Token QR dinamis berhasil diambil",
            "data": {
                "token": shown(&t, &school, START).await, "code": data["code"],
                "expires_at": START.plus_seconds(10).to_rfc3339_micros(),
            },
        });
        assert_eq!(got.parts(), (200, &body), "START lies on a step");
        assert_eq!(data["code"].as_str().unwrap().len(), 6);

        let (user, token) = t.signed_in(school.id, "2002", seed::TEACHER).await;
        let by_code = t
            .post("/api/qrcode/verify", Some(&token), verify(data["code"].as_str().unwrap(), "checkin", None))
            .await;
        assert_eq!(by_code.status, 200, "{}", by_code.body);
        assert_eq!(by_code.body["data"]["qr_token_used"], data["token"], "code and token of a step are one");
        assert_eq!(by_code.body["data"]["user_id"], user.0);
        let out = t
            .post(
                "/api/qrcode/verify",
                Some(&token),
                verify(data["token"].as_str().unwrap(), "checkout", Some(user)),
            )
            .await;
        assert_eq!((out.status.as_u16(), &out.body["message"]), (200, &json!("Absen keluar berhasil")));

        choose(&t, &school, "qr_refresh_interval", "30").await;
        let slower = t.get("/api/qrcode/dynamic", Some(&school.admin)).await;
        assert_eq!(
            slower.body["data"]["expires_at"],
            START.plus_seconds(30).to_rfc3339_micros(),
            "settings are read"
        );
    })
    .await;
}

#[tokio::test]
async fn t07_nobody_but_an_admin_records_somebody_else() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = super::super::tests::school(&t, "B", "5101").await;
        let room = class(&t, &school, "X", None).await;
        let pupil = student(&t, &school, room, "1001").await;
        let (teacher, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let (_, pupil_token) = (pupil, t.login("1001").await);
        let stranger = t.user(other.id, "2101", seed::TEACHER).await;
        let admin_id = t.get("/api/user", Some(&school.admin)).await.body["data"]["user"]["id"].as_i64().unwrap();
        let qr = shown(&t, &school, START).await;
        let send = async |who: &str, user: Option<UserId>| {
            t.post("/api/qrcode/verify", Some(who), verify(&qr, "checkin", user)).await
        };

        let refused = send(&token, Some(pupil)).await;
        let body = json!({"success": false, "message": "Anda tidak memiliki izin untuk mencatat absensi pengguna lain"});
        assert_eq!(refused.parts(), (403, &body), "{}", t.on);
        assert_eq!(send(&token, Some(stranger)).await.status, 403, "before anybody is looked up");
        assert_eq!(send(&pupil_token, None).await.status, 403, "a student has no own check-in");
        assert_eq!(send(&school.admin, None).await.status, 403, "nor has an admin");
        assert_eq!(send(&school.admin, Some(UserId(admin_id))).await.status, 403);
        for nobody in [stranger, UserId(0), UserId(999_999)] {
            let missing = send(&school.admin, Some(nobody)).await;
            assert_eq!(missing.parts(), (404, &json!({"success": false, "message": "User tidak ditemukan"})), "{nobody}");
        }
        assert_eq!((count(&t, ROWS, &school).await, count(&t, ROWS, &other).await), (0, 0));

        assert_eq!(send(&school.admin, Some(teacher)).await.status, 200);
        let again = send(&token, Some(teacher)).await;
        assert_eq!(again.body["message"], "Anda sudah melakukan absen masuk hari ini");
        assert_eq!(send(&school.admin, Some(pupil)).await.status, 200);
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let (class_id, operator): (i64, i64) = tx
            .query("SELECT class_id, operator_id FROM attendance WHERE institution_id = $1 AND user_id = $2")
            .bind(school.id.0)
            .bind(pupil.0)
            .one()
            .await
            .unwrap();
        assert_eq!((class_id, operator), (room.0, admin_id));
    })
    .await;
}

#[tokio::test]
async fn what_makes_no_sense() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (_, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let qr = shown(&t, &school, START).await;
        for (body, field) in [
            (punch(&qr, HERE), "type"),
            (verify(&qr, "masuk", None), "type"),
            (json!({"type": 7}), "type"),
            (json!({"type": "checkin", "user_id": "me"}), "user_id"),
            (json!({"type": "checkin"}), "qr_token"),
        ] {
            let refused = t.post("/api/qrcode/verify", Some(&token), body.clone()).await;
            assert_eq!(refused.status, 422, "{body}");
            assert!(refused.body["errors"][field].is_array(), "{body}: {}", refused.body);
        }
        assert_eq!(t.get("/api/qrcode/verify", Some(&token)).await.status, 405);
        assert_eq!(t.get("/api/qrcode/dynamic", None).await.status, 401);
        let old = verify(&shown(&t, &school, START.plus_seconds(-20)).await, "checkin", None);
        let stale = t.post("/api/qrcode/verify", Some(&token), old).await;
        let body = json!({"success": false, "message": "QR token tidak valid atau sudah kadaluarsa"});
        assert_eq!(stale.parts(), (400, &body));
    })
    .await;
}
