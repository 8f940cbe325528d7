//! Times, spans and long texts, as people read them.

use std::borrow::Cow;

use jiff::Timestamp;
use maud::{Markup, html};

/// A date and time to the second, with the time zone UTC.
pub fn moment(at: Timestamp) -> Markup {
    html! { time datetime=(at) { (at.strftime("%Y-%m-%d %H:%M:%S UTC")) } }
}

/// A time, and how far it is from now.
pub fn moment_and_distance(at: Timestamp, now: Timestamp) -> Markup {
    let seconds = now.as_second().saturating_sub(at.as_second());
    let distance = span(seconds.unsigned_abs());
    html! {
        (moment(at)) " ("
        @if seconds < 0 { "in " (distance) } @else { (distance) " ago" }
        ")"
    }
}

/// A time of day to the second, for places where the day is clear.
pub fn clock(at: Timestamp) -> Markup {
    html! { time datetime=(at) { (at.strftime("%H:%M:%S")) } }
}

/// A time of day, with its date if it is not today's.
pub fn when(at: Timestamp, now: Timestamp) -> Markup {
    let day = |at: Timestamp| at.strftime("%F").to_string();
    if day(at) == day(now) {
        clock(at)
    } else {
        html! { time datetime=(at) { (at.strftime("%b %-d %H:%M:%S")) } }
    }
}

/// A length of time in its two largest units.
pub fn span(seconds: u64) -> String {
    let (large, unit, small, smaller) = match seconds {
        0..60 => (seconds, "s", 0, ""),
        60..3_600 => (seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => (seconds / 3_600, "h", seconds / 60 % 60, "min"),
        _ => (seconds / 86_400, "d", seconds / 3_600 % 24, "h"),
    };
    if small == 0 { format!("{large} {unit}") } else { format!("{large} {unit} {small} {smaller}") }
}

/// Returns the beginning of `text` that has at most `budget` bytes when it is escaped, with an ellipsis if it is
/// shortened. The budget is in bytes, because the page's size is limited.
pub fn clipped(text: &str, budget: usize) -> Cow<'_, str> {
    let mut left = budget;
    let end = text.char_indices().find_map(|(at, character)| {
        let cost = escaped_length(character);
        let fits = cost <= left;
        left = left.saturating_sub(cost);
        (!fits).then_some(at)
    });
    match end.and_then(|end| text.get(..end)) {
        None => Cow::Borrowed(text),
        Some(part) => Cow::Owned(format!("{part}…")),
    }
}

const fn escaped_length(character: char) -> usize {
    match character {
        '&' => "&amp;".len(),
        '<' | '>' => "&lt;".len(),
        '"' => "&quot;".len(),
        other => other.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spans_have_their_two_largest_units() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min 59 s"),
            (3_600, "1 h"),
            (86_399, "23 h 59 min"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(span(seconds), expected);
        }
    }

    #[test]
    fn a_distance_has_a_direction() {
        let now = Timestamp::from_second(1_000).unwrap();
        let at = |second| moment_and_distance(Timestamp::from_second(second).unwrap(), now).into_string();
        assert!(at(970).ends_with("00:16:10 UTC</time> (30 s ago)"), "{}", at(970));
        assert!(at(1_030).ends_with("(in 30 s)"));
    }

    proptest! {
        #[test]
        fn a_clipped_text_fits_once_it_is_escaped(text in "[a<>&\"é😀]{0,60}", budget in 0_usize..80) {
            let clipped = clipped(&text, budget);
            let escaped = html! { (clipped) }.into_string();
            prop_assert!(escaped.trim_end_matches('…').len() <= budget);
            prop_assert!(clipped == text || text.starts_with(clipped.trim_end_matches('…')));
            prop_assert_eq!(clipped == text, html! { (text) }.into_string().len() <= budget);
        }
    }
}
