//! Tests that data at rest is encrypted with the deployment's own key, and that table and key outlive the stack.

use serde_json::json;

use crate::{Template, list, names};

#[tokio::test]
async fn everything_at_rest_is_encrypted_with_the_customers_key() {
    let data = Template::data().await;
    for (name, table) in data.of_type("AWS::DynamoDB::Table") {
        assert!(names(&table["Properties"]["SSESpecification"]["KMSMasterKeyId"], "EncryptionKey"), "{name}");
    }
    let exported = &data.section("Outputs")["EncryptionKeyArn"];
    assert!(names(&exported["Value"], "EncryptionKey"));
    let imported = json!({"Fn::ImportValue": exported["Export"]["Name"]});
    let template = Template::plain().await;
    for (kind, setting) in [
        ("AWS::SQS::Queue", "/KmsMasterKeyId"),
        ("AWS::SNS::Topic", "/KmsMasterKeyId"),
        ("AWS::Logs::LogGroup", "/KmsKeyId"),
        ("AWS::StepFunctions::StateMachine", "/EncryptionConfiguration/KmsKeyId"),
    ] {
        for (name, resource) in template.of_type(kind) {
            let key = resource["Properties"].pointer(setting).unwrap_or_else(|| panic!("{name} has no {setting}"));
            assert_eq!(key, &imported, "{name} is encrypted with another key");
        }
    }
}

