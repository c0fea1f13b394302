//! The console's pages about attendance: a line for each resource that has any.

use super::{cards, classes, dashboard, fleet, imports, leaves, offline_sync, recap, second_factor, users};
use crate::console::Pages;

pub fn pages() -> Pages {
    Pages::default()
        .merge(cards::page::pages())
        .merge(classes::page::pages())
        .merge(dashboard::page::pages())
        .merge(fleet::page::pages())
        .merge(imports::page::pages())
        .merge(leaves::page::pages())
        .merge(offline_sync::page::pages())
        .merge(recap::page::pages())
        .merge(second_factor::pages())
        .merge(users::page::pages())
}
