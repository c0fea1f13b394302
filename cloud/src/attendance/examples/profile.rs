use serde_json::json;

use super::{Section, complete};
use crate::{
    attendance::tests::{both, school},
    testing::PASSWORD,
};

#[tokio::test]
async fn section_2() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let token = &school.admin;
        complete(&t, token, "Admin Utama").await;
        let doc = Section::open(&t, "attendance", "02-profile");

        doc.ask("GET /api/user", "done").by(token).send().await;
        doc.ask("GET /api/user", "signed out").send().await;
        doc.ask("GET /api/profile", "done").by(token).send().await;

        let change = |answer| doc.ask("PUT /api/profile", answer).by(token);
        let new = json!({
            "name": "Admin Utama - Updated", "email": "admin.updated@sekolah.sch.id", "phone": "081234567898",
        });
        t.clock.advance_ms(60_000);
        let changed = change("done").with(new.clone()).send().await;
        for (field, value) in new.as_object().unwrap() {
            assert_eq!(changed["data"][field], *value, "{}", t.on);
        }
        change("no email").with(json!({"email": "admin"})).send().await;

        let renew = |answer| doc.ask("PUT /api/profile/password", answer).by(token);
        let passwords = |current: &str, new: &str, repeated: &str| {
            json!({"current_password": current, "new_password": new, "new_password_confirmation": repeated})
        };
        renew("refused").with(passwords("salah sekali", "Baru-sekali-1", "Baru-sekali-1")).send().await;
        renew("too short").with(passwords(PASSWORD, "pendek", "pendek")).send().await;
        renew("not repeated").with(passwords(PASSWORD, "Baru-sekali-1", "Baru-sekali-2")).send().await;
        renew("done").with(passwords(PASSWORD, "Baru-sekali-1", "Baru-sekali-1")).send().await;
        doc.close();
    })
    .await;
}
