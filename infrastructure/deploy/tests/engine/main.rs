//! The engine on an account in memory: what it does in which order, what it refuses, and what it says.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod removal;
mod rollback;
mod world;

use deploy::capacity::Capacity;
use deploy::engine::Manner;
use deploy::ports::{BucketState, StackResource, StackView};
use deploy::release::{RELEASE_ID, Release};
use deploy::report::Outcome;
use deployment_file::Architecture;
use operate::exit::Exit;
use operate::ports::Confirmation;
use stacks::Role;

use world::{ACCOUNT, ASKING, DRY_RUN, QUIETLY, REGION, World, binaries, effective, names};

const TABLE: &str = "bank-circuit-breaker-state-test";
const ALIAS: &str = "alias/bank-circuit-breaker-test";
const ROLE_UNKNOWN: &str = "The state machine IAM Role is not authorized to access the Log Destination";

/// All stacks, in the order of creation.
fn all() -> Vec<String> {
    let code = stacks::Code::default();
    stacks::stacks(&effective(""), &names(), &code).into_iter().map(|stack| stack.name).collect()
}

fn main_stack() -> String {
    names().stack(Role::Main)
}

fn resource(kind: &str, status: &str, physical: &str) -> StackResource {
    StackResource { kind: kind.to_owned(), status: status.to_owned(), physical: physical.to_owned() }
}

fn release_of(world: &World) -> String {
    world.inner().stacks[&main_stack()].parameters[RELEASE_ID].clone()
}

fn recorded(world: &World, id: &str) -> Release {
    serde_json::from_slice(&world.inner().objects[&format!("releases/bank-test/{id}.json")]).unwrap()
}

fn history(world: &World) -> Vec<String> {
    serde_json::from_slice(&world.inner().objects["releases/bank-test/history.json"]).unwrap()
}

#[tokio::test]
async fn the_first_deployment_creates_the_data_first() {
    let world = World::new();
    world.inner().answers.extend([Confirmation::Yes, Confirmation::Yes]);
    let report = world.deploy("", ASKING).await.unwrap().unwrap();
    let stacks = all();
    let mut expected = vec!["create bucket".to_owned(), "secure bucket".to_owned()];
    expected.extend(stacks.iter().map(|stack| format!("create {stack}")));
    assert_eq!(world.inner().done, expected);
    assert_eq!(world.inner().stacks.values().filter(|view| view.protected).count(), 1);
    assert!(world.inner().stacks["bank-test-data"].protected);
    assert_eq!((report.outcome, report.failure()), (Outcome::Changed, None));
    assert_eq!(report.check.unwrap().findings.len(), 1);
    assert_eq!(world.inner().checked, 1);
    assert_eq!(report.changes.iter().map(|stack| stack.stack.clone()).collect::<Vec<_>>(), stacks);
    assert_eq!((history(&world), release_of(&world)), (vec![report.release.clone()], report.release.clone()));
    let place = format!("Deployment bank-test in account {ACCOUNT}, region {REGION}");
    assert!(world.said().starts_with(&place), "{}", world.said());
    assert_eq!(world.inner().questions.len(), 2, "{:?}", world.inner().questions);
    assert!(world.inner().questions[0].starts_with("Create bank-test-data in account 111122223333"));

    // Again: nothing is asked, nothing changes, nothing is tried.
    let again = world.deploy("", ASKING).await.unwrap().unwrap();
    assert_eq!((again.outcome, again.check), (Outcome::Unchanged, None));
    assert_eq!(world.inner().done.len(), expected.len());
    assert_eq!(history(&world).len(), 1);
}

#[tokio::test]
async fn a_dry_run_of_a_first_deployment_touches_nothing() {
    let world = World::new();
    let report = world.deploy("", DRY_RUN).await.unwrap().unwrap();
    assert_eq!(report.outcome, Outcome::DryRun);
    assert!(world.inner().done.is_empty() && world.inner().objects.is_empty() && world.inner().stacks.is_empty());
    let said = world.said();
    for expected in ["StateTable", "ControllerFunction", "Nothing was changed"] {
        assert!(said.contains(expected), "no {expected} in:\n{said}");
    }
}

#[tokio::test]
async fn a_dry_run_of_an_update_uploads_no_function() {
    let world = World::new();
    let first = world.deploy("", QUIETLY).await.unwrap().unwrap();
    let now = || {
        let inner = world.inner();
        (inner.done.clone(), inner.stacks.clone())
    };
    let before = now();
    let engine = world.engine(DRY_RUN);
    let begun = engine.begin(effective("")).await.unwrap().unwrap();
    let report = engine.deploy(begun, &binaries("another"), Architecture::Arm64).await.unwrap();
    assert_ne!(report.release, first.release);
    assert_eq!(now(), before);
    let functions = world.inner().objects.keys().filter(|key| key.starts_with("functions/")).count();
    assert_eq!(functions, stacks::FUNCTIONS.len());
    assert_eq!(history(&world), [first.release]);
}

