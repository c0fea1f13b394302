//! People brought in by a file, a school year on, and a card that is replaced.

use serde_json::{Value, json};

use super::{Console, can_run};
use crate::school::on_both;

impl Console {
    /// Lets a file fall onto the page, as a hand with a mouse does.
    async fn drop_file(&self, name: &str, text: &str) {
        let script = "const [name, text] = arguments;
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([text], name, { type: 'text/csv' }));
            document.getElementById('drop').dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }))";
        self.browser.run(script, json!([name, text])).await.unwrap();
    }

    /// Presses the button of the question that is asked.
    async fn say_yes(&self) {
        self.browser.until("document.querySelector('dialog[open] button.main')").await.unwrap();
        self.browser.tap("dialog[open] button.main").await.unwrap();
    }

    async fn number(&self, expression: &str) -> i64 {
        self.run(&format!("return {expression}")).await.unwrap().as_i64().unwrap_or(-1)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_with_a_mistake_is_mended_and_brought_in() {
    if !can_run() {
        return;
    }
    on_both(async |engine| {
        let console = Console::open(engine, "5001").await.unwrap();
        let admin = console.cloud.sign_in("5001").await.unwrap();
        console.go("/import").await.unwrap();
        let list = |role: &str| format!("NISN;Nama;Peran;Kelas\n0099000001;Siti <b>Baru</b>;siswa;X Baru\n0099000002;Budi Baru;{role};X Baru\n");
        console.drop_file("daftar.csv", &list("penjaga")).await;
        console.browser.until("document.querySelector('#verdict.bad')?.innerText").await.unwrap();
        let rows = console.browser.text("#rows tbody").await.unwrap();
        assert!(rows.starts_with('3') && rows.contains("Budi Baru"), "{engine:?}: the refused row is named first: {rows}");
        assert!(rows.contains("Siti <b>Baru</b>"), "{engine:?}: a text stays a text: {rows}");
        assert_eq!(console.run("return document.getElementById('apply').hidden").await.unwrap(), true);
        assert_eq!(admin.total("/api/users?search=0099").await.unwrap(), 0, "{engine:?}");

        console.drop_file("daftar.csv", &list("siswa")).await;
        console.browser.until("document.querySelector('#verdict.good')?.innerText").await.unwrap();
        assert_eq!(admin.total("/api/users?search=0099").await.unwrap(), 0, "{engine:?}: a preview writes nothing");
        console.run("const b = document.getElementById('apply'); b.click(); b.click()").await.unwrap();
        console.browser.until("!document.getElementById('people').hidden").await.unwrap();
        assert_eq!(admin.total("/api/users?search=0099").await.unwrap(), 2, "{engine:?}");

        // The same file by the keyboard's way: nothing is left to do.
        let script = "const data = new DataTransfer();
            data.items.add(new File([arguments[0]], 'daftar.csv', { type: 'text/csv' }));
            const input = document.getElementById('file');
            input.files = data.files;
            input.dispatchEvent(new Event('change', { bubbles: true }))";
        console.browser.run(script, json!([list("siswa")])).await.unwrap();
        console.browser.until("document.querySelector('#verdict.calm')?.innerText").await.unwrap();
        assert_eq!(console.run("return document.getElementById('apply').hidden").await.unwrap(), true);
        console.drop_file("gambar.csv", "\u{0}\u{1}bukan tabel").await;
        console.browser.until("document.querySelector('#verdict.bad')?.innerText").await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_school_goes_a_year_on_after_it_was_seen_what_that_does() {
    if !can_run() {
        return;
    }
    on_both(async |engine| {
        let console = Console::open(engine, "5001").await.unwrap();
        let admin = console.cloud.sign_in("5001").await.unwrap();
        console.go("/classes/promote").await.unwrap();
        let year = console.number("Number(document.querySelector('[name=from_year][type=hidden]').value)").await;
        assert_eq!(console.run("return document.getElementById('apply').disabled").await.unwrap(), true);
        // Every class that has somewhere to go; one is sent to where it is told.
        let choose = "const rows = [...document.querySelectorAll('tr[data-line]')];
            const select = rows[0].querySelector('select');
            select.value = rows[1].dataset.line;
            for (const row of rows.slice(1)) row.querySelector('select').value = 'null';
            select.dispatchEvent(new Event('change', { bubbles: true }));
            return [Number(rows[0].dataset.line), Number(rows[1].dataset.line), Number(rows[0].cells[1].innerText)]";
        let chosen = console.run(choose).await.unwrap();
        let [from, to, students] = [0, 1, 2].map(|n| chosen[n].as_i64().unwrap());
        assert!(students > 0, "{engine:?}: {chosen}");
        let of_class = format!("/api/classes/{to}/students?academic_year={}", year + 1);
        let placed = async || -> usize {
            let answer = admin.get(&of_class).await.unwrap();
            answer["data"]["students"].as_array().map_or(0, Vec::len)
        };
        console.browser.tap("#try").await.unwrap();
        console.browser.until("!document.getElementById('apply').disabled").await.unwrap();
        let preview = console.browser.text("#preview").await.unwrap();
        assert!(preview.contains(&format!("{students} siswa naik kelas")), "{engine:?}: {preview}");
        assert_eq!(placed().await, 0, "{engine:?}: a preview writes nothing");

        console.browser.tap("#apply").await.unwrap();
        console.say_yes().await;
        console.browser.until("document.querySelector('#preview.good')?.innerText").await.unwrap();
        assert_eq!(i64::try_from(placed().await).unwrap(), students, "{engine:?}");
        let this_year: Value = admin.get(&format!("/api/classes/{from}/students")).await.unwrap();
        assert_eq!(this_year["data"]["students"].as_array().unwrap().len(), usize::try_from(students).unwrap());

        console.browser.tap("#try").await.unwrap();
        console.browser.until("document.getElementById('preview').innerText.includes(': 0 siswa naik kelas')").await.unwrap();
        assert_eq!(i64::try_from(placed().await).unwrap(), students, "{engine:?}");
        assert!(console.browser.complaints().await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_is_replaced_after_a_question_and_the_old_one_ends() {
    if !can_run() {
        return;
    }
    on_both(async |engine| {
        let console = Console::open(engine, "5001").await.unwrap();
        let admin = console.cloud.sign_in("5001").await.unwrap();
        let old = console.cloud.cards("5001").await.unwrap().into_iter().next().unwrap();
        console.go("/cards").await.unwrap();
        console.browser.tap("#lines tbody a").await.unwrap();
        let button = format!("reprint-{}", old.student);
        console.browser.until(&format!("document.getElementById('{button}')")).await.unwrap();
        let row = format!("document.getElementById('{button}').closest('tr').innerText");
        console.browser.tap(&format!("#{button}")).await.unwrap();
        console.browser.until("document.querySelector('dialog[open]')").await.unwrap();
        console.browser.tap("dialog[open] button:not(.main)").await.unwrap();
        assert!(
            console.browser.until(&row).await.unwrap().as_str().unwrap().contains("ke-1"),
            "{engine:?}: he said no"
        );

        console.browser.tap(&format!("#{button}")).await.unwrap();
        console.say_yes().await;
        console.browser.until(&format!("{row}.includes('ke-2')")).await.unwrap();
        let new = console
            .cloud
            .cards("5001")
            .await
            .unwrap()
            .into_iter()
            .find(|card| card.student == old.student)
            .unwrap();
        assert_ne!(new.code, old.code, "{engine:?}");
        let scan = |code: &str| json!({ "qr_code": code, "latitude": -6.2, "longitude": 106.8 });
        let refused = admin.post("/api/student-attendance/scan-qr", &scan(&old.code)).await;
        assert!(refused.is_err_and(|why| format!("{why:#}").contains("dicabut")), "{engine:?}");
        assert!(console.browser.complaints().await.unwrap().is_empty());
    })
    .await;
}
