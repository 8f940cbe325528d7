//! The history: the records of transitions and of commands, newest first.
//!
//! Transitions are read by their epochs, newest first. Commands have no order in the table's key, so the whole table
//! is read for them; an index by time is to replace that.

mod trail;
mod view;

use std::collections::BTreeMap;

use aws_edge::stores::state::{HistoryReader, LastKnownReader, MAX_TRANSITIONS, StateReader};
use breaker::{CommandRecord, Stored, TransitionRecord};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::deployment::Place;
use crate::exit::Failure;
use crate::ports::{CommandsReader, Trail};

pub use trail::{StartEvent, Verification, verify};

/// The part of the history to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Nothing older.
    pub since: Option<Timestamp>,
    /// Only what happened in this epoch.
    pub epoch: Option<u64>,
    /// At most so many entries, the newest ones.
    pub count: usize,
}

/// One write of the state: a transition, a command, or both at once.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The version of the state that was written.
    pub version: u64,
    /// The epoch after it.
    pub epoch: u64,
    /// Time of the write (UTC).
    pub at: Timestamp,
    /// The transition's record, if the level moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transition: Option<TransitionRecord>,
    /// The command's record, if an operator asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandRecord>,
    /// What the account's trail says about who started the command, if that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
}

/// The history, as `--json` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryReport {
    /// The deployment.
    pub deployment: Place,
    /// The entries, newest first.
    pub entries: Vec<Entry>,
    /// Number of records that are invalid and left out.
    pub left_out: u64,
    /// The reason why the trail could not be read, if it was to be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification_error: Option<String>,
}

/// Reads the history.
///
/// # Errors
/// The table cannot be read.
pub async fn read(
    place: Place,
    table: &(impl StateReader + HistoryReader + LastKnownReader),
    commands: &impl CommandsReader,
    selection: Selection,
) -> Result<HistoryReport, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("the history cannot be read: {error}"));
    let newest = match table.read().await.map_err(|error| failed(&error))? {
        Stored::State(state) => Some(state.epoch),
        Stored::Nothing => None,
        // The records are what is left.
        _ => table.last_known().await.map_err(|error| failed(&error))?.map(|known| known.epoch),
    };
    let (mut entries, mut left_out) = (BTreeMap::<u64, Entry>::new(), 0);
    let mut next = newest.map(|newest| selection.epoch.unwrap_or(newest).min(newest));
    while let Some(epoch) = next {
        let count = if selection.epoch.is_some() { 1 } else { MAX_TRANSITIONS };
        let read = table.transitions(epoch, count).await.map_err(|error| failed(&error))?;
        left_out += read.left_out;
        let older = read.records.iter().any(|record| selection.since.is_some_and(|since| record.at < since));
        for record in read.records {
            let entry = entry_at(&mut entries, record.version, record.epoch, record.at);
            entry.transition = Some(record);
        }
        let enough = older || selection.epoch.is_some() || entries.len() >= selection.count;
        next = epoch.checked_sub(count).filter(|_| !enough);
    }
    let (records, invalid) = commands.commands().await.map_err(|error| failed(&error))?;
    left_out += invalid;
    for record in records {
        let entry = entry_at(&mut entries, record.version, record.epoch, record.at);
        entry.command = Some(record);
    }
    let is_wanted = |entry: &Entry| {
        selection.since.is_none_or(|since| entry.at >= since)
            && selection.epoch.is_none_or(|epoch| entry.epoch == epoch)
    };
    let entries = entries.into_values().rev().filter(is_wanted).take(selection.count).collect();
    Ok(HistoryReport { deployment: place, entries, left_out, verification_error: None })
}

fn entry_at(entries: &mut BTreeMap<u64, Entry>, version: u64, epoch: u64, at: Timestamp) -> &mut Entry {
    let empty = Entry { version, epoch, at, transition: None, command: None, verification: None };
    entries.entry(version).or_insert(empty)
}

/// Asks the trail who started the commands.
pub async fn verify_all(report: &mut HistoryReport, trail: &impl Trail, now: Timestamp) {
    for entry in &mut report.entries {
        let Some(command) = &entry.command else { continue };
        match verify(command, trail, now).await {
            Ok(verification) => entry.verification = Some(verification),
            Err(error) => {
                report.verification_error = Some(error.to_string());
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
