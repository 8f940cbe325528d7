//! Tests the removal of a deployment: what is removed, what stays, and what the next deployment finds.

use deploy::names::DataNames;
use deploy::ports::{Data, StackService};

use crate::{Bench, CHECKED, CloudFormation, DRY_RUN, MARKER, QUIETLY, hollow_artifacts, run};

async fn key(bench: &Bench) -> Option<String> {
    let data = deploy::aws::AwsData::new(bench.stack.sdk());
    data.key(&bench.names.key_alias()).await.unwrap().map(|key| key.id)
}

async fn is_there(bench: &Bench, stack: &str) -> bool {
    let view = CloudFormation::new(bench.stack.sdk()).stack(stack).await.unwrap();
    view.is_some_and(|view| view.status != "DELETE_COMPLETE")
}

#[test]
fn a_removed_deployment_leaves_its_data_to_the_next_one() {
    run(async {
        let bench = Bench::open("removal").await;
        let nothing = bench.engine(QUIETLY).destroy(false).await.unwrap();
        assert!(nothing.removed.is_empty() && bench.said().contains("There is no stack"), "{nothing:?}");

        bench.deploy(&[("limits.table_deletion_protection", "true")], QUIETLY).await.unwrap();
        bench.put_marker().await;
        let first_key = key(&bench).await.unwrap();
        let data = CloudFormation::new(bench.stack.sdk()).stack("removal-dev-data").await.unwrap().unwrap();
        assert!(data.protected, "the data stack is not protected against deletion");

        let gone = bench.engine(QUIETLY).destroy(false).await.unwrap();
        assert_eq!(gone.removed, ["removal-dev-monitoring", "removal-dev"]);
        assert_eq!(gone.kept.len(), 3, "{gone:?}");
        let said = bench.said();
        assert!(said.contains("Kept: the table removal-circuit-breaker-state-dev"), "{said}");
        assert!(!is_there(&bench, "removal-dev").await && !is_there(&bench, "removal-dev-monitoring").await);
        let functions = bench.functions().list_functions().into_paginator().items().send();
        let functions = functions.try_collect().await.unwrap();
        let left = functions.iter().filter_map(|function| function.function_name());
        assert_eq!(left.filter(|name| name.starts_with("removal-")).count(), 0);
        assert!(bench.item(MARKER).await.is_some(), "the records are missing");
        assert_eq!(key(&bench).await.as_ref(), Some(&first_key));

        let shown = bench.deploy(&[], DRY_RUN).await.unwrap();
        assert!(shown.changes.iter().any(|stack| stack.new && stack.stack == "removal-dev"), "{shown:?}");
        assert!(!is_there(&bench, "removal-dev").await, "a dry run made a stack");
        let found = bench.deploy(&[], CHECKED).await.unwrap();
        assert!(!found.changes.iter().any(|stack| stack.new && stack.stack.ends_with("-data")), "{found:?}");
        assert!(bench.item(MARKER).await.is_some());
        let used = bench.view().await.outputs["EncryptionKeyArn"].clone();
        assert!(used.ends_with(&first_key), "{used}: another key than that of the table");
        assert_eq!(bench.threshold().await, 5);

        bench.said();
        let gone = bench.engine(QUIETLY).destroy(true).await.unwrap();
        let said = bench.said();
        assert!(said.contains("is deleted") && said.contains("goes in 30 days") && gone.kept.is_empty(), "{said}");
        let tables = bench.tables().list_tables().send().await.unwrap();
        assert!(!tables.table_names().contains(&bench.names.table()));
        assert_eq!(key(&bench).await, None, "the next deployment would find a key that will be deleted");
        // The names can be used again.
        bench.deploy_from(hollow_artifacts().path(), &[], QUIETLY).await.unwrap();
        assert_ne!(key(&bench).await.unwrap(), first_key);
    });
}

#[test]
fn a_table_without_a_stack_is_refused_and_stays() {
    run(async {
        let bench = Bench::open("leftover").await;
        let table = bench.names.table();
        let attribute = aws_sdk_dynamodb::types::AttributeDefinition::builder()
            .attribute_name("pk")
            .attribute_type(aws_sdk_dynamodb::types::ScalarAttributeType::S)
            .build()
            .unwrap();
        let key = aws_sdk_dynamodb::types::KeySchemaElement::builder()
            .attribute_name("pk")
            .key_type(aws_sdk_dynamodb::types::KeyType::Hash)
            .build()
            .unwrap();
        let call = bench.tables().create_table().table_name(&table).attribute_definitions(attribute).key_schema(key);
        call.billing_mode(aws_sdk_dynamodb::types::BillingMode::PayPerRequest).send().await.unwrap();
        bench.put_marker().await;
        let refused = bench.deploy_from(hollow_artifacts().path(), &[], QUIETLY).await.unwrap_err().sentence;
        assert!(refused.starts_with(&format!("the table {table} is there")), "{refused}");
        assert!(bench.item(MARKER).await.is_some());
    });
}
