//! Removal: what stays, who takes it over, and what goes.

use aws_sdk_dynamodb::types::AttributeValue;

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

/// The CLI as it answers where the controller's archive gets lost between the change set and its execution.
const LOSES_AN_ARCHIVE: &str = r#"*execute-change-set*)
  bucket=$("$REAL" --endpoint-url "$AWS_ENDPOINT_URL" s3api list-buckets --query 'Buckets[0].Name' --output text)
  for key in $("$REAL" --endpoint-url "$AWS_ENDPOINT_URL" s3api list-objects-v2 --bucket "$bucket" --query 'Contents[].Key' --output text); do
    "$REAL" --endpoint-url "$AWS_ENDPOINT_URL" s3 rm --quiet "s3://$bucket/$key"
  done ;;"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_first_deployment_that_failed_takes_its_protected_table_and_its_key_with_it() {
    let bench = Bench::start().await;
    let protected = [("StateTableDeletionProtection", "true")];
    let failed = bench.deploy_where(LOSES_AN_ARCHIVE, &protected, &["--skip-canary"]).await.failed();
    assert!(failed.contains("ended as ROLLBACK_FAILED") && failed.contains("StateTable"), "{failed}");
    let first_key = key(&bench).await;
    put_marker(&bench).await;

    let only = bench.act(&["--rollback"]).await.failed();
    assert!(only.contains("the first deployment of"), "{only}");
    let shown = bench.deploy(&protected, &["--dry-run"]).await.succeeded();
    assert!(shown.contains("goes first") && shown.contains("Nothing was changed"), "{shown}");
    assert!(bench.item("transition#0000000042").await.is_some(), "--dry-run deleted something");

    let again = bench.deploy(&protected, &["--skip-canary"]).await.succeeded();
    assert!(again.contains("is deleted") && !again.contains("this one takes them over"), "{again}");
    assert!(bench.item("transition#0000000042").await.is_none(), "the table of the failed attempt is still there");
    let second_key = key(&bench).await;
    assert!(second_key.is_some() && second_key != first_key, "{second_key:?}");
    if let Some(first_key) = first_key {
        let query = ["kms", "describe-key", "--key-id", &first_key, "--query", "KeyMetadata.KeyState"];
        assert_eq!(bench.aws(&query).await.unwrap(), "PendingDeletion");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_not_deleted_while_nobody_knows_whether_its_table_is_there() {
    let bench = Bench::start().await;
    bench.deploy_from(hollow_artifacts().path(), &[], &["--architecture", "arm64", "--skip-canary"]).await.succeeded();
    for (call, expected) in [("describe-table", "whether the table"), ("kms\\ describe-key", "whether the key")] {
        let denied =
            format!("*{call}*) echo 'An error occurred (AccessDeniedException): not authorized' >&2; exit 1 ;;");
        let said = bench.deploy_where(&denied, &[], &["--destroy", "--delete-data"]).await.failed();
        assert!(said.contains(&format!("it cannot be told {expected}")) && said.contains("not authorized"), "{said}");
        assert!(key(&bench).await.is_some(), "{call}: the key goes all the same");
        // The table is deleted only with the stack gone, and by the run that may look at it.
        assert!(bench.item("transition#0000000042").await.is_none());
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
