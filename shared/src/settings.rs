//! A school's settings: the keys of the contract, their defaults, and what each value must look like.
//!
//! Settings are texts on the wire and in the database, because the contract has them so. [`Settings::read`] turns them into
//! values once; nothing past it looks at a text.

use std::collections::BTreeMap;

use chrono::NaiveTime;

use crate::{
    qr::Interval,
    rules::{
        fence::{Fence, Outline, Point, Policy},
        school_days::SchoolDays,
        timetable::{Hours, Timetable, WeekdayHours},
    },
    time::Zone,
};

/// A key the contract or this project names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    pub key: &'static str,
    /// What holds where a school has not chosen.
    pub default: &'static str,
    /// In Indonesian, for the settings page.
    pub description: &'static str,
}

/// Every setting there is.
pub const ALL: &[Setting] = &[
    Setting { key: "attendance_radius", default: "100", description: "Radius absensi dalam meter" },
    Setting { key: "school_latitude", default: "", description: "Koordinat latitude sekolah" },
    Setting { key: "school_longitude", default: "", description: "Koordinat longitude sekolah" },
    Setting {
        key: "school_area",
        default: "",
        description: "Batas sekolah sebagai poligon (lat,lon; lat,lon; …); kosong berarti lingkaran",
    },
    Setting {
        key: "geofence_policy",
        default: "flag",
        description: "Tindakan di luar area: flag atau block",
    },
    Setting { key: "checkin_start", default: "06:30:00", description: "Waktu mulai check-in" },
    Setting { key: "checkin_end", default: "07:30:00", description: "Batas waktu check-in" },
    Setting { key: "late_grace_minutes", default: "0", description: "Toleransi keterlambatan dalam menit" },
    Setting { key: "checkout_start", default: "14:00:00", description: "Waktu mulai check-out" },
    Setting {
        key: "weekday_hours",
        default: "",
        description: "Hari dengan jam sendiri: hari=batas check-in-mulai check-out (5=07:00-11:30; 1 = Senin)",
    },
    Setting {
        key: "qr_refresh_interval",
        default: "10",
        description: "Interval pergantian QR Code dinamis dalam detik",
    },
    Setting {
        key: "kiosk_people",
        default: "initials",
        description: "Orang di layar kiosk: initials, names atau none",
    },
    Setting { key: "timezone", default: "Asia/Jakarta", description: "Zona waktu sekolah" },
    Setting { key: "school_days", default: "1-6", description: "Hari sekolah (1 = Senin)" },
    Setting { key: "app_name", default: "Hadir", description: "Nama aplikasi" },
    Setting { key: "school_name", default: "", description: "Nama sekolah" },
];

/// Looks a key up.
pub fn find(key: &str) -> Option<&'static Setting> {
    ALL.iter().find(|s| s.key == key)
}

/// A value that its key does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct Invalid {
    pub key: String,
    /// In Indonesian, for the person who entered it.
    pub problem: &'static str,
}

/// How a kiosk, which everybody walks past, tells who passed last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KioskPeople {
    Initials,
    /// First name and an initial.
    Names,
    Nobody,
}

/// A school's settings, as values.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub fence: Option<Fence>,
    pub policy: Policy,
    /// When the gate opens. Arriving earlier is accepted.
    pub checkin_start: NaiveTime,
    pub schedule: Timetable,
    pub qr_interval: Interval,
    pub kiosk_people: KioskPeople,
    pub school_days: SchoolDays,
    pub app_name: String,
    pub school_name: String,
}

impl Settings {
    /// Reads a school's settings. A key that is absent has its default; an unknown one is ignored, so that an older box
    /// can read a newer cloud's.
    pub fn read(version: i64, texts: &BTreeMap<String, String>) -> Result<Self, Invalid> {
        let text = |key: &'static str| {
            let default = find(key).map_or("", |s| s.default);
            texts.get(key).map_or(default, String::as_str)
        };
        let radius = number(text("attendance_radius"), 1.0, 100_000.0)
            .ok_or_else(|| invalid("attendance_radius", "harus berupa angka antara 1 dan 100000"))?;
        let latitude = coordinate("school_latitude", text("school_latitude"), 90.0)?;
        let longitude = coordinate("school_longitude", text("school_longitude"), 180.0)?;
        let area = match text("school_area").trim() {
            "" => None,
            corners => Some(corners.parse::<Outline>().map_err(|_| {
                invalid("school_area", "harus berupa tiga titik atau lebih: lat,lon; lat,lon; lat,lon")
            })?),
        };
        let centre = latitude.zip(longitude).and_then(|(lat, lon)| Point::new(lat, lon));
        let circle = centre.map(|centre| Fence::Circle { centre, metres: radius });
        Ok(Self {
            fence: area.map(Fence::Outline).or(circle),
            policy: match text("geofence_policy") {
                "flag" => Policy::Flag,
                "block" => Policy::Block,
                _ => return Err(invalid("geofence_policy", "harus flag atau block")),
            },
            checkin_start: time("checkin_start", text("checkin_start"))?,
            schedule: Timetable {
                version,
                zone: text("timezone")
                    .parse::<Zone>()
                    .map_err(|_| invalid("timezone", "bukan nama zona waktu, misalnya Asia/Jakarta"))?,
                late_grace_minutes: text("late_grace_minutes")
                    .parse()
                    .ok()
                    .filter(|m| *m <= 240)
                    .ok_or_else(|| invalid("late_grace_minutes", "harus berupa bilangan antara 0 dan 240"))?,
                usual: Hours {
                    checkin_end: time("checkin_end", text("checkin_end"))?,
                    checkout_start: time("checkout_start", text("checkout_start"))?,
                },
                weekdays: text("weekday_hours").parse::<WeekdayHours>().map_err(|_| {
                    invalid("weekday_hours", "harus berupa hari dan jam seperti 5=07:00-11:30; 6=07:15-12:00")
                })?,
            },
            qr_interval: text("qr_refresh_interval").parse().ok().and_then(Interval::seconds).ok_or_else(
                || invalid("qr_refresh_interval", "harus berupa bilangan detik antara 1 dan 600"),
            )?,
            kiosk_people: match text("kiosk_people") {
                "initials" => KioskPeople::Initials,
                "names" => KioskPeople::Names,
                "none" => KioskPeople::Nobody,
                _ => return Err(invalid("kiosk_people", "harus initials, names atau none")),
            },
            school_days: text("school_days").parse().map_err(|_| {
                invalid("school_days", "harus berupa hari seperti 1-6 atau 1,2,3 (1 = Senin)")
            })?,
            app_name: name("app_name", text("app_name"))?,
            school_name: name("school_name", text("school_name"))?,
        })
    }
}

