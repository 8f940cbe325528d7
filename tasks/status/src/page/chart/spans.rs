//! Spans of time: levels, holds and alarms.

use breaker::{CommandRecord, Level, TransitionRecord, TransitionRequest};
use jiff::{SignedDuration, Timestamp};

use crate::sources::{Alarm, AlarmChange};
use crate::traffic::Traffic;

use super::bins::bins;

/// A span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span<T> {
    /// Start (UTC).
    pub from: Timestamp,
    /// End (UTC).
    pub until: Timestamp,
    /// The level, hold or alarm of this span.
    pub what: T,
}

/// Returns the levels between `from` and `until` by the records, newest first. Without a record of the time before, the
/// oldest record tells the level before it.
pub fn levels(records: &[TransitionRecord], from: Timestamp, until: Timestamp) -> Vec<Span<Level>> {
    let mut spans = Vec::new();
    let mut end = until;
    for record in records {
        if record.at < end {
            spans.push(Span { from: record.at.max(from), until: end, what: record.to });
            end = record.at;
        }
        if record.at <= from {
            return spans;
        }
    }
    spans.extend(records.last().map(|oldest| Span { from, until: end, what: oldest.from }));
    spans
}

/// Returns the levels that the controllers routed by, if the records are not known.
pub fn levels_by_controllers(traffic: &Traffic) -> Vec<Span<Level>> {
    let mut spans: Vec<Span<Level>> = Vec::new();
    for bin in bins(traffic, 1) {
        match (spans.last_mut(), bin.level) {
            (Some(last), Some(level)) if last.what == level && last.until == bin.start => last.until = bin.end,
            (_, Some(level)) => spans.push(Span { from: bin.start, until: bin.end, what: level }),
            (_, None) => {}
        }
    }
    spans
}

/// Returns the holds, newest first. The next command ends a hold that has not expired.
pub fn holds(commands: &[CommandRecord]) -> Vec<Span<(Level, &str)>> {
    let mut next = None;
    let mut spans = Vec::new();
    for command in commands {
        if let TransitionRequest::Force(force) = &command.request
            && let Some(minutes) = force.hold_minutes
        {
            let expires = command.at.checked_add(SignedDuration::from_mins(minutes.into())).unwrap_or(Timestamp::MAX);
            let until = next.map_or(expires, |next: Timestamp| next.min(expires));
            spans.push(Span { from: command.at, until, what: (command.to, force.requested_by.as_str()) });
        }
        next = Some(command.at);
    }
    spans
}

/// Returns when each alarm was on between `from` and `until`, those that are on now first, then by the newest start.
pub fn alarms<'a>(
    alarms: &'a [Alarm],
    changes: &'a [AlarmChange],
    from: Timestamp,
    until: Timestamp,
) -> Vec<(&'a str, Vec<Span<()>>)> {
    let mut rows: Vec<(bool, &str, Vec<Span<()>>)> = alarms
        .iter()
        .filter_map(|alarm| {
            let of_alarm: Vec<&AlarmChange> = changes.iter().filter(|change| change.name == alarm.name).collect();
            let mut spans = Vec::new();
            // If the first change leaves ALARM, the alarm was on before the range.
            let mut begun = of_alarm.first().filter(|change| !change.is_on).map(|_| from);
            for change in &of_alarm {
                match (change.is_on, begun) {
                    (true, None) => begun = Some(change.at),
                    (false, Some(start)) => {
                        spans.push(Span { from: start, until: change.at, what: () });
                        begun = None;
                    }
                    _ => {}
                }
            }
            if alarm.is_on {
                let start = begun.or(alarm.since).unwrap_or(from).max(from);
                spans.push(Span { from: start, until, what: () });
            } else {
                spans.extend(begun.map(|start| Span { from: start, until: alarm.since.unwrap_or(until), what: () }));
            }
            // An alarm without data was neither on nor off.
            spans.retain(|span| span.until > span.from || alarm.is_on);
            (!spans.is_empty()).then_some((alarm.is_on, alarm.name.as_str(), spans))
        })
        .collect();
    rows.sort_by_key(|(is_on, name, spans)| (!*is_on, spans.last().map(|span| std::cmp::Reverse(span.from)), *name));
    rows.into_iter().map(|(_, name, spans)| (name, spans)).collect()
}

