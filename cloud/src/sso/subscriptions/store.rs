use hadir_shared::{ids::InstitutionId, time::Millis};

use super::Link;
use crate::db::Tx;

pub async fn of_company(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Vec<Link>> {
    tx.query(
        "SELECT l.id, l.institution_id AS company_id, l.service_id AS service_provider_id, s.uuid AS service_uuid,
            s.code AS service_code, s.name AS service_name, l.created_at
         FROM institution_services l JOIN services s ON s.id = l.service_id
         WHERE l.institution_id = $1 ORDER BY l.id",
    )
    .bind(institution.0)
    .all()
    .await
}

/// Whosever it is: for who gives and takes services.
pub async fn find(tx: &mut Tx, id: i64) -> sqlx::Result<Option<Link>> {
    tx.query(
        "SELECT l.id, l.institution_id AS company_id, l.service_id AS service_provider_id, s.uuid AS service_uuid,
            s.code AS service_code, s.name AS service_name, l.created_at
         FROM institution_services l JOIN services s ON s.id = l.service_id WHERE l.id = $1",
    )
    .bind(id)
    .opt()
    .await
}

/// `None`: it has it already.
pub async fn insert(
    tx: &mut Tx,
    institution: InstitutionId,
    service: i64,
    now: Millis,
) -> sqlx::Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .query(
            "INSERT INTO institution_services (institution_id, service_id, created_at) VALUES ($1, $2, $3)
             ON CONFLICT DO NOTHING RETURNING id",
        )
        .bind(institution.0)
        .bind(service)
        .bind(now.0)
        .opt()
        .await?;
    Ok(row.map(|(id,)| id))
}

pub async fn delete(tx: &mut Tx, id: i64) -> sqlx::Result<u64> {
    tx.query("DELETE FROM institution_services WHERE id = $1").bind(id).run().await
}
