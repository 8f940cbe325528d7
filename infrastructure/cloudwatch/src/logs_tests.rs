use std::sync::Mutex;

use super::*;

fn event(stream: &str, at: i64, message: &str) -> LogEvent {
    LogEvent { stream: stream.to_owned(), at, message: message.to_owned() }
}

#[test]
fn equal_events_count_as_often_as_they_were_written() {
    let mut seen = Seen::default();
    let twin = event("s", 5, "x");
    assert_eq!(seen.fresh(vec![twin.clone()], 0).len(), 1);
    assert_eq!(seen.fresh(vec![twin.clone(), twin.clone(), event("t", 5, "x")], 0), [twin.clone(), event("t", 5, "x")]);
    assert_eq!(seen.fresh(vec![twin.clone(), twin, event("t", 5, "x")], 0), []);
}

#[test]
fn a_late_event_between_known_ones_is_found() {
    let mut seen = Seen::default();
    seen.fresh(vec![event("s", 1, "a"), event("s", 9, "c")], 0);
    let again = vec![event("s", 1, "a"), event("t", 5, "b"), event("s", 9, "c")];
    assert_eq!(seen.fresh(again, 0), [event("t", 5, "b")]);
}

#[test]
fn events_that_no_later_read_can_return_are_forgotten() {
    let mut seen = Seen::default();
    seen.fresh(vec![event("s", 1, "a"), event("s", 9, "c")], 0);
    assert_eq!(seen.fresh(vec![event("s", 9, "c")], 2), []);
    assert_eq!(seen.times.len(), 1);
}

#[test]
fn an_event_that_is_missing_from_one_read_is_not_counted_again() {
    let mut seen = Seen::default();
    seen.fresh(vec![event("s", 9, "c")], 0);
    seen.fresh(Vec::new(), 0);
    assert_eq!(seen.fresh(vec![event("s", 9, "c")], 0), []);
}

#[derive(Default)]
struct Server {
    groups: Vec<(String, Vec<LogEvent>)>,
    put: Mutex<Vec<(String, usize)>>,
    refuses: Mutex<bool>,
    reads: Mutex<u32>,
}

impl LogSource for &Server {
    async fn groups(&self, prefix: &str) -> Result<Vec<LogGroup>> {
        let bytes = |events: &[LogEvent]| events.iter().map(|event| event.message.len()).sum::<usize>();
        let groups = self.groups.iter().filter(|(name, _)| name.starts_with(prefix));
        Ok(groups
            .map(|(name, events)| LogGroup { name: name.clone(), bytes: i64::try_from(bytes(events)).unwrap() })
            .collect())
    }

    async fn events(&self, group: &str, from: i64) -> Result<Vec<LogEvent>> {
        *self.reads.lock().unwrap() += 1;
        let (_, events) = self.groups.iter().find(|(name, _)| name == group).unwrap();
        anyhow::ensure!(!events.is_empty(), "gone");
        Ok(events.iter().filter(|event| event.at >= from).cloned().collect())
    }
}

impl MetricSink for &Server {
    async fn put(&self, namespace: &str, data: &[EmbeddedDatum]) -> Result<()> {
        anyhow::ensure!(!*self.refuses.lock().unwrap(), "away");
        self.put.lock().unwrap().push((namespace.to_owned(), data.len()));
        Ok(())
    }
}

fn metric_line(namespace: &str) -> String {
    format!(
        r#"{{"_aws":{{"Timestamp":1,"CloudWatchMetrics":[{{"Namespace":"{namespace}","Metrics":[{{"Name":"m"}}]}}]}},"m":1}}"#
    )
}

fn at(millisecond: i64) -> Timestamp {
    Timestamp::from_millisecond(millisecond).unwrap()
}

#[tokio::test]
async fn each_event_is_put_once_though_it_is_read_again_and_again() {
    let events =
        (0..1200).map(|n| event("s", 100 + n % 3, &metric_line("A"))).chain([event("s", 101, &metric_line("B"))]);
    let server = Server { groups: vec![("/aws/lambda/f".to_owned(), events.collect())], ..Server::default() };
    let mut extraction = Extraction::new(&server, at(0));
    for time in [200, 350, 5000] {
        extraction.look(at(time)).await.unwrap();
    }
    let put = server.put.lock().unwrap().clone();
    assert_eq!(put, [("A".to_owned(), 1000), ("A".to_owned(), 200), ("B".to_owned(), 1)]);
}

#[tokio::test]
async fn a_group_is_read_again_only_after_it_changed() {
    let line = |at| event("s", at, &metric_line("A"));
    let mut server = Server { groups: vec![("/aws/lambda/f".to_owned(), vec![line(100)])], ..Server::default() };
    let mut seen = BTreeMap::new();
    for (time, expected) in [(200, Logs::Changed), (350, Logs::Quiet), (50_000, Logs::Quiet)] {
        let mut extraction = Extraction { groups: seen, ..Extraction::new(&server, at(0)) };
        assert_eq!(extraction.look(at(time)).await.unwrap(), expected);
        seen = extraction.groups;
    }
    assert_eq!(*server.reads.lock().unwrap(), 1);
    server.groups[0].1.push(line(60_000));
    let mut extraction = Extraction { groups: seen, ..Extraction::new(&server, at(0)) };
    assert_eq!(extraction.look(at(60_100)).await.unwrap(), Logs::Changed);
    assert_eq!(server.put.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn refused_metrics_are_put_at_the_next_look() {
    let server = Server {
        groups: vec![("/aws/lambda/f".to_owned(), vec![event("s", 100, &metric_line("A"))])],
        refuses: Mutex::new(true),
        ..Server::default()
    };
    let mut extraction = Extraction::new(&server, at(0));
    extraction.look(at(200)).await.unwrap_err();
    *server.refuses.lock().unwrap() = false;
    extraction.look(at(20_000)).await.unwrap();
    assert_eq!(*server.put.lock().unwrap(), [("A".to_owned(), 1)]);
}

#[tokio::test]
async fn a_group_that_cannot_be_read_does_not_stop_the_others() {
    let server = Server {
        groups: vec![
            ("/aws/lambda/a".to_owned(), Vec::new()),
            ("/aws/lambda/b".to_owned(), vec![event("s", 100, &metric_line("A"))]),
        ],
        ..Server::default()
    };
    Extraction::new(&server, at(0)).look(at(200)).await.unwrap_err();
    assert_eq!(server.put.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn events_from_before_the_start_and_other_groups_are_left_alone() {
    let server = Server {
        groups: vec![
            ("/aws/lambda/f".to_owned(), vec![event("s", 99, &metric_line("A"))]),
            ("/other".to_owned(), vec![event("s", 150, &metric_line("A"))]),
        ],
        ..Server::default()
    };
    Extraction::new(&server, at(100)).look(at(200)).await.unwrap();
    assert_eq!(*server.put.lock().unwrap(), []);
}

#[test]
fn more_values_than_a_datum_takes_become_several() {
    let line = metric_line("A").replace(r#""m":1}"#, &format!(r#""m":{:?}}}"#, vec![1; 301]));
    let lengths: Vec<usize> =
        embedded::parse(&line).into_iter().flat_map(within_limits).map(|datum| datum.values.len()).collect();
    assert_eq!(lengths, [150, 150, 1]);
}
