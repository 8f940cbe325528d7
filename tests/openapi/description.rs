//! The description of the API. The routes are written here; the bodies come from the Rust types.

use controller::{CONTROLLER, ErrorBody as BreakerError, ErrorCode as BreakerCode, PROBE_MARK};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};
use services::{
    Account, AccountId, ErrorBody as ServiceError, ErrorCode as ServiceCode, Receipt, TestBody, TestResult,
    Transactions, TransferBody,
};
use status::{ErrorBody as StatusError, ErrorCode as StatusCode, Status};

use crate::answers::Answers;

/// An answer of API Gateway itself. It has no other member, because otherwise every error with a message would match.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "it is only described")]
struct GatewayError {
    /// For people.
    message: String,
}

const INTRODUCTION: &str = "Answers at three levels: 1 full, 2 degraded, 3 maintenance. The header \
    `X-Circuit-Breaker-Level` of each answer says at which. The bank's routes are those of the sample services; a \
    service of your own may have others, which pass through. Who may call is set with the deployment: requests \
    signed for AWS (`execute-api`), requests with a token, or all requests.";

const OTHER_FORMAT: &str = "The body is in another format than JSON, and its `Content-Type` says so.";

/// Returns the whole description.
pub fn description() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut types = Types(settings.into_generator());
    let paths = paths(&mut types);
    types.of::<GatewayError>();
    types.of::<ServiceError>();
    types.of::<BreakerError>();
    types.of::<StatusError>();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Bank circuit breaker",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT", "identifier": "MIT" },
            "description": INTRODUCTION,
        },
        "servers": [{ "url": "/" }],
        "tags": [
            { "name": "bank", "description": "Answered by the service of the current level." },
            { "name": "breaker", "description": "Answered by the status function, whatever the level." },
        ],
        "paths": paths,
        "components": {
            "schemas": types.0.take_definitions(true),
            "headers": headers(),
            // Answers to paths and methods that the description does not have.
            "responses": {
                "NotFound": Answers::default()
                    .service_error(404, ServiceCode::NotFound, "Nothing is at this path.")
                    .described()["404"],
                "MethodNotAllowed": Answers::default()
                    .service_error(405, ServiceCode::MethodNotAllowed, "The route does not take this method.")
                    .described()["405"],
            },
            "parameters": {
                "accountId": {
                    "name": "accountId", "in": "path", "required": true,
                    "description": "The account's id.", "schema": types.inline::<AccountId>(),
                },
            },
        },
    })
}

/// The types that the description names.
struct Types(SchemaGenerator);

impl Types {
    /// Returns a reference to the schema of a type.
    fn of<T: JsonSchema>(&mut self) -> Value {
        self.0.subschema_for::<T>().to_value()
    }

    /// Returns the schema of a type itself.
    fn inline<T: JsonSchema>(&mut self) -> Schema {
        T::json_schema(&mut self.0)
    }
}

