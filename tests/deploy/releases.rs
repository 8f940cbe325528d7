//! Tests releases: deploying, deploying again, updating, failing and rolling back.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use aws_sdk_dynamodb::types::AttributeValue;
use deploy::artifacts::Binary;
use deploy::release::Release;
use deploy::report::Outcome;
use operate::check::{Check, Verdict};
use serde_json::json;
use stacks::{FUNCTIONS, Role};
use tempfile::TempDir;

use crate::{Bench, CHECKED, DRY_RUN, QUIETLY, hollow_artifacts, run, verdicts};

/// Returns a folder of the binaries, in which those of `names` differ as if they were built again.
fn rebuilt(bench: &Bench, names: &[&str]) -> TempDir {
    let folder = tempfile::tempdir_in(local::folders::local()).unwrap();
    for function in FUNCTIONS {
        let name = Path::new(function).join("bootstrap");
        fs::create_dir(folder.path().join(function)).unwrap();
        fs::copy(bench.stack.artifacts().join(&name), folder.path().join(&name)).unwrap();
    }
    for name in names {
        let path = folder.path().join(name).join("bootstrap");
        // After the end of the program, so that the program is unchanged.
        OpenOptions::new().append(true).open(path).unwrap().write_all(b"another build").unwrap();
    }
    folder
}

