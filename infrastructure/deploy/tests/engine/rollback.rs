//! Rollback, and the update of one function.

use deploy::report::Outcome;

use stacks::Role;

use crate::world::{QUIETLY, World, binaries, names};
use crate::{history, main_stack, recorded, release_of};

#[tokio::test]
async fn a_rollback_deploys_what_was_there_before_all_at_once() {
    let world = World::new();
    let gradual = "[deployment]\ngradual = true";
    let first = world.deploy(gradual, QUIETLY).await.unwrap().unwrap().release;
    let template = world.inner().stacks[&main_stack()].parameters.clone();
    let second =
        world.deploy(&format!("{gradual}\n[policy.counts]\nlevel_1_failures = 7"), QUIETLY).await.unwrap().unwrap();
    assert!(world.said().contains("A gradual deployment"), "{}", world.said());
    world.inner().done.clear();
    let engine = world.engine(QUIETLY);
    let back = engine.rollback().await.unwrap();
    assert_eq!((back.release, back.outcome), (first.clone(), Outcome::Changed));
    assert!(!world.inner().done.iter().any(|done| done.contains("-data")), "{:?}", world.inner().done);
    let mut expected = template;
    expected.insert("GradualDeployment".to_owned(), "false".to_owned());
    assert_eq!(world.inner().stacks[&main_stack()].parameters, expected);
    // The record keeps what the release is to be.
    assert_eq!(recorded(&world, &first).stacks()[1].parameters["GradualDeployment"], "true");
    assert_eq!(history(&world), [first]);
    assert!(world.inner().objects.contains_key(&format!("releases/bank-test/{}.json", second.release)));
    let further = engine.rollback().await.unwrap_err().sentence;
    assert!(further.starts_with("there is no release before"), "{further}");
    let nothing = World::new().engine(QUIETLY).rollback().await.unwrap_err().sentence;
    assert!(nothing.starts_with("there is no stack bank-test to roll back"), "{nothing}");
}

#[tokio::test]
async fn a_rollback_across_a_raise_of_the_schema_is_refused() {
    let world = World::new();
    let first = world.deploy("", QUIETLY).await.unwrap().unwrap().release;
    let second = world.deploy("[policy.counts]\nlevel_1_failures = 7", QUIETLY).await.unwrap().unwrap().release;
    let mut raised = recorded(&world, &second);
    raised.schema_version += 1;
    let key = format!("releases/bank-test/{second}.json");
    world.inner().objects.insert(key, serde_json::to_vec(&raised).unwrap());
    world.inner().done.clear();
    let refused = world.engine(QUIETLY).rollback().await.unwrap_err().sentence;
    assert!(refused.starts_with(&format!("the release {first} writes the state in schema 1")), "{refused}");
    assert!(world.inner().done.is_empty());
}

#[tokio::test]
async fn an_interrupted_rollback_is_finished_by_the_next() {
    let world = World::new();
    let mut releases = Vec::new();
    for threshold in [5, 6, 7] {
        let text = format!("[policy.counts]\nlevel_1_failures = {threshold}");
        releases.push(world.deploy(&text, QUIETLY).await.unwrap().unwrap().release);
    }
    // The session ended when main was at the second release and nothing was recorded.
    let mut main = world.inner().stacks[&main_stack()].clone();
    main.parameters.insert("ReleaseId".to_owned(), releases[1].clone());
    world.inner().stacks.insert(main_stack(), main);
    assert_eq!(world.engine(QUIETLY).rollback().await.unwrap().release, releases[1]);
    assert_eq!(history(&world), releases[..2]);
}

#[tokio::test]
async fn a_release_that_was_never_complete_is_left_for_the_last_one() {
    let world = World::new();
    let first = world.deploy("", QUIETLY).await.unwrap().unwrap().release;
    let mut half = world.inner().stacks[&main_stack()].clone();
    half.parameters.insert("ReleaseId".to_owned(), "unrecorded".to_owned());
    world.inner().stacks.insert(main_stack(), half);
    assert_eq!(world.engine(QUIETLY).rollback().await.unwrap().release, first);
    assert_eq!(history(&world), [first]);
}

