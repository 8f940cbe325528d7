//! Tests requests with unusual bodies, and services that crash or hang.

use crate::common::{System, eventually};
use crate::rig::alone;

async fn outcomes(system: &System, name: &str) -> f64 {
    system.sum("CircuitBreaker/Service", name, &[("ServiceLevel", "1"), ("ServiceType", "full")]).await
}

#[test]
fn a_body_that_is_not_utf8_reaches_the_service_unchanged() {
    alone(async |system, _| {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let post = async |body: &'static [u8], content_type: &str| {
            let url = format!("{}/transfer", system.gateway.address());
            let request = client.post(url).header("Content-Type", content_type).body(body);
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        for (body, content_type, status, says) in [
            (&b"{\"fromAccount\":\"\xff\"}"[..], "application/json", 400, "not UTF-8"),
            (b"\x89PNG\r\n\x1a\n", "application/json; charset=utf-8", 400, "not UTF-8"),
            (b"\xff\xfe1", "text/plain", 415, "is not JSON"),
            (b"\x89PNG", "image/png", 415, "is not JSON"),
            (b"fromAccount=1", "application/x-www-form-urlencoded", 415, "is not JSON"),
            (b"{\"fromAccount\":\"1\",\"toAccount\":\"2\",\"amount\":1}", "application/json", 200, "completed"),
        ] {
            let (answered, text) = post(body, content_type).await;
            assert!(answered == status && text.contains(says), "{content_type} {body:?}: {answered} {text}");
        }
    });
}

#[test]
fn a_failing_service_costs_one_error_and_falls_back() {
    alone(async |system, _| {
        let (errors, successes) = (outcomes(system, "Error").await, outcomes(system, "Success").await);
        let requests = [
            ("GET", "/account/12345", "crash", 503),
            ("GET", "/account/12345", "hang", 503),
            // The outcome of a transfer is unknown, and the answer must say so.
            ("POST", "/transfer", "hang", 504),
            ("POST", "/transfer", "crash", 504),
        ];
        for (method, path, simulate, status) in requests {
            let answer = system.ask(method, path, simulate).await;
            assert_eq!((answer.status, answer.level.as_str()), (status, "1"), "{method} {path} {simulate}");
        }
        // Failures are written at once, and a success of a busy environment with the next request.
        let mut asked = 0.0;
        let written = eventually("a success after them", async || {
            assert_eq!(system.succeed().await.status, 200);
            asked += 1.0;
            (outcomes(system, "Success").await > successes).then_some(())
        });
        written.await;
        // Another environment's lines may come later.
        eventually("an error of each request", async || (outcomes(system, "Error").await > errors + 3.5).then_some(()))
            .await;
        let (errors, successes) =
            (outcomes(system, "Error").await - errors, outcomes(system, "Success").await - successes);
        assert!((errors - 4.0).abs() < 0.5, "{errors} errors");
        assert!(successes > 0.5 && successes < asked + 0.5, "{successes} successes of {asked}");
    });
}
