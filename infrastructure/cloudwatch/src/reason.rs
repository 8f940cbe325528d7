//! The reason of an alarm's state, worded like CloudWatch's for people. Programs should not parse it.

use jiff::Timestamp;

use crate::definition::{AlarmDefinition, AlarmState, MissingData};

/// Returns the reason of a state. `used` has the start and value of each datapoint, oldest first; `filled` is the
/// number of missing datapoints that were filled in.
pub(crate) fn of(alarm: &AlarmDefinition, state: AlarmState, used: &[(i64, f64)], filled: usize) -> String {
    let missing = match filled {
        1 => "1 missing datapoint was".to_owned(),
        several => format!("{several} missing datapoints were"),
    };
    let treated = match alarm.missing_data {
        MissingData::Breaching => Some("Breaching"),
        MissingData::NotBreaching => Some("NonBreaching"),
        MissingData::Missing | MissingData::Ignore => None,
    };
    if used.is_empty() {
        let periods = if filled == 1 { "1 period".to_owned() } else { format!("{filled} periods") };
        return match treated {
            Some(treated) => format!(
                "Threshold Crossed: no datapoints were received for {periods} and {missing} treated as [{treated}]."
            ),
            None if filled == 1 => "Insufficient Data: 1 datapoint was unknown.".to_owned(),
            None => format!("Insufficient Data: {filled} datapoints were unknown."),
        };
    }
    let shown = shown(alarm, state, used);
    match treated.filter(|_| filled > 0) {
        Some(treated) => format!("Threshold Crossed: {shown} and {missing} treated as [{treated}]."),
        None if state == AlarmState::InsufficientData => format!("Insufficient Data: {missing} unknown; {shown}."),
        None => format!("Threshold Crossed: {shown}."),
    }
}

/// Formats the datapoints that support this state, newest first.
fn shown(alarm: &AlarmDefinition, state: AlarmState, used: &[(i64, f64)]) -> String {
    let breaching_wanted = state != AlarmState::Ok;
    let breaches = |value: f64| alarm.comparison.breaches(value, alarm.threshold);
    let mut telling: Vec<_> = used.iter().filter(|(_, value)| breaches(*value) == breaching_wanted).collect();
    let mut negated = !breaching_wanted;
    if telling.is_empty() {
        telling = used.iter().collect();
        negated = !negated;
    }
    let list: Vec<String> =
        telling.iter().rev().map(|(start, value)| format!("{value:?} ({})", clock(*start))).collect();
    let (noun, verb) = if list.len() == 1 { ("datapoint", "was") } else { ("datapoints", "were") };
    let not = if negated { "not " } else { "" };
    format!(
        "{} {noun} [{}] {verb} {not}{} the threshold ({:?})",
        list.len(),
        list.join(", "),
        alarm.comparison.words(),
        alarm.threshold,
    )
}

fn clock(second: i64) -> String {
    Timestamp::from_second(second).map(|at| at.strftime("%d/%m/%y %H:%M:%S").to_string()).unwrap_or_default()
}
