//! Tests that releases can share the table: this release reads items that the binaries of the first edition wrote on
//! the local AWS (November 24th, 2026), and a writer keeps attributes that it does not know.

use std::collections::HashMap;

use aws_edge::stores::state::{CommandReader, HistoryReader, StateReader, StateTable, StateWriter};
use aws_sdk_dynamodb::types::AttributeValue;
use breaker::{Expected, SCHEMA_VERSION, STATE_KEY, StateWrite, Stored, SystemState};
use deploy::names::DataNames;
use operate::aws::RecordsTable;
use operate::ports::CommandsOfEpoch;
use serde::Deserialize;

use crate::{Bench, QUIETLY, hollow_artifacts, run};

type Item = HashMap<String, AttributeValue>;

/// Name of an attribute that only a newer release knows, in the item and in its maps.
const UNKNOWN: &str = "fromANewerRelease";

/// Items of the first edition: states by the attribute that they show, and records.
#[derive(Deserialize)]
struct FirstEdition {
    states: HashMap<String, serde_dynamo::Item>,
    records: Vec<serde_dynamo::Item>,
}

impl FirstEdition {
    fn read() -> Self {
        serde_json::from_str(include_str!("first-edition.json")).unwrap()
    }

    fn state(&self, name: &str) -> Item {
        self.states[name].clone().into()
    }
}

/// Deploys functions that do nothing, so that only the test writes to the table. Returns the table.
async fn table(project: &str) -> (Bench, StateTable) {
    let bench = Bench::open(project).await;
    bench.deploy_from(hollow_artifacts().path(), &[], QUIETLY).await.unwrap();
    let table = StateTable::new(bench.tables(), bench.names.table());
    (bench, table)
}

impl Bench {
    async fn put(&self, item: Item) {
        self.tables().put_item().table_name(self.names.table()).set_item(Some(item)).send().await.unwrap();
    }
}

async fn state(table: &StateTable) -> SystemState {
    match table.read().await.unwrap() {
        Stored::State(state) => *state,
        other => panic!("{other:?}"),
    }
}

/// Writes the state again, like an evaluation that does not move the level.
async fn write_again(table: &StateTable) -> SystemState {
    let before = state(table).await;
    let after = SystemState { version: before.version + 1, execution: "arn:another".to_owned(), ..before.clone() };
    let expected = Expected::Version { version: before.version, epoch: before.epoch };
    let write = StateWrite { expected, state: after.clone(), transition: None, command: None };
    table.write(&write).await.unwrap();
    after
}

#[test]
fn items_of_the_first_edition_are_read_and_written_on() {
    run(async {
        let (bench, table) = table("earlier").await;
        let first = FirstEdition::read();
        for record in &first.records {
            bench.put(record.clone().into()).await;
        }
        for name in ["initial", "held", "forced", "probing", "ramp"] {
            bench.put(first.state(name)).await;
            let read = state(&table).await;
            assert_eq!(read.check(), Ok(()), "{name}");
            let has =
                [("held", read.hold.is_some()), ("probing", read.probing.is_some()), ("ramp", read.ramp.is_some())];
            for (part, there) in has {
                assert_eq!(there, name == part || (name == "forced" && part == "held"), "{name}: {part}");
            }
            assert_eq!(write_again(&table).await, state(&table).await, "{name}");
            // Attributes that were added since do not raise the version, so the first edition can read the item.
            let written = bench.item(STATE_KEY).await.unwrap();
            assert_eq!(written["schemaVersion"], first.state(name)["schemaVersion"], "{name}");
            assert_eq!(written["schemaVersion"], AttributeValue::N(SCHEMA_VERSION.to_string()));
        }
        let transitions = table.transitions(2, 100).await.unwrap();
        assert_eq!((transitions.records.len(), transitions.left_out), (3, 0));
        let records = RecordsTable::new(bench.stack.sdk(), &bench.names.table());
        let ended = records.commands_of(1).await.unwrap();
        assert_eq!((ended.records.len(), ended.left_out), (2, 0), "a force and the release after it");
        for command in ended.records {
            assert_eq!(table.command(&command.name).await.unwrap(), Some(command));
        }
    });
}

#[test]
fn a_writer_keeps_the_attributes_that_it_does_not_know() {
    run(async {
        let (bench, table) = table("unknown").await;
        let first = FirstEdition::read();
        let unknown = || AttributeValue::S("kept".to_owned());
        for (name, map) in [("held", "hold"), ("probing", "probing"), ("ramp", "ramp")] {
            let mut item = first.state(name);
            item.insert(UNKNOWN.to_owned(), unknown());
            let mut members = item[map].as_m().unwrap().clone();
            members.insert(UNKNOWN.to_owned(), unknown());
            item.insert(map.to_owned(), AttributeValue::M(members));
            bench.put(item).await;
            write_again(&table).await;
            let written = bench.item(STATE_KEY).await.unwrap();
            assert_eq!(written.get(UNKNOWN), Some(&unknown()), "{name}");
            // A map is written whole, so that a new hold inherits no member of the old one.
            assert_eq!(written[map].as_m().unwrap().get(UNKNOWN), None, "{map}");
        }
    });
}
