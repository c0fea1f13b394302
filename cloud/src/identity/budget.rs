//! What one address may ask of us in a while, where asking costs something or guesses at something: registrations, mails,
//! codes. Apart from failed logins, which [`super::throttle`] counts.

use std::net::IpAddr;

use super::{
    store,
    throttle::{network, too_many},
};
use crate::{app::App, db::Cloud, fail::Fail};

/// So many in so long.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// What is counted: `register`.
    pub of: &'static str,
    pub most: i64,
    pub window_ms: i64,
}

impl Budget {
    /// Counts one for an address, and refuses with [`Fail::TooMany`] what is too much. In a transaction of its own: what is
    /// refused afterwards was asked all the same.
    pub async fn spend(&self, app: &App, address: IpAddr) -> Result<(), Fail> {
        self.spend_on(app, &network(address).to_string()).await
    }

    /// As [`Budget::spend`], for anything else that can be named: an e-mail address somebody sends codes to.
    pub async fn spend_on(&self, app: &App, subject: &str) -> Result<(), Fail> {
        let now = app.now();
        let subject: String = format!("{}:{subject}", self.of).chars().take(160).collect();
        let mut tx = app.db.write(Cloud).await?;
        let (spent, ends) = store::spend(&mut tx, &subject, now, now.plus_millis(self.window_ms)).await?;
        tx.commit().await?;
        if spent > self.most { Err(too_many(ends, now)) } else { Ok(()) }
    }
}
