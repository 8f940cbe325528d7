//! The policy's parameters: every setting, within its bounds, and the preset's where it is empty.

use std::fs;

use breaker::{Mode, NUMBERS, PolicySettings, Preset, RecoveryEvidence, TripWhen};
use deployment_file::Effective;
use local::folders;
use platform::settings::Environment;
use serde_json::{Value, json};

use crate::Template;

/// `LEVEL_1_FAILURE_THRESHOLD` as the parameter `Level1FailureThreshold`.
fn parameter_of(variable: &str) -> String {
    let word = |word: &str| word[..1].to_owned() + &word[1..].to_lowercase();
    variable.split('_').map(word).collect()
}

const WORDS: [&str; 4] = ["POLICY_PRESET", "MODE", "RECOVERY_EVIDENCE", "TRIP_WHEN"];

#[tokio::test]
async fn every_number_of_the_policy_is_a_parameter_with_its_bounds_that_may_be_empty() {
    let template = Template::plain().await;
    let parameters = template.section("Parameters");
    let (classic, production) = (PolicySettings::classic(), PolicySettings::production());
    for number in NUMBERS {
        let parameter = parameters[parameter_of(number.name).as_str()];
        assert_eq!((&parameter["Type"], &parameter["Default"]), (&json!("String"), &json!("")), "{}", number.name);
        let pattern = format!("^(?:{})$", parameter["AllowedPattern"].as_str().unwrap());
        let pattern = regex_lite::Regex::new(&pattern).unwrap();
        let (least, most) = (number.least, number.most);
        for (value, allowed) in [
            (String::new(), true),
            (least.to_string(), true),
            (most.to_string(), true),
            ((most - 1).to_string(), true),
            ((least - 1).to_string(), false),
            ((most + 1).to_string(), false),
            (format!("{most}0"), false),
            ("1.5".to_owned(), false),
            ("x".to_owned(), false),
        ] {
            assert_eq!(pattern.is_match(&value), allowed, "{}: {value:?}", number.name);
        }
        let (here, there) = (number.of(&classic), number.of(&production));
        let told = if here == there {
            format!("Empty means the preset's, {here} in both presets")
        } else {
            format!("Empty means the preset's, {here} in classic, {there} in production")
        };
        let description = parameter["Description"].as_str().unwrap();
        assert!(description.ends_with(&told), "{}: {description}", number.name);
    }
}

#[tokio::test]
async fn every_word_of_the_policy_is_a_parameter_that_takes_these_words() {
    let template = Template::plain().await;
    let parameters = template.section("Parameters");
    let words = |words: &[&str], default: &str, name: &str| {
        let parameter = parameters[name];
        assert_eq!((&parameter["AllowedValues"], &parameter["Default"]), (&json!(words), &json!(default)), "{name}");
    };
    words(&Preset::ALL.iter().map(|one| one.word()).collect::<Vec<_>>(), "classic", "PolicyPreset");
    words(&Mode::ALL.iter().map(|one| one.word()).collect::<Vec<_>>(), "active", "Mode");
    let or_empty = |words: Vec<&'static str>| [vec![""], words].concat();
    words(&or_empty(RecoveryEvidence::ALL.iter().map(|one| one.word()).collect()), "", "RecoveryEvidence");
    words(&or_empty(TripWhen::ALL.iter().map(|one| one.word()).collect()), "", "TripWhen");
}

#[tokio::test]
async fn who_decides_and_who_routes_have_the_same_policy() {
    let template = Template::plain().await;
    for function in ["EvaluateThresholdsFunction", "ControllerFunction"] {
        let variables = &template.resource(function)["Properties"]["Environment"]["Variables"];
        for name in WORDS.into_iter().chain(NUMBERS.iter().map(|number| number.name)) {
            assert_eq!(variables[name], json!({"Ref": parameter_of(name)}), "{function}: {name}");
        }
    }
}

