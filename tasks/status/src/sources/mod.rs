//! The sources of the status, each behind a port of its own. Each may fail alone.

mod cached;
mod cloudwatch;
mod records;

use std::error::Error;
use std::fmt::Debug;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use breaker::{CommandRecord, TransitionRecord};
use jiff::Timestamp;

use crate::traffic::Traffic;

pub use cached::Cached;
pub use cloudwatch::CloudWatch;
pub use records::RecordTable;

/// The name of a source, as page and JSON show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The state item.
    State,
    /// The records of transitions and commands.
    Records,
    /// The metrics of the controllers and of the services.
    Metrics,
    /// The states of the alarms.
    Alarms,
    /// The changes of the alarms' states.
    AlarmHistory,
}

impl Source {
    /// Returns the name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Records => "records",
            Self::Metrics => "metrics",
            Self::Alarms => "alarms",
            Self::AlarmHistory => "alarmHistory",
        }
    }

    /// Returns the name for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::State => "the state",
            Self::Records => "the records",
            Self::Metrics => "the metrics",
            Self::Alarms => "the alarms",
            Self::AlarmHistory => "the alarms' history",
        }
    }
}

/// A source cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No complete answer arrived in time.
    #[error("no answer in time")]
    TooSlow,
    /// AWS refused the call.
    #[error("refused: {code}")]
    Refused {
        /// The error's code, such as `ThrottlingException`.
        code: String,
        /// The SDK's error.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// AWS could not be reached, or its answer could not be read.
    #[error("not reachable")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// The answer lacks a part.
    #[error("incomplete: {0}")]
    Incomplete(String),
}

impl<E> From<SdkError<E>> for SourceError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    fn from(error: SdkError<E>) -> Self {
        match &error {
            SdkError::TimeoutError(_) => Self::TooSlow,
            SdkError::ServiceError(answer) => {
                let code = answer.err().code().unwrap_or("an error without a code").to_owned();
                Self::Refused { code, source: Box::new(error) }
            }
            _ => Self::Unreachable(Box::new(error)),
        }
    }
}

/// Reads the metrics.
pub trait TrafficReader {
    /// Returns the minutes from `from` until `until`.
    fn traffic(&self, from: Timestamp, until: Timestamp) -> impl Future<Output = Result<Traffic, SourceError>> + Send;
}

/// An alarm of the deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// The name without project and environment, such as `level-1-error-rate`.
    pub name: String,
    /// Whether the alarm is in the state ALARM.
    pub is_on: bool,
    /// Time of the last change of the alarm's state (UTC).
    pub since: Option<Timestamp>,
    /// Address of the alarm's section in the runbook.
    pub runbook: Option<String>,
}

/// A change of an alarm's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmChange {
    /// The name without project and environment.
    pub name: String,
    /// Time of the change (UTC).
    pub at: Timestamp,
    /// Whether the alarm went into the state ALARM.
    pub is_on: bool,
}

/// Reads the alarms.
pub trait AlarmReader {
    /// Returns the alarms of the deployment.
    fn alarms(&self) -> impl Future<Output = Result<Vec<Alarm>, SourceError>> + Send;

    /// Returns the changes since `from`, oldest first.
    fn changes(&self, from: Timestamp) -> impl Future<Output = Result<Vec<AlarmChange>, SourceError>> + Send;
}

/// The newest records, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// The transitions.
    pub transitions: Vec<TransitionRecord>,
    /// The operators' commands.
    pub commands: Vec<CommandRecord>,
    /// Number of transition records that are invalid and therefore left out.
    pub left_out: u64,
}

/// Reads the records.
pub trait RecordReader {
    /// Returns the newest records.
    fn records(&self) -> impl Future<Output = Result<Records, SourceError>> + Send;
}
