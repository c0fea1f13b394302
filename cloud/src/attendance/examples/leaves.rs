use serde_json::{Value, json};

use super::Section;
use crate::{
    attendance::tests::{both, picture, school},
    identity::seed,
    testing::{TestApp, request},
};

/// Uploads a letter for a leave; its path.
async fn letter(t: &TestApp, token: &str, leave: &Value) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let png = STANDARD.decode(picture(8).split_once(',').unwrap().1).unwrap();
    let head = b"--x\r\nContent-Disposition: form-data; name=\"attachment\"; filename=\"surat.png\"\r\n\r\n";
    let form = [head.as_slice(), &png, b"\r\n--x--\r\n"].concat();
    let upload = request("POST", &format!("/api/leaves/{leave}/attachment"), Some(token));
    let upload = upload.header("content-type", "multipart/form-data; boundary=x").body(form.into()).unwrap();
    let kept = t.send(upload).await;
    assert_eq!(kept.status, 200, "{}", kept.body);
    kept.body["data"]["attachment_path"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn section_6() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (_, pupil) = t.signed_in(school.id, "1001", seed::STUDENT).await;
        let (_, classmate) = t.signed_in(school.id, "1002", seed::STUDENT).await;
        let (_, principal) = t.signed_in(school.id, "4001", seed::PRINCIPAL).await;
        let doc = Section::open(&t, "attendance", "06-leaves");

        let create = |answer| doc.ask("POST /api/leaves", answer).by(&pupil);
        let wanted = |kind: &str, from: &str, to: &str| {
            json!({"leave_type": kind, "start_date": from, "end_date": to, "reason": "Demam tinggi, dokter sudah memberi surat."})
        };
        create("unknown type").with(wanted("libur", "2025-11-24", "2025-11-24")).send().await;
        let first = create("done").with(wanted("sakit", "2025-11-24", "2025-11-24")).send().await["data"]["id"].clone();
        let path = letter(&t, &pupil, &first).await;
        let mut referring = wanted("izin", "2025-11-25", "2025-11-26");
        referring["attachment_path"] = path.into();
        let second = create("done").with(referring).send().await["data"]["id"].clone();
        let mut bare = wanted("izin", "2025-12-01", "2025-12-01");
        bare["attachment_path"] = Value::Null;
        let third = create("done").with(bare).send().await["data"]["id"].clone();
        let mut elsewhere = wanted("izin", "2025-12-02", "2025-12-02");
        elsewhere["attachment_path"] = "leaves/surat_andi.pdf".into();
        create("no file of his").with(elsewhere).send().await;

        t.clock.advance_ms(60_000);
        let decide = |answer, id: &Value| doc.ask("PUT /api/leaves/{id}", answer).of(id);
        let approve = json!({"status": "disetujui", "approval_comment": "Disetujui"});
        decide("student", &first).by(&pupil).with(approve.clone()).send().await;
        decide("done", &first).by(&principal).with(approve.clone()).send().await;
        decide("decided", &first).by(&school.admin).with(json!({"status": "ditolak"})).send().await;
        let refuse = json!({"status": "ditolak", "approval_comment": "Ditolak"});
        decide("done refusing", &second).by(&school.admin).with(refuse).send().await;

        let show = |answer| doc.ask("GET /api/leaves/{id}", answer).of(&first);
        show("done").by(&pupil).send().await;
        show("done").by(&principal).send().await;
        show("another").by(&classmate).send().await;

        let delete = |answer, id: &Value| doc.ask("DELETE /api/leaves/{id}", answer).of(id).by(&pupil);
        delete("decided", &first).send().await;
        delete("done", &third).send().await;

        let list = |query: &'static str| doc.ask("GET /api/leaves", "done").by(&principal).query(query);
        assert_eq!(list("").send().await["data"]["total"], 2, "{}", t.on);
        let filtered = list("status=disetujui&leave_type=sakit&start_date=2025-11-24&end_date=2025-11-24&per_page=15");
        assert_eq!(filtered.send().await["data"]["data"][0]["id"], first, "{}", t.on);
        // Last, because PostgreSQL gives the id of a row that is taken back to nobody else.
        create("ends before it begins").with(wanted("izin", "2025-11-24", "2025-11-23")).send().await;
        doc.close();
    })
    .await;
}
