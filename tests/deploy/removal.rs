//! Removal: what stays, who takes it over, and what goes.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::Bench;

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
