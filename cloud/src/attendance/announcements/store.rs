use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::Millis,
};
use sqlx::FromRow;

use super::{Announcement, Change, Seen};
use crate::{
    db::Tx,
    sheet::{Column, Columns},
};

#[derive(Debug, FromRow)]
pub struct Row {
    pub id: i64,
    pub title: String,
    pub content: String,
    #[sqlx(try_from = "i64")]
    pub author_id: UserId,
    pub is_published: bool,
    published_at: Option<i64>,
    #[sqlx(try_from = "i64")]
    created_at: Millis,
    #[sqlx(try_from = "i64")]
    updated_at: Millis,
}

impl Row {
    /// When it was published, or written while it is not.
    pub fn shown_since(&self) -> Millis {
        self.published_at.map_or(self.created_at, Millis)
    }
}

impl Columns for Row {
    const COLUMNS: &'static [Column<Self>] = &[
        ("Judul", |row| row.title.as_str().into()),
        ("Isi", |row| row.content.as_str().into()),
        ("Diterbitkan", |row| row.is_published.into()),
        ("Terbit pada", |row| row.published_at.map(Millis).into()),
        ("Dibuat", |row| row.created_at.into()),
        ("Diubah", |row| row.updated_at.into()),
    ];
}

impl From<Row> for Announcement {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            title: row.title,
            content: row.content,
            author_id: row.author_id,
            is_published: row.is_published,
            published_at: row.published_at.map(|at| Millis(at).to_rfc3339_micros()),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

pub async fn count(tx: &mut Tx, institution: InstitutionId, seen: Seen) -> sqlx::Result<i64> {
    let (count,) = tx
        .query(
            "SELECT COUNT(*) FROM announcements
             WHERE institution_id = $1 AND ($2 OR (is_published AND published_at <= $3))",
        )
        .bind(institution.0)
        .bind(seen.drafts)
        .bind(seen.now.0)
        .one()
        .await?;
    Ok(count)
}

/// The newest first: by when it was published, or written while it is not.
pub async fn slice(
    tx: &mut Tx,
    institution: InstitutionId,
    seen: Seen,
    limit: i64,
    offset: i64,
) -> sqlx::Result<Vec<Row>> {
    tx.query(
        "SELECT * FROM announcements
         WHERE institution_id = $1 AND ($2 OR (is_published AND published_at <= $3))
         ORDER BY COALESCE(published_at, created_at) DESC, id DESC LIMIT $4 OFFSET $5",
    )
    .bind(institution.0)
    .bind(seen.drafts)
    .bind(seen.now.0)
    .bind(limit)
    .bind(offset)
    .all()
    .await
}

pub async fn by_id(
    tx: &mut Tx,
    institution: InstitutionId,
    seen: Seen,
    id: i64,
) -> sqlx::Result<Option<Row>> {
    tx.query(
        "SELECT * FROM announcements
         WHERE institution_id = $1 AND id = $4 AND ($2 OR (is_published AND published_at <= $3))",
    )
    .bind(institution.0)
    .bind(seen.drafts)
    .bind(seen.now.0)
    .bind(id)
    .opt()
    .await
}

pub async fn insert(
    tx: &mut Tx,
    institution: InstitutionId,
    author: UserId,
    title: &str,
    content: &str,
    published: bool,
    now: Millis,
) -> sqlx::Result<i64> {
    let (id,) = tx
        .query(
            "INSERT INTO announcements (institution_id, author_id, title, content, is_published, published_at, created_at,
                updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7) RETURNING id",
        )
        .bind(institution.0)
        .bind(author.0)
        .bind(title)
        .bind(content)
        .bind(published)
        .bind(published.then_some(now.0))
        .bind(now.0)
        .one()
        .await?;
    Ok(id)
}

/// One that was published stays so since when it was; one that is published now is so since now.
pub async fn update(
    tx: &mut Tx,
    institution: InstitutionId,
    id: i64,
    change: &Change,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE announcements SET title = COALESCE($3, title), content = COALESCE($4, content),
            is_published = COALESCE($5, is_published),
            published_at = CASE WHEN COALESCE($5, is_published) THEN COALESCE(published_at, $6) END, updated_at = $6
         WHERE institution_id = $1 AND id = $2",
    )
    .bind(institution.0)
    .bind(id)
    .bind(change.title.as_deref())
    .bind(change.content.as_deref())
    .bind(change.is_published)
    .bind(now.0)
    .run()
    .await
}

/// `false`: there was none any more.
pub async fn delete(tx: &mut Tx, institution: InstitutionId, id: i64) -> sqlx::Result<bool> {
    let gone = tx
        .query("DELETE FROM announcements WHERE institution_id = $1 AND id = $2")
        .bind(institution.0)
        .bind(id)
        .run()
        .await?;
    Ok(gone == 1)
}
