//! Finds every problem of a file: first the values that the schema refuses, then the values that contradict each other.

use std::sync::LazyLock;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use crate::api::{Authorization, Cors};
use crate::file::DeploymentFile;
use crate::functions::too_long;
use crate::keys::dotted;
use crate::problem::Problem;
use crate::schema::{allowed, keys, keys_and_sections, node, schema};
use crate::source::Source;

/// A name this similar is offered; 1 is equal.
const SIMILAR: f64 = 0.6;

/// None if the schema itself is wrong, which a test excludes.
static VALIDATOR: LazyLock<Option<Validator>> = LazyLock::new(|| jsonschema::validator_for(schema()).ok());

/// Returns the problems of each value alone.
pub(crate) fn values(source: &Source) -> Vec<Problem> {
    let Some(validator) = &*VALIDATOR else { return Vec::new() };
    validator.iter_errors(&source.value).flat_map(|error| problems(source, &error)).collect()
}

fn problems(source: &Source, error: &ValidationError<'_>) -> Vec<Problem> {
    let key = key_of(error);
    if let ValidationErrorKind::AdditionalProperties { unexpected } = error.kind() {
        return unexpected.iter().map(|name| unknown(source, &key, name)).collect();
    }
    let wanted = node(&key).map(allowed).unwrap_or_default();
    vec![source.problem(&key, format!("is {}: use {wanted}", shown(error.instance())))]
}

/// Returns the key of the invalid value. An item of a list has the key of its list.
fn key_of(error: &ValidationError<'_>) -> String {
    let names = error.instance_path().as_str().split('/').filter(|name| !name.is_empty());
    names.take_while(|name| name.parse::<usize>().is_err()).collect::<Vec<_>>().join(".")
}

/// Returns the problem of a key that does not exist, with the nearest key that does.
fn unknown(source: &Source, section: &str, name: &str) -> Problem {
    let key = dotted(section, name);
    let known = keys_and_sections();
    let likeness = |candidate: &String| {
        let (place, last) = candidate.rsplit_once('.').unwrap_or(("", candidate));
        let whole = strsim::normalized_damerau_levenshtein(&key, candidate);
        let same_section = if place == section { 0.1 } else { 0.0 };
        strsim::normalized_damerau_levenshtein(name, last).max(whole) + same_section
    };
    let nearest = known.iter().max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
    let text = if let Some(nearest) = nearest.filter(|candidate| likeness(candidate) >= SIMILAR) {
        format!("is no key of this file; the nearest is {nearest}")
    } else {
        let siblings = if section.is_empty() { Some(schema()) } else { node(section) };
        let siblings = siblings.and_then(|node| node.get("properties")).and_then(Value::as_object);
        let names: Vec<_> = siblings.into_iter().flat_map(|names| names.keys().map(String::as_str)).collect();
        format!("is no key of this file; here there are {}", names.join(", "))
    };
    source.problem(&key, text)
}

/// Returns a value as messages show it: at most 60 characters of it.
fn shown(value: &Value) -> String {
    const MAXIMUM: usize = 60;
    let text = value.to_string();
    if text.chars().count() <= MAXIMUM {
        return text;
    }
    format!("{}…", text.chars().take(MAXIMUM).collect::<String>())
}

