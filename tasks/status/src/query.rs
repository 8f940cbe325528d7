//! What a request's query asks for.

use aws_edge::stores::state::MAX_TRANSITIONS;

/// The time range of the chart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Range {
    /// The last hour, by minute.
    #[default]
    Hour,
    /// The last six hours, in steps of five minutes.
    SixHours,
    /// The last 24 hours, in steps of 20 minutes.
    Day,
}

impl Range {
    /// All ranges, shortest first.
    pub const ALL: [Self; 3] = [Self::Hour, Self::SixHours, Self::Day];

    /// Returns the length in hours, as the query has it.
    #[must_use]
    pub const fn hours(self) -> i64 {
        match self {
            Self::Hour => 1,
            Self::SixHours => 6,
            Self::Day => 24,
        }
    }

    /// Returns the length of one step of the chart in minutes.
    #[must_use]
    pub const fn step_minutes(self) -> i64 {
        match self {
            Self::Hour => 1,
            Self::SixHours => 5,
            Self::Day => 20,
        }
    }
}

/// An invalid value in the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// `history` is invalid.
    #[error("`history` is not a number from 0 to {MAX_TRANSITIONS}.")]
    History,
    /// `hours` is invalid.
    #[error("`hours` is not 1, 6 or 24.")]
    Hours,
}

/// What a query asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Number of the newest transitions (`history=20`).
    pub history: u64,
    /// The time range of the chart (`hours=6`).
    pub range: Range,
}

impl Query {
    /// Reads a query string. A parameter that is missing has its default.
    ///
    /// # Errors
    /// A value is invalid. The message names the parameter and the allowed values.
    pub fn read(text: &str) -> Result<Self, QueryError> {
        let value = |wanted: &str| form_urlencoded::parse(text.as_bytes()).find(|(name, _)| name == wanted);
        let history = match value("history") {
            None => 0,
            Some((_, count)) => {
                count.parse().ok().filter(|count| *count <= MAX_TRANSITIONS).ok_or(QueryError::History)?
            }
        };
        let range = match value("hours") {
            None => Range::default(),
            Some((_, hours)) => {
                Range::ALL.into_iter().find(|range| range.hours().to_string() == hours).ok_or(QueryError::Hours)?
            }
        };
        Ok(Self { history, range })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_is_asked_for_by_number() {
        assert_eq!(Query::read(""), Ok(Query::default()));
        assert_eq!(Query::read("a=1&history=20").unwrap().history, 20);
        assert_eq!(Query::read("history=100").unwrap().history, 100);
        for bad in ["history=", "history=101", "history=-1", "history=all", "history=1e9"] {
            assert_eq!(Query::read(bad), Err(QueryError::History), "{bad}");
        }
    }

    #[test]
    fn the_chart_has_three_ranges() {
        for range in Range::ALL {
            assert_eq!(Query::read(&format!("hours={}", range.hours())).unwrap().range, range);
        }
        for bad in ["hours=", "hours=2", "hours=01", "hours=all"] {
            assert_eq!(Query::read(bad), Err(QueryError::Hours), "{bad}");
        }
    }
}
