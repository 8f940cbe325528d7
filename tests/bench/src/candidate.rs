//! The bootstraps that are measured: the floor, the project's Lambdas, and others to compare with.

use std::path::PathBuf;

use anyhow::{Result, bail};
use serde_json::Value;
use stacks::FUNCTIONS;

use crate::events;

/// The Lambda that routes every request.
pub const ROUTER: &str = "controller";

/// The binary that all others are compared with.
pub const FLOOR: &str = "floor";

/// The state machine that the Lambdas are told of.
const MACHINE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:level-transition";

/// The program of a bootstrap.
#[derive(Clone, Debug)]
pub enum Bootstrap {
    /// A binary of the project.
    Binary(PathBuf),
    /// A shell command.
    Command(String),
}

/// A bootstrap to be measured.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The bootstrap's name in the table.
    pub name: String,
    /// The program.
    pub bootstrap: Bootstrap,
    /// Environment variables in addition to those of every environment.
    pub settings: Vec<(&'static str, &'static str)>,
    /// The event that the bootstrap gets.
    pub event: String,
    /// A text that the answer must contain.
    pub answer: &'static str,
}

impl Candidate {
    /// Returns the Lambda `name`, or another bootstrap with its settings and event, under the name `called`.
    ///
    /// # Errors
    /// There is no such Lambda.
    pub fn new(name: &str, called: &str, bootstrap: Bootstrap) -> Result<Self> {
        // The sample services' simulated failures and latency would hide their own time.
        let never = r#"{"samples.full_failure_percent":0,"samples.degraded_failure_percent":0,"samples.maintenance_failure_percent":0}"#;
        let service = || vec![("BREAKER_CONFIG", never), ("LATENCY_MIN_MS", "0"), ("LATENCY_MAX_MS", "0")];
        let (settings, event, answer) = match name {
            FLOOR => (vec![], events::http(), "rawPath"),
            ROUTER => (vec![], events::http(), "1024.50"),
            "full-service" | "degraded-service" | "maintenance-service" => {
                (service(), events::routed(), r#""statusCode":200"#)
            }
            "alarm-processor" => {
                (vec![("STATE_MACHINE_ARN", MACHINE)], events::alarm_batch(), r#""batchItemFailures":[]"#)
            }
            "evaluate-thresholds" => (vec![], events::evaluation()?, r#""outcome":"record""#),
            "write-state" => (vec![], events::write()?, r#""version":2"#),
            "emit-metrics" => (vec![], events::metrics()?, "values"),
            "status" => {
                let machine = ("STATE_MACHINE_ARN", MACHINE);
                (
                    vec![("PROJECT", "bank"), ("ENVIRONMENT", "bench"), machine],
                    events::status(),
                    r#"\"currentLevel\":1"#,
                )
            }
            _ => bail!("there is no Lambda called {name:?}; there are: {}", FUNCTIONS.join(", ")),
        };
        Ok(Self { name: called.to_owned(), bootstrap, settings, event: Value::to_string(&event), answer })
    }

    /// Returns the floor with this candidate's event.
    #[must_use]
    pub fn echoed_by(&self, floor: &Self) -> Self {
        Self { event: self.event.clone(), answer: "", ..floor.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lambda_of_a_deployment_can_be_measured() {
        for name in FUNCTIONS {
            let bootstrap = Bootstrap::Command("true".to_owned());
            assert!(Candidate::new(name, name, bootstrap).is_ok(), "{name}");
        }
    }
}
