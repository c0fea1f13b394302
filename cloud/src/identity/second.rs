//! The second factor: six digits of an authenticator app (RFC 6238), or a recovery code from paper.
//!
//! What always holds:
//! - a code works once, in its own half minute and the ones beside it; a recovery code works once;
//! - tries are counted before they are looked at, apart from passwords, and five wrong ones close the door for a quarter of
//!   an hour: whoever tries already knows the password;
//! - the secret is sealed, shown once, and counts only when a code has proved that the app has it;
//! - setting it up ends every other session, and taking it away asks for the password and a code.

use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;
use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::Millis,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{
    audit::{Actor, Entry, audit},
    session::{self, Assurance, Caller},
    store, throttle, user,
    user::User,
};
use crate::{
    app::App,
    db::{Cloud, ResultExt as _, Tx},
    fail::{Fail, Flaw},
};

const PURPOSE: &str = "totp";
const STEP_S: i64 = 30;
/// 160 bits, as RFC 4226 recommends.
const SECRET_LEN: usize = 20;
const RECOVERY_CODES: usize = 10;
/// The field of a login in which a code comes, and in which its absence is told.
pub const FIELD: &str = "otp";

/// How it stands with a user's second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    pub is_on: bool,
    pub recovery_codes_left: i64,
}

/// What an authenticator app is given.
#[derive(Debug)]
pub struct Enrolment {
    /// To be typed: base32.
    pub secret: String,
    /// To be shown as a QR code: `otpauth://totp/…`.
    pub uri: String,
}

pub async fn state(tx: &mut Tx, user: UserId) -> Result<State, Fail> {
    let is_on = is_on(tx, user).await?;
    Ok(State { is_on, recovery_codes_left: store::recovery_codes_left(tx, user).await? })
}

pub(super) async fn is_on(tx: &mut Tx, user: UserId) -> Result<bool, Fail> {
    Ok(store::totp(tx, user).await?.is_some_and(|row| row.confirmed_at.is_some()))
}

/// Makes a secret to be shown once; an earlier one that was never confirmed is forgotten. Fails with [`Fail::Conflict`]
/// when there is one in use.
pub async fn begin(app: &App, who: &Caller) -> Result<Enrolment, Fail> {
    let secret = Zeroizing::new(app.ids.bytes::<SECRET_LEN>());
    let sealed = app.seal.seal(&app.ids, &purpose(who.user), &*secret)?;
    let mut tx = app.db.write(Cloud).await?;
    let account = user::by_id(&mut tx, who.user).await?.ok_or(Fail::BadCredentials)?;
    if store::put_totp(&mut tx, who.user, &sealed, app.now()).await? == 0 {
        return Err(Fail::conflict("Verifikasi dua langkah sudah aktif"));
    }
    tx.commit().await?;
    Ok(enrolment(account, &*secret))
}

/// The secret that waits for its confirmation, to be shown again after a wrong code.
pub async fn pending(app: &App, who: &Caller) -> Result<Option<Enrolment>, Fail> {
    let mut tx = app.db.read(Cloud).await?;
    let row = store::totp(&mut tx, who.user).await?.filter(|row| row.confirmed_at.is_none());
    let account = user::by_id(&mut tx, who.user).await?;
    let (Some(row), Some(account)) = (row, account) else { return Ok(None) };
    let secret = app.seal.open(&purpose(who.user), &row.secret)?;
    Ok(Some(enrolment(account, &secret)))
}

fn enrolment(account: User, secret: &[u8]) -> Enrolment {
    let secret = BASE32_NOPAD.encode(secret);
    let name = account.email.or(account.username).or(account.nisn_nip_nik).unwrap_or(account.name);
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("secret", secret.as_str()), ("issuer", "Hadir"), ("algorithm", "SHA1")])
        .extend_pairs([("digits", "6"), ("period", "30")])
        .finish();
    let label: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
    Enrolment { uri: format!("otpauth://totp/Hadir:{}?{query}", label.replace('+', "%20")), secret }
}

