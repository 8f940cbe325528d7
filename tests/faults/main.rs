//! Injects faults of a real account into the whole chain on a local AWS, and checks that nothing is lost, nothing is
//! done twice, and the level is right afterwards.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail where it stands"
)]

#[path = "../common/mod.rs"]
mod common;

mod alarms;
mod announcements;
mod holds;
mod kills;
mod lost_state;
mod messages;
mod operate;
mod proxy;
mod races;
mod records;
mod refusals;
mod rig;
mod services;
