use serde_json::{Value, json};

use super::{Section, complete};
use crate::{
    attendance::tests::{HERE, both, punch, school, shown},
    identity::seed,
    testing::PASSWORD,
};

#[tokio::test]
async fn section_13() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let admin = &school.admin;
        complete(&t, admin, "Admin Utama").await;
        let doc = Section::open(&t, "attendance", "13-users");

        let create = |answer| doc.ask("POST /api/users", answer).by(admin);
        let eka = json!({
            "nisn_nip_nik": "1005", "name": "Eka Putri", "email": "eka@siswa.sch.id", "phone": "081234567899",
            "password": PASSWORD, "role_id": 1, "photo_path": "profiles/eka.jpg", "is_active": true,
        });
        let made = create("done").with(eka.clone()).send().await;
        let id = &made["data"]["id"];
        create("twice").with(eka).send().await;
        let short = json!({"nisn_nip_nik": "1006", "name": "Fitri", "password": "pendek", "role_id": 1});
        create("too short").with(short).send().await;
        complete(&t, &t.login("1005").await, "Eka Putri").await;

        let list = |query: &'static str| doc.ask("GET /api/users", "done").by(admin).query(query);
        list("").send().await;
        let students = list("role_id=1&is_active=1&per_page=15").send().await;
        assert_eq!((&students["data"]["total"], &students["data"]["data"][0]["id"]), (&json!(1), id), "{}", t.on);
        let teacher = t.user(school.id, "2001", seed::TEACHER).await;
        let token = t.login("2001").await;
        doc.ask("GET /api/users", "teacher").by(&token).send().await;
        doc.ask("GET /api/users/{id}", "done").of(id).by(admin).send().await;
        doc.ask("GET /api/users/{id}", "unknown").of(999_999).by(admin).send().await;

        t.clock.advance_ms(60_000);
        let change = |new: Value| doc.ask("PUT /api/users/{id}", "done").of(id).by(admin).with(new);
        let new = json!({
            "nisn_nip_nik": "1001", "name": "Andi Pratama - Updated", "email": "andi.updated@siswa.sch.id", "phone": "081234567800",
            "password": "Baru-sekali-1", "role_id": 1, "photo_path": "profiles/andi.jpg", "is_active": true,
        });
        change(new).send().await;
        change(json!({"name": "Andi Pratama"})).send().await;

        let qr = shown(&t, &school, t.app.now()).await;
        assert_eq!(t.post("/api/attendance/checkin", Some(&token), punch(&qr, HERE)).await.status, 200);
        let delete = |answer| doc.ask("DELETE /api/users/{id}", answer).by(admin);
        delete("done with records").of(teacher).send().await;
        delete("done").of(id).send().await;
        let me = t.get("/api/user", Some(admin)).await.body["data"]["user"]["id"].clone();
        delete("oneself").of(me).send().await;
        let there = async |id: &Value| t.get(&format!("/api/users/{id}"), Some(admin)).await;
        assert_eq!(there(id).await.status, 404, "{}", t.on);
        assert_eq!(there(&json!(teacher)).await.body["data"]["is_active"], false, "{}: he was recorded", t.on);
        doc.close();
    })
    .await;
}
