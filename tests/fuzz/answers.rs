//! What services answer to the controller.

use breaker::Level;
use controller::ServiceAnswer;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::junk::{garbled, mutated};
use crate::{Answer, fuzz, fuzz_both};

fn good() -> Vec<Value> {
    vec![
        json!({ "statusCode": 200 }),
        json!({ "statusCode": 200, "headers": { "Content-Type": "application/json" }, "body": "{}" }),
        json!({ "statusCode": 503, "headers": { "X-Circuit-Breaker-Declined": "true" }, "cookies": ["a=b"] }),
        json!({ "statusCode": 404, "headers": null, "multiValueHeaders": {}, "isBase64Encoded": false }),
    ]
}

fn check(payload: &[u8]) -> Result<Answer, TestCaseError> {
    match ServiceAnswer::read(payload) {
        Ok(answer) => {
            prop_assert!((200..=599).contains(&answer.status));
            let status = answer.status;
            let told = answer.for_caller(Level::Degraded).unwrap();
            let again = ServiceAnswer::read(told.get().as_bytes()).unwrap();
            prop_assert_eq!((again.status, again.declined), (status, false), "callers never see the mark");
            Ok(Answer::Taken)
        }
        Err(error) => {
            prop_assert!(!error.to_string().is_empty());
            Ok(Answer::Refused)
        }
    }
}

#[test]
fn any_bytes_are_an_answer_or_nonsense() {
    fuzz(&vec(any::<u8>(), 0..64), |payload| check(&payload));
}

#[test]
fn an_answer_with_changes_is_an_answer_or_nonsense() {
    fuzz_both(&garbled(mutated(good()).prop_map(|answer| answer.to_string())), |payload| check(payload.as_bytes()));
}
