//! The file of a deployment: what is accepted, what is refused, and in which words. `UPDATE_SCHEMAS=1 cargo test
//! --workspace --test schemas --test report_schemas --test file --test scenarios` writes all schemas.

use std::fs;
use std::path::{Path, PathBuf};

use breaker::{Mode, Preset};
use deployment_file::{Authorization, Effective, Origin, Override, schema};
use serde_json::Value;

fn environments() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../environments")
}

fn read(text: &str) -> Result<Effective, String> {
    Effective::read("test.toml", text, &[]).map_err(|problems| problems.to_string())
}

#[test]
fn an_empty_file_is_the_default_deployment() {
    let effective = read("").unwrap();
    assert_eq!(effective.file.api.authorization, Authorization::AwsIam);
    assert_eq!(effective.policy.settings().preset, Preset::Classic);
    assert!(effective.settings.iter().all(|setting| setting.origin == Origin::Default));
    assert_eq!(effective.breaker_config(), "{}");
}

#[test]
fn the_committed_schema_is_that_of_the_type() {
    let path = environments().join("deployment.schema.json");
    let written = format!("{}\n", serde_json::to_string_pretty(schema()).unwrap());
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::write(&path, &written).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, written, "the head of this file has the command that writes it");
}

#[test]
fn the_shipped_files_are_accepted() {
    for (name, preset) in [("dev.toml", Preset::Classic), ("prod.toml", Preset::Production)] {
        let text = fs::read_to_string(environments().join(name)).unwrap();
        let effective = Effective::read(name, &text, &[]).unwrap();
        assert_eq!(effective.policy.settings().preset, preset, "{name}");
        assert_eq!(effective.policy.settings().mode, Mode::Active, "{name}");
    }
}

