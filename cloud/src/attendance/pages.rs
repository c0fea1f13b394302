//! The console's pages about attendance: a line for each resource that has any.

use super::{leaves, recap, second_factor};
use crate::console::Pages;

pub fn pages() -> Pages {
    Pages::default().merge(leaves::page::pages()).merge(recap::page::pages()).merge(second_factor::pages())
}
