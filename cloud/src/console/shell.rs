//! What stands around a page's own content: which school, who looks, where else one can go, and how things are written.

use hadir_shared::{
    ids::InstitutionId,
    time::{Millis, SchoolDay, Zone},
};

use super::{EVERY_SCHOOL, words::Lang};
use crate::{app::App, console::csrf, identity::Caller, oidc};

/// A school, as its pages show it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct School {
    #[sqlx(try_from = "i64")]
    pub id: InstitutionId,
    pub code: String,
    pub name: String,
    zone: Option<String>,
}

impl School {
    pub fn zone(&self) -> Zone {
        self.zone.as_deref().and_then(|name| name.parse().ok()).unwrap_or(Zone::JAKARTA)
    }
}

/// Given to every template as `shell`.
#[derive(Debug, Clone)]
pub struct Shell {
    pub lang: Lang,
    /// `None` on the pages that are above the schools.
    pub school: Option<School>,
    pub who: Caller,
    /// What proves that a request comes from this page.
    pub csrf: String,
    /// This page's path and query, to come back to.
    pub here: String,
    pub now: Millis,
}

/// A page that can be gone to from every other.
#[derive(Debug)]
pub struct Entry {
    pub href: String,
    pub text: &'static str,
    pub is_here: bool,
}

/// Pages under one heading.
#[derive(Debug)]
pub struct Group {
    pub title: &'static str,
    pub entries: Vec<Entry>,
}

/// Path, Indonesian, English, and the permission that opens it.
type Place = (&'static str, &'static str, &'static str, &'static str);

/// In the order in which a day asks for them.
const PLACES: &[(&str, &str, &[Place])] = &[
    (
        "Hari ini",
        "Today",
        &[
            ("", "Ikhtisar", "Overview", "attendance.console.use"),
            ("/log", "Log sinkronisasi", "Sync log", "attendance.sync.read"),
            ("/fleet", "Kotak sekolah", "Boxes", "attendance.devices.read"),
        ],
    ),
    (
        "Absensi",
        "Attendance",
        &[
            ("/recap", "Rekap", "Recap", "attendance.recap.read"),
            ("/leaves", "Izin", "Leaves", "attendance.leaves.decide"),
            ("/calendar", "Kalender", "Calendar", "attendance.console.use"),
            ("/announcements", "Pengumuman", "Announcements", "attendance.announcements.write"),
        ],
    ),
    (
        "Sekolah",
        "School",
        &[
            ("/people", "Orang", "People", "attendance.users.write"),
            ("/classes", "Kelas", "Classes", "attendance.classes.read"),
            ("/cards", "Kartu", "Cards", "attendance.cards.read"),
            ("/import", "Impor", "Import", "attendance.users.write"),
        ],
    ),
    (
        "Pengelolaan",
        "Administration",
        &[
            ("/settings", "Pengaturan", "Settings", "attendance.settings.write"),
            ("/second-factor", "Verifikasi dua langkah", "Second factor", "attendance.settings.write"),
            ("/roles", "Peran", "Roles", "attendance.users.write"),
            ("/sessions", "Sesi", "Sessions", "attendance.console.use"),
            ("/audit", "Jejak audit", "Audit log", "attendance.audit.read"),
            ("/jobs", "Pekerjaan", "Jobs", "attendance.jobs.read"),
            ("/outbox", "Pesan keluar", "Outbox", "attendance.jobs.read"),
        ],
    ),
];

impl Shell {
    pub fn new(app: &App, lang: Lang, school: Option<School>, who: Caller, here: String) -> Self {
        let csrf = csrf::token(app, &who.session.to_string());
        Self { lang, school, csrf, here, now: app.now(), who }
    }

