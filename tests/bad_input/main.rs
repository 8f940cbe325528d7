//! Tests how malformed input is refused: the error's name, the field that the message names, and the fix. Each way into
//! the system has a table of inputs, as they would really arrive.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod alarms;
mod commands;
mod doubles;
mod records;
mod states;
