//! Enrolment codes: let one box join a school, once, within a day.
//!
//! What always holds: the code is shown where it is made and nowhere else, the database holds its hash; how it is typed
//! (case, spaces, dashes, O for 0, I or L for 1) does not matter.

use hadir_shared::ids::InstitutionId;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::{
    app::App,
    db::Tx,
    fail::Fail,
    identity::{Actor, Entry, audit},
};

mod store;

/// How long a code may be used.
pub const LIFE_MS: i64 = 24 * 3600 * 1000;
/// Crockford's: nothing in it is mistaken for something else when it is read aloud.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// 50 bits: a guess at a code that lives a day and is used once.
const LENGTH: usize = 10;

/// Makes a code for a school: `7K3QM-04ZTX`.
pub async fn make(tx: &mut Tx, app: &App, by: Actor, institution: InstitutionId) -> Result<String, Fail> {
    let now = app.now();
    let symbols: [u8; LENGTH] = app.ids.bytes();
    let code: String = symbols.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    store::insert(tx, institution, &hash(&code), &by.to_string(), now, now.plus_millis(LIFE_MS)).await?;
    let entry = Entry::new(by, "enrolment_code.create", format!("institution:{institution}")).of(institution);
    audit(tx, app, &entry.after(json!({"expires_at": now.plus_millis(LIFE_MS)}))).await?;
    Ok(format!("{}-{}", &code[..LENGTH / 2], &code[LENGTH / 2..]))
}

/// As `enrolment_codes.code_hash` holds it, however it was typed.
pub fn hash(code: &str) -> String {
    let read = |c: char| match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        c => c,
    };
    let plain: String = code.chars().filter(|c| !matches!(c, ' ' | '-')).map(read).collect();
    data_encoding::HEXLOWER.encode(&Sha256::digest(format!("hadir-enrolment-v1\0{plain}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        db::Cloud,
        testing::{START, TestApp},
    };

    #[test]
    fn however_it_is_typed() {
        for typed in ["7K3QM-01ZTX", "7k3qm 0iztx", "7k3qmolztx", " 7K3QM01ZTX "] {
            assert_eq!(hash(typed), hash("7K3QM01ZTX"), "{typed}");
        }
        assert_ne!(hash("7K3QM01ZTY"), hash("7K3QM01ZTX"));
    }

    #[tokio::test]
    async fn a_code_is_stored_as_its_hash_for_a_day() {
        TestApp::both(async |t| {
            let school = t.institution("SMAN1").await;
            let mut tx = t.app.db.write(Cloud).await.unwrap();
            let code = make(&mut tx, &t.app, Actor::System, school).await.unwrap();
            let other = make(&mut tx, &t.app, Actor::System, school).await.unwrap();
            tx.commit().await.unwrap();
            assert_ne!(code, other);
            assert_eq!((code.len(), &code[5..6]), (11, "-"), "{code}");
            let mut tx = t.app.db.read(Cloud).await.unwrap();
            let found = "SELECT institution_id, expires_at FROM enrolment_codes WHERE code_hash = $1";
            let (id, expires): (i64, i64) = tx.query(found).bind(hash(&code)).one().await.unwrap();
            assert_eq!((id, expires), (school.0, START.0 + LIFE_MS), "{}", t.on);
        })
        .await;
    }
}
