//! Mails, over SMTP.
//!
//! What always holds: where `smtp_url` asks for TLS, nothing but greetings is said before it, and only to a server that proves
//! its name. What cannot be said so waits.

use std::{
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use anyhow::{Context as _, anyhow};
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{Mailbox, MultiPart},
    transport::smtp::{
        AsyncSmtpTransportBuilder,
        client::{Certificate, Tls, TlsParameters},
    },
};
use reqwest::Url;

use super::{Content, Unsent, store::Row};
use crate::{app::App, config::Config};

/// For one mail, connecting included.
const PATIENCE: Duration = Duration::from_secs(30);
/// Who writes where nobody says otherwise.
const SENDER: &str = "Hadir";
const PEM_MARK: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// Whether `mail_from` can stand in a mail.
pub fn check_sender(text: &str) -> anyhow::Result<()> {
    anyhow::ensure!(!text.contains(char::is_control), "it has control characters");
    text.parse::<Mailbox>().map(drop).context("it is no address such as Hadir <hadir@sekolah.sch.id>")
}

/// The name messages are signed with.
pub fn sender_name(config: &Config) -> String {
    let mailbox = config.mail_from.as_deref().and_then(|from| from.parse::<Mailbox>().ok());
    mailbox.and_then(|mailbox| mailbox.name).unwrap_or_else(|| SENDER.into())
}

pub async fn send(app: &App, row: &Row, content: &Content) -> Result<(), Unsent> {
    let (Some(url), Some(from)) = (&app.config.smtp_url, &app.config.mail_from) else {
        return Err(Unsent::Nowhere);
    };
    let message = message(app, from, row, content).map_err(Unsent::Refused)?;
    let server = server(url, app.config.smtp_ca.as_deref()).map_err(Unsent::Later)?;
    let server = server.timeout(Some(PATIENCE)).build::<Tokio1Executor>();
    match tokio::time::timeout(PATIENCE, server.send(message)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(e)) if e.is_permanent() => {
            Err(Unsent::Refused(anyhow!(e).context("the mail server refused it")))
        }
        Ok(Err(e)) => Err(Unsent::Later(anyhow!(e).context("the mail server"))),
        Err(_) => Err(Unsent::Later(anyhow!("the mail server took longer than {} s", PATIENCE.as_secs()))),
    }
}

/// Whether mails could be handed to `smtp_url`, as far as can be told without asking it.
pub fn check_server(url: &str, ca: Option<&Path>) -> anyhow::Result<()> {
    server(url, ca).map(drop)
}

/// The server, and whom it may be vouched for by: the authorities that this machine believes, and those in the file `ca`.
fn server(url: &str, ca: Option<&Path>) -> anyhow::Result<AsyncSmtpTransportBuilder> {
    let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).context("smtp_url")?;
    let Some(ca) = ca else { return Ok(server) };
    let url: Url = url.parse().context("smtp_url")?;
    let secured = match (url.scheme(), url.query_pairs().find(|(key, _)| key == "tls")) {
        ("smtps", _) => Tls::Wrapper,
        (_, Some((_, choice))) if choice == "required" => Tls::Required,
        _ => anyhow::bail!(
            "smtp_ca is for a smtp_url that is never spoken to in the clear: smtps://… or ?tls=required"
        ),
    };
    let pem = std::fs::read(ca).with_context(|| format!("smtp_ca: cannot read {}", ca.display()))?;
    anyhow::ensure!(
        pem.windows(PEM_MARK.len()).any(|part| part == PEM_MARK),
        "smtp_ca: no certificate in {}",
        ca.display()
    );
    let authorities = Certificate::from_pem(&pem).with_context(|| format!("smtp_ca: {}", ca.display()))?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let trust = TlsParameters::builder(host).add_root_certificate(authorities).build().context("smtp_ca")?;
    Ok(server.tls(secured(trust)))
}

fn message(app: &App, from: &str, row: &Row, content: &Content) -> anyhow::Result<Message> {
    let from: Mailbox = from.parse().context("mail_from")?;
    let address = row.recipient.parse().context("the recipient's address")?;
    let to = Mailbox::new(header_name(&content.name), address);
    let id = format!("<{}@{}>", content.id, from.email.domain());
    let written = UNIX_EPOCH + Duration::from_millis(app.now().0.unsigned_abs());
    Message::builder()
        .from(from)
        .to(to)
        .subject(&row.subject)
        .message_id(Some(id))
        .date(written)
        .multipart(MultiPart::alternative_plain_html(content.text.clone(), content.html.clone()))
        .context("building the mail")
}

/// A name as it may stand in a header: a line break in one would be a header of its own, and makes lettre panic. Names with
/// such are refused where they come in; this is for those that came in otherwise.
fn header_name(name: &str) -> Option<String> {
    let plain: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let plain = plain.trim();
    (!plain.is_empty()).then(|| plain.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t37_a_name_makes_no_header() {
        for (name, header) in [
            ("Budi\r\nBcc: x@evil.example", Some("Budi  Bcc: x@evil.example")),
            ("\u{0}\n", None),
            ("Siti", Some("Siti")),
        ] {
            assert_eq!(header_name(name).as_deref(), header);
            let mailbox = Mailbox::new(header_name(name), "a@b.id".parse().unwrap());
            let mail =
                Message::builder().from("h@b.id".parse().unwrap()).to(mailbox).body(String::new()).unwrap();
            let text = String::from_utf8(mail.formatted()).unwrap();
            assert!(!text.lines().any(|line| line.starts_with("Bcc")), "{text}");
        }
    }

    #[test]
    fn a_sender_is_an_address() {
        for good in ["hadir@sekolah.sch.id", "Absensi SMAN 1 <hadir@sekolah.sch.id>"] {
            check_sender(good).unwrap();
        }
        for bad in ["", "hadir", "a@b.id\nBcc: c@d.id", "Hadir <>"] {
            assert!(check_sender(bad).is_err(), "{bad:?}");
        }
    }
}
