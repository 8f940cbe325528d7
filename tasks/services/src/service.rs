//! The sample service of one level.

use std::process::ExitCode;
use std::time::Instant;

use aws_edge::config::BasePath;
use aws_edge::embedded_metrics::EmbeddedMetricLog;
use aws_edge::metrics::{Metric, MetricLog, MetricSet};
use breaker::Level;
use breaker::validation::object::Objects;
use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::account::{AccountId, account, transactions};
use crate::body::{self, BodyError, BodyErrorKind};
use crate::chance::{Chance, Simulation};
use crate::transfer::{InvalidTransfer, Transfer};
use crate::{ErrorCode, Request, Response, Settings};

/// Time after which the copy of the data is made anew, in seconds.
const COPY_SECONDS: i64 = 300;

/// A sample service, with its ports.
#[derive(Debug)]
pub struct Service<C, M> {
    /// The level of the service.
    pub level: Level,
    /// The simulated work.
    pub simulation: C,
    /// The metric log.
    pub metrics: M,
    /// Name of the deployment, a dimension of the metrics.
    pub deployment: String,
    /// The path that a custom domain's mapping puts before the API's own.
    pub base_path: BasePath,
    /// Whether callers may make the service fail on purpose.
    pub fault_injection: bool,
}

/// The allowed body of `POST /test`. The text follows the word "send" in a message.
const TEST_WANTED: &str = "the JSON object {\"error\": true} or {\"error\": false}, or nothing";

/// The error with which the function ends on purpose.
#[derive(Clone, Copy, Debug)]
pub struct Crash;

impl From<Crash> for Diagnostic {
    fn from(_: Crash) -> Self {
        Self { error_type: "InjectedCrash".to_owned(), error_message: "crashed on purpose".to_owned() }
    }
}

/// The body of `POST /test`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestBody {
    /// Whether to fail.
    #[serde(default)]
    pub error: bool,
}

/// The answer of `POST /test` if it does not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TestResult {
    /// Always `ok`.
    pub status: &'static str,
    /// The level that answered.
    pub level: Level,
}

impl<C: Simulation, M: MetricLog> Service<C, M> {
    /// Answers one request.
    ///
    /// # Errors
    /// The request has the header `X-Simulate-Failure: crash`, and fault injection is enabled.
    pub async fn handle(&self, event: Value) -> Result<Response, Crash> {
        let Ok(request) = Request::deserialize(Objects::new(event)) else {
            let message = "This function answers HTTP API events, format 2.0.";
            return Ok(Response::error(400, ErrorCode::BadEvent, message));
        };
        let begun = Instant::now();
        let answer = self.answer(&request).await;
        // The controller records the outcomes of requests that it routes, so only direct invocations are recorded here.
        if !request.is_routed() {
            self.record(answer.as_ref(), begun);
        }
        answer
    }

    async fn answer(&self, request: &Request) -> Result<Response, Crash> {
        if self.fault_injection {
            match request.header("X-Simulate-Failure") {
                Some("true") => return Ok(failed_on_purpose()),
                Some("crash") => return Err(Crash),
                Some("hang") => self.simulation.hang().await,
                // Only the service of the named level fails, so that a fallback can answer.
                Some(level) if level == self.level.to_string() => {
                    return Ok(failed_on_purpose());
                }
                _ => {}
            }
        }
        self.simulation.work().await;
        let response = self.route(request);
        // An invalid request is answered 4xx and never fails at random, because bad requests must not trip the breaker.
        if !response.is_refusal() && self.simulation.fails() {
            return Ok(Response::error(
                500,
                ErrorCode::SimulatedFailure,
                "Failed by chance, as the failure rate says.",
            ));
        }
        Ok(response)
    }

