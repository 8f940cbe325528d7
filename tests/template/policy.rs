//! The policy's parameters: every setting, within its bounds, and the preset's where it is empty.

use std::fs;

use breaker::{Mode, NUMBERS, PolicySettings, Preset, RecoveryEvidence, TripWhen};
use deployment_file::Effective;
use local::folders;
use platform::settings::Environment;
use serde_json::json;

use crate::Template;

/// `LEVEL_1_FAILURE_THRESHOLD` as the parameter `Level1FailureThreshold`.
pub fn parameter_of(variable: &str) -> String {
    let word = |word: &str| word[..1].to_owned() + &word[1..].to_lowercase();
    variable.split('_').map(word).collect()
}

pub const WORDS: [&str; 4] = ["POLICY_PRESET", "MODE", "RECOVERY_EVIDENCE", "TRIP_WHEN"];

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
