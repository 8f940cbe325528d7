//! Removal: what stays, who takes it over, and what goes.

use aws_sdk_dynamodb::types::AttributeValue;
use local::folders;

use crate::{Bench, hollow_artifacts};

async fn key(bench: &Bench) -> Option<String> {
    let alias = format!("alias/{}-circuit-breaker-{}", bench.options.project, bench.options.environment);
    bench.aws(&["kms", "describe-key", "--key-id", &alias, "--query", "KeyMetadata.KeyId"]).await
}

async fn put_marker(bench: &Bench) {
    let client = aws_sdk_dynamodb::Client::new(bench.stack.sdk());
    let call = client.put_item().table_name(bench.table());
    call.item("pk", AttributeValue::S("transition#0000000042".to_owned())).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_deployment_leaves_its_table_and_key_to_the_next_one() {
    let bench = Bench::start().await;
    let nothing = bench.act(&["--destroy"]).await.succeeded();
    assert!(nothing.contains("There is no stack"), "{nothing}");

    bench.deploy(&[("StateTableDeletionProtection", "true")], &["--skip-canary"]).await.succeeded();
    put_marker(&bench).await;
    let first_key = key(&bench).await.unwrap();
    let said = bench.act(&["--destroy"]).await.succeeded();
    assert!(said.contains("is gone") && said.contains("The next deployment takes both over"), "{said}");
    let functions = aws_sdk_lambda::Client::new(bench.stack.sdk()).list_functions().send().await.unwrap();
    assert!(functions.functions().is_empty());
    assert!(bench.item("transition#0000000042").await.is_some(), "the records are gone");
    assert_eq!(key(&bench).await.as_ref(), Some(&first_key));

    let rehearsed = bench.deploy(&[], &["--dry-run"]).await.succeeded();
    assert!(rehearsed.contains("StateTable") && rehearsed.contains("Nothing was changed"), "{rehearsed}");
    let adopted = bench.deploy(&[], &["--skip-canary"]).await.succeeded();
    assert!(adopted.contains("this one takes them over") && adopted.contains(&first_key), "{adopted}");
    assert!(bench.item("transition#0000000042").await.is_some());
    assert!(bench.output("EncryptionKeyArn").await.ends_with(&first_key), "another key than that of the table");
    assert_eq!(bench.threshold().await, 5);

    let gone = bench.act(&["--destroy", "--delete-data"]).await.succeeded();
    assert!(gone.contains("is deleted") && gone.contains("goes in 30 days"), "{gone}");
    let tables = aws_sdk_dynamodb::Client::new(bench.stack.sdk()).list_tables().send().await.unwrap();
    assert!(tables.table_names().is_empty());
    assert_eq!(key(&bench).await, None, "the next deployment would find a key that is about to go");
    // And the name is free again.
    bench.deploy(&[], &["--skip-canary"]).await.succeeded();
    assert_ne!(key(&bench).await.unwrap(), first_key);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_deployment_that_failed_takes_its_protected_table_and_its_key_with_it() {
    let bench = Bench::start().await;
    // What AWS leaves of such an attempt, because its rollback may not delete a protected table. The local one deletes
    // it all the same, so the rest of what it would say is said in its place.
    let table = ["--attribute-definitions", "AttributeName=pk,AttributeType=S", "--billing-mode", "PAY_PER_REQUEST"];
    let create = ["dynamodb", "create-table", "--deletion-protection-enabled", "--table-name", &bench.table()];
    let keys = ["--key-schema", "AttributeName=pk,KeyType=HASH"];
    bench.aws(&[&create[..], &table, &keys].concat()).await.unwrap();
    put_marker(&bench).await;
    let first_key = bench.aws(&["kms", "create-key", "--query", "KeyMetadata.KeyId"]).await.unwrap();
    let alias = format!("alias/{}-circuit-breaker-{}", bench.options.project, bench.options.environment);
    bench.aws(&["kms", "create-alias", "--alias-name", &alias, "--target-key-id", &first_key]).await.unwrap();
    let gone = tempfile::tempdir_in(folders::local()).unwrap();
    let mark = gone.path().join("mark").display().to_string();
    let cases = |table_status: &str| {
        format!(
            "*describe-stack-resource*StateTable*ResourceStatus*) echo {table_status}; exit ;;\n\
             *describe-stack-resource*StateTable*PhysicalResourceId*) echo '{}'; exit ;;\n\
             *describe-stack-resource*EncryptionKey*PhysicalResourceId*) echo '{first_key}'; exit ;;\n\
             *describe-stacks*) [ -e '{mark}' ] || {{ printf 'status\\tROLLBACK_FAILED\\n'; exit; }} ;;\n\
             *delete-stack*) touch '{mark}' ;;",
            bench.table()
        )
    };
    let is_there = async || bench.item("transition#0000000042").await.is_some();

    let other = bench.deploy_where(&cases("DELETE_FAILED"), &[], &["--only", "controller"]).await.failed();
    assert!(other.contains("the first deployment of") && other.contains("deploy all of it first"), "{other}");
    let shown = bench.deploy_where(&cases("DELETE_FAILED"), &[], &["--dry-run"]).await.succeeded();
    assert!(shown.contains("goes first") && shown.contains("Nothing was changed"), "{shown}");
    assert!(is_there().await, "--dry-run deleted something");

    let again = bench.deploy_where(&cases("DELETE_FAILED"), &[], &["--skip-canary"]).await.succeeded();
    assert!(again.contains("is deleted") && !again.contains("this one takes them over"), "{again}");
    assert!(!is_there().await, "the table of the failed attempt is still there");
    assert_ne!(key(&bench).await.unwrap(), first_key);
    let query = ["kms", "describe-key", "--key-id", &first_key, "--query", "KeyMetadata.KeyState"];
    assert_eq!(bench.aws(&query).await.unwrap(), "PendingDeletion");

    // A table that the attempt did not make is nobody's to delete: it stays, and is taken over.
    bench.act(&["--destroy"]).await.succeeded();
    put_marker(&bench).await;
    std::fs::remove_file(&mark).unwrap();
    let kept = bench.deploy_where(&cases("CREATE_FAILED"), &[], &["--skip-canary"]).await.succeeded();
    assert!(!kept.contains("is deleted") && kept.contains("this one takes them over"), "{kept}");
    assert!(is_there().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_not_deleted_while_nobody_knows_whether_its_table_is_there() {
    let bench = Bench::start().await;
    bench.deploy_from(hollow_artifacts().path(), &[], &["--architecture", "arm64", "--skip-canary"]).await.succeeded();
    put_marker(&bench).await;
    for (call, expected) in [("describe-table", "whether the table"), ("kms\\ describe-key", "whether the key")] {
        let denied =
            format!("*{call}*) echo 'An error occurred (AccessDeniedException): not authorized' >&2; exit 1 ;;");
        let said = bench.deploy_where(&denied, &[], &["--destroy", "--delete-data"]).await.failed();
        assert!(said.contains(&format!("it cannot be told {expected}")) && said.contains("not authorized"), "{said}");
        assert!(key(&bench).await.is_some(), "{call}: the key goes all the same");
        assert!(bench.item("transition#0000000042").await.is_some(), "{call}: the records are gone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_over_and_differs_from_the_template_is_named_before_anything_is_built_on_it() {
    let bench = Bench::start().await;
    let hollow = hollow_artifacts();
    bench.deploy_from(hollow.path(), &[], &["--architecture", "arm64", "--skip-canary"]).await.succeeded();
    bench.act(&["--destroy"]).await.succeeded();
    let drifted = r"*detect-stack-drift*) echo detection; exit ;;
*describe-stack-drift-detection-status*) printf 'DETECTION_COMPLETE\tDRIFTED\tNone\n'; exit ;;
*describe-stack-resource-drifts*StateTable*) printf '/SSESpecification/SSEEnabled\ttrue\tfalse\n'; exit ;;
*describe-stack-resource-drifts*) exit ;;";
    // The second run finds the import done, and looks all the same.
    for _ in 0..2 {
        let said = bench.deploy_where(drifted, &[], &["--skip-canary"]).await.failed();
        assert!(said.contains("StateTable /SSESpecification/SSEEnabled\ttrue\tfalse"), "{said}");
        assert!(said.contains("--accept-drift"), "{said}");
    }
    let said = bench.deploy_where(drifted, &[], &["--skip-canary", "--accept-drift"]).await.succeeded();
    assert!(said.contains("differs from the template, and stays so"), "{said}");
}
