//! What comes in wrong, by every door, and how it is refused: the error's name, the field that the
//! message names, the remedy. A table a door, each row an input as it would really come.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod alarms;
mod commands;
mod doubles;
mod records;
mod states;