/// One mistake each: the text of a file, and parts of the message.
const MISTAKES: &[(&str, &[&str])] = &[
    (
        "[policy.rates]\nfailure_percent = 300",
        &["test.toml:2:", "policy.rates.failure_percent is 300", "whole number from 0 to 100"],
    ),
    ("[policy.rates]\nfailure_percent = -1", &["policy.rates.failure_percent is -1", "from 0 to 100"]),
    ("[policy.rates]\nfailure_percent = \"10%\"", &["is \"10%\"", "whole number from 0 to 100"]),
    ("[policy.rates]\nfailure_percent = 9.5", &["is 9.5", "whole number"]),
    ("[policy.rates]\nminimum_calls = 0", &["policy.rates.minimum_calls is 0", "from 1 to 1000000"]),
    (
        "[policy.rates]\nfailure_rate_percent = 5",
        &["policy.rates.failure_rate_percent is no key", "policy.rates.failure_percent"],
    ),
    ("[policy]\nfailure_percent = 5", &["policy.failure_percent is no key", "nearest is policy.rates.failure_percent"]),
    ("[policy]\npreset = \"modern\"", &["policy.preset is \"modern\"", "\"classic\", \"production\""]),
    ("[policy]\npreset = 1", &["policy.preset is 1", "\"classic\""]),
    ("[policy]\nmode = \"observe\"", &["policy.mode is \"observe\"", "\"observe-only\""]),
    (
        "[policy.counts]\nlevel_2_failures = 5",
        &["test.toml:2:", "policy.counts.level_2_failures is wrong", "policy.counts.level_1_failures (5)"],
    ),
    ("[policy.counts]\nlevel_1_failures = 0", &["switches off the only rule by which level 1 could fall"]),
    (
        "[policy]\nrecovery_evidence = \"probes\"",
        &["policy.rates.failure_percent is wrong", "policy.recovery_evidence = probes needs one"],
    ),
    (
        "[policy]\ntrip_when = \"count-and-rate\"",
        &["policy.rates.failure_percent is wrong", "policy.trip_when = count-and-rate"],
    ),
    (
        "[policy.recovery]\ncooldown_seconds = 900",
        &["policy.recovery.longest_cooldown_seconds is wrong", "policy.recovery.cooldown_seconds (900)"],
    ),
    ("[policy.recovery]\ncooldown_seconds = 90000", &["is 90000", "from 0 to 86400"]),
    ("[api]\nauthorization = \"IAM\"", &["api.authorization is \"IAM\"", "\"AWS_IAM\", \"JWT\", \"NONE\""]),
    ("[api]\nauthorization = \"JWT\"", &["api.jwt_issuer is not set", "api.jwt_audience is not set"]),
    ("[api]\njwt_issuer = \"http://bank.example\"", &["api.jwt_issuer", "begins with https://"]),
    ("[api]\njwt_audience = \"bank\"", &["api.jwt_audience is \"bank\"", "a list of texts"]),
    ("[api]\njwt_audience = [1]", &["api.jwt_audience is 1", "a list of texts"]),
    ("[api]\nrequests_per_second = 0", &["is 0", "from 1 to 10000"]),
    ("[api]\nrate_limit = 5", &["api.rate_limit is no key of this file"]),
    ("[api]\nbase_path = \"bank\"", &["api.base_path is \"bank\"", "begins with a slash and ends without one"]),
    ("[api]\nbase_path = \"/bank/\"", &["api.base_path is \"/bank/\"", "such as /bank"]),
    ("[api]\ncors = true", &["api.cors is true", "a section"]),
    (
        "[api.cors]\norigins = [\"www.bank.example\"]",
        &["api.cors.origins is \"www.bank.example\"", "a list of origins"],
    ),
    ("[api.cors]\norigins = [\"https://a.example/x\"]", &["api.cors.origins", "without a path"]),
    ("[api.cors]\norigins = \"*\"", &["api.cors.origins is \"*\"", "a list of origins"]),
    ("[api.cors]\norigins = [\"*\"]\nmethods = [\"get\"]", &["api.cors.methods is \"get\"", "a list of methods"]),
    ("[api.cors]\norigins = [\"*\"]\nheaders = []", &["api.cors.headers is []", "a list of names of headers"]),
    ("[api.cors]\norigins = [\"*\"]\nmax_age_seconds = -1", &["api.cors.max_age_seconds is -1", "from 0 to 86400"]),
    ("[api.cors]\nmethods = [\"GET\"]", &["test.toml:2: api.cors.methods is set", "CORS is off without origins"]),
    (
        "[api.cors]\norigins = [\"https://*\"]\nheaders = [\"*\"]\ncredentials = true",
        &["api.cors.origins has \"*\"", "api.cors.headers has \"*\"", "api.cors.credentials is true"],
    ),
    ("[services]\nfull = \"accounts\"", &["services.full is \"accounts\"", "the ARN of a Lambda function"]),
    ("[services]\nmaintainance = \"x\"", &["services.maintainance is no key", "services.maintenance"]),
    ("[service]\nfull = \"x\"", &["service is no key", "the nearest is services"]),
    ("[samples]\nfull_failure_percent = 101", &["is 101", "a number from 0 to 100"]),
    ("[samples]\nfault_injection = \"enabled\"", &["is \"enabled\"", "true or false"]),
    ("[request_path]\nservice_timeout_milliseconds = 50", &["is 50", "from 100 to"]),
    ("[request_path]\nread_timeout_milliseconds = 14001", &["is 14001", "from 100 to"]),
    ("[request_path]\ntoo_many_requests_fail = 1", &["is 1", "true or false"]),
    (
        "[policy]\npreset = \"production\"\nslow_calls.milliseconds = 2000",
        &["test.toml:3:", "policy.slow_calls.milliseconds is 2000", "ends after 2000 ms"],
    ),
    (
        "[policy]\npreset = \"production\"\n[request_path]\nread_timeout_milliseconds = 1500",
        &["policy.slow_calls.milliseconds is 1500", "request_path.read_timeout_milliseconds"],
    ),
    ("[request_path]\nfallback_level = 4", &["is 4", "from 1 to 3"]),
    ("[request_path]\nstate_cache_milliseconds = 60000", &["alerts.stale_state_seconds is 60", "use at least 73"]),
    ("[alerts]\nemail = \"someone\"", &["alerts.email is \"someone\"", "an e-mail address"]),
    ("[alerts]\nlevel_alarm_period_seconds = 15", &["is 15", "one of 10, 20, 30, 60"]),
    ("[limits]\nlog_retention_days = 13", &["is 13", "one of 1, 3, 5, 7, 14"]),
    ("[limits]\ncontrol_plane_concurrency = 1", &["limits.control_plane_concurrency is 1", "use 2 or more, or 0"]),
    ("[limits]\nvpc_subnet_ids = [\"subnet-1\"]", &["limits.vpc_security_group_ids is empty"]),
    ("[limits]\nvpc_security_group_ids = [\"sg-1\"]", &["limits.vpc_subnet_ids is empty"]),
    ("[limits]\ncontroller_memory_megabytes = 64", &["is 64", "from 128 to 10240"]),
    ("[deployment]\nproject = \"Bank\"", &["deployment.project is \"Bank\"", "lower-case letters"]),
    ("[deployment]\nproject = 2026-01-01", &["deployment.project is", "lower-case letters"]),
    ("[deployment]\narchitecture = \"arm\"", &["is \"arm\"", "\"arm64\", \"x86_64\""]),
    ("deployment = \"prod\"", &["deployment is \"prod\"", "a section"]),
    ("[deployment]\nlog_level = \"verbose\"", &["is \"verbose\"", "\"info\""]),
    ("[deployment\nproject = 1", &["test.toml:1:", "is not valid TOML"]),
    ("[api]\nburst = 1\nburst = 2", &["test.toml:3:", "is not valid TOML"]),
];