#[tokio::test]
async fn a_refusal_leaves_nothing_behind_but_what_was_agreed_to() {
    let world = World::new();
    let refused = world.deploy("", ASKING).await.unwrap_err();
    assert_eq!((refused.exit, refused.sentence.as_str()), (Exit::Failed, "nothing was changed"));
    assert!(world.inner().stacks.is_empty(), "{:?}", world.inner().stacks);
    world.inner().answers.push_back(Confirmation::Yes);
    let refused = world.deploy("", ASKING).await.unwrap_err().sentence;
    assert_eq!(refused, "not deployed; the stack bank-test-data is there and stays");
    assert_eq!(world.inner().stacks.keys().collect::<Vec<_>>(), ["bank-test-data"]);
    // A pipeline cannot answer.
    world.inner().answers.push_back(Confirmation::NotAsked);
    let refused = world.deploy("", ASKING).await.unwrap_err().sentence;
    assert!(refused.contains("give --yes"), "{refused}");
}

#[tokio::test]
async fn a_role_that_is_not_known_yet_is_given_one_more_try() {
    for (times, status) in [(1, "ROLLBACK_COMPLETE"), (1, "ROLLBACK_FAILED"), (2, "ROLLBACK_COMPLETE")] {
        let world = World::new();
        for _ in 0..times {
            world.inner().endings.push_back((main_stack(), status, ROLE_UNKNOWN));
        }
        let result = world.deploy("", QUIETLY).await;
        assert_eq!(world.said().matches("Trying once more").count(), 1, "{}", world.said());
        let creations = world.inner().done.iter().filter(|done| **done == format!("create {}", main_stack())).count();
        assert_eq!(creations, 2);
        match result {
            Ok(_) => assert_eq!(times, 1),
            Err(failure) => {
                assert_eq!(times, 2);
                assert!(failure.sentence.contains(ROLE_UNKNOWN), "{failure}");
                assert!(!failure.sentence.contains("cancelled"), "{failure}");
            }
        }
    }
}

#[tokio::test]
async fn a_failure_names_the_first_cause_and_ends_the_run() {
    let world = World::new();
    world.deploy("", QUIETLY).await.unwrap();
    let before = release_of(&world);
    world.inner().endings.push_back((main_stack(), "UPDATE_ROLLBACK_COMPLETE", "The bucket is missing"));
    let failed = world.deploy("[policy.counts]\nlevel_1_failures = 7", QUIETLY).await.unwrap_err().sentence;
    let expected = "the update of bank-test failed and was rolled back: the stack is as it was before. What failed:\n  \
                    LevelTransitionStateMachine (AWS::StepFunctions::StateMachine): The bucket is missing";
    assert_eq!(failed, expected);
    assert_eq!((release_of(&world), history(&world)), (before.clone(), vec![before]));
    assert_eq!(world.inner().checked, 1, "what was rolled back was tried");
}

#[tokio::test]
async fn a_failed_start_takes_its_own_table_and_key_with_it() {
    let world = World::new();
    world.deploy("", QUIETLY).await.unwrap();
    {
        let mut inner = world.inner();
        inner.done.clear();
        inner.stacks.get_mut("bank-test-data").unwrap().status = "ROLLBACK_FAILED".to_owned();
        inner.tables.insert(TABLE.to_owned());
        let data = "bank-test-data".to_owned();
        let table = resource("AWS::DynamoDB::Table", "DELETE_FAILED", TABLE);
        inner.resources.insert((data.clone(), "StateTable".to_owned()), table);
        let key = resource("AWS::KMS::Key", "DELETE_COMPLETE", "key-1");
        inner.resources.insert((data, "EncryptionKey".to_owned()), key);
    }
    assert_eq!(world.deploy("", DRY_RUN).await.unwrap(), None);
    assert!(world.inner().done.is_empty() && world.said().contains("What is left of it goes first"));
    world.deploy("", QUIETLY).await.unwrap();
    let done = world.inner().done.clone();
    let table = format!("delete table {TABLE}");
    assert_eq!(done[..4], [&table, &format!("delete {ALIAS}"), "end key key-1", "delete bank-test-data"], "{done:?}");

    // A table that the attempt did not make stays.
    let world = World::new();
    let failed = StackView { status: "ROLLBACK_COMPLETE".to_owned(), ..StackView::default() };
    world.inner().stacks.insert("bank-test-data".to_owned(), failed);
    let table = resource("AWS::DynamoDB::Table", "CREATE_FAILED", TABLE);
    world.inner().resources.insert(("bank-test-data".to_owned(), "StateTable".to_owned()), table);
    world.deploy("", QUIETLY).await.unwrap();
    assert!(!world.inner().done.iter().any(|done| done.starts_with("delete table")), "{:?}", world.inner().done);
}

