//! Tests the tests: they detect a machine with one broken or one wrong expression.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::all_runs;
use crate::coverage::states;
use crate::look_again;
use crate::machine::{Case, Run, definition, run_freely};

/// An expression of the definition.
#[derive(Debug)]
struct Place {
    /// The expression's JSON pointer in the definition.
    pointer: String,
    state: String,
    expression: String,
    /// The rule that a run must take to evaluate the expression, if it belongs to a rule.
    rule: Option<String>,
}

/// Collects the expressions below `value`, which is at `pointer` in `state`.
fn places(value: &Value, pointer: &str, state: &str, found: &mut Vec<Place>) {
    match value {
        Value::String(text) if text.starts_with("{%") => found.push(Place {
            pointer: pointer.to_owned(),
            state: state.to_owned(),
            expression: text.trim_start_matches("{%").trim_end_matches("%}").trim().to_owned(),
            rule: rule(pointer, state),
        }),
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                places(item, &format!("{pointer}/{place}"), state, found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let state = if pointer.ends_with("/States") { name } else { state };
                places(member, &format!("{pointer}/{}", name.replace('/', "~1")), state, found);
            }
        }
        _ => {}
    }
}

/// Returns the rule that an assigned expression belongs to: `<state>/Catch/0` or `<state>/Choices/0`.
fn rule(pointer: &str, state: &str) -> Option<String> {
    let (_, within) = pointer.rsplit_once(&format!("/States/{state}/"))?;
    let [kind, place, "Assign", ..] = within.split('/').collect::<Vec<_>>()[..] else { return None };
    Some(format!("{state}/{kind}/{place}"))
}

impl Place {
    fn is_evaluated_in(&self, run: &Run) -> bool {
        let whole = format!("{}: {}", self.state, self.expression);
        let taken =
            |rule: &String| run.taken.iter().any(|taken| taken == rule || taken.starts_with(&format!("{rule}/")));
        run.expressions.contains(&whole) && self.rule.as_ref().is_none_or(taken)
    }
}

/// Whether two runs end differently, take different paths, or have a state with another output.
fn differ(one: &Run, other: &Run) -> bool {
    let outputs = |run: &Run| -> BTreeSet<String> {
        run.visits.iter().map(|visit| format!("{}: {}", visit.state, visit.output)).collect()
    };
    one.ends() != other.ends() || one.path() != other.path() || outputs(one) != outputs(other)
}

/// Changes each expression and runs a case that evaluates it. Returns the number of changes, and the places of the
/// changes that made no difference.
async fn unnoticed(change: impl Fn(&Place) -> Option<String>) -> (usize, Vec<String>) {
    let good = all_runs().await;
    let mut found = Vec::new();
    places(&definition(), "", "", &mut found);
    let mut tried: Vec<(Place, Case, &Run)> = Vec::new();
    for place in found {
        let Some(changed) = change(&place) else { continue };
        let (case, run) =
            good.iter().find(|(_, run)| place.is_evaluated_in(run)).unwrap_or_else(|| panic!("{place:?}"));
        let mut case = case.clone();
        *case.machine.pointer_mut(&place.pointer).unwrap() = changed.into();
        tried.push((place, case, run));
    }
    let changed: Vec<_> = tried.iter().map(|(_, case, _)| case.clone()).collect();
    let runs = run_freely(&changed).await;
    let same = tried.iter().zip(&runs).filter(|((_, _, good), run)| !differ(good, run));
    (tried.len(), same.map(|((place, ..), _)| place.pointer.clone()).collect())
}

#[tokio::test]
async fn a_machine_with_a_broken_expression_is_detected() {
    let (tried, same) = unnoticed(|_| Some("{% $thereIsNoSuchVariable %}".to_owned())).await;
    assert!(tried > 40, "{tried} expressions");
    assert!(same.is_empty(), "nothing fails without {same:#?}");
}

/// Numbers that limit the evaluations of an execution: the place, the text, and a wrong text.
const NUMBERS: [(&str, &str, &str); 10] = [
    ("/States/Begin/Assign/looks", "? 12 : 1", "? 11 : 1"),
    ("/States/Begin/Assign/looks", "? 12 : 1", "? 12 : 2"),
    ("/States/Begin/Assign/pause", "? 5", "? 6"),
    ("/States/Begin/Assign/pause", ": 15", ": 14"),
    ("/States/LookAgain?/Choices/0/Condition", "$looks > 1", "$looks > 0"),
    ("/States/LookAgain?/Choices/0/Condition", "$looks > 1", "$looks > 2"),
    ("/States/LookAgain?/Choices/0/Condition", "1000 * $pause", "999 * $pause"),
    ("/States/LookAgain?/Choices/0/Condition", "60000", "59000"),
    ("/States/LookAgain?/Choices/0/Condition", "60000", "61000"),
    ("/States/LookAgain?/Choices/0/Assign/looks", "$looks - 1", "$looks - 2"),
];

/// Returns the case with the text at a place of its machine changed.
fn with_changed(case: &Case, (pointer, right, wrong): (&str, &str, &str)) -> Case {
    let mut case = case.clone();
    let expression = case.machine.pointer_mut(pointer).unwrap();
    let text = expression.as_str().unwrap();
    assert_eq!(text.matches(right).count(), 1, "{text}");
    *expression = text.replace(right, wrong).into();
    case
}

#[tokio::test]
async fn a_machine_with_a_wrong_number_is_detected() {
    let cases = look_again::cases();
    let good = run_freely(&cases).await;
    let changed: Vec<_> =
        NUMBERS.iter().flat_map(|number| cases.iter().map(|case| with_changed(case, *number))).collect();
    let runs = run_freely(&changed).await;
    for ((_, right, wrong), runs) in NUMBERS.iter().zip(runs.chunks(cases.len())) {
        let noticed = good.iter().zip(runs).any(|(good, run)| differ(good, run) || good.waits != run.waits);
        assert!(noticed, "nothing fails with {wrong} in place of {right}");
    }
}

#[tokio::test]
async fn a_machine_with_a_wrong_condition_is_detected() {
    let wrong =
        |place: &Place| place.pointer.ends_with("/Condition").then(|| format!("{{% $not({}) %}}", place.expression));
    let (tried, same) = unnoticed(wrong).await;
    let conditions: usize =
        states(&definition()).iter().filter_map(|(_, state)| Some(state["Choices"].as_array()?.len())).sum();
    assert_eq!(tried, conditions);
    assert!(same.is_empty(), "nothing fails with the negation of {same:#?}");
}
