//! Paths before which the mapping of a custom domain puts a base path, and preflights of CORS.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use aws_edge::config::{BasePath, Config};
use common::{TestController, answer, ask, controller, event, stored};
use serde_json::{Value, json};

fn mapped() -> TestController {
    let base_path = Config::from_iter([("api.base_path", "/bank")]).base_path().unwrap();
    TestController { base_path, ..controller(Ok(stored(1)), answer(200)) }
}

/// Both forms of the event: AWS's documentation and its users disagree which one API Gateway sends.
#[tokio::test]
async fn both_event_forms_reach_the_same_routes() {
    for path in ["/openapi.json", "/bank/openapi.json"] {
        let description = ask(&mapped(), &event("GET", path)).await;
        assert_eq!(
            (&description["statusCode"], &description["headers"]["X-Routed-To"]),
            (&json!(200), &json!("controller"))
        );
    }
    for path in ["/circuit-breaker/", "/bank/circuit-breaker/"] {
        assert_eq!(ask(&mapped(), &event("GET", path)).await["statusCode"], 404, "{path}");
    }
    for path in ["/account/1", "/bank/account/1"] {
        let controller = mapped();
        assert_eq!(ask(&controller, &event("GET", path)).await["headers"]["X-Routed-To"], "full-service");
        assert_eq!(controller.services.sent()[0].json()["rawPath"], path, "the event is the caller's, unchanged");
    }
}

#[tokio::test]
async fn another_path_keeps_its_beginning() {
    let unmapped = TestController { base_path: BasePath::default(), ..mapped() };
    for (controller, path) in [(unmapped, "/bank/openapi.json"), (mapped(), "/banking/openapi.json")] {
        assert_eq!(ask(&controller, &event("GET", path)).await["headers"]["X-Routed-To"], "full-service", "{path}");
    }
}

#[tokio::test]
async fn options_without_credentials_reach_no_service() {
    for path in ["/account/1", "/circuit-breaker", "/openapi.json"] {
        let controller = mapped();
        let mut open = event("OPTIONS", path);
        open["routeKey"] = "OPTIONS /{proxy+}".into();
        let answered = ask(&controller, &open).await;
        assert_eq!((&answered["statusCode"], &answered["body"]), (&json!(204), &Value::Null), "{path}");
        assert!(controller.services.sent().is_empty() && controller.metrics.outcomes().is_empty(), "{path}");
    }
    let authorized = mapped();
    ask(&authorized, &event("OPTIONS", "/account/1")).await;
    assert_eq!(authorized.services.sent().len(), 1, "the service's own OPTIONS, with credentials");
}
