//! The shell through the router, as a browser uses it. Pages have their tests where they stand, with [`Tab`].

use axum::{
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use serde_json::{Value, json};

use super::session;
use crate::{
    attendance,
    db::Cloud,
    identity::{Actor, NewUser, seed, user},
    testing::{Answer, PASSWORD, TestApp},
};

/// A tab of a browser in which somebody is signed in.
#[derive(Clone)]
pub struct Tab {
    pub t: TestApp,
    pub cookie: String,
    pub csrf: String,
}

impl Tab {
    /// Signs in by the page, as people do.
    pub async fn of(t: &TestApp, login: &str) -> Self {
        let (form, csrf) = form(t).await;
        let answer = enter(t, &form, &csrf, login, PASSWORD, "/console").await;
        assert_eq!(answer.status, 303, "{} {}", t.on, answer.body);
        let cookie = set_cookie(&answer.headers, session::COOKIE);
        let mut tab =
            Self { t: t.clone(), cookie: format!("{}={cookie}", session::COOKIE), csrf: String::new() };
        let who = session::caller(&t.app, &tab.headers()).await.unwrap();
        tab.csrf = super::csrf::token(&t.app, &who.session.to_string());
        tab
    }

    fn headers(&self) -> HeaderMap {
        HeaderMap::from_iter([(axum::http::header::COOKIE, self.cookie.parse().unwrap())])
    }

    /// A page, in Indonesian.
    pub async fn get(&self, path: &str) -> Answer {
        self.t.send(self.request("GET", path).body(Body::empty()).unwrap()).await
    }

    /// A page that must be there, as text.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{} {path}: {}", self.t.on, answer.body);
        assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8", "{path}");
        answer.body.as_str().unwrap_or_default().to_owned()
    }

    /// What a script of the page sends.
    pub async fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let request = self.request(method, path).header("x-csrf-token", &self.csrf);
        let request = request.header("content-type", "application/json");
        self.t.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", "konsol.test")
            .header("cookie", &self.cookie)
    }
}

/// A super admin, who belongs to no school.
pub async fn super_admin(t: &TestApp) -> Tab {
    let hasher = crate::identity::password::Hasher::new();
    let hash = hasher.hash(&t.app.ids, PASSWORD).await.unwrap();
    let new = NewUser {
        username: Some("super_admin"),
        name: "Super Admin",
        password_hash: &hash,
        ..NewUser::default()
    };
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    let taken = crate::fail::Fail::conflict("taken");
    let id = user::create(&mut tx, &t.app, Actor::System, &new, taken).await.unwrap();
    user::set_role(&mut tx, &t.app, Actor::System, id, seed::SUPER_ADMIN).await.unwrap();
    tx.commit().await.unwrap();
    Tab::of(t, "super_admin").await
}

fn set_cookie(headers: &HeaderMap, name: &str) -> String {
    let own = headers.get_all("set-cookie").iter().find_map(|line| {
        let value = line.to_str().unwrap().strip_prefix(name)?.strip_prefix('=')?;
        Some(value.split(';').next().unwrap().to_owned())
    });
    own.unwrap_or_else(|| panic!("no {name} in {headers:?}"))
}

/// The login page's cookie and token.
pub async fn form(t: &TestApp) -> (String, String) {
    let page = t
        .send(Request::get("/console/login").header("host", "konsol.test").body(Body::empty()).unwrap())
        .await;
    assert_eq!(page.status, 200, "{}", page.body);
    let html = page.body.as_str().unwrap();
    let csrf = html.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    (format!("__Host-hadir-form={}", set_cookie(&page.headers, "__Host-hadir-form")), csrf)
}

pub async fn enter(t: &TestApp, cookie: &str, csrf: &str, login: &str, password: &str, next: &str) -> Answer {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("login", login), ("password", password), ("next", next), ("csrf", csrf)])
        .finish();
    let request = Request::post("/console/login")
        .header("host", "konsol.test")
        .header("cookie", cookie)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(body))
        .unwrap();
    t.send(request).await
}

#[tokio::test]
async fn the_cookie_is_no_scripts_and_no_other_sites() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "5001", seed::ADMIN).await;
        let (form, csrf) = form(&t).await;
        let answer = enter(&t, &form, &csrf, "5001", PASSWORD, "/console/1/log?q=a").await;
        assert_eq!(
            (answer.status.as_u16(), &answer.headers["location"]),
            (303, &"/console/1/log?q=a".parse().unwrap())
        );
        let cookies: Vec<_> =
            answer.headers.get_all("set-cookie").iter().map(|c| c.to_str().unwrap()).collect();
        let cookie = cookies.iter().find(|c| c.starts_with("__Host-hadir=")).unwrap();
        for part in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=5400"] {
            assert!(cookie.split("; ").any(|given| given == part), "{cookie}: {part}");
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_signs_in_wrongly_is_told_the_same_whatever_was_wrong() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "5001", seed::ADMIN).await;
        let (form, csrf) = form(&t).await;
        let mut said = Vec::new();
        for (login, password) in
            [("5001", "salah-sekali"), ("9999", PASSWORD), ("nobody@x.example", PASSWORD)]
        {
            let answer = enter(&t, &form, &csrf, login, password, "/console").await;
            assert_eq!(answer.status, 401);
            assert!(
                !answer
                    .headers
                    .get_all("set-cookie")
                    .iter()
                    .any(|c| c.to_str().unwrap().starts_with("__Host-hadir="))
            );
            said.push(answer.body.as_str().unwrap().replace(login, ""));
        }
        assert_eq!(said[0], said[1]);
        assert_eq!(said[1], said[2]);
    })
    .await;
}

