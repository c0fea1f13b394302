//! The box's pages and API on the school's network.

use crate::node::Node;

/// Everything the box answers.
pub fn router(node: Node) -> axum::Router {
    axum::Router::new().with_state(node)
}