#[tokio::test]
async fn stacks_that_cannot_be_changed_are_named_with_the_remedy() {
    for (status, remedy) in [
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
        ("DELETE_FAILED", "breaker destroy"),
        ("UPDATE_IN_PROGRESS", "by another session"),
    ] {
        let world = World::new();
        let view = StackView { status: status.to_owned(), ..StackView::default() };
        world.inner().stacks.insert(main_stack(), view);
        let refused = world.deploy("", QUIETLY).await.unwrap_err().sentence;
        assert!(refused.contains("bank-test") && refused.contains(remedy), "{refused}");
        assert!(world.inner().done.is_empty());
    }
}

#[tokio::test]
async fn an_old_single_stack_and_leftovers_are_refused() {
    let world = World::new();
    let view = StackView { status: "UPDATE_COMPLETE".to_owned(), ..StackView::default() };
    world.inner().stacks.insert(main_stack(), view);
    let table = resource("AWS::DynamoDB::Table", "CREATE_COMPLETE", TABLE);
    world.inner().resources.insert((main_stack(), "StateTable".to_owned()), table);
    let refused = world.deploy("", QUIETLY).await.unwrap_err().sentence;
    assert!(refused.starts_with("the stack bank-test is of an earlier release"), "{refused}");
    assert!(refused.contains("breaker destroy --delete-data"), "{refused}");

    let world = World::new();
    world.inner().tables.insert(TABLE.to_owned());
    let refused = world.deploy("", QUIETLY).await.unwrap_err().sentence;
    assert!(refused.starts_with(&format!("the table {TABLE} is there")), "{refused}");
    assert!(world.inner().done.is_empty() && refused.contains("bank-test-data"), "{refused}");
}

#[tokio::test]
async fn too_little_concurrency_is_refused() {
    let world = World::new();
    let reserving = "[limits]\ncontrol_plane_concurrency = 5\nfull_concurrency = 500";
    world.inner().unreserved = 619;
    let refused = world.deploy(reserving, QUIETLY).await.unwrap_err().sentence;
    assert!(refused.contains("the account has 619"), "{refused}");
    world.inner().unreserved = 620;
    world.deploy(reserving, QUIETLY).await.unwrap();
    // What the deployment's functions reserve already they may reserve again.
    for (logical, name, reserved) in [("Full", "full", 500), ("Write", "write", 5), ("Evaluate", "evaluate", 15)] {
        let function = resource("AWS::Lambda::Function", "CREATE_COMPLETE", name);
        world.inner().resources.insert((main_stack(), logical.to_owned()), function);
        world.inner().reserved.insert(name.to_owned(), reserved);
    }
    world.inner().unreserved = 100;
    world.deploy(reserving, QUIETLY).await.unwrap();
    world.inner().unreserved = 99;
    assert!(world.deploy(reserving, QUIETLY).await.is_err());
}

#[tokio::test]
async fn throttle_and_reservations_follow_from_the_account() {
    let world = World::new();
    let report = world.deploy("", QUIETLY).await.unwrap().unwrap();
    let parameters = |world: &World| {
        let inner = world.inner();
        let parameters = &inner.stacks[&main_stack()].parameters;
        (parameters["ApiLimits"].clone(), parameters["ConcurrencyLimits"].clone())
    };
    let capacity = report.capacity.unwrap();
    let Capacity { requests_per_second: rate, burst, full_concurrency: cap, .. } = capacity;
    assert!(capacity.holds && cap > 0 && burst < 200, "{capacity:?}");
    assert_eq!(parameters(&world), (format!("{rate},{burst},10,20"), format!("4,{cap},0,0")));
    assert!(world.said().contains(&format!("limits.full_concurrency = {cap} follows from this")), "{}", world.said());
    assert!(world.said().contains(&format!("Warning: api.burst is lowered from 200 (the default) to {burst}")));
    // Another team reserves ten executions.
    world.inner().unreserved -= 10;
    assert_eq!(world.deploy("", QUIETLY).await.unwrap().unwrap().release, report.release);
    // The file's values win, and nothing is derived if they do not hold.
    let file = "[api]\nburst = 300\n[limits]\nfull_concurrency = 50";
    world.deploy(file, QUIETLY).await.unwrap().unwrap();
    assert_eq!(parameters(&world), ("100,300,10,20".to_owned(), "0,50,0,0".to_owned()));
    assert!(world.said().contains("a healthy level 1 needs"), "{}", world.said());
}

