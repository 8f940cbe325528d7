//! What an account may refuse, and what the script makes of it.

use crate::{Bench, hollow_artifacts};

/// Cases of a shell's `case` over the AWS CLI's arguments that let the first `times` change sets create a stack whose
/// state machine is refused. `$HERE` is a folder of the test's own.
fn refused_machine(times: u32) -> String {
    let text = "The state machine IAM Role is not authorized to access the Log Destination";
    format!(
        "*execute-change-set*) count=$(cat \"$HERE/count\" 2>/dev/null || echo 0); \
           [ \"$count\" -ge {times} ] || {{ echo $((count + 1)) >\"$HERE/count\"; touch \"$HERE/failed\"; exit; }} ;;\n\
         *delete-stack*) rm -f \"$HERE/failed\" ;;\n\
         *describe-stacks*) [ ! -e \"$HERE/failed\" ] || {{ printf 'status\\tROLLBACK_COMPLETE\\n'; exit; }} ;;\n\
         *describe-stack-events*) [ ! -e \"$HERE/failed\" ] || {{ \
           printf 'AWS::StepFunctions::StateMachine\\tLevelTransitionStateMachine\\tCREATE_FAILED\\t{text}\\n'; exit; }} ;;"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_not_known_yet_is_given_one_more_try() {
    let bench = Bench::start().await;
    let hollow = hollow_artifacts();
    let options = ["--architecture", "arm64", "--skip-canary"];
    for (times, succeeds) in [(1, true), (2, false)] {
        let here = tempfile::tempdir_in(local::folders::local()).unwrap();
        let cases = refused_machine(times).replace("$HERE", here.path().to_str().unwrap());
        let said = bench.deploy_from_where(hollow.path(), &cases, &[], &options).await;
        let text = if succeeds { said.succeeded() } else { said.failed() };
        assert_eq!(text.matches("Trying once more").count(), 1, "{text}");
        assert_eq!(text.contains("is not authorized to access the Log Destination"), !succeeds, "{text}");
        if succeeds {
            assert!(text.contains("is deployed"), "{text}");
            bench.act(&["--destroy", "--delete-data"]).await.succeeded();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_with_too_little_concurrency_is_refused() {
    let bench = Bench::start().await;
    let hollow = hollow_artifacts();
    let limited = "*get-account-settings*) echo 619; exit ;;";
    let reserved = [("ControlPlaneReservedConcurrency", "5"), ("FullServiceConcurrencyLimit", "500")];
    let options = ["--architecture", "arm64", "--skip-canary", "--dry-run"];
    let refused = bench.deploy_from_where(hollow.path(), limited, &reserved, &options).await.failed();
    assert!(refused.contains("reserve 520 concurrent executions, and the account may run 619"), "{refused}");
    assert!(refused.contains("raised to 620 or more"), "{refused}");
    let enough = limited.replace("619", "620");
    bench.deploy_from_where(hollow.path(), &enough, &reserved, &options).await.succeeded();
    // Who reserves nothing is not asked for the account's limit.
    let unread = "*get-account-settings*) exit 1 ;;";
    bench.deploy_from_where(hollow.path(), unread, &[], &options).await.succeeded();
}