    fn route(&self, request: &Request) -> Response {
        let path: Vec<_> = self.base_path.strip(&request.raw_path).trim_matches('/').split('/').collect();
        match (request.method(), path.as_slice()) {
            ("GET", ["account", id]) => {
                with_account(id, |id| self.aged(Response::json(200, &json!(account(id, self.level)))))
            }
            ("GET", ["account", id, "transactions"]) => with_account(id, |id| match transactions(id, self.level) {
                Some(transactions) => self.aged(Response::json(200, &json!(transactions))),
                None => Response::declined(self.level, "Transactions are"),
            }),
            ("POST", ["transfer"]) if self.level == Level::Full => transfer(request),
            ("POST", ["transfer"]) => Response::declined(self.level, "Transfers are"),
            ("POST", ["test"]) => self.test(request),
            (_, ["account", _] | ["account", _, "transactions"]) => not_allowed("GET"),
            (_, ["transfer" | "test"]) => not_allowed("POST"),
            _ => Response::error(404, ErrorCode::NotFound, "There is nothing at this path."),
        }
    }

    /// Adds the age of the data at levels 2 and 3, where the data comes from a copy, which is made up too.
    fn aged(&self, response: Response) -> Response {
        if self.level == Level::Full {
            return response;
        }
        let age = Timestamp::now().as_second().rem_euclid(COPY_SECONDS);
        response.with_header("Age", &age.to_string())
    }

    fn test(&self, request: &Request) -> Response {
        let fail = match body::read::<TestBody>(request, TEST_WANTED) {
            Ok(body) => body.is_some_and(|body| body.error),
            Err(problem) => return refused(&problem, ErrorCode::BadBody),
        };
        match (fail, self.fault_injection) {
            (false, _) => Response::json(200, &json!(TestResult { status: "ok", level: self.level })),
            (true, true) => failed_on_purpose(),
            (true, false) => Response::error(
                403,
                ErrorCode::FaultInjectionDisabled,
                "Set samples.fault_injection = true in the file of the deployment to fail on purpose.",
            ),
        }
    }

    fn record(&self, answer: Result<&Response, &Crash>, begun: Instant) {
        let mut metrics = vec![Metric::milliseconds("ResponseTime", begun.elapsed().as_secs_f64() * 1_000.0)];
        match answer {
            Ok(response) if response.is_refusal() => {}
            Ok(response) if response.status_code < 500 || response.is_declined() => {
                metrics.push(Metric::count("Success", 1));
            }
            _ => metrics.push(Metric::count("Error", 1)),
        }
        self.metrics.record(Timestamp::now(), &MetricSet::of_service(&self.deployment, self.level, metrics));
    }
}

fn failed_on_purpose() -> Response {
    Response::error(500, ErrorCode::SimulatedFailure, "Failed on purpose.")
}

fn with_account(id: &str, answer: impl FnOnce(&AccountId) -> Response) -> Response {
    match AccountId::parse(id) {
        Ok(id) => answer(&id),
        Err(problem) => Response::error(400, ErrorCode::BadAccountId, format!("The account id {problem}.")),
    }
}

fn transfer(request: &Request) -> Response {
    match Transfer::read(request) {
        Ok(transfer) => Response::json(200, &json!(transfer.receipt())),
        Err(InvalidTransfer::Body(problem)) => refused(&problem, ErrorCode::BadTransfer),
        Err(problem) => Response::error(400, ErrorCode::BadTransfer, problem.to_string()),
    }
}

/// Refuses a body. `invalid` is the error code if the body is JSON or declared as JSON.
fn refused(problem: &BodyError, invalid: ErrorCode) -> Response {
    match problem.kind {
        BodyErrorKind::Format(_) => Response::error(415, ErrorCode::UnsupportedMediaType, problem.to_string()),
        _ => Response::error(400, invalid, problem.to_string()),
    }
}

fn not_allowed(method: &str) -> Response {
    Response::error(405, ErrorCode::MethodNotAllowed, format!("Use {method} here.")).with_header("Allow", method)
}

/// Runs the service of `level`. The binary's `main` calls only this function.
pub async fn run(level: Level) -> ExitCode {
    aws_edge::runtime::run(|environment| async move {
        let settings = Settings::from_environment(&environment, level)?;
        let service = Service {
            level,
            simulation: Chance::new(&settings),
            metrics: EmbeddedMetricLog::default(),
            deployment: settings.deployment,
            base_path: settings.base_path,
            fault_injection: settings.fault_injection,
        };
        lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| service.handle(event.payload))).await
    })
    .await
}