#[test]
fn the_shipped_files_have_the_presets_as_they_are() {
    for (file, preset) in [("dev", Preset::Classic), ("prod", Preset::Production)] {
        let path = folders::project().join(format!("infrastructure/environments/{file}.toml"));
        let parameters = Effective::read(file, &fs::read_to_string(path).unwrap(), &[]).unwrap().parameters();
        let set = |name: &str| {
            let parameter = parameter_of(name);
            let (_, value) = parameters.iter().find(|(known, _)| *known == parameter).unwrap();
            (name.to_owned(), value.clone())
        };
        let names = WORDS.into_iter().chain(NUMBERS.iter().map(|number| number.name));
        let environment: Environment = names.map(set).collect();
        let policy = platform::policy::from_environment(&environment).unwrap();
        assert_eq!(policy.settings(), &PolicySettings::of(preset), "{file}");
    }
}

/// The number that a parameter has where nobody sets it: the second choice of an `If`, or its default.
fn unset(template: &Template, threshold: &Value) -> i64 {
    let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap();
    match threshold["Fn::If"].as_array() {
        Some(choice) => number(&choice[2]),
        None => number(&template.section("Parameters")[threshold["Ref"].as_str().unwrap()]["Default"]),
    }
}

#[tokio::test]
async fn each_rule_has_a_hint_at_both_levels_that_exists_where_the_rule_is_on_and_goes_off_at_its_threshold() {
    let template = Template::plain().await;
    let (classic, production) = (PolicySettings::classic(), PolicySettings::production());
    let share = |percent: i64| (production.minimum_calls * percent + 99) / 100;
    for (rule, metric, threshold, condition, parameter) in [
        ("FailureRate", "Error", share(production.failure_rate_percent), "MeasuresFailureRate", "FailureRatePercent"),
        (
            "ConsecutiveFailures",
            "Error",
            production.consecutive_failures,
            "CountsFailuresInARow",
            "ConsecutiveFailures",
        ),
        ("SlowCalls", "SlowCall", share(production.slow_call_rate_percent), "MeasuresSlowCalls", "SlowCallRatePercent"),
    ] {
        for level in [1, 2] {
            let alarm = template.resource(&format!("Level{level}{rule}Alarm"));
            let properties = &alarm["Properties"];
            assert_eq!((&alarm["Condition"], &properties["MetricName"]), (&json!(condition), &json!(metric)), "{rule}");
            assert_eq!(properties["Dimensions"][1]["Value"], level.to_string(), "{rule}");
            assert_eq!(unset(template, &properties["Threshold"]), threshold, "{rule}");
        }
        assert_eq!(template.section("Conditions")[condition], &on(parameter, &json!({"Condition": "IsProduction"})));
    }
    let classic_only = json!({"Fn::Not": [{"Condition": "IsProduction"}]});
    for (level, threshold) in [(1, classic.level_1_failures), (2, classic.level_2_failures - classic.level_1_failures)]
    {
        let alarm = template.resource(&format!("Level{level}ErrorRateAlarm"));
        let condition = format!("CountsFailuresAtLevel{level}");
        assert_eq!(alarm["Condition"], condition);
        assert_eq!(unset(template, &alarm["Properties"]["Threshold"]), threshold);
        let parameter = format!("Level{level}FailureThreshold");
        assert_eq!(template.section("Conditions")[condition.as_str()], &on(&parameter, &classic_only));
    }
    for (level, threshold) in [(3, classic.level_3_successes), (2, classic.level_2_successes)] {
        let alarm = template.resource(&format!("Level{level}RecoveryAlarm"));
        assert_eq!(unset(template, &alarm["Properties"]["Threshold"]), threshold);
    }
}

/// A rule is on where its parameter is a number above zero, or is empty and the preset has the rule.
fn on(parameter: &str, in_preset: &Value) -> Value {
    let is = |value: &str| json!({"Fn::Equals": [{"Ref": parameter}, value]});
    json!({"Fn::Or": [{"Fn::And": [is(""), in_preset]}, {"Fn::Not": [{"Fn::Or": [is(""), is("0")]}]}]})
}