fn paths(types: &mut Types) -> Value {
    let account = json!([{ "$ref": "#/components/parameters/accountId" }]);
    let bad_account = "The account id is invalid.";
    json!({
        "/account/{accountId}": {
            "parameters": account,
            "get": operation(
                "getAccount", "bank", "An account: live at level 1, cached at 2, without data at 3.", &json!({}),
                Answers::ok(types.of::<Account>(), "The account, as much of it as the level shows.")
                    .aged()
                    .service_error(400, ServiceCode::BadAccountId, bad_account)
                    .of_a_service(),
            ),
        },
        "/account/{accountId}/transactions": {
            "parameters": account,
            "get": operation(
                "getTransactions", "bank", "The newest transactions: 10 at level 1, 3 at level 2, declined at level 3.",
                &json!({}),
                Answers::ok(types.of::<Transactions>(), "The newest transactions.")
                    .aged()
                    .service_error(400, ServiceCode::BadAccountId, bad_account)
                    .service_error(503, ServiceCode::Declined, "The level declines by design.")
                    .of_a_service(),
            ),
        },
        "/transfer": {
            "post": operation(
                "makeTransfer", "bank", "A transfer. Declined at levels 2 and 3.", &body::<TransferBody>(types, true),
                Answers::ok(types.of::<Receipt>(), "The transfer was made.")
                    .service_error(400, ServiceCode::BadTransfer, "The body is no transfer; the message says why.")
                    .service_error(415, ServiceCode::UnsupportedMediaType, OTHER_FORMAT)
                    .service_error(503, ServiceCode::Declined, "The level declines by design.")
                    .breaker_error(
                        504,
                        BreakerCode::OutcomeUnknown,
                        "The service did not answer in time, ended in an error or gave an invalid answer, or its answer \
                         was lost. Whether the transfer was made is unknown: check before you send it again.",
                    )
                    .of_a_service(),
            ),
        },
        "/test": {
            "post": operation(
                "fail", "bank", "Fails if the body asks for it and `samples.fault_injection` is true.",
                &body::<TestBody>(types, false),
                Answers::ok(types.of::<TestResult>(), "It did not fail.")
                    .service_error(400, ServiceCode::BadBody, "The body is something else.")
                    .service_error(415, ServiceCode::UnsupportedMediaType, OTHER_FORMAT)
                    .service_error(403, ServiceCode::FaultInjectionDisabled, "Fault injection is not enabled.")
                    .breaker_error(504, BreakerCode::OutcomeUnknown, "The service gave no valid answer in time.")
                    .of_a_service(),
            ),
        },
        "/circuit-breaker": {
            "get": operation(
                "getStatus", "breaker", "The breaker's own status: a page if `Accept` prefers `text/html`.",
                &json!({ "parameters": [
                    {
                        "name": "history", "in": "query", "required": false,
                        "description": "How many of the newest transitions the JSON lists. The page lists 15.",
                        "schema": { "type": "integer", "minimum": 0, "maximum": aws_edge::stores::state::MAX_TRANSITIONS },
                    },
                    {
                        "name": "hours", "in": "query", "required": false,
                        "description": "The time range of the page's picture.",
                        "schema": { "type": "integer", "enum": [1, 6, 24] },
                    },
                ] }),
                Answers::ok(types.of::<Status<'static>>(), "The status.")
                    .of_the_status()
                    .or_page(200)
                    .status_error(400, StatusCode::BadHistory, "`history` is no number from 0 to 100.")
                    .status_error(400, StatusCode::BadHours, "`hours` is not 1, 6 or 24."),
            ),
        },
        "/openapi.json": {
            "get": operation(
                "getDescription", "breaker", "This description.", &json!({}),
                Answers::ok(json!({ "type": "object", "required": ["openapi"] }), "The description, OpenAPI 3.1.").of_the_status(),
            ),
        },
    })
}

/// Returns the description of an operation's body.
fn body<T: JsonSchema>(types: &mut Types, required: bool) -> Value {
    let content = json!({ "application/json": { "schema": types.of::<T>() } });
    json!({ "requestBody": { "required": required, "content": content } })
}

/// Returns the description of an operation.
fn operation(id: &str, tag: &str, summary: &str, takes: &Value, answers: Answers) -> Value {
    let mut operation = json!({ "operationId": id, "tags": [tag], "summary": summary });
    let members = operation.as_object_mut().unwrap();
    members.extend(takes.as_object().cloned().unwrap_or_default());
    members.insert("responses".to_owned(), answers.described());
    operation
}

fn headers() -> Map<String, Value> {
    let header = |description: &str, schema: Value| json!({ "description": description, "schema": schema });
    // The worst level is never probed, because it is no level's better level.
    let better = breaker::Level::ALL.into_iter().filter(|level| level.worse().is_some());
    let probes = better.map(|level| format!("{}{PROBE_MARK}", level.service()));
    let services = breaker::Level::ALL.map(|level| level.service().to_owned()).into_iter();
    let services: Vec<_> = services.chain(probes).chain([CONTROLLER.to_owned()]).collect();
    let levels = breaker::Level::ALL.map(|level| level.to_string());
    let level = header("The current level.", json!({ "type": "string", "enum": levels }));
    let routed_to = header(
        "The service that answered or was invoked, and whether as a probe. `controller` if none was invoked.",
        json!({ "enum": services }),
    );
    // Every answer of the controller has these headers; API Gateway's own answers do not.
    let required = |header: &Value| {
        let mut header = header.clone();
        header["required"] = json!(true);
        header
    };
    let text = json!({ "type": "string" });
    [
        ("Level", required(&level)),
        ("LevelOfTheBreaker", level),
        ("RoutedTo", required(&routed_to)),
        ("RoutedToOfTheBreaker", routed_to),
        ("FallbackFrom", header("The service that failed this request first, and the kind of failure.", text.clone())),
        (
            "Age",
            header(
                "Age of the data in seconds, if level 2 or 3 answers.",
                json!({ "type": "string", "pattern": "^[0-9]+$" }),
            ),
        ),
        ("RetryAfter", header("Seconds after which to try again.", json!({ "type": "string", "pattern": "^[0-9]+$" }))),
        ("Allow", header("The methods that the route takes.", text)),
    ]
    .map(|(name, header)| (name.to_owned(), header))
    .into_iter()
    .collect()
}
