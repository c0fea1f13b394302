//! What happened in the demo school, worked out from numbers: no chance, no clock.

use chrono::Days;
use data_encoding::{BASE32_NOPAD, HEXLOWER};
use hadir_shared::{
    chain::Hash,
    demo::{Person, School},
    ids::{ClassId, EventId, UserId},
    rules::{
        fence::{Fence, Position, judge},
        status::Direction,
    },
    settings::Settings,
    time::{Grade, Millis, SchoolDay},
    wire::roster::Role,
};

use crate::{attendance::books::Candidate, clock::Ids};

/// Days ago, title, text, whether it is published.
pub const ANNOUNCEMENTS: &[(i64, &str, &str, bool)] = &[
    (
        20,
        "Upacara hari Senin",
        "Seluruh siswa dan guru mengikuti upacara bendera pukul 07.00 di lapangan.",
        true,
    ),
    (
        9,
        "Jadwal penilaian tengah semester",
        "Penilaian tengah semester dimulai pekan depan. Jadwal ada di wali kelas.",
        true,
    ),
    (
        2,
        "Kartu absensi baru",
        "Kartu QR yang hilang diganti di tata usaha. Kartu lama langsung tidak berlaku.",
        true,
    ),
    (0, "Rapat komite", "Rancangan: rapat komite sekolah pada akhir bulan.", false),
];

/// A leave of the demo.
pub struct Leave {
    pub number: String,
    pub kind: &'static str,
    pub reason: &'static str,
    pub first: SchoolDay,
    pub last: SchoolDay,
    pub approved: bool,
}

impl Leave {
    pub fn days(&self) -> impl Iterator<Item = SchoolDay> {
        self.first.0.iter_days().take_while(|day| *day <= self.last.0).map(SchoolDay)
    }
}

/// Every ninth student was ill or away within the last month, some ask for days to come, and a teacher travelled.
pub fn leaves(school: &School, today: SchoolDay) -> Vec<Leave> {
    let day = |offset: u64, forward: bool| {
        let days = Days::new(offset);
        let moved = if forward { today.0.checked_add_days(days) } else { today.0.checked_sub_days(days) };
        SchoolDay(moved.unwrap_or(today.0))
    };
    let mut leaves: Vec<Leave> = Vec::new();
    for (i, student) in school.students().step_by(9).enumerate() {
        let ago = 2 + (i as u64 * 5) % 25;
        let (kind, reason) =
            if i % 2 == 0 { ("sakit", "Demam, surat dokter menyusul.") } else { ("izin", "Acara keluarga.") };
        let (first, last) = (day(ago, false), day(ago - (i as u64 % 2), false));
        leaves.push(Leave { number: student.number.clone(), kind, reason, first, last, approved: true });
    }
    for student in school.students().skip(4).step_by(40) {
        let (first, last) = (day(1, true), day(2, true));
        let reason = "Mengikuti lomba tingkat provinsi.";
        leaves.push(Leave {
            number: student.number.clone(),
            kind: "izin",
            reason,
            first,
            last,
            approved: false,
        });
    }
    if let Some(teacher) = school.people.iter().find(|person| person.role == Role::Guru) {
        let (first, last) = (day(12, false), day(11, false));
        let reason = "Pelatihan kurikulum di dinas pendidikan.";
        leaves.push(Leave {
            number: teacher.number.clone(),
            kind: "dinas_luar",
            reason,
            first,
            last,
            approved: true,
        });
    }
    leaves
}

/// Ten characters that look random and are the same everywhere.
pub fn plain_code(number: &str) -> String {
    let mut code = BASE32_NOPAD.encode(&Hash::of(format!("demo card {number}").as_bytes()).0);
    code.truncate(10);
    code
}

/// How somebody came and went on a day: most on time, one in twelve late, one in twenty-five not at all.
pub fn day_of(
    person: &Person,
    user: UserId,
    class: Option<ClassId>,
    day: SchoolDay,
    settings: &Settings,
    ids: &Ids,
) -> Vec<Candidate> {
    let chance = Hash::of(format!("{} {day}", person.number).as_bytes()).0;
    if chance[0] < 10 {
        return Vec::new();
    }
    let (zone, schedule) = (settings.schedule.zone, settings.schedule.on(day));
    let second = i64::from(chance[3]) % 60;
    // Minutes relative to the end of check-in, and to the start of check-out.
    let came = if chance[1] < 21 { 1 + i64::from(chance[2]) % 35 } else { -1 - i64::from(chance[2]) % 50 };
    let went = i64::from(chance[4]) % 40;
    let arrival = zone.instant(day, schedule.checkin_end).plus_seconds(came * 60 + second);
    let departure = zone.instant(day, schedule.checkout_start).plus_seconds(went * 60 + second);
    let position = near(settings, chance[5], chance[6]);
    let token = match person.role {
        Role::Siswa => "1".to_owned(),
        _ => HEXLOWER.encode(&chance[..16]),
    };
    let passage = |direction, at: Millis| Candidate {
        event: EventId(ids.uuid(at)),
        user,
        direction,
        claimed: at,
        trusted: at,
        grade: Grade::Anchored,
        position,
        fence: settings.fence.as_ref().zip(position).map(|(fence, position)| judge(fence, position)),
        photo_path: None,
        token: token.clone(),
        class,
        schedule,
        device: None,
        gate: Some("Gerbang 1".into()),
        operator: None,
    };
    vec![passage(Direction::CheckIn, arrival), passage(Direction::CheckOut, departure)]
}

/// Within some forty metres of the school's point.
fn near(settings: &Settings, north: u8, east: u8) -> Option<Position> {
    let Some(Fence::Circle { centre, .. }) = &settings.fence else { return None };
    let degrees = |chance: u8| (f64::from(chance) - 128.0) * 2e-6;
    Position::new(centre.latitude + degrees(north), centre.longitude + degrees(east), Some(8.0))
}
