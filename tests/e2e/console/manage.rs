//! Settings and sessions.

use hadir_shared::demo;
use hadir_tests::browser::Browser;
use serde_json::Value;

use super::{Console, can_run};
use crate::school::on_both;

const VERDICT: &str = "document.querySelector('#verdict .badge')?.innerText";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_point_is_pressed_or_typed_and_judged_and_a_friday_gets_its_hours() {
    if !can_run() {
        return;
    }
    on_both(async |engine| {
        let console = Console::open(engine, "5001").await.unwrap();
        console.go("/settings").await.unwrap();
        console.run("window.marked = true").await.unwrap();
        // The middle of the picture is the middle of the school.
        console.browser.tap("svg.map").await.unwrap();
        console.browser.until(&format!("{VERDICT} === 'Di dalam area'")).await.unwrap();
        assert_eq!(
            console
                .run("return document.querySelectorAll('svg.map circle.probe.good').length")
                .await
                .unwrap(),
            1
        );
        let latitude = console.run("return document.getElementById('latitude').value").await.unwrap();
        assert!(
            console
                .run("return location.search")
                .await
                .unwrap()
                .as_str()
                .unwrap()
                .contains(latitude.as_str().unwrap())
        );
        console.run("document.getElementById('latitude').value = ''").await.unwrap();
        console.browser.fill("#latitude", "-6.9").await.unwrap();
        console.browser.tap("#probe button").await.unwrap();
        console.browser.until(&format!("{VERDICT} === 'Di luar area'")).await.unwrap();

        let friday = "[data-weekday='5']";
        let type_in = format!(
            "for (const [name, value] of [['from', '06:45'], ['to-time', '11:15']]) {{
                const field = document.querySelector(`{friday} [data-${{name}}]`);
                field.value = value;
                field.dispatchEvent(new Event('input', {{ bubbles: true }}));
            }}
            document.querySelector(\"{friday}\").closest('form').requestSubmit()"
        );
        console.run(&type_in).await.unwrap();
        console
            .browser
            .until("document.getElementById('said').innerText === 'Pengaturan disimpan.'")
            .await
            .unwrap();
        let api = console.cloud.sign_in("5001").await.unwrap();
        let hours = api.get("/api/settings/weekday_hours").await.unwrap()["data"]["value"].clone();
        assert_eq!(hours, "5=06:45-11:15", "{engine:?}");
        // What no clock shows is said beside its field, and changes nothing.
        let wrong = type_in.replace("11:15", "06:00");
        console.run(&wrong).await.unwrap();
        console
            .browser
            .until("document.querySelector('.flaw.said')?.innerText.includes('5=07:00-11:30')")
            .await
            .unwrap();
        assert_eq!(
            api.get("/api/settings/weekday_hours").await.unwrap()["data"]["value"],
            hours,
            "{engine:?}"
        );
        assert_eq!(console.run("return window.marked").await.unwrap(), true, "{engine:?}: without a reload");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_ended_here_is_signed_out_there() {
    if !can_run() {
        return;
    }
    on_both(async |engine| {
        let console = Console::open(engine, "5001").await.unwrap();
        let other = Browser::start(&[]).await.unwrap();
        other.open(&format!("{}/console/login", console.cloud.url())).await.unwrap();
        other.fill("#login", "2001").await.unwrap();
        other.fill("#password", demo::PASSWORD).await.unwrap();
        other.tap("form.card button.main").await.unwrap();
        other.until("!location.pathname.endsWith('/login')").await.unwrap();
        other.open(&console.at("/recap")).await.unwrap();
        assert_eq!(
            other.run("return location.pathname.endsWith('/recap')", Value::Null).await.unwrap(),
            true
        );

        console.go("/sessions?q=2001").await.unwrap();
        let rows = "document.querySelectorAll('#people tbody tr').length";
        assert_eq!(console.run(&format!("return {rows}")).await.unwrap(), 1, "{engine:?}");
        // Pressed twice: the second finds nothing to do.
        console
            .run("const b = document.querySelector('#people tbody button'); b.click(); b.click()")
            .await
            .unwrap();
        console.browser.until(&format!("{rows} === 0")).await.unwrap();
        other.open(&console.at("/recap")).await.unwrap();
        other.until("location.pathname === '/console/login'").await.unwrap();
        assert!(console.browser.complaints().await.unwrap().is_empty());
    })
    .await;
}
