//! What an account may refuse, and what the script makes of it.

use crate::{Bench, hollow_artifacts};

/// Cases of a shell's `case` over the AWS CLI's arguments that let the first `times` change sets create a stack whose
/// state machine is refused. `$HERE` is a folder of the test's own.
fn refused_machine(times: u32, status: &str) -> String {
    let text = "The state machine IAM Role is not authorized to access the Log Destination";
    format!(
        "*execute-change-set*) count=$(cat \"$HERE/count\" 2>/dev/null || echo 0); \
           [ \"$count\" -ge {times} ] || {{ echo $((count + 1)) >\"$HERE/count\"; touch \"$HERE/failed\"; exit; }} ;;\n\
         *describe-stack-resource*StateTable*ResourceStatus*) echo DELETE_FAILED; exit ;;\n\
         *describe-stack-resource*StateTable*PhysicalResourceId*) echo own-table; exit ;;\n\
         *describe-stack-resource*EncryptionKey*) echo None; exit ;;\n\
         *delete-table*own-table*) touch \"$HERE/data-gone\"; exit ;;\n\
         *own-table*) exit ;;\n\
         *delete-stack*) [ {status} = ROLLBACK_COMPLETE ] || [ -e \"$HERE/data-gone\" ] || exit 1; rm -f \"$HERE/failed\" ;;\n\
         *describe-stacks*) [ ! -e \"$HERE/failed\" ] || {{ printf 'status\\t{status}\\n'; exit; }} ;;\n\
         *describe-stack-events*) [ ! -e \"$HERE/failed\" ] || {{ \
           printf 'AWS::StepFunctions::StateMachine\\tLevelTransitionStateMachine\\tCREATE_FAILED\\t{text}\\n'; exit; }} ;;"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_not_known_yet_is_given_one_more_try() {
    let bench = Bench::start().await;
    let hollow = hollow_artifacts();
    let options = ["--architecture", "arm64", "--skip-canary"];
    // A table that is protected against deletion makes the rollback fail.
    for (times, status) in [(1, "ROLLBACK_COMPLETE"), (1, "ROLLBACK_FAILED"), (2, "ROLLBACK_COMPLETE")] {
        let succeeds = times == 1;
        let here = tempfile::tempdir_in(local::folders::local()).unwrap();
        let cases = refused_machine(times, status).replace("$HERE", here.path().to_str().unwrap());
        let said = bench.deploy_from_where(hollow.path(), &cases, &[], &options).await;
        let text = if succeeds { said.succeeded() } else { said.failed() };
        assert_eq!(text.matches("Trying once more").count(), 1, "{text}");
        assert_eq!(text.contains("is not authorized to access the Log Destination"), !succeeds, "{text}");
        assert_eq!(text.contains("own-table is deleted"), status == "ROLLBACK_FAILED", "{text}");
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
    // What other functions of the account reserve is not free: the limit itself is not asked for.
    let limited = "*AccountLimit.UnreservedConcurrentExecutions*) echo 619; exit ;;";
    let reserved = [("ControlPlaneReservedConcurrency", "5"), ("FullServiceConcurrencyLimit", "500")];
    let options = ["--architecture", "arm64", "--skip-canary", "--dry-run"];
    let refused = bench.deploy_from_where(hollow.path(), limited, &reserved, &options).await.failed();
    assert!(refused.contains("reserve 520 concurrent executions, and the account has 619"), "{refused}");
    assert!(refused.contains("limit raised by 1 or more"), "{refused}");
    let enough = limited.replace("619", "620");
    bench.deploy_from_where(hollow.path(), &enough, &reserved, &options[..3]).await.succeeded();
    // What the stack reserves already it may reserve again.
    let again = limited.replace("619", "100");
    bench.deploy_from_where(hollow.path(), &again, &reserved, &options).await.succeeded();
    let less = limited.replace("619", "99");
    let refused = bench.deploy_from_where(hollow.path(), &less, &reserved, &options).await.failed();
    assert!(refused.contains("the account has 619"), "{refused}");
    // Who reserves nothing is not asked for the account's limit.
    let unread = "*get-account-settings*) exit 1 ;;";
    let nothing = [("ControlPlaneReservedConcurrency", "0"), ("FullServiceConcurrencyLimit", "0")];
    bench.deploy_from_where(hollow.path(), unread, &nothing, &options).await.succeeded();
}
