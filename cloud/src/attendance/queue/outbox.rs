//! The page of mails and text messages.

use askama::Template;
use axum::{extract::State, response::Response};

use super::{Asked, ReadJobs, RetryJobs, cut, reach, scope};
use crate::{
    app::App,
    console::{Pages, Shell, Visit, html},
    fail::Fail,
    http::{Params, Permission as _},
    mail::{self, Channel, Listed, State as On},
};

pub fn pages() -> Pages {
    Pages::default().page("/outbox", list)
}

/// A message, and what stands in it where that may be read.
struct Line {
    message: Listed,
    text: Option<String>,
}

#[derive(Template)]
#[template(path = "console/outbox.html")]
struct OutboxPage {
    shell: Shell,
    state: String,
    lines: Vec<Line>,
    next: Option<i64>,
    is_later: bool,
    /// Channels that nothing is configured for.
    mute: Vec<Channel>,
    may_retry: bool,
}

async fn list(
    State(app): State<App>,
    visit: Visit<ReadJobs>,
    Params(asked): Params<Asked>,
) -> Result<Response, Fail> {
    let limit = asked.check(On::NAMES)?;
    let state = asked.state.as_deref().and_then(On::parse);
    let reach = reach(visit.member());
    let mut tx = app.db.read(scope(visit.member())).await?;
    let rows = mail::list(&mut tx, Some(reach), state, asked.before, limit + 1).await?;
    let (messages, next) = cut(rows, limit, |message| message.id);
    let mut lines = Vec::new();
    for message in messages {
        // A code opens an account. Where no server sends it, whoever sets the cloud up reads it here, and nobody else.
        let is_read = message.state == On::Kept.name() && reach.all;
        let content = if is_read { mail::read(&mut tx, &app, Some(reach), message.id).await? } else { None };
        lines.push(Line { message, text: content.map(|content| content.text) });
    }
    html(&OutboxPage {
        may_retry: visit.may(RetryJobs::CODE),
        shell: visit.shell,
        state: asked.state.unwrap_or_default(),
        lines,
        next,
        is_later: asked.before.is_some(),
        mute: mail::mute(&app.config),
    })
}

impl OutboxPage {
    /// The class of its colour, and its word.
    fn state_word(&self, state: &str) -> (&'static str, &'static str) {
        match On::parse(state) {
            Some(On::Waiting) => ("calm", self.shell.t("Menunggu", "Waiting")),
            Some(On::Sent) => ("good", self.shell.t("Terkirim", "Sent")),
            Some(On::Kept) => ("warn", self.shell.t("Tersimpan", "Kept")),
            Some(On::Failed) | None => ("bad", self.shell.t("Gagal", "Failed")),
        }
    }

    fn template_word(&self, template: &str) -> &'static str {
        match template {
            "reset" => self.shell.t("Kode untuk kata sandi baru", "Code for a new password"),
            "verify_email" => {
                self.shell.t("Kode untuk memastikan surel", "Code that confirms an e-mail address")
            }
            "verify_phone" => self.shell.t("Kode untuk memastikan nomor", "Code that confirms a number"),
            "password_changed" => self.shell.t("Kata sandi diganti", "The password was changed"),
            _ => "",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "a template hands in references")]
    fn channel_word(&self, channel: &Channel) -> &'static str {
        match channel {
            Channel::Email => self.shell.t("surel", "e-mail"),
            Channel::Sms => "SMS",
        }
    }

    fn can_go_again(&self, state: &str) -> bool {
        self.may_retry && matches!(On::parse(state), Some(On::Kept | On::Failed))
    }
}
