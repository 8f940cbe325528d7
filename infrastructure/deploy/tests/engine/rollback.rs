//! Rollback, and the update of one function.

use deploy::report::Outcome;

use crate::world::{QUIETLY, World, binaries, effective};
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
    let back = engine.rollback(&effective("")).await.unwrap();
    assert_eq!((back.release, back.outcome), (first.clone(), Outcome::Changed));
    assert!(!world.inner().done.iter().any(|done| done.contains("-data")), "{:?}", world.inner().done);
    let mut expected = template;
    expected.insert("GradualDeployment".to_owned(), "false".to_owned());
    assert_eq!(world.inner().stacks[&main_stack()].parameters, expected);
    // The record keeps what the release is to be.
    assert_eq!(recorded(&world, &first).stacks()[1].parameters["GradualDeployment"], "true");
    assert_eq!(history(&world), [first]);
    assert!(world.inner().objects.contains_key(&format!("releases/bank-test/{}.json", second.release)));
    let further = engine.rollback(&effective("")).await.unwrap_err().sentence;
    assert!(further.starts_with("there is no release before"), "{further}");
    let nothing = World::new().engine(QUIETLY).rollback(&effective("")).await.unwrap_err().sentence;
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
    let refused = world.engine(QUIETLY).rollback(&effective("")).await.unwrap_err().sentence;
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
    assert_eq!(world.engine(QUIETLY).rollback(&effective("")).await.unwrap().release, releases[1]);
    assert_eq!(history(&world), releases[..2]);
}

#[tokio::test]
async fn a_release_that_was_never_complete_is_left_for_the_last_one() {
    let world = World::new();
    let first = world.deploy("", QUIETLY).await.unwrap().unwrap().release;
    let mut half = world.inner().stacks[&main_stack()].clone();
    half.parameters.insert("ReleaseId".to_owned(), "unrecorded".to_owned());
    world.inner().stacks.insert(main_stack(), half);
    assert_eq!(world.engine(QUIETLY).rollback(&effective("")).await.unwrap().release, first);
    assert_eq!(history(&world), [first]);
}

#[tokio::test]
async fn one_functions_code_is_not_updated_in_another_account() {
    let world = World::new();
    world.deploy("", QUIETLY).await.unwrap();
    let other = effective("[deployment]\naccount = \"999999999999\"");
    let refused = world.engine(QUIETLY).begin_only(&other).await.unwrap_err().sentence;
    assert!(refused.contains("deployment.account"), "{refused}");
}

#[tokio::test]
async fn one_functions_code_is_updated_alone() {
    let world = World::new();
    let early = world.engine(QUIETLY).begin_only(&effective("")).await.unwrap_err().sentence;
    assert!(early.ends_with("deploy all of it first"), "{early}");
    let first = world.deploy("", QUIETLY).await.unwrap().unwrap().release;
    let before = recorded(&world, &first).stacks()[1].parameters["CodeKeys"].clone();
    world.inner().done.clear();
    let engine = world.engine(QUIETLY);
    let binaries = binaries("another");
    let only = engine.begin_only(&effective("")).await.unwrap();
    let report = engine.only(only, &binaries[1]).await.unwrap();
    assert_eq!(world.inner().done, [format!("update {}", main_stack())]);
    let release = recorded(&world, &report.release);
    let after = release.stacks()[1].parameters["CodeKeys"].clone();
    let differ: Vec<_> = before.split(',').zip(after.split(',')).filter(|(old, new)| old != new).collect();
    assert_eq!(differ.len(), 1);
    assert_eq!(differ[0].1, binaries[1].key());
    assert_eq!((history(&world), release_of(&world)), (vec![first.clone(), report.release.clone()], report.release));
    // And back.
    assert_eq!(engine.rollback(&effective("")).await.unwrap().release, first);
}