#[tokio::test]
async fn a_limit_that_cannot_be_read_changes_nothing() {
    let world = World::new();
    world.inner().refused.insert("account settings");
    let file = "[limits]\ncontrol_plane_concurrency = 5";
    let report = world.deploy(file, QUIETLY).await.unwrap().unwrap();
    assert_eq!(report.capacity, None);
    let said = world.said();
    assert!(said.contains("account settings is not authorized. Throttle and reservations stay"), "{said}");
    let parameters = world.inner().stacks[&main_stack()].parameters.clone();
    assert_eq!(
        (parameters["ApiLimits"].as_str(), parameters["ConcurrencyLimits"].as_str()),
        ("100,200,10,20", "5,0,0,0")
    );
}

#[tokio::test]
async fn a_function_of_your_own_is_asked_for_its_timeout() {
    let arn = "arn:aws:lambda:eu-central-1:111122223333:function:accounts";
    let world = World::new();
    world.inner().timeouts.insert(format!("{arn}:live"), 3);
    world.inner().reserved.insert(arn.to_owned(), 400);
    let file = format!("[services]\nfull = \"{arn}:live\"");
    let capacity = world.deploy(&file, QUIETLY).await.unwrap().unwrap().capacity.unwrap();
    assert_eq!((capacity.level_1_cap, capacity.level_1, capacity.controller_milliseconds), (Some(400), 0, 3_250));

    world.inner().refused.insert("function configuration");
    assert_eq!(world.deploy(&file, QUIETLY).await.unwrap().unwrap().capacity, None);
    assert!(world.said().contains("function configuration is not authorized"), "{}", world.said());
    assert_eq!(world.inner().stacks[&main_stack()].parameters["ApiLimits"], "100,200,10,20");
    // The account's limit is known all the same.
    let refused = world.deploy(&format!("{file}\n[limits]\ndegraded_concurrency = 1000"), QUIETLY).await.unwrap_err();
    assert!(refused.sentence.contains("reserve 1000 concurrent executions"), "{}", refused.sentence);
}

#[tokio::test]
async fn an_outage_does_not_remove_derived_values() {
    let arn = "arn:aws:lambda:eu-central-1:111122223333:function:accounts";
    let file = format!("[services]\nfull = \"{arn}\"");
    let world = World::new();
    world.inner().timeouts.insert(arn.to_owned(), 3);
    world.deploy(&file, QUIETLY).await.unwrap();
    for call in ["account settings", "function concurrency", "function configuration"] {
        world.inner().done.clear();
        world.inner().slow = [call].into();
        let failed = world.deploy(&file, QUIETLY).await.unwrap_err();
        assert_eq!(failed.exit, Exit::Failed, "{}", failed.sentence);
        assert!(failed.sentence.contains(call) && world.inner().done.is_empty(), "{}", failed.sentence);
    }
}

#[tokio::test]
async fn releases_that_cannot_be_read_are_not_taken_for_none() {
    let world = World::new();
    let first = world.deploy("", QUIETLY).await.unwrap().unwrap().release;
    world.inner().done.clear();
    world.inner().refused.insert("get");
    let failed = world.deploy("[policy.counts]\nlevel_1_failures = 7", QUIETLY).await.unwrap_err().sentence;
    assert!(failed.contains("get is not authorized"), "{failed}");
    assert!(world.inner().done.is_empty(), "it was deployed all the same: {:?}", world.inner().done);
    assert_eq!(history(&world), [first]);
}

#[tokio::test]
async fn a_check_that_fails_says_how_to_go_back() {
    let world = World::new();
    world.inner().refused.insert("check");
    let report = world.deploy("", QUIETLY).await.unwrap().unwrap();
    let failed = report.failure().unwrap();
    let expected = format!(
        "the release {} is deployed, and it does not work (back: breaker rollback). What failed:\n  request: the controller \
         answers 500 to the status",
        report.release
    );
    assert_eq!((failed.exit, failed.sentence), (Exit::Failed, expected));
    assert_eq!(history(&world), [report.release], "it is deployed, and can be gone back to");
    let unchecked = Manner { check: false, ..QUIETLY };
    world.deploy("[policy.counts]\nlevel_1_failures = 7", unchecked).await.unwrap();
}

#[tokio::test]
async fn a_bucket_that_is_not_finished_is_finished() {
    let world = World::new();
    world.inner().bucket = Some(BucketState::Unfinished);
    world.deploy("", QUIETLY).await.unwrap();
    assert_eq!(world.inner().done[0], "secure bucket");
    world.inner().bucket = Some(BucketState::Missing);
    let refused = world.deploy("[policy.counts]\nlevel_1_failures = 7", DRY_RUN).await.unwrap_err().sentence;
    assert!(refused.contains("the bucket bank-artifacts is missing"), "{refused}");
}
