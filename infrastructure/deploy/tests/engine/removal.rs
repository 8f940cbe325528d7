//! Removal: what goes, what stays, and what is said of it.

use deploy::ports::DataKey;
use operate::ports::Confirmation;

use crate::world::{ASKING, DRY_RUN, QUIETLY, World};
use crate::{ALIAS, TABLE, all};

/// A deployment with its table and key.
async fn deployed() -> World {
    let world = World::new();
    world.deploy("", QUIETLY).await.unwrap();
    let mut inner = world.inner();
    inner.done.clear();
    inner.said.clear();
    inner.tables.insert(TABLE.to_owned());
    inner.keys.insert(ALIAS.to_owned(), DataKey { id: "key-1".to_owned(), ends: false });
    drop(inner);
    world
}

#[tokio::test]
async fn a_removal_keeps_the_data_and_the_next_deployment_finds_it() {
    let world = deployed().await;
    let refused = world.engine(ASKING).destroy(false).await.unwrap_err().sentence;
    assert_eq!(refused, "nothing was changed");
    assert!(world.inner().questions[0].ends_with("[bank-test]"), "{:?}", world.inner().questions);
    let shown = world.engine(DRY_RUN).destroy(false).await.unwrap();
    assert!(shown.dry_run && world.inner().done.is_empty());

    let gone = world.engine(QUIETLY).destroy(false).await.unwrap();
    let mut stacks = all();
    stacks.remove(0);
    stacks.reverse();
    let deletions: Vec<_> = stacks.iter().map(|stack| format!("delete {stack}")).collect();
    assert_eq!((world.inner().done.clone(), gone.removed.clone()), (deletions, stacks));
    assert_eq!(gone.kept.len(), 3, "{gone:?}");
    assert!(world.said().contains(&format!("Kept: the table {TABLE}")), "{}", world.said());
    assert!(!world.inner().objects.keys().any(|key| key.starts_with("releases/")));

    let again = world.deploy("", QUIETLY).await.unwrap().unwrap();
    assert!(!again.changes.iter().any(|stack| stack.stack.ends_with("-data") && stack.new), "{again:?}");
}

#[tokio::test]
async fn one_typed_confirmation_removes_the_data_too() {
    let world = deployed().await;
    world.inner().answers.push_back(Confirmation::Yes);
    let gone = world.engine(ASKING).destroy(true).await.unwrap();
    assert_eq!(world.inner().questions.len(), 1);
    let done = world.inner().done.clone();
    let tail = [
        "delete bank-test-data".to_owned(),
        format!("delete table {TABLE}"),
        format!("delete {ALIAS}"),
        "end key key-1".to_owned(),
    ];
    assert!(done.ends_with(&tail), "{done:?}");
    assert!(gone.kept.is_empty() && !world.said().contains("Kept"), "{}", world.said());
    let nothing = world.engine(ASKING).destroy(true).await.unwrap();
    assert!(nothing.removed.is_empty() && world.said().contains("There is no stack"), "{}", world.said());
}

#[tokio::test]
async fn nothing_of_the_data_goes_while_it_is_unknown_what_is_there() {
    for (call, expected) in [("describe table", "whether the table"), ("describe key", "whether the key")] {
        let world = deployed().await;
        world.inner().refused.insert(call);
        let failed = world.engine(QUIETLY).destroy(true).await.unwrap_err().sentence;
        assert!(failed.contains(&format!("it is unknown {expected}")) && failed.contains("not authorized"), "{failed}");
        assert!(world.inner().done.is_empty(), "{call}: {:?}", world.inner().done);
    }
}

/// `CloudFormation` refuses to delete a stack whose exports another one imports: it is back at its status then.
#[tokio::test]
async fn a_stack_that_stays_is_not_called_gone() {
    let world = deployed().await;
    world.inner().imported.insert("bank-test".to_owned());
    let failed = world.engine(QUIETLY).destroy(true).await.unwrap_err().sentence;
    assert!(failed.starts_with("not deleted: the stack bank-test ended as CREATE_COMPLETE"), "{failed}");
    assert!(!world.said().contains("The stack bank-test is gone"), "{}", world.said());
    assert!(world.inner().tables.contains(TABLE) && !world.inner().done.iter().any(|done| done.contains("data")));
    assert!(world.inner().objects.keys().any(|key| key.starts_with("releases/")));

    world.inner().imported = [String::from("bank-test-data")].into();
    world.engine(QUIETLY).destroy(true).await.unwrap_err();
    assert!(world.inner().tables.contains(TABLE) && !world.inner().keys[ALIAS].ends, "{:?}", world.inner().done);
}

#[tokio::test]
async fn releases_that_stay_in_the_bucket_are_told() {
    let world = deployed().await;
    world.inner().refused.insert("remove all");
    world.engine(QUIETLY).destroy(false).await.unwrap();
    assert!(world.said().contains("the recorded releases are still in the bucket"), "{}", world.said());
}

#[tokio::test]
async fn data_that_no_stack_has_is_not_promised_to_the_next() {
    let world = deployed().await;
    world.inner().stacks.remove("bank-test-data");
    world.engine(QUIETLY).destroy(false).await.unwrap();
    assert!(world.said().contains("no later deployment can take it over"), "{}", world.said());
}