#[tokio::test]
async fn the_key_rotates_and_admits_this_accounts_services_only() {
    let key = &Template::data().await.resource("EncryptionKey")["Properties"];
    assert_eq!(key["EnableKeyRotation"], true);
    let mut services = Vec::new();
    for statement in list(&key["KeyPolicy"]["Statement"]) {
        assert_eq!(statement["Effect"], "Allow");
        let principal = &statement["Principal"];
        if principal.get("AWS").is_some() {
            assert_eq!(
                principal["AWS"],
                json!({"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}),
                "people and roles have access through IAM"
            );
            continue;
        }
        let condition = statement["Condition"].to_string();
        assert!(condition.contains("AWS::AccountId"), "{} is open to other accounts", statement["Sid"]);
        assert!(!statement["Action"].to_string().contains("kms:*"), "{} may do everything", statement["Sid"]);
        services.push(principal["Service"].to_string());
    }
    let expected = ["cloudwatch.", "sns.", "logs.", "delivery.logs."];
    assert_eq!(services.len(), expected.len());
    for service in expected {
        assert!(services.iter().any(|known| known.contains(service)), "{service} is not admitted");
    }
}

#[tokio::test]
async fn table_and_key_outlive_the_stack_once_it_was_created() {
    let template = Template::data().await;
    for name in ["StateTable", "EncryptionKey", "EncryptionKeyAlias"] {
        assert_eq!(template.resource(name)["DeletionPolicy"], "RetainExceptOnCreate", "{name}");
        assert_eq!(template.resource(name)["UpdateReplacePolicy"], "Retain", "{name}");
    }
    let table = &template.resource("StateTable")["Properties"];
    assert_eq!(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true);
    assert_eq!(table["DeletionProtectionEnabled"], json!({"Ref": "StateTableDeletionProtection"}));
    assert_eq!(template.section("Parameters")["StateTableDeletionProtection"]["Default"], "true");
}

#[tokio::test]
async fn the_index_by_time_holds_whole_records() {
    let table = &Template::data().await.resource("StateTable")["Properties"];
    let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    assert_eq!(table["KeySchema"], json!([key("pk", "HASH")]));
    let index = json!({
        "IndexName": "by-time",
        "KeySchema": [key("kind", "HASH"), key("time", "RANGE")],
        "Projection": {"ProjectionType": "ALL"},
    });
    assert_eq!(table["GlobalSecondaryIndexes"], json!([index]));
}

#[tokio::test]
async fn queues_and_topics_refuse_requests_without_tls() {
    let template = Template::plain().await;
    for (kind, policies, member, actions) in [
        ("AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "Queues", "sqs:*"),
        ("AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "Topics", "sns:Publish"),
    ] {
        for name in template.of_type(kind).keys() {
            let refused = template.of_type(policies).values().any(|policy| {
                let policy = &policy["Properties"];
                names(&policy[member], name)
                    && list(&policy["PolicyDocument"]["Statement"]).iter().any(|statement| {
                        statement["Effect"] == "Deny"
                            && statement["Principal"] == "*"
                            && statement["Action"] == actions
                            && names(&statement["Resource"], name)
                            && statement["Condition"] == json!({"Bool": {"aws:SecureTransport": "false"}})
                    })
            });
            assert!(refused, "{name} accepts requests without TLS");
        }
    }
}

#[tokio::test]
async fn the_topics_take_messages_from_this_deployments_alarms_alone() {
    let template = Template::plain().await;
    for (name, policy) in template.of_type("AWS::SNS::TopicPolicy") {
        let allowed: Vec<_> = list(&policy["Properties"]["PolicyDocument"]["Statement"])
            .into_iter()
            .filter(|statement| statement["Effect"] == "Allow")
            .collect();
        assert_eq!(allowed.len(), 1, "{name}");
        assert_eq!(allowed[0]["Principal"], json!({"Service": "cloudwatch.amazonaws.com"}), "{name}");
        assert_eq!(allowed[0]["Condition"]["StringEquals"]["aws:SourceAccount"], json!({"Ref": "AWS::AccountId"}));
        let source = allowed[0]["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Sub"].as_str().unwrap();
        assert!(source.ends_with(":alarm:${ProjectName}-*-${Environment}"), "{name}: {source}");
    }
}

#[tokio::test]
async fn dead_letters_are_kept_for_the_maximum_of_sqs() {
    let template = Template::plain().await;
    let queue = &template.resource("AlarmQueue")["Properties"];
    assert!(names(&queue["RedrivePolicy"]["deadLetterTargetArn"], "AlarmDeadLetterQueue"));
    let timeout = template.resource("AlarmProcessorFunction")["Properties"]["Timeout"].as_u64().unwrap();
    assert!(
        queue["VisibilityTimeout"].as_u64().unwrap() >= 6 * timeout,
        "a message is delivered again while it is handled"
    );
    assert_eq!(template.resource("AlarmDeadLetterQueue")["Properties"]["MessageRetentionPeriod"], 1_209_600);
}

/// The condition of a statement, found by its Sid among those of a policy.
fn condition<'a>(policy: &'a serde_json::Value, sid: &str) -> &'a serde_json::Value {
    let statement = list(&policy["Statement"]).into_iter().find(|statement| statement["Sid"] == sid);
    &statement.unwrap_or_else(|| panic!("the policy has no statement {sid}"))["Condition"]
}

#[tokio::test]
async fn log_delivery_is_known_by_its_encryption_context() {
    // Step Functions encrypts its log events with this context. Log delivery sends neither aws:SourceArn nor
    // aws:SourceAccount: a condition on them would keep every event from the log.
    let key = &Template::data().await.resource("EncryptionKey")["Properties"]["KeyPolicy"];
    let expected = json!({"StringLike": {
        "kms:EncryptionContext:SourceArn": {"Fn::Sub": "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:*"}
    }});
    assert_eq!(condition(key, "LogDelivery"), &expected);
}

#[tokio::test]
async fn sns_is_known_by_the_topics_arn_alone() {
    let template = Template::plain().await;
    let queue = &template.resource("AlarmQueuePolicy")["Properties"]["PolicyDocument"];
    assert_eq!(condition(queue, "AlarmTopicOnly"), &json!({"ArnEquals": {"aws:SourceArn": {"Ref": "AlarmTopic"}}}));
    // The key's policy contains the ARN as text, because the topic is created after the key.
    let name = template.resource("AlarmTopic")["Properties"]["TopicName"]["Fn::Sub"].as_str().unwrap();
    let topic = format!("arn:${{AWS::Partition}}:sns:${{AWS::Region}}:${{AWS::AccountId}}:{name}");
    let key = &Template::data().await.resource("EncryptionKey")["Properties"]["KeyPolicy"];
    let expected = json!({"ArnEquals": {"aws:SourceArn": {"Fn::Sub": topic}}});
    assert_eq!(condition(key, "TopicDeliversToTheQueue"), &expected);
}
