//! Preflights of CORS.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use common::{answer, ask, controller, event, stored};
use serde_json::{Value, json};

#[tokio::test]
async fn options_without_credentials_reach_no_service() {
    for path in ["/account/1", "/circuit-breaker", "/openapi.json"] {
        let bank = controller(Ok(stored(1)), answer(200));
        let mut open = event("OPTIONS", path);
        open["routeKey"] = "OPTIONS /{proxy+}".into();
        let answered = ask(&bank, &open).await;
        assert_eq!((&answered["statusCode"], &answered["body"]), (&json!(204), &Value::Null), "{path}");
        assert!(bank.services.sent().is_empty() && bank.metrics.outcomes().is_empty(), "{path}");
    }
    let authorized = controller(Ok(stored(1)), answer(200));
    ask(&authorized, &event("OPTIONS", "/account/1")).await;
    assert_eq!(authorized.services.sent().len(), 1, "OPTIONS with credentials reaches the service");
}