/// Takes the secret into use, once a code has proved that the app has it, and answers the recovery codes: the only time they
/// are to be seen. Every other session of the user ends.
pub async fn confirm(app: &App, who: &Caller, code: &str) -> Result<Vec<String>, Fail> {
    let mut tx = app.db.write(Cloud).await?;
    let row = store::totp(&mut tx, who.user).await?.filter(|row| row.confirmed_at.is_none());
    let row = row.ok_or_else(|| Fail::conflict("Tidak ada yang perlu dikonfirmasi"))?;
    let guess = throttle::second(&mut tx, who.user, app.now()).await?;
    if !is_right(&mut tx, app, who.user, &row.secret, code).await? {
        tx.commit().await?;
        return Err(wrong());
    }
    guess.succeeded(&mut tx).await?;
    store::confirm_totp(&mut tx, who.user, app.now()).await?;
    let codes = put_recovery_codes(&mut tx, app, who.user).await?;
    store::set_assurance(&mut tx, who.session, Assurance::SecondFactor).await?;
    session::revoke_all(&mut tx, app, who.actor(), who.user, Some(who.session)).await?;
    note(&mut tx, app, who.actor(), who.user, "second_factor.on").await?;
    tx.commit().await?;
    app.identity.forget();
    Ok(codes)
}

/// Whether the code is that of the app or of the paper, of a user who has a second factor. Counts the try, and commits.
pub(super) async fn check(app: &App, user: UserId, code: &str) -> Result<bool, Fail> {
    let mut tx = app.db.write(Cloud).await?;
    let guess = throttle::second(&mut tx, user, app.now()).await?;
    let row = store::totp(&mut tx, user).await?.filter(|row| row.confirmed_at.is_some());
    let mut right = match row {
        Some(row) => is_right(&mut tx, app, user, &row.secret, code).await?,
        None => false,
    };
    if !right && store::spend_recovery_code(&mut tx, user, &hash(user, code), app.now()).await? == 1 {
        note(&mut tx, app, Actor::User(user), user, "second_factor.recovery_code").await?;
        right = true;
    }
    if right {
        guess.succeeded(&mut tx).await?;
    }
    tx.commit().await?;
    Ok(right)
}

/// Takes the second factor away. Asks for the password and a code: a browser left open is not enough.
pub async fn turn_off(app: &App, who: &Caller, password: &str, code: &str) -> Result<(), Fail> {
    super::prove(app, who, password).await?;
    if !check(app, who.user, code).await? {
        return Err(wrong());
    }
    let mut tx = app.db.write(Cloud).await?;
    reset(&mut tx, app, who.actor(), who.user).await?;
    tx.commit().await?;
    app.identity.forget();
    Ok(())
}

/// New recovery codes for the old ones.
pub async fn renew_recovery_codes(app: &App, who: &Caller, code: &str) -> Result<Vec<String>, Fail> {
    if !check(app, who.user, code).await? {
        return Err(wrong());
    }
    let mut tx = app.db.write(Cloud).await?;
    let codes = put_recovery_codes(&mut tx, app, who.user).await?;
    note(&mut tx, app, who.actor(), who.user, "second_factor.recovery_codes").await?;
    tx.commit().await?;
    Ok(codes)
}

/// Takes it away in somebody else's name: of a user who lost both. All his sessions end. Afterwards: commit, then
/// [`super::Identity::forget`].
pub async fn reset(tx: &mut Tx, app: &App, by: Actor, user: UserId) -> Result<(), Fail> {
    store::delete_second(tx, user).await?;
    session::revoke_all(tx, app, by, user, None).await?;
    note(tx, app, by, user, "second_factor.off").await
}

/// The roles whose holders need a second factor in this institution.
pub async fn required_roles(tx: &mut Tx, institution: InstitutionId) -> Result<Vec<i64>, Fail> {
    Ok(store::second_factor_roles(tx, institution).await?.into_iter().map(|(role,)| role).collect())
}

