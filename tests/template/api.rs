//! Tests the API: who may call it, how often, and what its access log holds.

use serde_json::json;
use stacks::Role;

use crate::stacks::stack;
use crate::{Template, names};

#[tokio::test]
async fn every_route_is_closed_by_default_and_they_can_differ() {
    let template = Template::plain().await;
    let routes = template.of_type("AWS::ApiGatewayV2::Route");
    assert_eq!(routes.len(), 6);
    for (name, key, parameter, integration) in [
        ("ApiRoute", "$default", "ApiAuthorization", "ApiIntegration"),
        ("StatusRoute", "GET /circuit-breaker", "StatusAuthorization", "StatusIntegration"),
        ("StatusHeadRoute", "HEAD /circuit-breaker", "StatusAuthorization", "StatusIntegration"),
        ("DescriptionRoute", "GET /openapi.json", "ApiAuthorization", "StatusIntegration"),
        ("DescriptionHeadRoute", "HEAD /openapi.json", "ApiAuthorization", "StatusIntegration"),
    ] {
        let properties = &routes[name]["Properties"];
        assert_eq!(
            (&properties["RouteKey"], &properties["AuthorizationType"]),
            (&json!(key), &json!({"Ref": parameter}))
        );
        assert_eq!(properties["Target"]["Fn::Sub"], format!("integrations/${{{integration}}}"), "{name}");
        let uses_tokens = parameter.replace("Authorization", "UsesTokens");
        assert_eq!(properties["AuthorizerId"]["Fn::If"][0], uses_tokens, "{name}");
        let parameter = template.section("Parameters")[parameter];
        assert_eq!(parameter["Default"], "AWS_IAM");
        assert_eq!(parameter["AllowedValues"], json!(["NONE", "AWS_IAM", "JWT"]));
    }
    assert!(template.section("Rules").contains_key("TokensHaveAnIssuer"));
}

#[tokio::test]
async fn each_route_has_a_limit() {
    let template = Template::plain().await;
    let stage = &template.resource("ApiStage")["Properties"];
    let limit = |place: u8| json!({"Fn::Select": [place, {"Ref": "ApiLimits"}]});
    for (settings, expected) in [
        (&stage["DefaultRouteSettings"], (limit(0), limit(1))),
        (&stage["RouteSettings"]["GET /circuit-breaker"], (limit(2), limit(3))),
        (&stage["RouteSettings"]["HEAD /circuit-breaker"], (limit(2), limit(3))),
    ] {
        assert_eq!((settings["ThrottlingRateLimit"].clone(), settings["ThrottlingBurstLimit"].clone()), expected);
    }
}

#[tokio::test]
async fn the_access_log_holds_neither_paths_nor_bodies() {
    let template = Template::plain().await;
    let log = &template.resource("ApiStage")["Properties"]["AccessLogSettings"];
    let format = log["Format"].as_str().unwrap();
    let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(format).unwrap();
    assert!(["requestId", "time", "method", "route", "status"].iter().all(|field| fields.contains_key(*field)));
    for private in ["path", "Path", "querystring", "body", "header", "authorizer.claims"] {
        assert!(!format.contains(private), "the access log holds {private}");
    }
}

#[tokio::test]
async fn the_gateway_calls_each_function_through_its_routes_alone() {
    let template = Template::plain().await;
    let permissions = template.of_type("AWS::Lambda::Permission");
    let expected = [
        ("ApiPermission", "ControllerFunctionAliaslive", "/*/$default"),
        ("DescriptionPermission", "StatusFunction", "/*/*/openapi.json"),
        ("PreflightPermission", "ControllerFunctionAliaslive", "/*/OPTIONS/*"),
        ("StatusPermission", "StatusFunction", "/*/*/circuit-breaker"),
    ];
    assert_eq!(permissions.len(), expected.len());
    for (name, function, route) in expected {
        let properties = &permissions[name]["Properties"];
        assert!(names(&properties["FunctionName"], function), "{name}");
        let source = properties["SourceArn"]["Fn::Sub"].as_str().unwrap();
        assert!(source.ends_with(&format!("${{Api}}{route}")), "{name}: {source}");
    }
}

const CORS: &str = "[api.cors]\norigins = [\"https://www.bank.example\", \"https://m.bank.example\"]\nmethods = [\"GET\"]\n\
                    headers = [\"authorization\"]\nexpose_headers = [\"x-routed-to\"]\nmax_age_seconds = 60\n\
                    credentials = true\n";

#[tokio::test]
async fn cors_is_off_without_origins_and_as_the_file_says() {
    let template = Template::plain().await;
    assert_eq!(stack("", Role::Main).parameters["Cors"], "");
    let cors = &stack(CORS, Role::Main).parameters["Cors"];
    assert_eq!(cors, "https://www.bank.example,https://m.bank.example|GET|authorization|x-routed-to|60|true");
    assert_eq!(template.section("Conditions")["HasCors"], &json!({"Fn::Not": [{"Fn::Equals": [{"Ref": "Cors"}, ""]}]}));
    let configuration = &template.resource("Api")["Properties"]["CorsConfiguration"]["Fn::If"];
    assert_eq!((&configuration[0], &configuration[2]), (&json!("HasCors"), &json!({"Ref": "AWS::NoValue"})));
    let part = |place: u8| json!({"Fn::Select": [place, {"Fn::Split": ["|", {"Ref": "Cors"}]}]});
    let list = |place: u8| json!({"Fn::Split": [",", part(place)]});
    let expected = json!({
        "AllowOrigins": list(0), "AllowMethods": list(1), "AllowHeaders": list(2), "ExposeHeaders": list(3),
        "MaxAge": part(4), "AllowCredentials": part(5),
    });
    assert_eq!(configuration[1], expected);
}

/// The route `$default` would ask a preflight for credentials, which browsers do not send with it.
#[tokio::test]
async fn preflights_need_no_credentials_and_exist_with_cors_alone() {
    let template = Template::plain().await;
    let route = template.resource("PreflightRoute");
    assert_eq!((&route["Condition"], &route["Properties"]["AuthorizationType"]), (&json!("HasCors"), &json!("NONE")));
    assert_eq!(route["Properties"]["RouteKey"], "OPTIONS /{proxy+}");
    assert_eq!(template.resource("PreflightPermission")["Condition"], "HasCors");
}
