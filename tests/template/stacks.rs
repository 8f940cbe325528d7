//! Tests the stacks that the command deploys: their templates, parameters, exports and imports.

use std::collections::BTreeSet;

use deployment_file::Effective;
use serde_json::{Value, json};
use stacks::{Code, FUNCTIONS, Names, Role, Stack};

use crate::{DATA, MAIN, Template};

/// Switches on every rule that has a level alarm.
pub const ALL_RULES: &str =
    "[policy]\npreset = \"production\"\n[policy.counts]\nlevel_1_failures = 5\nlevel_2_failures = 10\n";

/// The configuration of a file with this text.
pub fn effective(text: &str) -> Effective {
    Effective::read("a file", text, &[]).unwrap()
}

pub fn names() -> Names {
    Names { project: "bank-circuit-breaker".to_owned(), environment: "dev".to_owned() }
}

pub fn code() -> Code {
    Code {
        bucket: "artifacts".to_owned(),
        functions: FUNCTIONS.iter().map(|function| (*function, format!("{function}-0123"))).collect(),
        state_machine: "level-transition-0123".to_owned(),
    }
}

/// The stacks of a file with this text.
pub fn stacks_of(text: &str) -> Vec<Stack> {
    stacks::stacks(&effective(text), &names(), &code())
}

pub fn stack(text: &str, role: Role) -> Stack {
    stacks_of(text).into_iter().find(|stack| stack.role == role).unwrap()
}

/// The monitoring stack's template for a file with this text.
pub fn monitoring(text: &str) -> Template {
    Template(serde_json::from_str(&stack(text, Role::Monitoring).template).unwrap())
}

