use serde_json::json;

use super::{Section, person};
use crate::{
    attendance::tests::{both, school},
    identity::seed,
};

#[tokio::test]
async fn section_9() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let admin = &school.admin;
        let (andi, _) = person(&t, &school, ("1001", "Andi Pratama"), seed::STUDENT).await;
        let (budi, teacher) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let (_, principal) = t.signed_in(school.id, "4001", seed::PRINCIPAL).await;
        let doc = Section::open(&t, "attendance", "09-student-qr-cards");

        let generate = |answer| doc.ask("POST /api/student-qr-cards/generate", answer);
        generate("principal").by(&principal).with(json!({"student_id": andi})).send().await;
        generate("not a student").by(admin).with(json!({"student_id": budi})).send().await;
        let first =
            generate("done").by(admin).with(json!({"student_id": andi})).send().await["data"]["id"].clone();
        t.clock.advance_ms(60_000);
        let second =
            generate("done").by(admin).with(json!({"student_id": andi})).send().await["data"]["id"].clone();

        doc.ask("GET /api/student-qr-cards", "done").by(&principal).send().await;
        doc.ask("GET /api/student-qr-cards", "teacher").by(&teacher).send().await;
        let show = |answer| doc.ask("GET /api/student-qr-cards/{id}", answer).by(&principal);
        let replaced = show("done").of(&first).send().await;
        assert_eq!(replaced["data"]["is_active"], false, "{}: the new one ended it", t.on);
        show("unknown").of(999_999).send().await;

        let switch = doc.ask("PUT /api/student-qr-cards/{id}/status", "done").by(admin);
        let off = switch.of(&second).with(json!({"is_active": false})).send().await;
        assert_eq!(off["data"]["is_active"], false, "{}", t.on);
        let switch = doc.ask("PUT /api/student-qr-cards/{id}/status", "done").by(admin);
        let on = switch.of(&first).with(json!({"is_active": true})).send().await;
        assert_eq!(on["data"]["is_active"], true, "{}", t.on);
        doc.close();
    })
    .await;
}