/// Says which roles need a second factor. Whoever has such a role and no second factor does nothing until he has one, in
/// sessions that are open already too. Afterwards as for [`reset`].
pub async fn require(
    tx: &mut Tx,
    app: &App,
    by: Actor,
    institution: InstitutionId,
    roles: &[i64],
) -> Result<(), Fail> {
    let before = required_roles(tx, institution).await?;
    store::clear_second_factor_roles(tx, institution).await?;
    for role in roles {
        store::insert_second_factor_role(tx, institution, *role, app.now())
            .await
            .on_missing(Fail::not_found("Peran tidak ditemukan"))?;
    }
    let entry = Entry::new(by, "second_factor.require", format!("institution:{institution}")).of(institution);
    audit(tx, app, &entry.before(json!({"roles": before})).after(json!({"roles": roles}))).await
}

/// What somebody reads whose code does not fit.
pub(super) fn wrong() -> Fail {
    Fail::invalid(FIELD, Flaw::Said("Kode verifikasi salah, sudah dipakai, atau kedaluwarsa".into()))
}

async fn is_right(tx: &mut Tx, app: &App, user: UserId, sealed: &str, code: &str) -> Result<bool, Fail> {
    let secret = app.seal.open(&purpose(user), sealed)?;
    match matching_step(&secret, code, app.now()) {
        Some(step) => Ok(store::take_step(tx, user, step).await? == 1),
        None => Ok(false),
    }
}

/// The half minute of which this is the code: now's, or the one before or after it.
fn matching_step(secret: &[u8], code: &str, now: Millis) -> Option<i64> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let now = now.0.div_euclid(1000 * STEP_S);
    let fits = |step: &i64| super::equal(totp(secret, *step).as_bytes(), code.as_bytes());
    [now - 1, now, now + 1].into_iter().rfind(fits)
}

/// RFC 4226, section 5.3, over the step of RFC 6238.
fn totp(secret: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag.last().copied().unwrap_or_default() & 15);
    let four = tag.get(at..at + 4).and_then(|four| four.try_into().ok()).unwrap_or_default();
    format!("{:06}", (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000)
}

async fn put_recovery_codes(tx: &mut Tx, app: &App, user: UserId) -> Result<Vec<String>, Fail> {
    store::delete_recovery_codes(tx, user).await?;
    let mut codes = Vec::with_capacity(RECOVERY_CODES);
    for _ in 0..RECOVERY_CODES {
        let text = BASE32_NOPAD.encode(&app.ids.bytes::<10>()).to_lowercase();
        let code = format!("{}-{}", &text[..8], &text[8..]);
        store::insert_recovery_code(tx, user, &hash(user, &code)).await?;
        codes.push(code);
    }
    Ok(codes)
}

/// A recovery code has 80 random bits, so a plain hash hides it. However it is typed.
fn hash(user: UserId, code: &str) -> String {
    let code: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    let text = format!("hadir-recovery-v1\0{user}\0{}", code.to_ascii_lowercase());
    data_encoding::HEXLOWER.encode(&Sha256::digest(text))
}

fn purpose(user: UserId) -> String {
    format!("{PURPOSE}:{user}")
}

async fn note(tx: &mut Tx, app: &App, by: Actor, user: UserId, action: &'static str) -> Result<(), Fail> {
    audit(tx, app, &Entry::new(by, action, format!("user:{user}")).about(user)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, the last six of its eight digits.
    #[test]
    fn the_codes_of_the_rfc() {
        let secret = b"12345678901234567890";
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(totp(secret, seconds / STEP_S), code);
            assert_eq!(matching_step(secret, code, Millis(seconds * 1000)), Some(seconds / STEP_S));
            assert_eq!(matching_step(secret, code, Millis((seconds + 29) * 1000)), Some(seconds / STEP_S));
            assert_eq!(matching_step(secret, code, Millis((seconds + 61) * 1000)), None, "too late");
            assert_eq!(matching_step(secret, code, Millis((seconds - 61) * 1000)), None, "too early");
        }
        assert_eq!(matching_step(secret, "", Millis(59_000)), None);
        assert_eq!(matching_step(secret, " 287 082 ", Millis(59_000)), Some(1));
    }
}
