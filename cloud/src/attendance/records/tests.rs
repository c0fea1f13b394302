use chrono::NaiveDate;
use serde_json::json;

use super::{Row, store::Excuse};
use crate::{
    attendance::{
        corrections::Correction,
        tests::{HERE, both, choose, class, school, student},
    },
    testing::START,
};

#[tokio::test]
async fn a_school_in_wit_decides_by_its_own_clocks_and_leaving_does_not_change_how_somebody_came() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        choose(&t, &school, "timezone", "Asia/Jayapura").await;
        let room = class(&t, &school, "X", None).await;
        for number in ["1001", "1002"] {
            student(&t, &school, room, number).await;
        }
        let pass = async |number: &str, direction: &str| {
            let body =
                json!({"nisn_nip_nik": number, "type": direction, "latitude": HERE.0, "longitude": HERE.1});
            let answer = t.post("/api/student-attendance/scan-qr", Some(&school.admin), body).await;
            assert_eq!(answer.status, 200, "{} {}", t.on, answer.body);
            let record = &answer.body["data"];
            [&record["status"], &record["late_minutes"], &record["early_minutes"], &record["date_only"]]
                .map(Clone::clone)
        };
        // 06:45 in Jakarta is 08:45 in Jayapura, 75 minutes after half past seven.
        let late = [json!("terlambat"), json!(75), json!(0), json!("2025-11-21")];
        assert_eq!(pass("1001", "checkin").await, late, "{}", t.on);
        t.clock.advance_ms(4 * 3_600_000);
        let early = [json!("terlambat"), json!(0), json!(75), json!("2025-11-21")];
        assert_eq!(pass("1001", "checkout").await, early, "{}", t.on);
        let history = t.get("/api/attendance/history", Some(&t.login("1001").await)).await;
        let came = &history.body["data"]["data"][1];
        assert_eq!((&came["status"], &came["late_minutes"]), (&json!("terlambat"), &json!(75)), "{}", t.on);
        // 15:30 UTC: still Friday in Jakarta, Saturday in Jayapura, and early in the morning there.
        t.clock.set(START.plus_seconds(15 * 3600 + 45 * 60));
        let next = [json!("hadir"), json!(0), json!(0), json!("2025-11-22")];
        assert_eq!(pass("1002", "checkin").await, next, "{}", t.on);
    })
    .await;
}

#[test]
fn what_counts_of_a_row() {
    let day: NaiveDate = "2025-11-21".parse().unwrap();
    let row = |status: &str| Row {
        id: 1,
        user_id: hadir_shared::ids::UserId(1),
        direction: "checkin".into(),
        status: status.into(),
        late_minutes: 0,
        early_minutes: 0,
        trusted_at: START,
        day,
        latitude: None,
        longitude: None,
        accuracy: None,
        fence: None,
        photo_path: None,
        qr_token_used: if status == "alpha" { crate::attendance::absences::TOKEN } else { "1" }.into(),
        gate: None,
        created_at: START,
        correction: None,
    };
    let corrected = |direction: &str, status: &str, day: NaiveDate| Correction {
        id: 1,
        day,
        direction: direction.into(),
        status_before: "hadir".into(),
        status_after: status.into(),
        late_minutes_before: 0,
        late_minutes_after: 9,
        reason: "Salah catat".into(),
        corrected_by: hadir_shared::ids::UserId(2),
        created_at: START,
    };
    let excuse = |kind: &str, first: NaiveDate, last: NaiveDate| Excuse {
        leave_type: kind.into(),
        start_date: first,
        end_date: last,
    };
    let (before, after) = (day.pred_opt().unwrap(), day.succ_opt().unwrap());
    let cases = [
        ("hadir", vec![], vec![], "hadir", "as entered"),
        ("alpha", vec![], vec![], "alpha", "an absence"),
        ("alpha", vec![], vec![excuse("sakit", before, after)], "sakit", "an absence excused"),
        ("alpha", vec![], vec![excuse("dinas_luar", day, day)], "izin", "any leave but illness"),
        (
            "alpha",
            vec![],
            vec![excuse("sakit", day, day), excuse("izin", day, day)],
            "izin",
            "of two leaves the last, as in the recap",
        ),
        ("alpha", vec![], vec![excuse("sakit", after, after)], "alpha", "ill on another day"),
        ("hadir", vec![], vec![excuse("sakit", day, day)], "hadir", "came in spite of it"),
        (
            "alpha",
            vec![corrected("checkin", "alpha", day)],
            vec![excuse("sakit", day, day)],
            "alpha",
            "a correction counts more",
        ),
        (
            "hadir",
            vec![corrected("checkin", "izin", day), corrected("checkin", "sakit", day)],
            vec![],
            "sakit",
            "the last",
        ),
        ("hadir", vec![corrected("checkout", "izin", day)], vec![], "hadir", "of the other direction"),
        ("hadir", vec![corrected("checkin", "izin", before)], vec![], "hadir", "of another day"),
    ];
    for (status, corrections, excuses, expected, why) in cases {
        let mut row = row(status);
        row.amend(&corrections, &excuses);
        assert_eq!(row.status, expected, "{why}");
        assert_eq!(row.late_minutes, if row.correction.is_some() { 9 } else { 0 }, "{why}");
    }
}
