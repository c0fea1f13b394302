//! Whether a telephone in the school finds the box, trusts it, and gets the page with the camera: browsers lend a camera to
//! HTTPS only.

use std::net::{IpAddr, SocketAddr};

use hadir_shared::time::Millis;
use mdns_sd::{HostnameResolutionEvent, ServiceDaemon};
use reqwest::{Certificate, Client};

use super::{PATIENCE, Patient, Seen, ports::from_here};
use crate::{
    config::Config,
    link::Unreachable,
    tls::{self, Https, Voucher, place},
};

pub fn certificate(patient: &Patient<'_>) -> Seen {
    if patient.config.listen_tls.is_empty() {
        return Seen::skipped("no HTTPS is served");
    }
    match tls::on_disk(patient.config) {
        Ok(Some(https)) => judge(&https, &place::addresses(), patient.now.time),
        Ok(None) => Seen::wrong("there is none yet", "systemctl start hadir-edge; its first start makes one"),
        Err(error) => {
            Seen::wrong(error.to_string(), "the line above says which file; hadir-edge restore has it")
        }
    }
}

fn judge(https: &Https, addresses: &[IpAddr], now: Millis) -> Seen {
    let until = https.expires_at.to_rfc3339_micros();
    let again = match https.voucher {
        Voucher::Box => {
            "systemctl restart hadir-edge makes a new one, which devices trust as they did the old one"
        }
        Voucher::School => {
            "put the new certificate into tls_cert and tls_key; systemctl reload hadir-edge takes it"
        }
    };
    if https.expires_at <= now {
        return Seen::wrong(format!("it ended at {until}"), again);
    }
    // A school's own certificate is for the name that the school gave the box.
    let missing: Vec<String> = addresses
        .iter()
        .map(ToString::to_string)
        .filter(|address| https.voucher == Voucher::Box && !https.names.contains(address))
        .collect();
    if missing.is_empty() {
        return Seen::fine(format!("for {}, until {until}", https.names.join(" ")));
    }
    Seen::wrong(
        format!("it is not for {}, where this machine is now", missing.join(" ")),
        "wait 15 seconds if the network has just changed; then systemctl restart hadir-edge",
    )
}

pub async fn gate(patient: &Patient<'_>) -> Seen {
    let config = patient.config;
    let Ok(address) = config.listen_tls.parse::<SocketAddr>() else {
        return Seen::skipped("no HTTPS is served");
    };
    if address.port() == 0 {
        return Seen::skipped("listen_tls takes whatever port is free");
    }
    let to = from_here(address, place::addresses().first().copied());
    let (client, url) = match visitor(config, to) {
        Ok(visitor) => visitor,
        Err(why) => return Seen::wrong(why, "see `certificate` above"),
    };
    match client.get(&url).send().await {
        Ok(answer) if answer.status().is_success() => Seen::fine(format!("{url} answers over HTTPS")),
        Ok(answer) => Seen::wrong(
            format!("{url} answers {}", answer.status()),
            "systemctl restart hadir-edge; if it stays so, another program may answer there: see `port` above",
        ),
        Err(error) => Seen::wrong(
            format!("{url}: {}", Unreachable::from(error)),
            "see `port` and `certificate` above; a firewall must let the school's network reach this port",
        ),
    }
}

/// Who comes as a telephone does that trusts the box's authority and nobody else. A school's own authority may be one that
/// this machine does not know; whether its certificate is good is told elsewhere.
fn visitor(config: &Config, to: SocketAddr) -> Result<(Client, String), String> {
    let https =
        tls::on_disk(config).map_err(|error| error.to_string())?.ok_or("there is no certificate yet")?;
    let client = Client::builder().no_proxy().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none());
    let authority = tls::authority(config).map_err(|error| error.to_string())?;
    let (client, host) = if let Some(ca) = authority {
        let trusted = Certificate::from_der(ca.der()).map_err(|error| error.to_string())?;
        (client.tls_certs_only([trusted]), to.ip().to_string())
    } else {
        let name = https.names.iter().find(|name| !name.starts_with('*')).cloned();
        let name = name.unwrap_or_else(|| to.ip().to_string());
        (client.tls_danger_accept_invalid_certs(true).resolve(&name, to), name)
    };
    let client = client.build().map_err(|error| error.to_string())?;
    Ok((client, format!("{}/gate", place::url(&host, to.port()))))
}

pub async fn name(patient: &Patient<'_>) -> Seen {
    let config = patient.config;
    let in_network = config.listen_tls.parse::<SocketAddr>().is_ok_and(|address| !address.ip().is_loopback());
    if !config.mdns || !in_network {
        return Seen::skipped("the box does not announce its name (mdns)");
    }
    let Some(https) = tls::on_disk(config).ok().flatten() else {
        return Seen::skipped("the box has no name yet: its first start makes one");
    };
    let is_local =
        |name: &String| name.strip_prefix("hadir-").is_some_and(|rest| rest.strip_suffix(".local").is_some());
    let Some(name) = https.names.into_iter().find(is_local) else {
        return Seen::skipped("the school's own certificate names the box");
    };
    let asked = name.clone();
    let found = tokio::task::spawn_blocking(move || resolves(&asked)).await.unwrap_or(false);
    if found {
        return Seen::fine(format!("{name} is found"));
    }
    Seen::wrong(
        format!("{name} is not found"),
        "telephones reach the box by its address all the same; for the name, let UDP port 5353 pass (firewall, and the access \
         points' \"client isolation\" or \"multicast filter\")",
    )
}

/// Asks the network, as a telephone does.
fn resolves(name: &str) -> bool {
    let Ok(daemon) = ServiceDaemon::new() else { return false };
    let wait = u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX);
    let events = daemon.resolve_hostname(&format!("{name}."), Some(wait));
    let found = events.is_ok_and(|events| {
        std::iter::from_fn(|| events.recv_timeout(PATIENCE).ok())
            .take_while(|event| !matches!(event, HostnameResolutionEvent::SearchTimeout(_)))
            .any(|event| matches!(event, HostnameResolutionEvent::AddressesFound(..)))
    });
    // Its thread ends with this process in any case.
    let _ = daemon.shutdown();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_is_over_or_for_another_place_is_found() {
        let https = |voucher| Https {
            voucher,
            url: None,
            names: ["hadir-1a2b.local", "192.168.1.10"].map(Into::into).into(),
            expires_at: Millis(1_000),
            fingerprint: String::new(),
            problem: None,
        };
        let addresses = |text: &str| [text.parse().unwrap()];
        for (voucher, at, now, is_fine) in [
            (Voucher::Box, "192.168.1.10", 999, true),
            (Voucher::Box, "192.168.1.10", 1_000, false),
            (Voucher::Box, "192.168.1.11", 999, false),
            (Voucher::School, "192.168.1.11", 999, true),
            (Voucher::School, "192.168.1.11", 1_000, false),
        ] {
            let seen = judge(&https(voucher), &addresses(at), Millis(now));
            assert_eq!(matches!(seen, Seen::Fine(_)), is_fine, "{voucher:?} {at} {now}: {seen:?}");
        }
    }
}
