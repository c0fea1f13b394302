//! Devices on which somebody has signed in before: a token that such a device keeps, and nobody else can make.
//!
//! It opens nothing. It only lets its owner past the wait that a stranger's guesses at his account have caused: guesses from
//! this device are counted apart ([`super::throttle`]).

use data_encoding::BASE64URL_NOPAD;
use uuid::Uuid;

use crate::app::App;

const PURPOSE: &str = "known-device-v1";

/// A token for the device on which this user just signed in.
pub fn token(app: &App, user: Uuid) -> String {
    let name = BASE64URL_NOPAD.encode(&app.ids.bytes::<12>());
    format!("{name}.{}", mac(app, user, &name))
}

/// The device's name, if the token was made for this user.
pub(super) fn name<'t>(app: &App, user: Uuid, token: &'t str) -> Option<&'t str> {
    let (name, given) = token.split_once('.').filter(|_| token.len() <= 128)?;
    super::equal(given.as_bytes(), mac(app, user, name).as_bytes()).then_some(name)
}

fn mac(app: &App, user: Uuid, name: &str) -> String {
    BASE64URL_NOPAD.encode(&app.seal.mac(PURPOSE, format!("{user}\0{name}").as_bytes())[..16])
}
