//! Pictures of pages: every page in every state, in both languages and on three screens, kept in `target/screenshots`, and
//! looked at by axe for those who do not see well, or not at all.

use std::{fs, path::PathBuf};

use hadir_tests::{
    browser::{self, Browser},
    process,
};
use serde_json::Value;

/// A telephone, a tablet, a laptop.
pub const SCREENS: [(u32, u32); 3] = [(360, 740), (768, 1024), (1366, 768)];
/// One language is shown in the light colours, the other in the dark ones. The texts are both's; so are the colours.
pub const LANGUAGES: [(&str, &str); 2] = [("id", "light"), ("en", "dark")];

/// What axe finds that keeps somebody from using the page.
const FINDINGS: &str = "return axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, help, nodes }) => `${id} (${help}): ${nodes.map((node) => node.target.join(' ')).join(', ')}`))";

pub struct Album {
    pub language: &'static str,
    axe: String,
    folder: PathBuf,
    /// What is wrong with the pages seen so far.
    pub findings: Vec<String>,
    /// How many states were kept.
    pub seen: usize,
}

impl Album {
    /// Under `target/screenshots/{name}`. `None`, and a word, without axe.
    pub fn open(name: &str) -> Option<Self> {
        let Some(axe) = browser::axe().unwrap() else {
            eprintln!("NOT RUN: this test needs axe-core, which cargo xtask test fetches");
            return None;
        };
        let folder = process::target().join("screenshots").join(name);
        Some(Self { language: "id", axe, folder, findings: Vec::new(), seen: 0 })
    }

    /// Sets the colours that go with a language, and holds still what would move.
    pub async fn turn(&mut self, browser: &Browser, language: &'static str, scheme: &str) {
        self.language = language;
        let features = serde_json::json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        browser.cdp("Emulation.setEmulatedMedia", serde_json::json!({ "features": features })).await.unwrap();
    }

    /// Takes the page as it is now: a picture for every screen, and what axe says.
    pub async fn keep(&mut self, browser: &Browser, state: &str) {
        let run = async |script: &str| browser.run(script, Value::Null).await.unwrap();
        for (width, height) in SCREENS {
            browser.resize(width, height).await.unwrap();
            let whole = "return [document.documentElement.scrollHeight, document.documentElement.scrollWidth - innerWidth]";
            let whole = run(whole).await;
            if whole[1] != 0 {
                let (language, by) = (self.language, &whole[1]);
                self.findings.push(format!("{state}, {language}, {width}: wider than its screen by {by}"));
            }
            let tall = u32::try_from(whole[0].as_u64().unwrap()).unwrap().clamp(height, 4_000);
            browser.resize(width, tall).await.unwrap();
            let folder = self.folder.join(self.language).join(width.to_string());
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(format!("{state}.png")), browser.screenshot().await.unwrap()).unwrap();
        }
        if run("return !window.axe").await == true {
            run(&self.axe).await;
        }
        let found = run(FINDINGS).await;
        let found = found.as_array().unwrap().iter().map(|one| format!("{state}, {}: {one}", self.language));
        self.findings.extend(found);
        self.seen += 1;
    }
}
