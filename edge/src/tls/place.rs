//! What the box is called, and where it stands in the network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use crate::node::Node;

/// A box with more addresses than this has other work; the rest are left out of its certificate.
const MOST_ADDRESSES: usize = 32;

/// Names and addresses at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The machine's own name, when it is one.
    pub host: Option<String>,
    /// `hadir-1a2b.local`: found through multicast DNS.
    pub local: String,
    /// In the school's network, sorted.
    pub addresses: Vec<IpAddr>,
    /// The one of them that packets leave from.
    pub main: Option<IpAddr>,
}

impl Place {
    /// Looks at the machine.
    pub fn of(node: &Node) -> Self {
        let addresses = addresses();
        let host = rustix::system::uname().nodename().to_str().ok().map(str::to_ascii_lowercase);
        let main = leaves_from().filter(|main| addresses.contains(main));
        Self { host: host.filter(|name| is_name(name)), local: local_name(node), addresses, main }
    }

    /// Everything a device may call the box by.
    pub fn names(&self) -> Vec<String> {
        let mut names = vec![self.local.clone(), "localhost".into()];
        if let Some(host) = &self.host {
            names.push(host.clone());
            if !host.contains('.') {
                names.push(format!("{host}.local"));
            }
        }
        let here = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
        names.extend(here.iter().chain(&self.addresses).map(ToString::to_string));
        let mut known = std::collections::HashSet::new();
        names.retain(|name| known.insert(name.clone()));
        names
    }

    /// The address to send telephones to. Without a way out of the network, IPv4 first.
    pub fn reached_at(&self) -> Option<String> {
        let first = || self.addresses.iter().find(|a| a.is_ipv4()).or_else(|| self.addresses.first());
        self.main.as_ref().or_else(first).map(ToString::to_string)
    }
}

/// This machine's, in the school's network, sorted.
pub fn addresses() -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = if_addrs::get_if_addrs()
        .map_err(|error| tracing::warn!(%error, "the system does not tell its addresses"))
        .unwrap_or_default()
        .iter()
        .map(if_addrs::Interface::ip)
        .filter(is_in_a_school)
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses.truncate(MOST_ADDRESSES);
    addresses
}

/// `https://192.168.1.10:8443`; the port that every browser takes by itself is left out.
pub fn url(host: &str, port: u16) -> String {
    let host = if host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]") } else { host.into() };
    if port == 443 { format!("https://{host}") } else { format!("https://{host}:{port}") }
}

/// From the last digits of the device's id, which every list of boxes shows; of the log's, while the box stands alone.
fn local_name(node: &Node) -> String {
    let id = node.membership().map_or_else(|| node.store().position().log.0, |member| member.device.0);
    let digits = id.simple().to_string();
    format!("hadir-{}.local", &digits[digits.len() - 4..])
}

/// Asks the system which of its addresses a packet would leave from; none is sent (192.0.2.1 is TEST-NET-1, RFC 5737).
fn leaves_from() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Of IPv6 only the unique local ones: others change by the day, or need the name of an interface beside them.
fn is_in_a_school(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_unspecified(),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    text.len() <= 253 && text.split('.').all(is_label) && text.parse::<IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_a_certificate_can_hold() {
        for (text, is) in [
            ("kotak", true),
            ("kotak-1.sekolah.sch.id", true),
            ("(none)", false),
            ("kotak_1", false),
            ("-kotak", false),
            ("", false),
            ("a..b", false),
            ("10.0.0.1", false),
        ] {
            assert_eq!(is_name(text), is, "{text}");
        }
    }

    #[test]
    fn telephones_are_sent_to_the_address_that_packets_leave_from_or_the_first_one() {
        let mut place = Place {
            host: None,
            local: "hadir-1a2b.local".into(),
            addresses: ["10.0.0.5", "192.168.1.10", "fd00::1"].map(|a| a.parse().unwrap()).into(),
            main: Some("192.168.1.10".parse().unwrap()),
        };
        assert_eq!(place.reached_at().as_deref(), Some("192.168.1.10"));
        place.main = None;
        assert_eq!(place.reached_at().as_deref(), Some("10.0.0.5"));
        place.addresses.retain(IpAddr::is_ipv6);
        assert_eq!(place.reached_at().as_deref(), Some("fd00::1"));
        place.addresses.clear();
        assert_eq!(place.reached_at(), None);
        assert_eq!(url("fd00::1", 8443), "https://[fd00::1]:8443");
        assert_eq!(url("192.168.1.10", 443), "https://192.168.1.10");
    }
}
