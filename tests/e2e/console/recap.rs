//! The recap: corrected from a letter, and the same on the screen, in the workbook and on paper.

use std::{io::Cursor, process::Command};

use calamine::{Data, Reader as _, Xlsx};
use hadir_tests::api::Api;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Console, can_run};
use crate::school::on_both;

/// What stands in the lines of the table, without what is empty.
const LINES: &str = "const table = document.querySelector('.sheet table.grid');
    return [...table.tBodies[0].rows, ...table.tFoot.rows]
        .map((row) => [...row.cells].map((cell) => cell.innerText.trim()).filter(Boolean))";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_corrected_from_a_letter_is_the_same_on_screen_in_the_workbook_and_on_paper() {
    if !can_run() {
        return;
    }
    on_both(async |engine| {
        let console = Console::open(engine, "5001").await.unwrap();
        let api = console.cloud.sign_in("5001").await.unwrap();
        let class = api.get("/api/classes").await.unwrap()["data"][0]["id"].as_i64().unwrap();
        let month = month_with_days(&api, class).await;
        console.go(&format!("/recap/{class}?month={month}")).await.unwrap();

        // By keyboard: the letters are one stop of Tab, the arrows go between them, Enter opens the day.
        let stops = "return document.querySelectorAll('.sheet td a[tabindex=\"0\"]').length";
        assert_eq!(console.run(stops).await.unwrap(), 1, "{engine:?}");
        console.run("document.querySelector('.sheet td a').focus()").await.unwrap();
        let key = async |key: &str| {
            let press = json!({ "type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code(key), "text": if key == "Enter" { "\r" } else { "" } });
            console.browser.cdp("Input.dispatchKeyEvent", press).await.unwrap();
        };
        key("ArrowDown").await;
        let place = "const cell = document.activeElement.closest('td'); return cell && [cell.parentElement.rowIndex, cell.cellIndex]";
        let place = console.run(place).await.unwrap();
        assert!(place.is_array(), "{engine:?}: the focus went to a letter");
        let row = place[0].as_i64().unwrap() - 2;
        let letter = format!("document.querySelector('.sheet table.grid').tBodies[0].rows[{row}].cells[{}].innerText.trim()", place[1]);
        let before = console.run(&format!("return {letter}")).await.unwrap();
        key("Enter").await;
        console.browser.until("document.getElementById('look').open").await.unwrap();
        let status = if before == "S" { "izin" } else { "sakit" };
        let choose = format!("const field = document.getElementById('correct-status'); field.value = '{status}'; field.dispatchEvent(new Event('change'))");
        console.run(&choose).await.unwrap();
        console.browser.fill("#correct-reason", "Surat menyusul").await.unwrap();
        console.browser.tap("#look button.main").await.unwrap();
        let after = if before == "S" { "I" } else { "S" };
        console.browser.until(&format!("!document.getElementById('look').open && {letter} === '{after}'")).await.unwrap();
        assert_eq!(console.run("return document.activeElement.innerText").await.unwrap(), after, "{engine:?}: the focus is where it was");

        let lines: Vec<Vec<String>> = serde_json::from_value(console.run(LINES).await.unwrap()).unwrap();
        assert!(lines.len() > 10, "{engine:?}: {lines:?}");
        let workbook = of_workbook(&file(&api, class, &month, "xlsx").await);
        let paper = of_paper(&file(&api, class, &month, "pdf").await);
        for line in &lines {
            assert!(workbook.contains(line), "{engine:?}: {line:?} is not in the workbook {workbook:#?}");
            let words = line.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(paper.contains(&words), "{engine:?}: {words} is not on paper {paper:#?}");
        }
        assert!(console.browser.complaints().await.unwrap().is_empty());
    })
    .await;
}

fn code(key: &str) -> i64 {
    if key == "Enter" { 13 } else { 40 }
}

/// The newest month of which days are over.
async fn month_with_days(api: &Api, class: i64) -> String {
    let now = api.get(&format!("/api/recap/class/{class}")).await.unwrap()["data"].clone();
    let this = now["month"].as_str().unwrap().to_owned();
    if now["effective_days"].as_i64().unwrap() > 0 {
        return this;
    }
    let (year, month) = this.split_once('-').unwrap();
    let (year, month): (i64, i64) = (year.parse().unwrap(), month.parse().unwrap());
    if month == 1 { format!("{}-12", year - 1) } else { format!("{year}-{:02}", month - 1) }
}

async fn file(api: &Api, class: i64, month: &str, format: &str) -> Vec<u8> {
    let path = format!("/api/recap/class/{class}?month={month}&format={format}");
    let answer = api.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{format}");
    answer.bytes().await.unwrap().to_vec()
}

/// The lines of the first sheet, written as paper writes numbers.
fn of_workbook(bytes: &[u8]) -> Vec<Vec<String>> {
    let mut book: Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(bytes)).unwrap();
    let sheet = book.worksheet_range_at(0).unwrap().unwrap();
    let last = sheet.width() - 1;
    let text = |(column, cell): (usize, &Data)| match cell {
        Data::Float(number) if column == last => format!("{number:.1}").replace('.', ","),
        Data::Int(number) if column == last => format!("{number},0"),
        other => other.to_string().trim().to_owned(),
    };
    let line = |row: &[Data]| row.iter().enumerate().map(text).filter(|text| !text.is_empty()).collect();
    sheet.rows().map(line).collect()
}

fn of_paper(bytes: &[u8]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rekap.pdf");
    std::fs::write(&path, bytes).unwrap();
    let read = Command::new("pdftotext").args(["-layout", "-nopgbrk"]).arg(&path).arg("-").output().unwrap();
    let text = String::from_utf8(read.stdout).unwrap();
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_can_be_looked_into_without_scripts() {
    if !can_run() {
        return;
    }
    on_both(async |engine| {
        let console = Console::open(engine, "5001").await.unwrap();
        let api = console.cloud.sign_in("5001").await.unwrap();
        let class = api.get("/api/classes").await.unwrap()["data"][0]["id"].as_i64().unwrap();
        let month = month_with_days(&api, class).await;
        console.scripts(false).await.unwrap();
        console.go(&format!("/recap/{class}?month={month}")).await.unwrap();
        let href =
            console.run("return document.querySelector('.sheet td a').getAttribute('href')").await.unwrap();
        console.go(&format!("/recap/{class}{}", href.as_str().unwrap())).await.unwrap();
        let day = console.browser.text("#day").await.unwrap();
        assert!(day.contains("Tercatat") && day.contains("Koreksi hari ini"), "{engine:?}: {day}");
        assert_eq!(
            console.run("return document.querySelector('#look').open").await.unwrap(),
            Value::Bool(false)
        );
    })
    .await;
}
