//! Tests the functions' logs, traces, versions and limits.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use aws_edge::clients::{EVIDENCE_TIMEOUTS, TASK_TIMEOUTS};
use local::folders;
use serde_json::{Value, json};

use crate::alarms::is_brake;
use crate::{Template, list, names};

const SERVICES: [(&str, &str); 3] = [
    ("FullService", "HasSampleFullService"),
    ("DegradedService", "HasSampleDegradedService"),
    ("MaintenanceService", "HasSampleMaintenanceService"),
];

#[tokio::test]
async fn every_function_has_a_role_and_a_log_group_of_its_own() {
    let template = Template::plain().await;
    let mut roles = BTreeSet::new();
    let functions = template.of_type("AWS::Lambda::Function");
    assert_eq!(functions.len(), 9);
    for (name, function) in functions {
        let properties = &function["Properties"];
        let stem = name.strip_suffix("Function").unwrap();
        assert!(names(&properties["Role"], &format!("{stem}Role")), "{name}: role");
        assert!(roles.insert(properties["Role"].to_string()), "{name} shares its role");
        assert!(names(&properties["LoggingConfig"]["LogGroup"], &format!("{stem}LogGroup")), "{name}: log group");
        assert_eq!(properties["TracingConfig"]["Mode"], "Active", "{name}: tracing");
        // Lambda writes to the group that the function's configuration names.
        let group = &template.resource(&format!("{stem}LogGroup"))["Properties"]["LogGroupName"]["Fn::Sub"];
        let called = properties["FunctionName"]["Fn::Sub"].as_str().unwrap();
        assert_eq!(group, &json!(format!("/aws/lambda/{called}")), "{name}");
    }
}

#[tokio::test]
async fn every_log_group_has_a_retention() {
    for (name, group) in Template::plain().await.of_type("AWS::Logs::LogGroup") {
        assert_eq!(group["Properties"]["RetentionInDays"], json!({"Ref": "LogRetentionDays"}), "{name}");
    }
}

#[tokio::test]
async fn the_state_machine_logs_everything_and_takes_part_in_traces() {
    let template = Template::plain().await;
    let machine = &template.resource("LevelTransitionStateMachine")["Properties"];
    let logging = &machine["LoggingConfiguration"];
    assert_eq!((&logging["Level"], &logging["IncludeExecutionData"]), (&json!("ALL"), &json!(true)));
    assert!(names(&logging["Destinations"], "LevelTransitionLogGroup"));
    assert_eq!(machine["TracingConfiguration"]["Enabled"], true);
    let group = template.resource("LevelTransitionLogGroup")["Properties"]["LogGroupName"]["Fn::Sub"].as_str().unwrap();
    assert!(group.starts_with("/aws/vendedlogs/states/"), "{group}");
}

#[tokio::test]
async fn the_controller_does_not_depend_on_the_state_machine() {
    let template = Template::plain().await;
    let name = template.resource("LevelTransitionStateMachine")["Properties"]["StateMachineName"]["Fn::Sub"].as_str();
    let status = template.resource("StatusFunction");
    let arn = &status["Properties"]["Environment"]["Variables"]["STATE_MACHINE_ARN"]["Fn::Sub"];
    let prefix = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:stateMachine:";
    assert_eq!(arn, &json!([prefix, name.unwrap()].concat()));
    for function in [template.resource("ControllerFunction"), status] {
        assert!(!names(function, "LevelTransitionStateMachine"), "it would wait for the control plane");
    }
}

#[tokio::test]
async fn the_request_path_has_versions_and_the_control_plane_has_none() {
    let template = Template::with(&["ReleaseId=abcdef0123"]).await;
    let with_versions: BTreeSet<String> = template
        .of_type("AWS::Lambda::Version")
        .into_iter()
        .map(|(name, version)| {
            assert!(name.ends_with("Versionabcdef0123"), "{name} does not follow the release");
            assert_eq!(version["DeletionPolicy"], "Retain", "{name}: a rollback needs the version before");
            version["Properties"]["FunctionName"]["Ref"].as_str().unwrap().to_owned()
        })
        .collect();
    let expected =
        ["ControllerFunction", "DegradedServiceFunction", "FullServiceFunction", "MaintenanceServiceFunction"];
    assert_eq!(with_versions, expected.map(str::to_owned).into());
    for function in &with_versions {
        let variables = &template.resource(function)["Properties"]["Environment"]["Variables"];
        assert_eq!(variables["RELEASE_ID"], json!({"Ref": "ReleaseId"}), "{function} would not differ");
    }
    for (name, alias) in template.of_type("AWS::Lambda::Alias") {
        assert_eq!(alias["Properties"]["Name"], "live", "{name}");
        assert!(alias.get("UpdatePolicy").is_none(), "{name} is not gradual by default");
    }
    // The API calls the alias, and the controller the services' aliases.
    let integration = &template.resource("ApiIntegration")["Properties"]["IntegrationUri"];
    assert!(names(integration, "ControllerFunctionAliaslive"), "{integration}");
}