#[tokio::test]
async fn half_a_deployment_is_named_and_finished_by_the_next() {
    let world = World::new();
    let monitoring = names().stack(Role::Monitoring);
    let fails = || (monitoring.clone(), "UPDATE_ROLLBACK_COMPLETE", "an alarm is invalid");
    let first = world.deploy("", QUIETLY).await.unwrap().unwrap().release;
    // Brakes and level alarms have this period, so both stacks change.
    let changed = "[alerts]\nlevel_alarm_period_seconds = 20";
    world.inner().endings.push_back(fails());
    world.deploy(changed, QUIETLY).await.unwrap_err();
    let half = release_of(&world);
    assert_eq!(history(&world), std::slice::from_ref(&first), "it is not complete");
    assert_eq!(recorded(&world, &half).id, half);
    let engine = world.engine(QUIETLY);
    let refused = engine.begin_only().await.unwrap_err().sentence;
    let expected = format!(
        "the deployment of release {half} stopped half way: the stack {monitoring} is not at this release. Finish it with \
         the same options as then: breaker deploy --environment test --project-name bank --region eu-central-1, or go back \
         with: breaker rollback --environment test --project-name bank --region eu-central-1"
    );
    assert_eq!(refused, expected);
    world.inner().done.clear();
    assert_eq!(world.deploy(changed, QUIETLY).await.unwrap().unwrap().release, half);
    assert_eq!(world.inner().done, [format!("update {monitoring}")]);
    assert_eq!(history(&world), [first.clone(), half.clone()]);
    engine.begin_only().await.unwrap();
    // Or back.
    world.inner().endings.push_back(fails());
    world.deploy("[alerts]\nlevel_alarm_period_seconds = 30", QUIETLY).await.unwrap_err();
    assert_eq!(engine.rollback().await.unwrap().release, half);
    assert_eq!(history(&world), [first, half]);
}

#[tokio::test]
async fn half_a_first_deployment_names_the_missing_stack() {
    let world = World::new();
    let monitoring = names().stack(Role::Monitoring);
    world.inner().endings.push_back((monitoring.clone(), "ROLLBACK_COMPLETE", "an alarm is invalid"));
    world.deploy("", QUIETLY).await.unwrap_err();
    let refused = world.engine(QUIETLY).begin_only().await.unwrap_err().sentence;
    let missing = format!("the first deployment of the stack {monitoring} failed (ROLLBACK_COMPLETE). Finish it with");
    assert!(refused.contains(&missing) && !refused.contains("rollback"), "{refused}");
    world.inner().stacks.remove(&monitoring);
    let refused = world.engine(QUIETLY).begin_only().await.unwrap_err().sentence;
    assert!(refused.contains(&format!("there is no stack {monitoring}. Finish")), "{refused}");
    // All stacks are there, and only the record of it is missing.
    world.inner().refused.insert("put history");
    world.deploy("", QUIETLY).await.unwrap_err();
    let refused = world.engine(QUIETLY).begin_only().await.unwrap_err().sentence;
    assert!(refused.contains("all stacks are at this release, but its end is not recorded"), "{refused}");
    world.inner().refused.clear();
    let done = world.deploy("", QUIETLY).await.unwrap().unwrap();
    assert_eq!((history(&world), done.outcome), (vec![done.release], Outcome::Unchanged));
}

#[tokio::test]
async fn one_functions_code_is_updated_alone() {
    let world = World::new();
    let early = world.engine(QUIETLY).begin_only().await.unwrap_err().sentence;
    assert!(early.contains("deploy all of it first: breaker deploy --environment test"), "{early}");
    let first = world.deploy("", QUIETLY).await.unwrap().unwrap().release;
    let before = recorded(&world, &first).stacks()[1].parameters["CodeKeys"].clone();
    world.inner().done.clear();
    let engine = world.engine(QUIETLY);
    let binaries = binaries("another");
    let only = engine.begin_only().await.unwrap();
    let report = engine.only(only, &binaries[1]).await.unwrap();
    assert_eq!(world.inner().done, [format!("update {}", main_stack())]);
    let release = recorded(&world, &report.release);
    let after = release.stacks()[1].parameters["CodeKeys"].clone();
    let differ: Vec<_> = before.split(',').zip(after.split(',')).filter(|(old, new)| old != new).collect();
    assert_eq!(differ.len(), 1);
    assert_eq!(differ[0].1, binaries[1].key());
    assert_eq!((history(&world), release_of(&world)), (vec![first.clone(), report.release.clone()], report.release));
    // And back.
    assert_eq!(engine.rollback().await.unwrap().release, first);
}