#[test]
fn the_stacks_come_in_the_order_of_their_creation() {
    let stacks = stacks_of("");
    let told: Vec<_> = stacks.iter().map(|stack| (stack.name.as_str(), stack.retained)).collect();
    let expected = [
        ("bank-circuit-breaker-dev-data", true),
        ("bank-circuit-breaker-dev", false),
        ("bank-circuit-breaker-dev-monitoring", false),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn each_stack_gives_every_parameter_of_its_template() {
    for (role, template) in [(Role::Data, Template::data().await), (Role::Main, Template::plain().await)] {
        let given: BTreeSet<_> = stack("", role).parameters.into_keys().collect();
        let declared: BTreeSet<_> = template.section("Parameters").into_keys().map(str::to_owned).collect();
        assert_eq!(given, declared, "{role:?}");
    }
    assert!(stack("", Role::Monitoring).parameters.is_empty());
    assert!(monitoring("").0.get("Parameters").is_none());
}

#[test]
fn templates_are_the_committed_files() {
    let project = local::folders::project();
    for (role, path) in [(Role::Data, DATA), (Role::Main, MAIN)] {
        assert_eq!(stack("", role).template, std::fs::read_to_string(project.join(path)).unwrap());
    }
}

#[tokio::test]
async fn each_function_has_the_code_at_its_place_in_the_list() {
    let template = Template::plain().await;
    let default = template.section("Parameters")["CodeKeys"]["Default"].as_str().unwrap();
    assert_eq!(default, FUNCTIONS.join(","));
    for (place, name) in FUNCTIONS.iter().enumerate() {
        let functions = template.of_type("AWS::Lambda::Function");
        let called = |function: &Value| {
            let name_of_it = function["Properties"]["FunctionName"]["Fn::Sub"].as_str().unwrap();
            name_of_it.trim_start_matches("${ProjectName}-").trim_start_matches("circuit-breaker-")
                == format!("{name}-${{Environment}}")
        };
        let function = functions.values().find(|function| called(function)).unwrap_or_else(|| panic!("no {name}"));
        // SAM replaces references to parameters by their values in functions that have versions.
        let code = &function["Properties"]["Code"];
        let expected = |bucket: &Value, keys: &Value| json!({"S3Bucket": bucket, "S3Key": {"Fn::Select": [place, {"Fn::Split": [",", keys]}]}});
        let resolved = expected(&json!("artifacts"), &json!(default));
        let referring = expected(&json!({"Ref": "CodeBucket"}), &json!({"Ref": "CodeKeys"}));
        assert!([resolved, referring].contains(code), "{name}: {code}");
    }
    let machine = &template.resource("LevelTransitionStateMachine")["Properties"]["DefinitionS3Location"];
    assert_eq!(machine, &json!({"Bucket": {"Ref": "CodeBucket"}, "Key": {"Ref": "StateMachineKey"}}));
    assert_eq!(
        stack("", Role::Main).parameters["CodeKeys"],
        FUNCTIONS.map(|function| format!("{function}-0123")).join(",")
    );
}

/// Switches CORS on.
const ORIGINS: &str = "api.cors.origins = [\"https://www.bank.example\"]";

/// Another value of a setting, with the settings that it requires.
fn another(key: &str, value: &Value) -> String {
    match (key, value) {
        ("deployment.architecture", _) => format!("{key} = \"x86_64\""),
        ("deployment.project", _) => "deployment.project = \"other\"".to_owned(),
        ("api.authorization" | "api.status_authorization", _) => format!("{key} = \"NONE\""),
        ("api.jwt_issuer" | "api.jwt_audience", _) => {
            let (issuer, audience) = if key == "api.jwt_issuer" { ("2", "1") } else { ("1", "2") };
            format!(
                "api = {{ authorization = \"JWT\", jwt_issuer = \"https://{issuer}\", jwt_audience = [\"{audience}\"] }}"
            )
        }
        ("api.base_path", _) => format!("{key} = \"/bank\""),
        ("api.cors.origins", _) => ORIGINS.to_owned(),
        ("api.cors.methods" | "api.cors.headers" | "api.cors.expose_headers", _) => {
            format!("{ORIGINS}\n{key} = [\"*\"]")
        }
        ("api.cors.credentials" | "api.cors.max_age_seconds", _) => {
            format!("{ORIGINS}\n{key} = {}", if key.ends_with("credentials") { "true" } else { "60" })
        }
        ("limits.vpc_subnet_ids", _) => {
            "limits = { vpc_subnet_ids = [\"2\"], vpc_security_group_ids = [\"1\"] }".to_owned()
        }
        ("limits.vpc_security_group_ids", _) => {
            "limits = { vpc_subnet_ids = [\"1\"], vpc_security_group_ids = [\"2\"] }".to_owned()
        }
        ("limits.log_retention_days", _) => format!("{key} = 60"),
        ("alerts.level_alarm_period_seconds", _) => format!("{key} = 20"),
        ("limits.control_plane_concurrency" | "request_path.fallback_level", _) => format!("{key} = 2"),
        ("policy.trip_when", _) => "policy = { trip_when = \"count-and-rate\", rates.failure_percent = 7 }".to_owned(),
        ("policy.recovery_evidence", _) => {
            "policy = { recovery_evidence = \"probes\", rates.failure_percent = 7 }".to_owned()
        }
        ("alerts.email", _) => format!("{key} = \"people@bank.example\""),
        (key, Value::Null) if key.starts_with("services.") => {
            format!("{key} = \"arn:aws:lambda:us-east-1:111122223333:function:own\"")
        }
        (key, Value::Null) => format!("{key} = 1234"),
        (key, Value::Bool(flag)) => format!("{key} = {}", !flag),
        (key, Value::Number(number)) => format!("{key} = {}", number.as_f64().unwrap() + 1.0).replace(".0", ""),
        ("alerts.runbook_url", _) => format!("{key} = \"https://bank.example\""),
        (key, _) => {
            let node = key.split('.').fold(deployment_file::schema(), |node, name| &node["properties"][name]);
            let described = node["oneOf"].as_array().into_iter().flatten().map(|word| &word["const"]);
            let mut words = described.chain(node["enum"].as_array().into_iter().flatten());
            let word = words.find(|word| *word != value).unwrap_or_else(|| panic!("{key} is no word: {node}"));
            format!("{key} = {word}")
        }
    }
}

/// A setting that changes no stack would have no effect.
#[test]
fn every_setting_changes_a_stack() {
    let contents = |text: &str| {
        let deployment = effective(text);
        let names = Names { project: deployment.file.deployment.project.clone(), ..names() };
        stacks::stacks(&deployment, &names, &code())
            .into_iter()
            .map(|stack| (stack.template, stack.parameters))
            .collect::<Vec<_>>()
    };
    let (usual, with_cors) = (contents(""), contents(ORIGINS));
    // The command compares these with the account and the region, and passes them to no stack.
    let places = ["deployment.account", "deployment.region"];
    let settings = effective("").settings;
    for setting in settings.iter().filter(|setting| !places.contains(&setting.key.as_str())) {
        let text = another(&setting.key, &setting.value);
        let usual = if text.starts_with(ORIGINS) && text != ORIGINS { &with_cors } else { &usual };
        assert_ne!(&contents(&text), usual, "{text}");
    }
}

/// The names that the outputs of a template export.
fn exports(template: &Template) -> BTreeSet<String> {
    let outputs = template.section("Outputs");
    let names = outputs.values().filter_map(|output| output.pointer("/Export/Name/Fn::Sub"));
    names.map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// The names that a value imports, at any depth.
fn imports(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, value)| match key.as_str() {
                "Fn::ImportValue" => {
                    let name = value.as_str().or_else(|| value["Fn::Sub"].as_str()).unwrap();
                    BTreeSet::from([name.to_owned()])
                }
                _ => imports(value),
            })
            .collect(),
        Value::Array(values) => values.iter().flat_map(imports).collect(),
        _ => BTreeSet::new(),
    }
}

#[tokio::test]
async fn each_import_is_an_export_of_an_earlier_stack() {
    let (data, main) = (Template::data().await, Template::plain().await);
    assert_eq!(imports(&data.0), BTreeSet::new());
    assert_eq!(imports(&main.0), exports(data));
    let of_main: BTreeSet<_> = exports(main)
        .iter()
        .map(|name| name.replace("${ProjectName}", "bank-circuit-breaker").replace("${Environment}", "dev"))
        .collect();
    assert_eq!(imports(&monitoring("").0), of_main);
}

#[test]
fn the_release_follows_code_parameters_and_alarms_alone() {
    let release = |text: &str, code: &Code| stacks::release(&effective(text), &names(), code);
    let first = release("", &code());
    assert!(first.len() == 10 && first.chars().all(|one| one.is_ascii_hexdigit()), "{first}");
    assert_eq!(release("# a comment\n[deployment]\ngradual = false\n", &code()), first);
    assert_eq!(stack("", Role::Main).parameters["ReleaseId"], first);
    let mut other = code();
    other.functions.insert("write-state", "write-state-4567".to_owned());
    let others = [
        release("", &other),
        release("", &Code { state_machine: "level-transition-4567".to_owned(), ..code() }),
        release("[deployment]\ngradual = true\n", &code()),
        release("[alerts]\nstale_state_seconds = 90\n", &code()),
    ];
    assert!(others.iter().all(|other| *other != first), "{first}: {others:?}");
}