/// Whether `changes` may be laid over `current`: every changed value is valid, alone and with the others.
pub fn validate(
    current: &BTreeMap<String, String>,
    changes: &BTreeMap<String, String>,
) -> Result<(), Invalid> {
    let mut merged = current.clone();
    merged.extend(changes.clone());
    Settings::read(0, &merged).map(drop)
}

fn invalid(key: &str, problem: &'static str) -> Invalid {
    Invalid { key: key.into(), problem }
}

fn number(text: &str, least: f64, most: f64) -> Option<f64> {
    text.trim().parse().ok().filter(|n| (least..=most).contains(n))
}

fn coordinate(key: &str, text: &str, most: f64) -> Result<Option<f64>, Invalid> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    number(text, -most, most).map(Some).ok_or_else(|| invalid(key, "bukan koordinat dalam derajat"))
}

fn time(key: &str, text: &str) -> Result<NaiveTime, Invalid> {
    NaiveTime::parse_from_str(text.trim(), "%H:%M:%S")
        .or_else(|_| NaiveTime::parse_from_str(text.trim(), "%H:%M"))
        .map_err(|_| invalid(key, "harus berupa waktu JJ:MM:DD"))
}

fn name(key: &str, text: &str) -> Result<String, Invalid> {
    if text.chars().count() > 200 {
        Err(invalid(key, "paling panjang 200 karakter"))
    } else {
        Ok(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()
    }

    #[test]
    fn a_school_that_chose_nothing_has_working_settings_and_no_fence() {
        let settings = Settings::read(1, &BTreeMap::new()).unwrap();
        assert_eq!(settings.fence, None);
        assert_eq!(settings.schedule.usual.checkin_end.to_string(), "07:30:00");
        assert_eq!(settings.qr_interval.as_millis(), 10_000);
        assert_eq!(settings.schedule.zone, Zone::JAKARTA);
    }

    #[test]
    fn an_outline_wins_over_the_circle() {
        let mut chosen = texts(&[("school_latitude", "-6.2"), ("school_longitude", "106.8166")]);
        assert!(matches!(
            Settings::read(1, &chosen).unwrap().fence,
            Some(Fence::Circle { metres: 100.0, .. })
        ));
        chosen.insert("school_area".into(), "-6.2,106.8; -6.2,106.9; -6.3,106.9".into());
        assert!(matches!(Settings::read(1, &chosen).unwrap().fence, Some(Fence::Outline(_))));
    }

    #[test]
    fn every_key_refuses_rubbish_by_its_name() {
        let rubbish = [
            ("attendance_radius", "0"),
            ("attendance_radius", "NaN"),
            ("school_latitude", "91"),
            ("school_longitude", "timur"),
            ("school_area", "1,2"),
            ("geofence_policy", "maybe"),
            ("kiosk_people", "everybody"),
            ("checkin_start", "25:00:00"),
            ("checkin_end", "half past seven"),
            ("late_grace_minutes", "-1"),
            ("checkout_start", ""),
            ("weekday_hours", "5=11:30-07:00"),
            ("qr_refresh_interval", "0"),
            ("timezone", "WIB"),
            ("school_days", "0-8"),
        ];
        for (key, value) in rubbish {
            let refused = validate(&BTreeMap::new(), &texts(&[(key, value)])).unwrap_err();
            assert_eq!(refused.key, key, "{value}");
        }
        let long = "x".repeat(201);
        assert_eq!(validate(&BTreeMap::new(), &texts(&[("app_name", &long)])).unwrap_err().key, "app_name");
    }

    #[test]
    fn an_unknown_key_does_not_stop_an_older_reader() {
        assert!(Settings::read(1, &texts(&[("from_the_future", "?")])).is_ok());
        assert!(find("from_the_future").is_none());
    }
}
