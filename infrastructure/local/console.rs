//! The output while the bank is served, for a person or for a program.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;
use std::time::Instant;

use anyhow::Result;
use breaker::{SystemState, TransitionRecord};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde_json::json;
use stacks::Names;

use crate::progress::Progress;
use crate::tally::{Count, Counts, Rates};
use crate::watch::line;
use cloudwatch_stand_in::AlarmStatus;
use cloudwatch_stand_in::definition::{AlarmDefinition, AlarmState, MissingData};

/// Columns that every terminal has.
const LINE: usize = 80;

/// The amount and format of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A view that is redrawn each second, for a terminal.
    Live,
    /// One line for each transition, for an output that is kept.
    Lines,
    /// Only the bank's address, and errors.
    Quiet,
    /// One JSON object per line.
    Json,
}

impl Style {
    /// Returns the style that the options ask for, else the one that suits the output.
    #[must_use]
    pub fn of(quiet: bool, json: bool) -> Self {
        match (json, quiet, std::io::stdout().is_terminal() && std::io::stderr().is_terminal()) {
            (true, _, _) => Self::Json,
            (_, true, _) => Self::Quiet,
            (_, _, true) => Self::Live,
            _ => Self::Lines,
        }
    }

    /// Returns the progress output of the set-up.
    #[must_use]
    pub fn progress(self) -> Progress {
        match self {
            Self::Live | Self::Lines => Progress::shown(),
            Self::Quiet | Self::Json => Progress::quiet(),
        }
    }
}

/// The live view, if there is one. All other output to the terminal must suspend it first.
static VIEW: OnceLock<MultiProgress> = OnceLock::new();

/// Standard error, which suspends the live view while it writes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Errors;

impl Write for Errors {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        match VIEW.get() {
            Some(view) => view.suspend(|| io::stderr().write(text)),
            None => io::stderr().write(text),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Writes a line to the standard output. Unlike `println!` it does not panic if the reader has closed the output.
fn say(text: impl std::fmt::Display) -> Result<()> {
    Ok(writeln!(io::stdout(), "{text}")?)
}

/// The addresses of a running bank.
#[derive(Clone, Copy, Debug)]
pub struct Bank<'a> {
    /// The local address of the API.
    pub api: &'a str,
    /// The local address of AWS.
    pub aws: &'a str,
    /// ARN of the state machine.
    pub machine: &'a str,
}

/// Shows a bank in one [`Style`].
#[derive(Debug)]
pub struct Console {
    style: Style,
    /// Common beginning and end of the alarms' names, which the view leaves out.
    affixes: (String, String),
    live: Option<Live>,
}

impl Console {
    /// Returns a console, which has shown nothing yet.
    #[must_use]
    pub fn new(style: Style, names: &Names) -> Self {
        let affixes = (format!("{}-", names.project), format!("-{}", names.environment));
        Self { style, affixes, live: None }
    }

    /// Shows that the bank answers. `help` is an additional text for a person.
    ///
    /// # Errors
    /// The reader of the output has closed it.
    pub fn ready(&mut self, bank: Bank<'_>, help: &str) -> Result<()> {
        let Bank { api, aws, machine } = bank;
        match self.style {
            Style::Json => say(json!({ "event": "ready", "api": api, "aws": aws, "stateMachineArn": machine })),
            Style::Quiet => say(format_args!("The bank answers at {api}")),
            Style::Lines => say(format_args!("\nThe bank answers at {api}\n{help}")),
            Style::Live => {
                say(format_args!("\nThe bank answers at {api}\n{help}\n"))?;
                let live = Live { begun: Some(Timestamp::now()), ..Live::default() };
                drop(VIEW.set(live.view.clone()));
                self.live = Some(live);
                Ok(())
            }
        }
    }

    /// Shows a transition.
    ///
    /// # Errors
    /// The reader of the output has closed it.
    pub fn transition(&self, record: &TransitionRecord) -> Result<()> {
        match (self.style, &self.live) {
            (Style::Json, _) => say(json!({ "event": "transition", "record": record })),
            (Style::Quiet, _) => Ok(()),
            (_, Some(live)) => Ok(live.view.println(line(record))?),
            (_, None) => say(line(record)),
        }
    }

