//! The answers of the API's operations.

use std::collections::BTreeMap;

use controller::ErrorCode as BreakerCode;
use serde::Serialize;
use serde_json::{Value, json};
use services::ErrorCode as ServiceCode;
use status::ErrorCode as StatusCode;

/// Answers of API Gateway itself, which every operation can have.
const OF_THE_GATEWAY: [(&str, &str); 7] = [
    ("401", "The token is missing or not accepted."),
    ("403", "The signature is missing, or its principal may not call the route."),
    ("413", "The request is larger than API Gateway or Lambda accepts."),
    ("429", "More requests than the API's limit."),
    ("500", "The function failed, or API Gateway was not allowed to invoke it."),
    ("503", "The function is throttled, or gave no answer within the API's limit of 30 s."),
    ("504", "The API did not get the function's answer in time."),
];

/// The answers of one operation, by status: the schemas of the body and the descriptions.
#[derive(Default)]
pub struct Answers {
    by_status: BTreeMap<u16, Vec<Value>>,
    descriptions: BTreeMap<u16, Vec<String>>,
    /// The status whose answer may be a page instead of JSON.
    page: Option<u16>,
    /// Whether the status function answers. Its answers name no service, and name the level only if it is known.
    of_the_status: bool,
    /// Whether the answer that goes well says how old its data is.
    aged: bool,
}

impl Answers {
    /// Returns the answers of an operation that succeeds with this schema.
    pub fn ok(schema: Value, description: &str) -> Self {
        Self::default().with(200, schema, description)
    }

    pub fn with(mut self, status: u16, schema: Value, description: &str) -> Self {
        self.by_status.entry(status).or_default().push(schema);
        self.descriptions.entry(status).or_default().push(description.to_owned());
        self
    }

    /// Adds that the answer of this status may be a page.
    pub fn or_page(self, status: u16) -> Self {
        Self { page: Some(status), ..self }
    }

    /// The sample services of level 2 and 3 say how old the data of the answer is.
    pub fn aged(self) -> Self {
        Self { aged: true, ..self }
    }

    /// Makes these the answers of the status function.
    pub fn of_the_status(self) -> Self {
        Self { of_the_status: true, ..self }
    }

    pub fn status_error(self, status: u16, code: StatusCode, description: &str) -> Self {
        self.with(status, error("StatusError", code), description)
    }

    pub fn service_error(self, status: u16, code: ServiceCode, description: &str) -> Self {
        self.with(status, error("ServiceError", code), description)
    }

    pub fn breaker_error(self, status: u16, code: BreakerCode, description: &str) -> Self {
        self.with(status, error("BreakerError", code), description)
    }

    /// Adds the errors of every operation that invokes a service.
    pub fn of_a_service(self) -> Self {
        self.breaker_error(413, BreakerCode::RequestTooLarge, "The request is larger than a function can receive.")
            .service_error(500, ServiceCode::SimulatedFailure, "The sample service failed by chance or on purpose.")
            .breaker_error(
                502,
                BreakerCode::AnswerTooLarge,
                "The service ran; its answer is larger than a function can return.",
            )
            .breaker_error(
                503,
                BreakerCode::ServiceUnavailable,
                "The service did not run, or it gave no valid answer to a safe method. The request may be sent again.",
            )
    }

    /// Returns the answers in the format of the description.
    pub fn described(self) -> Value {
        let answers = self.by_status.into_iter().map(|(status, mut schemas)| {
            let schema = if schemas.len() == 1 { schemas.remove(0) } else { json!({ "anyOf": schemas }) };
            let mut content = json!({ "application/json": { "schema": schema } });
            if self.page == Some(status) {
                content["text/html"] = json!({ "schema": { "type": "string" } });
            }
            let mut headers = if self.of_the_status {
                json!({ "X-Circuit-Breaker-Level": { "$ref": "#/components/headers/LevelOfTheBreaker" } })
            } else {
                json!({
                    "X-Circuit-Breaker-Level": { "$ref": "#/components/headers/Level" },
                    "X-Routed-To": { "$ref": "#/components/headers/RoutedTo" },
                    "X-Fallback-From": { "$ref": "#/components/headers/FallbackFrom" },
                })
            };
            match status {
                200 if self.aged => headers["Age"] = json!({ "$ref": "#/components/headers/Age" }),
                503 => headers["Retry-After"] = json!({ "$ref": "#/components/headers/RetryAfter" }),
                405 => headers["Allow"] = json!({ "$ref": "#/components/headers/Allow" }),
                _ => {}
            }
            let description = self.descriptions[&status].join(" Or: ");
            (status.to_string(), json!({ "description": description, "headers": headers, "content": content }))
        });
        let mut answers: BTreeMap<String, Value> = answers.collect();
        // API Gateway's own answers, before it invokes the function or because it cannot.
        let of_the_gateway = |description: &str| {
            let schema = json!({ "$ref": "#/components/schemas/GatewayError" });
            json!({ "description": description, "content": { "application/json": { "schema": schema } } })
        };
        for (status, description) in OF_THE_GATEWAY {
            let theirs = of_the_gateway(description);
            let Some(answer) = answers.get_mut(status) else {
                answers.insert(status.to_owned(), theirs);
                continue;
            };
            let ours = answer["content"]["application/json"]["schema"].take();
            let mut schemas = match ours.get("anyOf") {
                Some(Value::Array(schemas)) => schemas.clone(),
                _ => vec![ours],
            };
            schemas.push(theirs["content"]["application/json"]["schema"].clone());
            answer["content"]["application/json"]["schema"] = json!({ "anyOf": schemas });
            answer["description"] = json!(format!("{} Or: {description}", answer["description"].as_str().unwrap()));
            // API Gateway's own answers do not have the breaker's headers, so these are optional.
            for (_, header) in answer["headers"].as_object_mut().unwrap() {
                let name = header["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
                if let Some(optional) = ["Level", "RoutedTo"].iter().find(|required| **required == name) {
                    *header = json!({ "$ref": format!("#/components/headers/{optional}OfTheBreaker") });
                }
            }
        }
        json!(answers)
    }
}

fn error(schema: &str, code: impl Serialize) -> Value {
    json!({ "allOf": [
        { "$ref": format!("#/components/schemas/{schema}") },
        { "properties": { "error": { "enum": [code] } } },
    ] })
}