async fn recorded(bench: &Bench, release: &str) -> Release {
    let text = bench.object(&format!("releases/{}/{release}.json", bench.names)).await;
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_release_is_deployed_updated_and_rolled_back() {
    run(async {
        let bench = Bench::open("first").await;
        let shown = bench.deploy(&[], DRY_RUN).await.unwrap();
        assert_eq!((shown.outcome, shown.changes.len()), (Outcome::DryRun, 3));
        let said = bench.said();
        assert!(said.contains("ControllerFunction") && said.contains("Nothing was changed"), "{said}");
        let buckets = bench.objects().list_buckets().send().await.unwrap();
        assert!(
            !buckets.buckets().iter().any(|bucket| bucket.name() == Some(&bench.bucket())),
            "a dry run made a bucket"
        );

        let first = bench.deploy(&[], CHECKED).await.unwrap();
        assert_eq!((first.outcome, first.failure()), (Outcome::Changed, None));
        let said = bench.said();
        for expected in ["this first deployment is active", "is deployed", "alarm path", ", 0 failed, "] {
            assert!(said.contains(expected), "no {expected:?} in:\n{said}");
        }
        assert_eq!(bench.threshold().await, 5);
        assert_eq!(bench.release().await, first.release);
        let elsewhere = reqwest::get(format!("{}/circuit-breaker/", bench.api().await)).await.unwrap();
        assert_eq!(elsewhere.status(), 404, "the status is shown at another path");
        let description = reqwest::get(format!("{}/openapi.json", bench.api().await)).await.unwrap();
        assert_eq!(description.status(), 200);

        let again = bench.deploy(&[], CHECKED).await.unwrap();
        assert_eq!((again.outcome, again.check), (Outcome::Unchanged, None));

        let seven = [("policy.counts.level_1_failures", "7")];
        let shown = bench.deploy(&seven, DRY_RUN).await.unwrap();
        let modified = |report: &deploy::report::DeployReport| {
            let mut changes = report.changes.iter().flat_map(|stack| &stack.changes);
            changes.any(|change| change.action == "Modify" && change.resource == "ControllerFunction")
        };
        assert!(modified(&shown), "{shown:?}");
        assert_eq!((bench.threshold().await, bench.release().await), (json!(5), first.release.clone()));

        // Only a setting changes, and the alias serves the new value.
        let second = bench.deploy(&seven, QUIETLY).await.unwrap();
        assert_eq!(bench.threshold().await, 7);
        assert_ne!(second.release, first.release);

        let engine = bench.engine(CHECKED);
        let back = engine.rollback().await.unwrap();
        assert_eq!((back.release.as_str(), back.failure()), (first.release.as_str(), None));
        assert_eq!(verdicts(&back, &[Check::Request, Check::DryRun, Check::AlarmPath]), [Verdict::Passed; 3]);
        assert_eq!((bench.threshold().await, bench.release().await), (json!(5), first.release));
        let further = engine.rollback().await.unwrap_err().sentence;
        assert!(further.contains("there is no release before"), "{further}");
    });
}

#[test]
fn templates_are_uploaded_as_they_are_into_a_private_bucket() {
    run(async {
        let bench = Bench::open("bucket").await;
        let hollow = hollow_artifacts();
        let report = bench.deploy_from(hollow.path(), &[], QUIETLY).await.unwrap();
        let bucket = bench.bucket();
        let objects = bench.objects();
        let policy = objects.get_bucket_policy().bucket(&bucket).send().await.unwrap();
        assert!(policy.policy().unwrap().contains("aws:SecureTransport"), "{policy:?}");
        let blocked = objects.get_public_access_block().bucket(&bucket).send().await.unwrap();
        let blocked = blocked.public_access_block_configuration().unwrap();
        let all = [
            blocked.block_public_acls(),
            blocked.block_public_policy(),
            blocked.ignore_public_acls(),
            blocked.restrict_public_buckets(),
        ];
        assert_eq!(all, [Some(true); 4]);
        let versioning = objects.get_bucket_versioning().bucket(&bucket).send().await.unwrap();
        assert_eq!(versioning.status().map(aws_sdk_s3::types::BucketVersioningStatus::as_str), Some("Enabled"));
        let encryption = objects.get_bucket_encryption().bucket(&bucket).send().await.unwrap();
        assert!(encryption.server_side_encryption_configuration().is_some_and(|rules| !rules.rules().is_empty()));
        // The templates are uploaded as unchanged bytes.
        let release = recorded(&bench, &report.release).await;
        let listed = objects.list_objects_v2().bucket(&bucket).prefix("templates/").send().await.unwrap();
        let mut uploaded = Vec::new();
        for object in listed.contents() {
            uploaded.push(bench.object(object.key().unwrap()).await);
        }
        for stack in release.stacks() {
            assert!(uploaded.contains(&stack.template), "the template of {} was rewritten", stack.name);
        }
        assert_eq!(uploaded.len(), 3);
    });
}

#[test]
fn a_broken_update_is_rolled_back_and_says_what_failed() {
    run(async {
        let bench = Bench::open("broken").await;
        let service = bench.names.resource("maintenance-service");
        let own = format!("arn:aws:lambda:us-east-1:000000000000:function:{service}");
        let own = ("services.full", own.as_str());
        let first = bench.deploy(&[own], QUIETLY).await.unwrap().release;
        // The bank's own function answers at level 1, and the sample does not exist.
        let answer = reqwest::get(format!("{}/account/1", bench.api().await)).await.unwrap();
        assert_eq!(answer.headers()["x-circuit-breaker-level"], "1");
        let answer: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(answer["level"], 3, "{answer}");
        let sample = bench.functions().get_function().function_name(bench.names.resource("full-service"));
        assert!(sample.send().await.is_err());

        let artifacts = rebuilt(&bench, &["controller"]);
        let values = [own, ("policy.counts.level_1_failures", "7")];
        let second = bench.deploy_from(artifacts.path(), &values, QUIETLY).await.unwrap().release;

        let published = bench.versions("degraded-service").await;
        assert_eq!(published.len(), 3, "two releases and the latest code: {published:?}");

        // The archive of the previous release is missing, so that release cannot be deployed again.
        let stacks = recorded(&bench, &first).await.stacks();
        let main = stacks.iter().find(|stack| stack.role == Role::Main).unwrap();
        let archive = main.parameters["CodeKeys"].split(',').next().unwrap();
        bench.objects().delete_object().bucket(bench.bucket()).key(archive).send().await.unwrap();
        let failed = bench.engine(QUIETLY).rollback().await.unwrap_err().sentence;
        assert!(failed.contains("failed and was rolled back") && failed.contains("ControllerFunction"), "{failed}");
        assert_eq!((bench.threshold().await, bench.release().await), (json!(7), second), "as it was before");
        // The versions of the failed attempt are removed, because otherwise a second try would publish nothing.
        assert_eq!(bench.versions("degraded-service").await, published);
    });
}

#[test]
fn one_functions_code_can_be_updated_alone() {
    run(async {
        let bench = Bench::open("only").await;
        let early = bench.engine(QUIETLY).begin_only().await.unwrap_err().sentence;
        assert!(early.contains("deploy all of it first"), "{early}");
        bench.deploy(&[], QUIETLY).await.unwrap();
        let before = [bench.code("full-service").await, bench.code("circuit-breaker-controller").await];

        let artifacts = rebuilt(&bench, &["full-service", "controller"]);
        let binaries = Binary::read_all(artifacts.path(), &["full-service"]).unwrap();
        let engine = bench.engine(QUIETLY);
        let only = engine.begin_only().await.unwrap();
        engine.only(only, &binaries[0]).await.unwrap();
        assert_ne!(bench.code("full-service").await, before[0]);
        assert_eq!(bench.code("circuit-breaker-controller").await, before[1]);
        let answer = reqwest::get(format!("{}/account/1", bench.api().await)).await.unwrap();
        assert_eq!(answer.headers()["x-circuit-breaker-level"], "1");
    });
}

#[test]
fn a_control_plane_that_does_not_work_fails_the_check() {
    run(async {
        let bench = Bench::open("checked").await;
        bench.deploy(&[], QUIETLY).await.unwrap();
        let call = bench.tables().put_item().table_name(deploy::names::DataNames::table(&bench.names));
        let call = call.item("pk", AttributeValue::S("system-state".to_owned()));
        call.item("currentLevel", AttributeValue::S("first".to_owned())).send().await.unwrap();
        let report = bench.deploy(&[("policy.counts.level_1_failures", "7")], CHECKED).await.unwrap();
        assert_eq!(
            verdicts(&report, &[Check::DryRun, Check::AlarmPath, Check::WrittenState]),
            [Verdict::Failed, Verdict::NotTried, Verdict::Failed]
        );
        let failed = report.failure().unwrap().sentence;
        assert!(failed.contains("StateUnavailable") && failed.contains("breaker rollback"), "{failed}");
    });
}

#[test]
fn a_controller_that_does_not_answer_fails_the_check() {
    run(async {
        let bench = Bench::open("hollow").await;
        let hollow = hollow_artifacts();
        let report = bench.deploy_from(hollow.path(), &[], CHECKED).await.unwrap();
        assert_eq!(verdicts(&report, &[Check::Request, Check::DryRun]), [Verdict::Failed; 2]);
        assert_eq!(report.outputs["ReleaseId"], report.release);
    });
}

#[test]
fn a_gradual_release_is_rolled_back_all_at_once() {
    run(async {
        let bench = Bench::open("gradual").await;
        let hollow = hollow_artifacts();
        let deploy =
            async |values: &[(&str, &str)]| bench.deploy_from(hollow.path(), values, QUIETLY).await.unwrap().release;
        let alarms = aws_sdk_cloudwatch::Client::new(bench.stack.sdk());
        let brakes = async || {
            let found = alarms.describe_alarms().alarm_name_prefix("gradual-").max_records(100).send().await.unwrap();
            let names = found.metric_alarms().iter().filter_map(|alarm| alarm.alarm_name());
            names.filter(|name| name.contains("-brake-")).count()
        };
        let gradual = ("deployment.gradual", "true");
        let first = deploy(&[gradual]).await;
        assert_eq!(brakes().await, 3);
        deploy(&[gradual, ("policy.counts.level_1_failures", "7")]).await;

        bench.engine(QUIETLY).rollback().await.unwrap();
        let view = bench.view().await;
        assert_eq!(
            (view.outputs["ReleaseId"].clone(), view.parameters["GradualDeployment"].as_str()),
            (first.clone(), "false")
        );
        assert_eq!(brakes().await, 0, "a brake could stop the rollback");
        let recorded = recorded(&bench, &first).await.stacks();
        let main = recorded.iter().find(|stack| stack.role == Role::Main).unwrap();
        assert_eq!(main.parameters["GradualDeployment"], "true");

        // The next deployment follows the file again.
        deploy(&[gradual, ("policy.counts.level_1_failures", "6")]).await;
        assert_eq!((bench.view().await.parameters["GradualDeployment"].as_str(), brakes().await), ("true", 3));
    });
}