    /// Whether the output of [`Self::update`] is shown.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// Redraws the live view.
    pub fn update(&mut self, state: Option<&SystemState>, counts: &Counts, alarms: &[AlarmStatus]) {
        if let Some(live) = &mut self.live {
            let (rates, now) = (live.rates.update(Instant::now(), counts.clone()), Timestamp::now());
            let told = alarms.iter().filter(|alarm| live.begun.is_none_or(|begun| tells(alarm, begun, now)));
            let mut lines = screen(state, counts, &rates, now);
            lines.extend(alarm_lines(told, alarms.len(), &self.affixes));
            live.draw(&lines);
        }
    }
}

/// Lines at the bottom of a terminal that are redrawn in place.
#[derive(Debug, Default)]
struct Live {
    view: MultiProgress,
    lines: Vec<ProgressBar>,
    rates: Rates,
    begun: Option<Timestamp>,
}

impl Live {
    fn draw(&mut self, screen: &[String]) {
        while self.lines.len() < screen.len() {
            let line = self.view.add(ProgressBar::no_length());
            // Truncated to the terminal's width, because a line that wraps cannot be redrawn in place.
            let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            line.set_style(style);
            self.lines.push(line);
        }
        for (index, line) in self.lines.iter().enumerate() {
            line.set_message(screen.get(index).cloned().unwrap_or_default());
            line.tick();
        }
    }
}

/// Returns the lines of the live view.
fn screen(state: Option<&SystemState>, counts: &Counts, rates: &BTreeMap<String, f64>, now: Timestamp) -> Vec<String> {
    let mut lines = match state {
        None => vec!["level     1, by default: no evaluation yet".to_owned()],
        Some(state) => about(state, now),
    };
    for (level, count) in counts {
        let rate = rates.get(level).copied().unwrap_or_default();
        let what = if level == "-" { "no level".to_owned() } else { format!("level {level}") };
        let Count { requests, failures, fallbacks, declined } = count;
        let mut parts = vec![format!("requests  {what}: {requests} ({rate:.1}/s)"), format!("{failures} failed")];
        for (count, what) in [(fallbacks, "answered by another level"), (declined, "declined by design")] {
            if *count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        lines.push(parts.join(", "));
    }
    if counts.is_empty() {
        lines.push("requests  none yet".to_owned());
    }
    lines
}

/// Whether the state of an alarm is meaningful at `now`. An alarm on missing data is on at the start, because there are
/// no data yet. Its state is meaningful only once the bank has run for as long as all its periods.
fn tells(alarm: &AlarmStatus, begun: Timestamp, now: Timestamp) -> bool {
    let AlarmDefinition { watched, evaluation_periods, missing_data, .. } = &alarm.definition;
    let seconds = i64::from(watched.period_seconds()) * i64::from(*evaluation_periods);
    *missing_data != MissingData::Breaching || now.duration_since(begun).as_secs() >= seconds
}

/// Returns the names of the alarms that are on, without their common parts, in lines that fit a terminal.
fn alarm_lines<'a>(
    alarms: impl Iterator<Item = &'a AlarmStatus>,
    all: usize,
    (prefix, suffix): &(String, String),
) -> Vec<String> {
    let on: Vec<&str> = alarms
        .filter(|alarm| alarm.state == AlarmState::Alarm)
        .map(|alarm| {
            let name = alarm.name.strip_prefix(prefix).unwrap_or(&alarm.name);
            name.strip_suffix(suffix).unwrap_or(name)
        })
        .collect();
    let mut lines = vec![format!("alarms    {} of {all} on", on.len())];
    for (place, name) in on.iter().enumerate() {
        let (separator, end) = (if place == 0 { ": " } else { " " }, if place + 1 == on.len() { "" } else { "," });
        match lines.last_mut() {
            Some(line) if line.len() + separator.len() + name.len() + end.len() <= LINE => {
                line.extend([separator, name, end]);
            }
            _ => lines.push(format!("          {name}{end}")),
        }
    }
    lines
}

fn about(state: &SystemState, now: Timestamp) -> Vec<String> {
    let since = state.last_transition.strftime("%H:%M:%S");
    let mut lines = vec![
        format!(
            "level     {}, {}, since {since} UTC (epoch {})",
            state.current_level,
            state.current_level.status(),
            state.epoch
        ),
        format!("why       {}", state.transition_reason),
        format!("counts    {} failures, {} consecutive successes", state.failure_count, state.success_count),
    ];
    if let Some(hold) = state.active_hold(now) {
        let until = hold.expires_at.strftime("%H:%M:%S");
        lines.push(format!("hold      until {until} UTC, by {}: {}", hold.requested_by, hold.reason));
    }
    lines
}

#[cfg(test)]
mod tests {
    use breaker::{Hold, Level, Policy, PolicySettings};
    use cloudwatch_stand_in::definition::{Actions, Comparison};
    use cloudwatch_stand_in::series::{Metric, SeriesKey, Statistic};
    use cloudwatch_stand_in::watched::Watched;
    use jiff::SignedDuration;

