//! A service crashes, or hangs.

use crate::common::{System, eventually};
use crate::rig::alone;

async fn outcomes(system: &System, name: &str) -> f64 {
    system.sum("CircuitBreaker/Service", name, &[("ServiceLevel", "1"), ("ServiceType", "full")]).await
}

#[test]
fn a_service_that_crashes_or_hangs_costs_one_error_a_request_and_is_answered_for() {
    alone(async |system, _| {
        let (errors, successes) = (outcomes(system, "Error").await, outcomes(system, "Success").await);
        let requests = [
            ("GET", "/account/12345", "crash", 503),
            ("GET", "/account/12345", "hang", 503),
            // What became of a transfer is not known: it must not look as if nothing had.
            ("POST", "/transfer", "hang", 504),
        ];
        for (method, path, simulate, status) in requests {
            let answer = system.ask(method, path, simulate).await;
            assert_eq!((answer.status, answer.level.as_str()), (status, "1"), "{method} {path} {simulate}");
        }
        // Its outcome is recorded after theirs.
        assert_eq!(system.succeed().await.status, 200);
        eventually("the last outcome", async || (outcomes(system, "Success").await > successes).then_some(())).await;
        let (errors, successes) =
            (outcomes(system, "Error").await - errors, outcomes(system, "Success").await - successes);
        assert!((errors - 3.0).abs() < 0.5 && (successes - 1.0).abs() < 0.5, "{errors} errors, {successes} successes");
    });
}
