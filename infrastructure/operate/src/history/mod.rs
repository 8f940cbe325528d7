//! The history: the records of transitions and of commands, newest first.
//!
//! The newest ones are read from the table's index by time. Releases before the index wrote records that are not in it:
//! `--epoch` finds those by their keys.

mod trail;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use aws_edge::stores::state::{HistoryReader, MAX_TRANSITIONS, StateReader};
use breaker::{CommandRecord, Stored, TransitionRecord};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::deployment::Place;
use crate::exit::Failure;
use crate::ports::{CommandsOfEpoch, Records, RecordsByTime, Trail};

pub use trail::{Verification, verify};

/// The part of the history to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Leaves out entries before this time.
    pub since: Option<Timestamp>,
    /// Leaves out entries of other epochs.
    pub epoch: Option<u64>,
    /// Maximum number of entries. The oldest are left out.
    pub count: usize,
}

/// One write of the state: a transition, a command, or both at once.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The version of the state that was written.
    pub version: u64,
    /// The epoch after the write.
    pub epoch: u64,
    /// Time of the write (UTC).
    pub at: Timestamp,
    /// The transition's record, if the level moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transition: Option<TransitionRecord>,
    /// The command's record, if an operator asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandRecord>,
    /// The identity that started the command, by the account's trail, if the operator asked for it.
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
    /// Epochs of the list that the index by time does not have, newest first. Their transitions were read by their keys.
    /// Their commands that moved no level are not listed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unindexed: Vec<u64>,
    /// The reason why the trail could not be read, if it was to be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification_error: Option<String>,
}

/// Reads the history from the index by time. Transitions that the index does not have are read by their keys: a release
/// without the index wrote them, possibly after a rollback. The commands of one epoch are found in both cases.
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
    let mut left_out = transitions.left_out + commands.left_out;
    let mut listed = transitions.records;
    let mut unindexed = Vec::new();
    if epoch.is_none() {
        let newest = match table.read().await.map_err(|error| failed(&error))? {
            Stored::State(state) => Some(state.epoch),
            _ => None,
        };
        let missing = missing(&listed, newest, count);
        for run in missing.chunk_by(|newer, older| newer - older == 1) {
            let (Some(newest), Ok(length)) = (run.first(), u64::try_from(run.len())) else { continue };
            // The records that one call leaves out are older than those that it returns.
            let read = table.transitions(*newest, length.min(MAX_TRANSITIONS)).await.map_err(|error| failed(&error))?;
            left_out += read.left_out;
            let is_wanted = |record: &&TransitionRecord| since.is_none_or(|since| record.at >= since);
            unindexed.extend(read.records.iter().filter(is_wanted).map(|record| record.epoch));
            listed.extend(read.records);
        }
    }
    let mut entries = BTreeMap::<u64, Entry>::new();
    for record in listed {
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
    Ok(HistoryReport { deployment: place, entries, left_out, unindexed, verification_error: None })
}

/// Returns the epochs whose transitions the index does not have, newest first and at most `count`: a release without the
/// index wrote them, or they are too new. Epochs have no gaps. If the index has fewer than `count` transitions, the epochs
/// before its oldest are among them.
fn missing(listed: &[TransitionRecord], newest: Option<u64>, count: usize) -> Vec<u64> {
    let known: BTreeSet<u64> = listed.iter().map(|record| record.epoch).collect();
    let oldest = if listed.len() < count { Some(0) } else { known.first().copied() };
    let newest = newest.max(known.last().copied());
    let (Some(oldest), Some(newest)) = (oldest, newest) else { return Vec::new() };
    (oldest..=newest).rev().filter(|epoch| !known.contains(epoch)).take(count).collect()
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
