//! The console's pages about attendance: a line for each resource that has any.

use super::{
    announcements, audit, cards, classes, dashboard, fleet, holidays, imports, leaves, offline_sync, queue,
    recap, second_factor, sessions, settings, users,
};
use crate::console::Pages;

pub fn pages() -> Pages {
    Pages::default()
        .merge(announcements::page::pages())
        .merge(audit::page::pages())
        .merge(cards::page::pages())
        .merge(classes::page::pages())
        .merge(dashboard::page::pages())
        .merge(fleet::page::pages())
        .merge(holidays::page::pages())
        .merge(imports::page::pages())
        .merge(leaves::page::pages())
        .merge(offline_sync::page::pages())
        .merge(queue::page::pages())
        .merge(recap::page::pages())
        .merge(second_factor::pages())
        .merge(sessions::page::pages())
        .merge(settings::page::pages())
        .merge(users::page::pages())
        .merge(users::roles::pages())
}