#[tokio::test]
async fn only_its_own_alarms_stop_a_gradual_deployment() {
    let template = Template::with(&["GradualDeployment=true", "ReleaseId=abcdef0123"]).await;
    let groups = template.of_type("AWS::CodeDeploy::DeploymentGroup");
    let watched: BTreeMap<&str, Vec<&str>> = groups
        .iter()
        .map(|(name, group)| {
            assert!(names(&group["Properties"]["ServiceRoleArn"], "DeploymentRole"), "{name}");
            let alarms = list(&group["Properties"]["AlarmConfiguration"]["Alarms"]);
            let alarms = alarms.into_iter().map(|alarm| alarm["Name"]["Ref"].as_str().unwrap()).collect();
            (name.strip_suffix("FunctionDeploymentGroup").unwrap(), alarms)
        })
        .collect();
    let expected = [
        ("Controller", vec!["ControllerNewVersionAlarm", "Level1BrakeAlarm", "Level2BrakeAlarm", "Level3BrakeAlarm"]),
        ("FullService", vec!["FullServiceNewVersionAlarm", "Level1BrakeAlarm"]),
        ("DegradedService", vec!["DegradedServiceNewVersionAlarm", "Level2BrakeAlarm"]),
        ("MaintenanceService", vec!["MaintenanceServiceNewVersionAlarm", "Level3BrakeAlarm"]),
    ];
    assert_eq!(watched, expected.into());
    for (name, alias) in template.of_type("AWS::Lambda::Alias") {
        assert!(alias["UpdatePolicy"].get("CodeDeployLambdaAliasUpdate").is_some(), "{name}");
    }

    for stem in watched.keys() {
        let alarm = &template.resource(&format!("{stem}NewVersionAlarm"))["Properties"];
        let function = &template.resource(&format!("{stem}Function"))["Properties"]["FunctionName"]["Fn::Sub"];
        let alias = format!("{}:live", function.as_str().unwrap());
        let version = json!({"Fn::GetAtt": [format!("{stem}FunctionVersionabcdef0123"), "Version"]});
        assert_eq!(
            alarm["Dimensions"],
            json!([
                {"Name": "FunctionName", "Value": {"Ref": format!("{stem}Function")}},
                {"Name": "Resource", "Value": {"Fn::Sub": alias}},
                {"Name": "ExecutedVersion", "Value": version},
            ]),
            "the errors of an old version would stop the release that repairs it"
        );
        // An alarm that is changed would keep the state of the release before.
        assert!(alarm["AlarmName"]["Fn::Sub"].as_str().unwrap().contains("${ReleaseId}"), "{stem}");
        assert!(
            alarm["EvaluationPeriods"].as_u64().unwrap() > 1,
            "{stem}: the alarm ends too soon for CodeDeploy to see it"
        );
    }
}

#[tokio::test]
async fn the_brake_of_each_level_holds_for_thirty_periods() {
    let template = Template::plain().await;
    for (level, service_type) in [("1", "full"), ("2", "degraded"), ("3", "maintenance")] {
        let brake = &template.resource(&format!("Level{level}BrakeAlarm"))["Properties"];
        assert_eq!((&brake["Namespace"], &brake["MetricName"]), (&json!("CircuitBreaker/Service"), &json!("Error")));
        let values: Vec<_> = list(&brake["Dimensions"]).into_iter().map(|dimension| &dimension["Value"]).collect();
        assert_eq!(values[1..], [level, service_type]);
        assert_eq!((&brake["EvaluationPeriods"], &brake["DatapointsToAlarm"]), (&json!(30), &json!(1)));
        // A rule's alarm would not do: the rule may be off.
        assert_eq!(brake["Threshold"], json!({"Fn::Select": [1, {"Ref": "BrakeAlarm"}]}));
        assert_eq!(brake["Period"], json!({"Fn::Select": [0, {"Ref": "BrakeAlarm"}]}));
    }
}

