use serde_json::json;

use super::{Section, person};
use crate::{
    attendance::tests::{HERE, both, class, join, punch, school, shown},
    identity::seed,
};

#[tokio::test]
async fn section_12() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        super::complete(&t, &school.admin, "Admin Utama").await;
        let (andi, pupil) = person(&t, &school, ("1001", "Andi Pratama"), seed::STUDENT).await;
        let (budi, teacher) = person(&t, &school, ("2001", "Budi Santoso"), seed::TEACHER).await;
        let (_, staff) = person(&t, &school, ("3001", "Dewi Lestari"), seed::STAFF).await;
        let (_, principal) = person(&t, &school, ("4001", "Eko Prasetyo"), seed::PRINCIPAL).await;
        let room = class(&t, &school, "X IPA 1", Some(budi)).await;
        join(&t, &school, room, andi).await;
        let text = json!({"title": "Jadwal Ujian Tengah Semester", "content": "Jadwal lengkap terlampir."});
        t.post("/api/announcements", Some(&principal), text).await;
        let day = json!({"leave_type": "sakit", "start_date": "2025-11-24", "end_date": "2025-11-24", "reason": "Demam"});
        let mut asked = Vec::new();
        for who in [&pupil, &staff] {
            let made = t.post("/api/leaves", Some(who), day.clone()).await;
            asked.push(made.body["data"]["id"].clone());
        }
        let approved = t
            .put(&format!("/api/leaves/{}", asked[0]), Some(&principal), json!({"status": "disetujui"}))
            .await;
        assert_eq!(approved.status, 200, "{}", approved.body);
        let qr = shown(&t, &school, t.app.now()).await;
        for who in [&teacher, &staff] {
            assert_eq!(t.post("/api/attendance/checkin", Some(who), punch(&qr, HERE)).await.status, 200);
        }

        let doc = Section::open(&t, "attendance", "12-dashboard");
        let dashboard = |answer| doc.ask("GET /api/dashboard", answer);
        let own = dashboard("siswa").by(&pupil).send().await;
        assert_eq!(own["data"]["attendance_status"], "belum_absen", "{}", t.on);
        let own = dashboard("pegawai").by(&staff).send().await;
        assert_eq!(own["data"]["attendance_status"], "hadir", "{}", t.on);
        dashboard("guru").by(&teacher).send().await;
        dashboard("kepala sekolah").by(&principal).send().await;
        dashboard("admin").by(&school.admin).send().await;
        dashboard("signed out").send().await;
        doc.close();
    })
    .await;
}
