use serde_json::{Value, json};

use super::{Section, person};
use crate::{
    attendance::tests::{both, school},
    identity::seed,
};

#[tokio::test]
async fn section_8() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let admin = &school.admin;
        let (budi, teacher) = person(&t, &school, ("2001", "Budi Santoso"), seed::TEACHER).await;
        let (citra, _) = person(&t, &school, ("2002", "Citra Dewi"), seed::TEACHER).await;
        let (andi, pupil) = person(&t, &school, ("1001", "Andi Pratama"), seed::STUDENT).await;
        let (eka, _) = person(&t, &school, ("1002", "Eka Putri"), seed::STUDENT).await;
        let doc = Section::open(&t, "attendance", "08-classes");

        let create = |answer| doc.ask("POST /api/classes", answer);
        let room = json!({"name": "X IPA 1", "homeroom_teacher_id": budi});
        create("teacher").by(&teacher).with(room.clone()).send().await;
        let made = create("done").by(admin).with(room.clone()).send().await;
        let id = &made["data"]["id"];
        create("twice").by(admin).with(room).send().await;
        create("led by a student")
            .by(admin)
            .with(json!({"name": "X IPA 2", "homeroom_teacher_id": andi}))
            .send()
            .await;

        doc.ask("GET /api/classes", "done").by(&teacher).send().await;
        doc.ask("GET /api/classes", "student").by(&pupil).send().await;
        doc.ask("GET /api/classes/{id}", "done").of(id).by(&teacher).send().await;
        doc.ask("GET /api/classes/{id}", "unknown").of(999_999).by(&teacher).send().await;

        let assign = |answer| doc.ask("POST /api/classes/{id}/assign-students", answer).of(id).by(admin);
        let group = |ids: Value| json!({"student_ids": ids, "academic_year": 2025});
        assign("not a student").with(group(json!([andi, citra]))).send().await;
        assign("done").with(group(json!([andi, eka]))).send().await;
        assign("again").with(group(json!([andi, eka]))).send().await;
        let students = doc.ask("GET /api/classes/{id}/students", "done").of(id).by(&teacher).send().await;
        assert_eq!(students["data"]["students"].as_array().unwrap().len(), 2, "{}", t.on);

        t.clock.advance_ms(60_000);
        let change = json!({"name": "X IPA 1 - Updated", "homeroom_teacher_id": citra});
        let changed = doc.ask("PUT /api/classes/{id}", "done").of(id).by(admin).with(change).send().await;
        assert_eq!(changed["data"]["homeroom_teacher"]["id"], json!(citra), "{}", t.on);

        doc.ask("DELETE /api/classes/{id}", "with students").of(id).by(admin).send().await;
        let remove = doc.ask("POST /api/classes/{id}/remove-students", "done").of(id).by(admin);
        remove.with(group(json!([andi, eka]))).send().await;
        doc.ask("DELETE /api/classes/{id}", "done").of(id).by(admin).send().await;
        doc.close();
    })
    .await;
}
