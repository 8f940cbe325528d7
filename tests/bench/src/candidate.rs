//! What is measured: the floor, our Lambdas, and other bootstraps beside them.

use std::path::PathBuf;

use anyhow::{Result, bail};
use serde_json::Value;
use stacks::FUNCTIONS;

use crate::events;

/// The Lambda that is in front of every request.
pub const ROUTER: &str = "controller";

/// The binary that everything is measured against.
pub const FLOOR: &str = "floor";

/// The start of a bootstrap.
#[derive(Clone, Debug)]
pub enum Bootstrap {
    /// A binary of ours.
    Binary(PathBuf),
    /// A shell command.
    Command(String),
}

/// One Lambda to be measured.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What the table calls it.
    pub name: String,
    /// Its start.
    pub bootstrap: Bootstrap,
    /// What it is told, beyond what every environment has.
    pub settings: Vec<(&'static str, &'static str)>,
    /// What it is sent.
    pub event: String,
    /// What its answer to that must contain.
    pub answer: &'static str,
}

impl Candidate {
    /// The Lambda `name`, or something else that takes its place.
    ///
    /// # Errors
    /// There is no such Lambda.
    pub fn new(name: &str, called: &str, bootstrap: Bootstrap) -> Result<Self> {
        // The sample services' own simulated work would hide what they cost.
        let never = r#"{"samples.full_failure_percent":0,"samples.degraded_failure_percent":0,"samples.maintenance_failure_percent":0}"#;
        let service = || vec![("BREAKER_CONFIG", never), ("LATENCY_MIN_MS", "0"), ("LATENCY_MAX_MS", "0")];
        let (settings, event, answer) = match name {
            FLOOR => (vec![], events::http(), "rawPath"),
            ROUTER => (vec![], events::http(), "1024.50"),
            "full-service" | "degraded-service" | "maintenance-service" => {
                (service(), events::routed(), r#""statusCode":200"#)
            }
            "alarm-processor" => {
                let arn = "arn:aws:states:us-east-1:123456789012:stateMachine:level-transition";
                (vec![("STATE_MACHINE_ARN", arn)], events::alarm_batch(), r#""batchItemFailures":[]"#)
            }
            "evaluate-thresholds" => (vec![], events::evaluation()?, r#""outcome":"record""#),
            "write-state" => (vec![], events::write()?, r#""version":2"#),
            "emit-metrics" => (vec![], events::metrics()?, "values"),
            _ => bail!("there is no Lambda called {name:?}; there are: {}", FUNCTIONS.join(", ")),
        };
        Ok(Self { name: called.to_owned(), bootstrap, settings, event: Value::to_string(&event), answer })
    }

    /// The floor, sent what this candidate is sent.
    #[must_use]
    pub fn echoed_by(&self, floor: &Self) -> Self {
        Self { event: self.event.clone(), answer: "", ..floor.clone() }
    }
}
