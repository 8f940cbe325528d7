//! Tells the user of a running bank what makes the level fall under the policy in force.

use anyhow::Result;
use serde::Deserialize;

/// The rules by which level 1 falls, as the bank's status API returns them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FallRules {
    #[serde(rename = "level1To2Failures")]
    failures: Option<u32>,
    failure_window_seconds: Option<i64>,
    consecutive_failures: Option<u32>,
    failure_rate_percent: Option<u32>,
    minimum_calls: u32,
    failure_rate_window_seconds: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    circuit_breaker: BreakerStatus,
}

#[derive(Deserialize)]
struct BreakerStatus {
    thresholds: FallRules,
    policy: Policy,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    trip_when: breaker::TripWhen,
}

/// Returns a sentence about the failures that make the bank at `address` fall to level 2.
///
/// # Errors
/// The status API does not answer, or its answer has no valid rules.
pub async fn fall(address: &str) -> Result<String> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let answer = client.get(format!("{address}/circuit-breaker")).header("Accept", "application/json").send().await?;
    let Status { circuit_breaker: BreakerStatus { thresholds, policy } } = answer.error_for_status()?.json().await?;
    Ok(thresholds.words(policy.trip_when))
}

impl FallRules {
    /// Returns the sentence about the rule that failing requests sent by hand fulfil first.
    fn words(&self, together: breaker::TripWhen) -> String {
        let within = |seconds: Option<i64>| seconds.map_or_else(String::new, |seconds| format!(" within {seconds} s"));
        let count = self.failures.map(|failures| format!("{failures} failures{}", within(self.failure_window_seconds)));
        let rate = self.failure_rate_percent.map(|percent| {
            let window = within(Some(self.failure_rate_window_seconds));
            format!("{percent} % failures of at least {} calls{window}", self.minimum_calls)
        });
        let consecutive = self.consecutive_failures.map(|failures| format!("{failures} consecutive failures"));
        let cause = match (count, rate) {
            (Some(count), Some(rate)) if together == breaker::TripWhen::CountAndRate => {
                Some(format!("{count} and {rate}"))
            }
            (count, rate) => count.or_else(|| consecutive.clone()).or(rate),
        };
        cause
            .or(consecutive)
            .map_or_else(|| "no failures lead to level 2".to_owned(), |cause| format!("{cause} lead to level 2"))
    }
}

#[cfg(test)]
mod tests {
    use breaker::TripWhen;
    use serde_json::json;

    use super::*;

    fn rules(changes: &serde_json::Value) -> FallRules {
        let mut rules = json!({
            "level1To2Failures": null, "failureWindowSeconds": 300, "consecutiveFailures": null,
            "failureRatePercent": null, "minimumCalls": 25, "failureRateWindowSeconds": 40,
            "slowCallRatePercent": null,
        });
        for (name, value) in changes.as_object().unwrap() {
            rules[name] = value.clone();
        }
        serde_json::from_value(rules).unwrap()
    }

    #[test]
    fn the_advice_is_that_of_the_policy_in_force() {
        let words = |changes, together| rules(&changes).words(together);
        let any = TripWhen::Any;
        assert_eq!(words(json!({"level1To2Failures": 5}), any), "5 failures within 300 s lead to level 2");
        assert_eq!(
            words(json!({"level1To2Failures": 8, "failureWindowSeconds": null}), any),
            "8 failures lead to level 2"
        );
        assert_eq!(
            words(json!({"consecutiveFailures": 10, "failureRatePercent": 10}), any),
            "10 consecutive failures lead to level 2"
        );
        let rate = "10 % failures of at least 25 calls within 40 s lead to level 2";
        assert_eq!(words(json!({"failureRatePercent": 10}), any), rate);
        assert_eq!(
            words(json!({"level1To2Failures": 5, "failureRatePercent": 10}), TripWhen::CountAndRate),
            format!("5 failures within 300 s and {rate}")
        );
        assert_eq!(words(json!({}), any), "no failures lead to level 2");
    }
}