    /// The text of the visitor's language.
    pub const fn t(&self, id: &'static str, en: &'static str) -> &'static str {
        self.lang.t(id, en)
    }

    /// The word that goes with a number, which English alone tells apart.
    pub const fn many(
        &self,
        n: &i64,
        id: &'static str,
        one: &'static str,
        more: &'static str,
    ) -> &'static str {
        self.t(id, if *n == 1 { one } else { more })
    }

    pub fn may(&self, permission: &str) -> bool {
        self.who.may(permission)
    }

    /// Whether there are other schools to go to.
    pub fn sees_every_school(&self) -> bool {
        self.may(EVERY_SCHOOL)
    }

    /// Whether the registry of other software is his to keep.
    pub fn keeps_clients(&self) -> bool {
        self.may(oidc::KEEP_CLIENTS)
    }

    pub fn zone(&self) -> Zone {
        self.school.as_ref().map_or(Zone::JAKARTA, School::zone)
    }

    pub fn today(&self) -> SchoolDay {
        self.zone().day(self.now)
    }

    /// The address of one of the school's pages: `shell.at("/leaves")`.
    pub fn at(&self, path: &str) -> String {
        match &self.school {
            Some(school) => format!("/console/{}{path}", school.id.0),
            None => format!("/console{path}"),
        }
    }

    /// The address of the module's API, for this page: `shell.api("/leaves/12")`.
    pub fn api(&self, path: &str) -> String {
        self.at(&format!("/api{path}"))
    }

    /// Where a picture is to be had of which `/files/…` is the path.
    pub fn picture(&self, path: &str) -> String {
        self.at(&format!("{path}?size=thumb"))
    }

    /// This page's address without its query.
    pub fn path(&self) -> &str {
        self.here.split('?').next().unwrap_or_default()
    }

    /// This page with one thing in its query set otherwise, or, with an empty value, left out.
    pub fn with(&self, key: &str, value: impl std::fmt::Display) -> String {
        let value = value.to_string();
        let query = self.here.split_once('?').map_or("", |(_, query)| query);
        let others = form_urlencoded::parse(query.as_bytes()).filter(|(k, v)| k != key && !v.is_empty());
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        pairs.extend_pairs(others);
        if !value.is_empty() {
            pairs.append_pair(key, &value);
        }
        let query = pairs.finish();
        if query.is_empty() { self.path().to_owned() } else { format!("{}?{query}", self.path()) }
    }

    /// What the query says of the filters, for the address of a file: `status=failed&q=siti`.
    pub fn query(&self) -> &str {
        self.here.split_once('?').map_or("", |(_, query)| query)
    }

    /// Only what the visitor may open.
    pub fn places(&self) -> Vec<Group> {
        let Some(school) = &self.school else { return Vec::new() };
        let own = format!("/console/{}", school.id.0);
        let group = |(id, en, places): &(&'static str, &'static str, &'static [Place])| Group {
            title: self.lang.t(id, en),
            entries: places
                .iter()
                .filter(|place| self.may(place.3))
                .map(|(path, id, en, _)| Entry {
                    href: format!("{own}{path}"),
                    text: self.lang.t(id, en),
                    is_here: self.is_under(&own, path),
                })
                .collect(),
        };
        PLACES.iter().map(group).filter(|group| !group.entries.is_empty()).collect()
    }

    fn is_under(&self, own: &str, path: &str) -> bool {
        let Some(rest) = self.path().strip_prefix(own) else { return false };
        if path.is_empty() {
            rest.is_empty() || rest == "/"
        } else {
            rest == path || rest.starts_with(&format!("{path}/"))
        }
    }

    /// `14.203`.
    pub fn n(&self, n: &i64) -> String {
        self.lang.number(*n)
    }

    /// `06:41`.
    pub fn time(&self, at: &Millis) -> String {
        self.zone().time_of_day(*at).format("%H:%M").to_string()
    }

    /// `21-11-2026 09:03:12 WIB`.
    pub fn moment(&self, at: &Millis) -> String {
        let zone = self.zone();
        let (day, time) = (zone.day(*at).0.format("%d-%m-%Y"), zone.time_of_day(*at));
        format!("{day} {} {}", time.format("%H:%M:%S"), zone.abbreviation(*at))
    }

    /// How long ago: `3 menit lalu`.
    pub fn ago(&self, at: &Millis) -> String {
        format!("{} {}", self.lang.span(self.now.since(*at)), self.t("lalu", "ago"))
    }

    /// `Senin, 14 Juli 2025`.
    pub fn day(&self, day: &SchoolDay) -> String {
        self.lang.long_day(*day)
    }
}
