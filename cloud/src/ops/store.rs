use hadir_shared::time::Millis;

use crate::db::{Cloud, Db};

pub async fn version(db: &Db) -> sqlx::Result<String> {
    db.read(Cloud).await?.version().await
}

/// The newest row of the audit log, which every change leaves one in.
pub async fn newest(db: &Db) -> sqlx::Result<Option<Millis>> {
    let (at,): (Option<i64>,) = db.read(Cloud).await?.query("SELECT MAX(at) FROM audit_log").one().await?;
    Ok(at.map(Millis))
}
