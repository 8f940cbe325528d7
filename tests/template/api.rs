//! The API: who may call it, how often, and what is written about it.

use serde_json::json;

use crate::Template;

#[tokio::test]
async fn both_routes_are_closed_by_default_and_can_differ() {
    let template = Template::plain().await;
    let routes = template.of_type("AWS::ApiGatewayV2::Route");
    assert_eq!(routes.len(), 2);
    for (name, parameter) in [("ApiRoute", "ApiAuthorization"), ("StatusRoute", "StatusAuthorization")] {
        assert_eq!(routes[name]["Properties"]["AuthorizationType"], json!({"Ref": parameter}));
        let parameter = template.section("Parameters")[parameter];
        assert_eq!(parameter["Default"], "AWS_IAM");
        assert_eq!(parameter["AllowedValues"], json!(["NONE", "AWS_IAM", "JWT"]));
    }
    assert_eq!(routes["StatusRoute"]["Properties"]["RouteKey"], "GET /circuit-breaker");
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
async fn the_gateway_may_call_the_controller_through_the_routes_alone() {
    let template = Template::plain().await;
    let mut sources: Vec<&str> = template
        .of_type("AWS::Lambda::Permission")
        .values()
        .map(|permission| {
            assert_eq!(permission["Properties"]["FunctionName"], json!({"Ref": "ControllerFunctionAliaslive"}));
            permission["Properties"]["SourceArn"]["Fn::Sub"].as_str().unwrap()
        })
        .collect();
    sources.sort_unstable();
    assert!(sources[0].ends_with("${Api}/*/$default") && sources[1].ends_with("${Api}/*/GET/circuit-breaker"));
}