    use super::*;

    fn state(now: Timestamp) -> SystemState {
        let policy = Policy::new(PolicySettings::default()).unwrap();
        SystemState {
            current_level: Level::Degraded,
            epoch: 7,
            transition_reason: "6 failures at level 1".to_owned(),
            ..SystemState::initial(&policy, now)
        }
    }

    #[test]
    fn the_view_shows_level_reason_counts_and_requests() {
        let now: Timestamp = "2026-09-10T14:06:12Z".parse().unwrap();
        let count = Count { requests: 40, failures: 3, fallbacks: 2, declined: 1 };
        let counts = Counts::from([("2".to_owned(), count)]);
        let screen = screen(Some(&state(now)), &counts, &BTreeMap::from([("2".to_owned(), 4.04)]), now);
        let expected = [
            "level     2, degraded, since 14:06:12 UTC (epoch 7)",
            "why       6 failures at level 1",
            "counts    0 failures, 0 consecutive successes",
            "requests  level 2: 40 (4.0/s), 3 failed, 2 answered by another level, 1 declined by design",
        ];
        assert_eq!(screen, expected);
    }

    fn alarm(name: &str, state: AlarmState) -> AlarmStatus {
        let name = format!("bank-{name}-dev");
        let metric = Metric { namespace: "Bank".to_owned(), name: "Error".to_owned(), dimensions: BTreeMap::new() };
        let definition = AlarmDefinition {
            name: name.clone(),
            arn: format!("arn:aws:cloudwatch:us-east-1:000000000000:alarm:{name}"),
            description: None,
            watched: Watched::Metric(SeriesKey { metric, statistic: Statistic::Sum, period_seconds: 10 }),
            evaluation_periods: 3,
            datapoints_to_alarm: None,
            threshold: 5.0,
            comparison: Comparison::GreaterThanOrEqualToThreshold,
            missing_data: MissingData::Missing,
            actions: Actions::default(),
            configured_at: None,
        };
        AlarmStatus { name, state, reason: String::new(), since: Timestamp::UNIX_EPOCH, definition }
    }

    #[test]
    fn names_of_alarms_are_short_and_fit_the_line() {
        let affixes = ("bank-".to_owned(), "-dev".to_owned());
        let lines = |alarms: &[AlarmStatus]| alarm_lines(alarms.iter(), 60, &affixes);
        assert_eq!(lines(&[alarm("stale-state", AlarmState::Ok)]), ["alarms    0 of 60 on"]);
        let names = ["level-1-error-rate", "level-2-error-rate", "degraded-level", "level-2-recovery", "other"];
        let on: Vec<_> = names.iter().map(|name| alarm(name, AlarmState::Alarm)).collect();
        let shown = lines(&on);
        assert_eq!(
            shown,
            [
                "alarms    5 of 60 on: level-1-error-rate, level-2-error-rate, degraded-level,",
                "          level-2-recovery, other",
            ]
        );
        assert!(shown.iter().all(|line| line.len() <= LINE));
        assert_eq!(lines(&on[2..3]), ["alarms    1 of 60 on: degraded-level"]);
    }

    #[test]
    fn an_alarm_on_silence_is_shown_only_after_its_periods() {
        let mut silent = alarm("control-plane-silent", AlarmState::Alarm);
        silent.definition.missing_data = MissingData::Breaching;
        let seconds = silent.definition.watched.period_seconds() * silent.definition.evaluation_periods;
        let begun: Timestamp = "2026-09-10T14:06:12Z".parse().unwrap();
        let after = |alarm, seconds: u32| tells(alarm, begun, begun + SignedDuration::from_secs(seconds.into()));
        assert!(!after(&silent, 0) && !after(&silent, seconds - 1) && after(&silent, seconds));
        assert!(after(&alarm("degraded-level", AlarmState::Alarm), 0));
    }

    #[test]
    fn the_view_shows_a_hold_until_it_ends() {
        let now: Timestamp = "2026-09-10T14:06:12Z".parse().unwrap();
        let expires_at = now + SignedDuration::from_mins(5);
        let hold = Hold {
            level: Level::Degraded,
            reason: "drill".to_owned(),
            requested_by: "alice".to_owned(),
            expires_at,
            execution: None,
        };
        let state = SystemState { hold: Some(hold), ..state(now) };
        let shown = |now| screen(Some(&state), &Counts::new(), &BTreeMap::new(), now);
        assert!(shown(now).contains(&"hold      until 14:11:12 UTC, by alice: drill".to_owned()));
        assert!(!shown(expires_at).iter().any(|line| line.starts_with("hold")));
    }
}
