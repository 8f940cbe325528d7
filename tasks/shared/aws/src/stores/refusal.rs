//! The reason why `DynamoDB` refused a transaction.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::CancellationReason;
use breaker::{Refusal, StateWrite};

/// Returns why the transaction was refused; `None` if it failed for another reason.
pub fn refusal(write: &StateWrite, error: &SdkError<TransactWriteItemsError>) -> Option<Refusal> {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error.as_service_error()? else {
        return None;
    };
    refusal_for(write, &cancelled.cancellation_reasons().iter().map(CancellationReason::code).collect::<Vec<_>>())
}

/// Returns why the transaction was refused, from the codes of the cancellation reasons, one for each item in order.
fn refusal_for(write: &StateWrite, codes: &[Option<&str>]) -> Option<Refusal> {
    // Another transaction is writing one of the items. The conditions were not checked.
    if codes.contains(&Some("TransactionConflict")) {
        return Some(Refusal::Conflict);
    }
    let failed: Vec<_> = codes.iter().map(|code| *code == Some("ConditionalCheckFailed")).collect();
    failed.contains(&true).then(|| write.refusal(&failed))
}

#[cfg(test)]
mod tests {
    use breaker::contract::{Evaluation, Execution};
    use breaker::{Evidence, Expected, Policy, PolicySettings, SystemState, TransitionRequest, decide};
    use serde_json::json;

    use super::*;

    /// A force's write: the state, the transition's record, the command's record.
    fn write() -> StateWrite {
        let policy = Policy::new(PolicySettings::default()).unwrap();
        let now = jiff::Timestamp::UNIX_EPOCH;
        let state = SystemState { version: 4, epoch: 2, ..SystemState::initial(&policy, now) };
        let request = json!({"trigger": "force", "targetLevel": 2, "reason": "drill", "requestedBy": "alice"});
        let request = TransitionRequest::parse(request).unwrap();
        let decision = decide(&state, &policy, &request, &Evidence::default(), now).unwrap();
        let execution = Execution { arn: "arn".to_owned(), name: "one".to_owned() };
        let expected = Expected::Version { version: 4, epoch: 2 };
        Evaluation::of(decision, state, expected, &policy, &request, &execution, now).write.unwrap()
    }

    #[test]
    fn only_a_failed_condition_shows_a_state_behind_its_history() {
        const FAILED: Option<&str> = Some("ConditionalCheckFailed");
        const BUSY: Option<&str> = Some("TransactionConflict");
        const FINE: Option<&str> = Some("None");
        for (codes, refusal) in [
            ([FINE, FAILED, FINE], Some(Refusal::Behind)),
            ([None, FAILED, None], Some(Refusal::Behind)),
            ([FAILED, FAILED, FINE], Some(Refusal::Conflict)),
            ([FINE, BUSY, FINE], Some(Refusal::Conflict)),
            ([None, BUSY, None], Some(Refusal::Conflict)),
            ([BUSY, FAILED, FINE], Some(Refusal::Conflict)),
            ([FINE, FAILED, BUSY], Some(Refusal::Conflict)),
            ([FINE, FINE, FAILED], Some(Refusal::Conflict)),
            ([Some("ThrottlingError"), FINE, FINE], None),
            ([FINE, FINE, FINE], None),
        ] {
            assert_eq!(refusal_for(&write(), &codes), refusal, "{codes:?}");
        }
    }
}