/// Returns the problems of values that contradict each other.
pub(crate) fn combinations(source: &Source, file: &DeploymentFile) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Err((key, problem)) = file.policy.policy() {
        problems.push(source.problem(&format!("policy.{key}"), format!("is wrong: {problem}")));
    }
    problems.extend(tokens(source, file));
    problems.extend(slow_calls(source, file));
    problems.extend(cors(source, &file.api.cors));
    let (subnets, groups) = (&file.limits.vpc_subnet_ids, &file.limits.vpc_security_group_ids);
    if subnets.is_empty() != groups.is_empty() {
        let (empty, other) = if groups.is_empty() {
            ("limits.vpc_security_group_ids", "limits.vpc_subnet_ids")
        } else {
            ("limits.vpc_subnet_ids", "limits.vpc_security_group_ids")
        };
        problems.push(source.problem(empty, format!("is empty, and {other} is not: a VPC needs both")));
    }
    let (cache, stale) = (file.request_path.state_cache_milliseconds, file.alerts.stale_state_seconds);
    // A controller uses a state for up to a fifth longer than its time to live.
    let used_milliseconds = u64::from(cache) * 12 / 10;
    if used_milliseconds >= u64::from(stale) * 1_000 {
        let text = format!(
            "is {stale}: a healthy controller uses a state for {used_milliseconds} ms, 1.2 times \
             request_path.state_cache_milliseconds ({cache}); use at least {}",
            used_milliseconds / 1_000 + 1
        );
        problems.push(source.problem("alerts.stale_state_seconds", text));
    }
    problems.extend(too_long(source, file));
    if file.limits.control_plane_concurrency == 1 {
        let text = "is 1: two batches of alarms run at once; use 2 or more, or 0 to reserve none";
        problems.push(source.problem("limits.control_plane_concurrency", text));
    }
    problems
}

/// Refuses a duration of slow calls that a GET or HEAD cannot reach, because its call ends before.
fn slow_calls(source: &Source, file: &DeploymentFile) -> Option<Problem> {
    let slow = file.policy.policy().ok().filter(|policy| policy.slow_call_rate_percent().is_some())?.slow_call()?;
    let (slow, read) = (slow.unsigned_abs().as_millis(), file.read_timeout()?.as_millis());
    (slow >= read).then(|| {
        let text = format!(
            "is {slow}: a GET or HEAD ends after {read} ms (request_path.read_timeout_milliseconds), before it is slow; \
             use less, or 0 if no call is slow"
        );
        source.problem("policy.slow_calls.milliseconds", text)
    })
}

fn tokens(source: &Source, file: &DeploymentFile) -> Vec<Problem> {
    let routes =
        [("api.authorization", file.api.authorization), ("api.status_authorization", file.api.status_authorization)];
    let Some((route, _)) = routes.into_iter().find(|(_, authorization)| *authorization == Authorization::Jwt) else {
        return Vec::new();
    };
    let missing = |key: &str, example: &str| {
        source.problem(key, format!("is not set, and {route} = \"JWT\" needs it: {example}"))
    };
    let issuer = file.api.jwt_issuer.is_none().then(|| missing("api.jwt_issuer", "the issuer's address, https://…"));
    let audience = file.api.jwt_audience.is_empty().then(|| missing("api.jwt_audience", "a list such as [\"bank\"]"));
    issuer.into_iter().chain(audience).collect()
}

/// Keys of the lists of CORS.
const CORS_LISTS: [&str; 4] = ["api.cors.origins", "api.cors.methods", "api.cors.headers", "api.cors.expose_headers"];
/// Maximum length of the template's parameter that holds all of CORS.
const MAXIMUM_CORS: usize = 4_096;

fn cors(source: &Source, cors: &Cors) -> Vec<Problem> {
    if cors.origins.is_empty() {
        let others = keys().into_iter().filter(|key| key.starts_with("api.cors.") && key != "api.cors.origins");
        let unused = others.filter(|key| source.origin(key).is_some());
        return unused
            .map(|key| source.problem(&key, "is set, and api.cors.origins is empty: CORS is off without origins"))
            .collect();
    }
    let lists = [&cors.origins, &cors.methods, &cors.headers, &cors.expose_headers];
    let wild =
        CORS_LISTS.iter().zip(lists).filter(|(_, list)| cors.credentials && list.iter().any(|one| one.contains('*')));
    let mut problems: Vec<_> = wild
        .map(|(key, _)| {
            source.problem(key, "has \"*\", and api.cors.credentials is true: browsers refuse that; name each value")
        })
        .collect();
    let length = cors.to_string().len();
    if length > MAXIMUM_CORS {
        let text = format!("the lists of api.cors have {length} characters, and at most {MAXIMUM_CORS} are allowed");
        problems.push(source.problem("api.cors", text));
    }
    problems
}