#[cfg(test)]
mod tests {
    use breaker::{ForceRequest, Outcome, ReleaseRequest};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn moved(second: i64, from: Level, to: Level) -> TransitionRecord {
        TransitionRecord { from, to, ..TransitionRecord::first_start(at(second), "arn:execution") }
    }

    #[test]
    fn levels_last_from_record_to_record() {
        use Level::{Degraded, Full, Maintenance};
        let records = [moved(300, Degraded, Maintenance), moved(200, Full, Degraded), moved(50, Degraded, Full)];
        let told = |from, until| -> Vec<_> {
            let spans = levels(&records, at(from), at(until));
            spans.iter().map(|span| (span.from.as_second(), span.until.as_second(), span.what)).collect()
        };
        assert_eq!(told(100, 400), [(300, 400, Maintenance), (200, 300, Degraded), (100, 200, Full)]);
        assert_eq!(told(0, 400).last(), Some(&(0, 50, Degraded)), "before the oldest record");
        assert_eq!(levels(&[], at(0), at(1)), []);
    }

    fn command(second: i64, hold_minutes: Option<u32>) -> CommandRecord {
        let request = match hold_minutes {
            Some(_) => TransitionRequest::Force(ForceRequest {
                target_level: Level::Degraded,
                reason: "a drill".to_owned(),
                requested_by: "alice".to_owned(),
                hold_minutes,
                expected_epoch: None,
                expected_hold: None,
                repair: false,
                dry_run: false,
            }),
            None => TransitionRequest::Release(ReleaseRequest {
                reason: "done".to_owned(),
                requested_by: "bob".to_owned(),
                expected_epoch: None,
                expected_hold: None,
                dry_run: false,
            }),
        };
        CommandRecord {
            name: "one".to_owned(),
            version: 1,
            epoch: 1,
            from: Level::Degraded,
            to: Level::Degraded,
            at: at(second),
            outcome: Outcome::Record,
            reason: "held".to_owned(),
            cause: None,
            request,
            ended_hold: None,
            recovery_allowed_at: None,
            execution: "arn:execution".to_owned(),
        }
    }

    #[test]
    fn a_hold_ends_by_the_next_command_or_by_its_time() {
        let commands = [command(5_000, Some(30)), command(900, None), command(600, Some(30)), command(0, Some(5))];
        let told: Vec<_> =
            holds(&commands).iter().map(|span| (span.from.as_second(), span.until.as_second(), span.what.1)).collect();
        assert_eq!(told, [(5_000, 6_800, "alice"), (600, 900, "alice"), (0, 300, "alice")]);
    }

    #[test]
    fn alarms_last_from_change_to_change() {
        let alarm =
            |name: &str, is_on, since| Alarm { name: name.to_owned(), is_on, since: Some(at(since)), runbook: None };
        let change = |name: &str, second, is_on| AlarmChange { name: name.to_owned(), at: at(second), is_on };
        let all =
            [alarm("calm", false, 0), alarm("ended", false, 700), alarm("long", true, 0), alarm("new", true, 800)];
        let changes = [change("ended", 500, true), change("ended", 700, false), change("new", 800, true)];
        let told: Vec<_> = alarms(&all, &changes, at(100), at(900))
            .into_iter()
            .map(|(name, spans)| (name, spans[0].from.as_second(), spans[0].until.as_second()))
            .collect();
        assert_eq!(told, [("new", 800, 900), ("long", 100, 900), ("ended", 500, 700)]);
        let begun_before = [change("ended", 700, false)];
        assert_eq!(alarms(&all[1..2], &begun_before, at(100), at(900))[0].1[0].from, at(100));
    }
}
