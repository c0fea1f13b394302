use crate::db::Tx;

/// Whether anybody has it.
pub async fn has_role(tx: &mut Tx, role: i64) -> sqlx::Result<bool> {
    let row: Option<(i64,)> =
        tx.query("SELECT user_id FROM user_roles WHERE role_id = $1 LIMIT 1").bind(role).opt().await?;
    Ok(row.is_some())
}