#[tokio::test]
async fn brakes_are_there_only_where_a_deployment_is_gradual() {
    let template = Template::plain().await;
    let conditions = template.section("Conditions");
    let alarms = template.of_type("AWS::CloudWatch::Alarm");
    let brakes: Vec<_> = alarms.into_iter().filter(|(name, _)| is_brake(name)).collect();
    assert_eq!(brakes.len(), 7, "four functions, three levels");
    for (name, alarm) in brakes {
        let condition = alarm["Condition"].as_str().unwrap_or_else(|| panic!("{name} is always there"));
        let gradual = condition == "IsGradual" || conditions[condition].to_string().contains("IsGradual");
        assert!(gradual, "{name}: {condition}");
    }
}

#[tokio::test]
async fn a_banks_own_service_replaces_the_sample() {
    let template = Template::with(&["GradualDeployment=true"]).await;
    for (stem, condition) in SERVICES {
        assert_eq!(
            template.section("Conditions")[condition],
            &json!({"Fn::Equals": [{"Ref": format!("{stem}FunctionArn")}, ""]})
        );
        let of_the_sample: Vec<_> =
            template.section("Resources").into_iter().filter(|(name, _)| name.starts_with(stem)).collect();
        assert!(of_the_sample.len() >= 6, "function, role, log group, version, alias, deployment group, alarm");
        for (name, resource) in of_the_sample {
            let expected = if is_brake(name) { &format!("{stem}IsGradual") } else { condition };
            assert_eq!(&resource["Condition"], expected, "{name} is created although the bank has its own service");
        }
        let variable = format!("{}_FUNCTION", stem.replace("Service", "_Service").to_uppercase());
        let used = &template.resource("ControllerFunction")["Properties"]["Environment"]["Variables"][&variable];
        let alias = json!({"Ref": format!("{stem}FunctionAliaslive")});
        assert_eq!(used, &json!({"Fn::If": [condition, alias, {"Ref": format!("{stem}FunctionArn")}]}));
    }
}

#[tokio::test]
async fn nothing_is_reserved_or_capped_at_zero() {
    let template = Template::plain().await;
    let limit = |place: u8| json!({"Fn::Select": [place, {"Ref": "ConcurrencyLimits"}]});
    for stem in ["AlarmProcessor", "EvaluateThresholds", "WriteState", "EmitMetrics"] {
        assert_eq!(
            template.resource(&format!("{stem}Function"))["Properties"]["ReservedConcurrentExecutions"],
            json!({"Fn::If": ["ReservesControlPlane", limit(0), {"Ref": "AWS::NoValue"}]})
        );
    }
    for (place, (stem, _)) in (1..).zip(SERVICES) {
        assert_eq!(
            template.resource(&format!("{stem}Function"))["Properties"]["ReservedConcurrentExecutions"],
            json!({"Fn::If": [format!("Has{stem}Limit"), limit(place), {"Ref": "AWS::NoValue"}]})
        );
    }
    let conditions = template.section("Conditions");
    let set = ["ReservesControlPlane", "HasFullServiceLimit", "HasDegradedServiceLimit", "HasMaintenanceServiceLimit"];
    for (place, name) in (0..).zip(set) {
        assert_eq!(conditions[name], &json!({"Fn::Not": [{"Fn::Equals": [limit(place), "0"]}]}), "{name}");
    }
}

#[tokio::test]
async fn all_functions_go_into_the_vpc_or_none() {
    let template = Template::plain().await;
    for (name, function) in template.of_type("AWS::Lambda::Function") {
        let vpc = &function["Properties"]["VpcConfig"]["Fn::If"];
        assert_eq!(vpc[0], "InVpc", "{name}");
        assert!(names(vpc, "VpcSubnetIds") && names(vpc, "VpcSecurityGroupIds"), "{name}");
        let stem = name.strip_suffix("Function").unwrap();
        let policies = &template.resource(&format!("{stem}Role"))["Properties"]["ManagedPolicyArns"];
        assert!(names(policies, "VpcPolicy"), "{name} could not join the VPC");
    }
}

#[tokio::test]
async fn an_evaluation_fails_by_its_own_timeouts_first() {
    // An evaluation reads the state in at most two calls, then the evidence.
    let reads = 2 * TASK_TIMEOUTS.operation + EVIDENCE_TIMEOUTS.operation;
    let function = &Template::plain().await.resource("EvaluateThresholdsFunction")["Properties"]["Timeout"];
    let definition = fs::read_to_string(folders::project().join("statemachines/level-transition.asl.json")).unwrap();
    let definition: Value = serde_json::from_str(&definition).unwrap();
    let state = &definition["States"]["EvaluateThresholds"]["TimeoutSeconds"];
    let (function, state) = (function.as_u64().unwrap(), state.as_u64().unwrap());
    assert!(reads.as_secs() < function && function < state, "{reads:?}, {function} s, {state} s");
}
