//! How SSO shows an account.

use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::Millis,
};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::{
    super::{
        companies::{self, Company},
        dialect, pictures,
        roles::{self, Role},
    },
    store,
};
use crate::{db::Tx, fail::Fail, identity::User};

/// An account. `user_isType` is the code of its role.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Account")]
pub struct Account {
    pub id: UserId,
    pub uuid: Uuid,
    pub name: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub username: Option<String>,
    pub email: Option<String>,
    pub email_verified: bool,
    pub phone: Option<String>,
    pub phone_verified: bool,
    pub avatar: Option<String>,
    pub cover: Option<String>,
    pub role: Option<Role>,
    pub institution_id: Option<i64>,
    #[serde(rename = "user_isType")]
    pub is_type: String,
    pub institution: Home,
    pub isactive: bool,
    #[serde(with = "dialect::Instant")]
    pub created_at: Millis,
    #[serde(with = "dialect::Instant")]
    pub updated_at: Millis,
}

/// The institution somebody belongs to; `{}` where he belongs to none.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Home {
    Of(Box<Company>),
    None {},
}

/// Whom nobody gave a role is shown as this.
const PLAIN: &str = "USER";

pub async fn shown(tx: &mut Tx, user: User) -> Result<Account, Fail> {
    let role = match store::role_of(tx, user.id).await? {
        Some(id) => roles::by_id(tx, id).await?,
        None => None,
    };
    let institution = match user.institution_id.map(InstitutionId) {
        Some(id) => companies::by_id(tx, id).await?.map_or(Home::None {}, |found| Home::Of(Box::new(found))),
        None => Home::None {},
    };
    let is_type = role.as_ref().map(|role| role.reference_code.clone()).or(user.applied_as);
    Ok(Account {
        id: user.id,
        uuid: user.uuid,
        first_name: user.first_name,
        last_name: user.last_name,
        name: user.name,
        username: user.username,
        email: user.email,
        email_verified: user.email_verified_at.is_some(),
        phone: user.phone,
        phone_verified: user.phone_verified_at.is_some(),
        avatar: pictures::address(user.avatar.as_deref()),
        cover: pictures::address(user.cover.as_deref()),
        role,
        institution_id: user.institution_id,
        is_type: is_type.unwrap_or_else(|| PLAIN.into()),
        institution,
        isactive: user.is_active,
        created_at: user.created_at,
        updated_at: user.updated_at,
    })
}