#[tokio::test]
async fn a_form_of_another_browser_signs_nobody_in() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "5001", seed::ADMIN).await;
        let (own, csrf) = form(&t).await;
        let (other, _) = form(&t).await;
        for (cookie, csrf) in [(&other, csrf.as_str()), (&own, ""), (&String::new(), csrf.as_str())] {
            let answer = enter(&t, cookie, csrf, "5001", PASSWORD, "/console").await;
            assert_eq!(answer.status, 403, "{cookie} {csrf}");
        }
        let foreign = Request::post("/console/login")
            .header("cookie", &own)
            .header("sec-fetch-site", "cross-site")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(format!("login=5001&password={PASSWORD}&csrf={csrf}")))
            .unwrap();
        assert_eq!(t.send(foreign).await.status, 403);
    })
    .await;
}

#[test]
fn one_goes_on_to_a_path_of_this_host_and_nowhere_else() {
    for (next, to) in [
        ("/console/1/log?q=a", "/console/1/log?q=a"),
        ("//elsewhere.example", "/console"),
        ("/\\elsewhere.example", "/console"),
        ("https://elsewhere.example", "/console"),
        ("/a\r\nset-cookie: x", "/console"),
        ("/a\\b", "/console"),
        ("", "/console"),
        ("javascript:alert(1)", "/console"),
    ] {
        assert_eq!(super::login::safe(Some(next)), to, "{next}");
    }
}

#[tokio::test]
async fn a_request_that_changes_something_proves_where_it_comes_from() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "5001", seed::ADMIN).await;
        let tab = Tab::of(&t, "5001").await;
        let path = format!("/console/{}/api/announcements", school.0);
        let body = json!({"title": "Upacara", "content": "Senin pukul tujuh", "is_published": true});
        let good = tab.call("POST", &path, &body).await;
        assert_eq!(good.status, 201, "{}", good.body);
        for (token, site) in [
            ("", "same-origin"),
            (&*"0".repeat(32), "same-origin"),
            (&*tab.csrf, "cross-site"),
            (&*tab.csrf, "same-site"),
        ] {
            let request = tab
                .request("POST", &path)
                .header("x-csrf-token", token)
                .header("sec-fetch-site", site)
                .header("content-type", "application/json")
                .body(Body::from(body.to_string()))
                .unwrap();
            assert_eq!(t.send(request).await.status, 403, "{token} {site}");
        }
        let without = tab.request("POST", &path).body(Body::from(body.to_string())).unwrap();
        assert_eq!(t.send(without).await.status, 403);
        let list = tab.get(&path).await;
        assert_eq!(list.body["data"]["total"], 1, "{}", list.body);
    })
    .await;
}

