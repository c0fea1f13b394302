//! The pages people use.
use axum::Router;

use crate::http::Web;

pub fn routes() -> Router<Web> {
    Router::new()
}