#[test]
fn each_mistake_is_named_with_what_is_allowed() {
    for (text, expected) in MISTAKES {
        let said = read(text).expect_err(text);
        for part in *expected {
            assert!(said.contains(part), "{text:?} must name {part:?}: {said}");
        }
    }
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let said = read("[api]\nburst = 0\nauthorisation = \"NONE\"\n[limits]\nlog_retention_days = 13").unwrap_err();
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    assert!(lines[0].starts_with("test.toml:2: api.burst is 0"), "{said}");
    assert!(lines[1].starts_with("test.toml:3: api.authorisation is no key"), "{said}");
    assert!(lines[2].starts_with("test.toml:5: limits.log_retention_days is 13"), "{said}");
}

#[test]
fn an_override_wins_over_the_file_for_one_run() {
    let text = "[policy]\npreset = \"production\"\n[policy.rates]\nfailure_percent = 20";
    let one = |text: &str| text.parse::<Override>().unwrap();
    let overrides =
        [one("policy.rates.failure_percent=5"), one("policy.mode=observe-only"), one("limits.vpc_subnet_ids=[]")];
    let effective = Effective::read("test.toml", text, &overrides).unwrap();
    assert_eq!(effective.policy.failure_rate_percent(), Some(5));
    assert!(effective.policy.observes_only());
    let origin = |key: &str| effective.settings.iter().find(|setting| setting.key == key).unwrap().origin;
    assert_eq!(origin("policy.rates.failure_percent"), Origin::Override);
    assert_eq!(origin("policy.preset"), Origin::File { line: 2 });
    assert_eq!(origin("policy.ramp.seconds"), Origin::Preset);
    assert_eq!(origin("policy.probes.calls"), Origin::Default);
}

#[test]
fn a_wrong_override_is_named_as_one() {
    for (text, expected) in [
        ("policy.rates.failure_percent=300", "--set: policy.rates.failure_percent is 300"),
        ("policy.rates.failure=3", "--set: policy.rates.failure is no key"),
        ("policy..rates=3", "--set: policy..rates is no key"),
        ("polcy.mode=active", "--set: polcy is no key of this file; the nearest is policy"),
        ("api.burst.most=3", "--set: api.burst.most is below"),
    ] {
        let said = Effective::read("test.toml", "[api]\nburst = 1", &[text.parse().unwrap()]).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
    assert!("policy".parse::<Override>().unwrap_err().contains("KEY=VALUE"));
}

#[test]
fn functions_are_told_what_differs_under_the_keys_of_the_file() {
    let text = "[samples]\nfull_failure_percent = 12.5\nfault_injection = true\n[api]\nburst = 3\n\
                [policy]\npreset = \"production\"\n[policy.rates]\nfailure_percent = 10\nminimum_calls = 30";
    let told: Value = serde_json::from_str(&read(text).unwrap().breaker_config()).unwrap();
    let expected = serde_json::json!({
        "policy.preset": "production",
        "policy.rates.minimum_calls": 30,
        "samples.fault_injection": true,
        "samples.full_failure_percent": 12.5,
    });
    assert_eq!(told, expected);
}

#[test]
fn the_type_read_back_from_the_effective_settings_is_the_same() {
    let text = "[policy]\npreset = \"production\"\n[policy.counts]\nlevel_1_failures = 3\nlevel_2_failures = 9";
    let effective = read(text).unwrap();
    let written: Value = serde_json::to_value(&effective.file).unwrap();
    assert_eq!(serde_json::from_value::<deployment_file::DeploymentFile>(written).unwrap(), effective.file);
}
