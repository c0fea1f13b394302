//! Where somebody says he is, and what the school thinks of it.

use hadir_shared::{
    rules::fence::{Position, Verdict, judge},
    settings::Settings,
};

use crate::{
    fail::{Fail, Flaw},
    http::Check,
};

/// A position as clients send one: `latitude` and `longitude` in degrees, `accuracy` in metres.
///
/// `None` when neither coordinate came. One without the other, or what is no place on earth, is a flaw.
pub fn position(
    check: &mut Check,
    latitude: Option<f64>,
    longitude: Option<f64>,
    accuracy: Option<f64>,
) -> Option<Position> {
    if latitude.is_none() && longitude.is_none() {
        return None;
    }
    let latitude = check.required("latitude", latitude);
    let longitude = check.required("longitude", longitude);
    check.that((-90.0..=90.0).contains(&latitude), "latitude", Flaw::OutOfRange(-90, 90));
    check.that((-180.0..=180.0).contains(&longitude), "longitude", Flaw::OutOfRange(-180, 180));
    let negative = Flaw::Said("accuracy tidak boleh negatif".into());
    check.that(accuracy.is_none_or(|metres| metres >= 0.0), "accuracy", negative);
    Position::new(latitude, longitude, accuracy)
}

/// The same, where a position is required: at the cloud nobody stands at a gate whose place is known.
pub fn required(
    check: &mut Check,
    latitude: Option<f64>,
    longitude: Option<f64>,
    accuracy: Option<f64>,
) -> Option<Position> {
    if latitude.is_none() && longitude.is_none() {
        check.flaw("latitude", Flaw::Missing);
        check.flaw("longitude", Flaw::Missing);
    }
    position(check, latitude, longitude, accuracy)
}

/// What the school's fence says; `None` without a fence or a position. Fails for who is surely outside, where the school
/// refuses such.
pub fn verdict(settings: &Settings, position: Option<Position>) -> Result<Option<Verdict>, Fail> {
    let verdict = settings.fence.as_ref().zip(position).map(|(fence, position)| judge(fence, position));
    if verdict.is_some_and(|verdict| settings.policy.refuses(verdict)) {
        return Err(outside());
    }
    Ok(verdict)
}

fn outside() -> Fail {
    Fail::bad_request("Anda berada di luar area sekolah")
}
