//! Announces the box's name in the school's network, so that `https://hadir-1a2b.local:8443` finds it.
//!
//! What always holds: it is a convenience. Networks that drop multicast are common in schools, and nothing here ever keeps
//! the box from serving.

use mdns_sd::{ServiceDaemon, ServiceInfo};

/// Browsers of services list the box under this.
const KIND: &str = "_https._tcp.local.";

/// The box's voice in the network; silent once dropped.
pub struct Announcer {
    daemon: ServiceDaemon,
    /// What is announced now: the local name, and the whole name of the service.
    said: Option<(String, String)>,
}

impl Announcer {
    /// `None` where the system lets nobody speak.
    pub fn start() -> Option<Self> {
        let daemon = ServiceDaemon::new();
        let daemon = daemon.map_err(|error| tracing::warn!(%error, "the box's name is not announced"));
        Some(Self { daemon: daemon.ok()?, said: None })
    }

    /// Announces the name, in the place of the one before. The library itself follows the addresses.
    pub fn announce(&mut self, local: &str, port: u16) {
        if self.said.as_ref().is_some_and(|(said, _)| said == local) {
            return;
        }
        self.be_silent();
        match self.say(local, port) {
            Ok(service) => self.said = Some((local.into(), service)),
            Err(error) => tracing::warn!(%error, local, "the box's name is not announced"),
        }
    }

    fn say(&self, local: &str, port: u16) -> mdns_sd::Result<String> {
        let name = local.trim_end_matches(".local");
        let properties = [("path", "/")];
        let service = ServiceInfo::new(KIND, name, &format!("{local}."), "", port, &properties[..])?;
        let service = service.enable_addr_auto();
        let whole = service.get_fullname().to_owned();
        self.daemon.register(service)?;
        Ok(whole)
    }

    fn be_silent(&mut self) {
        if let Some((_, service)) = self.said.take()
            && let Err(error) = self.daemon.unregister(&service)
        {
            tracing::debug!(%error, "the old name fades by itself");
        }
    }
}

impl Drop for Announcer {
    fn drop(&mut self) {
        self.be_silent();
        if let Err(error) = self.daemon.shutdown() {
            tracing::debug!(%error, "the announcer did not end in order");
        }
    }
}
