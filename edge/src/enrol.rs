//! Joining a school. The private key never travels, and a lost answer burns no code.

use hadir_shared::{
    sign::SecretKey,
    wire::{
        PROTO,
        enrolment::{Enrol, Enrolled},
        speaks,
    },
};
use serde::{Deserialize, Serialize};

use crate::{
    ids::Ids,
    link::{Answer, Link, Unreachable},
    membership::{self, Membership},
    node::Node,
    roster::PullFailed,
    store::{NotSaved, Tx, meta, remove_meta, set_meta},
};

const ENROLMENTS: &str = "/api/offline-sync/enrolments";
/// The key of an enrolment whose answer has not come, in `meta`.
const PENDING: &str = "enrolling";

/// What the operator typed.
#[derive(Debug, Clone)]
pub struct Request {
    /// The cloud's address.
    pub cloud: String,
    pub code: String,
    /// What people will call the box.
    pub name: String,
    /// Leave the school the box belongs to.
    pub replace: bool,
}

/// Why the box did not join.
#[derive(Debug, thiserror::Error)]
pub enum NotEnrolled {
    #[error("this box belongs to {0} already; --replace leaves it")]
    Already(String),
    #[error("the cloud's address must be http:// or https:// and a host")]
    Address,
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    #[error("the cloud refused the code ({status}): {message}")]
    Refused { status: u16, message: String },
    #[error("the answer is not an enrolment")]
    Garbage,
    #[error("the box's own disk: {0}")]
    NotSaved(#[from] NotSaved),
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

#[derive(Serialize, Deserialize)]
struct Pending {
    cloud: String,
    code: String,
    seed: [u8; 32],
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Wrapped {
    Bare(Enrolled),
    InEnvelope { data: Enrolled },
}

/// Joins, and pulls the first roster at once. `Ok` with the pull's failure means that the box has joined and will pull
/// when it runs.
pub async fn enrol(node: &Node, request: &Request) -> Result<(Membership, Option<PullFailed>), NotEnrolled> {
    if let Some(member) = node.membership()
        && !request.replace
    {
        return Err(NotEnrolled::Already(member.institution_name));
    }
    let cloud = request.cloud.trim().trim_end_matches('/').to_owned();
    let host = cloud.strip_prefix("https://").or_else(|| cloud.strip_prefix("http://"));
    if host.is_none_or(|host| host.is_empty() || host.contains(['?', '#', '@', ' '])) {
        return Err(NotEnrolled::Address);
    }
    let code = request.code.trim().to_owned();
    let key = pending_key(node, &cloud, &code).await?;
    let link = Link::new(&cloud, node.ids().clone(), None)?;
    let enrol = Enrol {
        proto: PROTO,
        code,
        public_key: key.public(),
        name: request.name.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
    };
    let body = serde_json::to_vec(&enrol).map_err(anyhow::Error::from)?;
    let enrolled = read(&link.post_json(ENROLMENTS, body).await?)?;
    let member = Membership::new(cloud, request.name.clone(), &key, enrolled);
    let now = node.trusted_now().time;
    membership::join(node.store(), node.seal(), node.ids(), &member, now).await?;
    node.store().write(|tx: &mut Tx<'_>| Ok::<_, NotSaved>(remove_meta(tx, PENDING)?)).await?;
    node.reload().await?;
    let pulled = node.pull_once().await;
    Ok((member, pulled.err()))
}

fn read(answer: &Answer) -> Result<Enrolled, NotEnrolled> {
    if !matches!(answer.status, 200 | 201) {
        let body: serde_json::Value = answer.json().unwrap_or_default();
        let message = body["message"].as_str().unwrap_or("no reason given").chars().take(200).collect();
        return Err(NotEnrolled::Refused { status: answer.status, message });
    }
    let enrolled = match answer.json().ok_or(NotEnrolled::Garbage)? {
        Wrapped::Bare(enrolled) | Wrapped::InEnvelope { data: enrolled } => enrolled,
    };
    if speaks(enrolled.proto) { Ok(enrolled) } else { Err(NotEnrolled::Garbage) }
}

/// The same key for the same code, so that asking again after a lost answer is the same request.
async fn pending_key(node: &Node, cloud: &str, code: &str) -> Result<SecretKey, NotEnrolled> {
    let sealed = node.store().read(|conn| meta(conn, PENDING)).await?;
    let opened = sealed.and_then(|sealed| node.seal().open(PENDING, &sealed).ok());
    let pending = opened.and_then(|bytes| serde_json::from_slice::<Pending>(&bytes).ok());
    if let Some(pending) = pending.filter(|p| p.cloud == cloud && p.code == code) {
        return Ok(SecretKey::from_seed(&pending.seed));
    }
    let ids: &Ids = node.ids();
    let pending = Pending { cloud: cloud.into(), code: code.into(), seed: ids.bytes() };
    let sealed = node.seal().seal(ids, PENDING, &serde_json::to_vec(&pending).map_err(anyhow::Error::from)?);
    node.store().write(move |tx: &mut Tx<'_>| Ok::<_, NotSaved>(set_meta(tx, PENDING, &sealed)?)).await?;
    Ok(SecretKey::from_seed(&pending.seed))
}