#[tokio::test]
async fn the_cookie_is_good_for_nothing_outside() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "5001", seed::ADMIN).await;
        let tab = Tab::of(&t, "5001").await;
        assert_eq!(tab.get("/api/settings").await.status, 401);
        assert_eq!(tab.get("/api/dashboard").await.status, 401);
        // And a token is no cookie.
        let token = t.login("5001").await;
        let path = format!("/console/{}/api/settings", school.0);
        assert_eq!(t.get(&path, Some(&token)).await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_ended_is_ended_here_too_and_an_idle_one_ends() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "5001", seed::ADMIN).await;
        let tab = Tab::of(&t, "5001").await;
        let path = format!("/console/{}/leaves", school.0);
        tab.page(&path).await;
        let out = tab
            .request("POST", "/console/logout")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(format!("csrf={}", tab.csrf)))
            .unwrap();
        assert_eq!(t.send(out).await.status, 303);
        let after = tab.get(&path).await;
        assert_eq!(after.status, 303);
        let to = after.headers["location"].to_str().unwrap();
        assert_eq!(to, format!("/console/login?next=%2Fconsole%2F{}%2Fleaves", school.0));

        let tab = Tab::of(&t, "5001").await;
        t.clock.advance_ms(80 * 60 * 1000);
        let answer = tab.get(&path).await;
        assert_eq!(answer.status, 200);
        let renewed = Tab {
            cookie: format!("__Host-hadir={}", set_cookie(&answer.headers, "__Host-hadir")),
            ..tab.clone()
        };
        t.clock.advance_ms(20 * 60 * 1000);
        assert_eq!(tab.get(&path).await.status, 303, "idle for 100 minutes");
        assert_eq!(renewed.get(&path).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn every_page_is_for_its_own_school_alone() {
    TestApp::both(async |t| {
        let (own, other) = (t.institution("SMAN1").await, t.institution("SMPN2").await);
        t.user(own, "5001", seed::ADMIN).await;
        t.user(other, "5101", seed::ADMIN).await;
        t.user(own, "1001", seed::STUDENT).await;
        let (admin, student) = (Tab::of(&t, "5001").await, Tab::of(&t, "1001").await);
        let pages = attendance::pages();
        assert!(!pages.paths().is_empty());
        for path in pages.paths() {
            let at = |school: i64| format!("/console/{school}{}", path.replace("{id}", "1"));
            let nobody = t.get(&at(own.0), None).await;
            assert_eq!(nobody.status, 303, "{path}");
            assert!(
                nobody.headers["location"].to_str().unwrap().starts_with("/console/login?next="),
                "{path}"
            );
            assert_eq!(admin.get(&at(other.0)).await.status, 404, "{path} of another school");
            assert_eq!(admin.get(&at(999)).await.status, 404, "{path} of no school");
            assert_eq!(student.get(&at(own.0)).await.status, 403, "{path} for a student");
            let answer = admin.get(&at(own.0)).await;
            assert!(
                matches!(answer.status, StatusCode::OK | StatusCode::NOT_FOUND),
                "{path}: {}",
                answer.body
            );
            assert!(
                answer.headers["content-security-policy"].to_str().unwrap().contains("script-src 'self'"),
                "{path}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn who_looks_after_all_schools_works_in_each_under_his_own_name() {
    TestApp::both(async |t| {
        let (one, two) = (t.institution("SMAN1").await, t.institution("SMPN2").await);
        let tab = super_admin(&t).await;
        for school in [one, two] {
            assert!(tab.page(&format!("/console/{}/leaves", school.0)).await.contains("Izin"));
            let body = json!({"title": "Ujian", "content": "Mulai Senin", "is_published": true});
            let made = tab.call("POST", &format!("/console/{}/api/announcements", school.0), &body).await;
            assert_eq!(made.status, 201, "{}", made.body);
        }
        assert_eq!(tab.get("/console/999/leaves").await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn a_page_is_in_the_language_that_was_chosen() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "5001", seed::ADMIN).await;
        let tab = Tab::of(&t, "5001").await;
        let path = format!("/console/{}/leaves", school.0);
        assert!(tab.page(&path).await.contains("<html lang=\"id\">"));
        let english = Tab { cookie: format!("{}; hadir-language=en", tab.cookie), ..tab };
        let page = english.page(&path).await;
        assert!(page.contains("<html lang=\"en\">") && page.contains("<h1>Leaves</h1>"), "{page}");
    })
    .await;
}

#[tokio::test]
async fn open_pages_are_told_when_something_is_new_and_only_to_whom_it_concerns() {
    TestApp::both(async |t| {
        let (own, other) = (t.institution("SMAN1").await, t.institution("SMPN2").await);
        t.user(own, "5001", seed::ADMIN).await;
        let tab = Tab::of(&t, "5001").await;
        assert_eq!(tab.get(&format!("/console/{}/events", other.0)).await.status, 404);
        assert_eq!(t.get(&format!("/console/{}/events", own.0), None).await.status, 401);
        let before = super::store::pulse(&mut t.app.db.read(own).await.unwrap(), own, day()).await.unwrap();
        t.clock.advance_ms(5);
        let body = json!({"title": "Ujian", "content": "Mulai Senin", "is_published": true});
        tab.call("POST", &format!("/console/{}/api/announcements", own.0), &body).await;
        let after = super::store::pulse(&mut t.app.db.read(own).await.unwrap(), own, day()).await.unwrap();
        assert_ne!(before, after);
        let others =
            super::store::pulse(&mut t.app.db.read(other).await.unwrap(), other, day()).await.unwrap();
        assert_ne!(after, others);
    })
    .await;
}

fn day() -> hadir_shared::time::SchoolDay {
    hadir_shared::time::Zone::JAKARTA.day(crate::testing::START)
}

#[tokio::test]
async fn every_script_and_style_a_page_names_is_here() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "5001", seed::ADMIN).await;
        let tab = Tab::of(&t, "5001").await;
        let page = tab.page(&format!("/console/{}/leaves", school.0)).await;
        assert!(!page.contains("style=") && !page.contains("<script>") && !page.contains(" onclick="));
        let named: Vec<_> =
            page.split("/console/assets/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(named.len() >= 4);
        for asset in named {
            let answer = t.get(&format!("/console/assets/{asset}"), None).await;
            assert_eq!(answer.status, 200, "{asset}");
        }
        assert_eq!(t.get("/console/assets/..%2Fmod.rs", None).await.status, 404);
    })
    .await;
}
