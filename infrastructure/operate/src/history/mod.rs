//! The history: the records of transitions and of commands, newest first.
//!
//! The newest ones are read from the table's index by time. Releases before the index wrote records that are not in it:
//! `--epoch` finds those by their keys.

mod trail;
mod view;

use std::collections::BTreeMap;

use aws_edge::stores::state::{HistoryReader, StateReader};
use breaker::{CommandRecord, Stored, TransitionRecord};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::deployment::Place;
use crate::exit::Failure;
use crate::ports::{CommandsOfEpoch, Records, RecordsByTime, Trail};

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
    /// The epoch below which no record is listed, if there is one and the list is not cut there: older records have
    /// expired, or a release before the index by time wrote them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unlisted_below: Option<u64>,
    /// The reason why the trail could not be read, if it was to be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification_error: Option<String>,
}

/// Reads the history. Without an epoch it is read from the index by time, and with one by the keys of the records, which
/// also finds those that releases before the index wrote.
///
/// # Errors
/// The table cannot be read.
pub async fn read(
    place: Place,
    table: &(impl StateReader + HistoryReader),
    records: &(impl RecordsByTime + CommandsOfEpoch),
    selection: Selection,
) -> Result<HistoryReport, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("the history cannot be read: {error}"));
    let Selection { since, epoch, count } = selection;
    let (transitions, commands) = if let Some(epoch) = epoch {
        let read = table.transitions(epoch, 1).await.map_err(|error| failed(&error))?;
        let transitions = Records { records: read.records, left_out: read.left_out };
        (transitions, records.commands_of(epoch).await.map_err(|error| failed(&error))?)
    } else {
        let transitions = records.transitions(since, count).await.map_err(|error| failed(&error))?;
        (transitions, records.commands(since, count).await.map_err(|error| failed(&error))?)
    };
    let left_out = transitions.left_out + commands.left_out;
    let mut entries = BTreeMap::<u64, Entry>::new();
    for record in transitions.records {
        let entry = entry_at(&mut entries, record.version, record.epoch, record.at);
        entry.transition = Some(record);
    }
    for record in commands.records {
        let entry = entry_at(&mut entries, record.version, record.epoch, record.at);
        entry.command = Some(record);
    }
    let is_wanted =
        |entry: &Entry| since.is_none_or(|since| entry.at >= since) && epoch.is_none_or(|epoch| entry.epoch == epoch);
    let entries: Vec<_> = entries.into_values().rev().filter(is_wanted).take(count).collect();
    let mut unlisted_below = None;
    if since.is_none() && epoch.is_none() && entries.len() < count {
        unlisted_below = match entries.last() {
            Some(oldest) => Some(oldest.epoch),
            // The records are listed some moments after the state, and the first start is no gap.
            None => match table.read().await.map_err(|error| failed(&error))? {
                Stored::State(state) => Some(state.epoch.saturating_add(1)),
                _ => None,
            },
        };
    }
    let unlisted_below = unlisted_below.filter(|epoch| *epoch > 0);
    Ok(HistoryReport { deployment: place, entries, left_out, unlisted_below, verification_error: None })
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
