//! Connections to a front end that goes silent, resets and cuts answers short.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod front_end;

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_edge::clients::{TASK_TIMEOUTS, sdk_config};
use aws_edge::connections::{Connections, IDLE_TIMEOUT, tls, was_never_sent};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_async::time::{SystemTimeSource, TimeSource};
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use front_end::{BOTH, FrontEnd, Reply};
use hyper::Version;

/// A wall clock that a test sets ahead.
#[derive(Clone, Debug)]
struct WallClock(Arc<Mutex<SystemTime>>);

impl WallClock {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(SystemTime::now())))
    }

    fn passes(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }
}

impl TimeSource for WallClock {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}

fn client(front_end: &FrontEnd) -> Connections {
    Connections::new(tls().unwrap(), front_end.trusted(), SystemTimeSource::new())
}

fn request(method: &str, url: &str) -> HttpRequest {
    let mut request = HttpRequest::new(SdkBody::from("{}"));
    request.set_method(method).unwrap();
    request.set_uri(format!("{url}/2015-03-31/functions/f/invocations")).unwrap();
    request
}

/// Sends a request, reads the answer to its end, and lets the client's tasks take the connection back.
async fn post(client: &impl HttpConnector, front_end: &FrontEnd) -> Result<(), ConnectorError> {
    // Far more than any answer takes: a test that waits for an answer that never comes fails here.
    let answer = tokio::time::timeout(Duration::from_secs(20), client.call(request("POST", &front_end.url())));
    let body = ByteStream::new(answer.await.unwrap()?.into_body()).collect().await;
    assert_eq!(body.unwrap().into_bytes(), "{}");
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Sends a request and gives up once the front end has it, as a timeout does.
async fn give_up(client: &impl HttpConnector, front_end: &FrontEnd) {
    let received = front_end.seen().len() + 1;
    tokio::select! {
        answer = client.call(request("POST", &front_end.url())) => panic!("{answer:?}"),
        () = front_end.received(received) => {}
    }
}

#[tokio::test]
async fn a_silent_connection_is_never_used_again() {
    let front_end =
        FrontEnd::start(BOTH, [Reply::answer("{}"), Reply::Silence, Reply::answer("{}"), Reply::answer("{}")]);
    let client = client(&front_end);
    post(&client, &front_end).await.unwrap();
    give_up(&client, &front_end).await;
    post(&client, &front_end).await.unwrap();
    post(&client, &front_end).await.unwrap();
    assert_eq!(front_end.connections(), [1, 1, 2, 2]);
    assert!(front_end.seen().iter().all(|seen| seen.version == Version::HTTP_11));
}

#[tokio::test]
async fn an_sdk_client_retries_on_a_new_connection() {
    // A connection on which an attempt timed out, one that broke, and one that brought a transient error.
    let failures = [Reply::Silence, Reply::HangUp, Reply::Error(500, "InternalServerError")];
    let calls = failures.into_iter().flat_map(|failure| [failure, Reply::answer("{}")]);
    let front_end = FrontEnd::start(BOTH, std::iter::once(Reply::answer("{}")).chain(calls));
    let connector = SharedHttpConnector::new(client(&front_end));
    let environment = [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "b"),
        ("AWS_ENDPOINT_URL", &front_end.url()),
    ];
    let config = sdk_config(&environment.into_iter().collect(), TASK_TIMEOUTS).unwrap();
    let config = config.into_builder().http_client(http_client_fn(move |_, _| connector.clone())).build();
    let dynamodb = aws_sdk_dynamodb::Client::new(&config);
    for _ in 0..4 {
        let read = dynamodb.get_item().table_name("states").key("pk", AttributeValue::S("system-state".into()));
        read.send().await.unwrap();
    }
    let seen = front_end.connections();
    assert_eq!(seen.len(), 7, "{seen:?}");
    for failed in [1, 3, 5] {
        assert_ne!(seen[failed + 1], seen[failed], "{seen:?}");
    }
}

#[tokio::test]
async fn a_broken_connection_drops_the_idle_ones() {
    let front_end = FrontEnd::start(
        BOTH,
        [Reply::Silence, Reply::answer("{}"), Reply::answer("{}"), Reply::HangUp, Reply::answer("{}")],
    );
    let client = client(&front_end);
    // Three connections: one under way, two idle.
    let under_way = client.call(request("POST", &front_end.url()));
    let mut under_way = tokio::spawn(under_way);
    front_end.received(1).await;
    let (first, second) = tokio::join!(post(&client, &front_end), post(&client, &front_end));
    first.and(second).unwrap();
    assert!(!was_never_sent(&post(&client, &front_end).await.unwrap_err()));
    post(&client, &front_end).await.unwrap();
    let seen = front_end.connections();
    assert!(!seen[..4].contains(&seen[4]), "{seen:?}");
    assert!(tokio::time::timeout(Duration::ZERO, &mut under_way).await.is_err(), "one under way is left alone");
    under_way.abort();
}

#[tokio::test]
async fn an_idle_connection_ages_while_frozen() {
    let front_end = FrontEnd::start(BOTH, [Reply::answer("{}")]);
    let clock = WallClock::new();
    let client = Connections::new(tls().unwrap(), front_end.trusted(), clock.clone());
    let second = Duration::from_secs(1);
    for idle in [Duration::ZERO, IDLE_TIMEOUT.saturating_sub(second), IDLE_TIMEOUT + second] {
        clock.passes(idle);
        post(&client, &front_end).await.unwrap();
    }
    assert_eq!(front_end.connections(), [1, 1, 2]);
}

#[tokio::test]
async fn a_connection_closed_while_frozen_is_not_written_to() {
    let front_end = FrontEnd::start(BOTH, [Reply::answer("{}")]);
    let client = client(&front_end);
    post(&client, &front_end).await.unwrap();
    // Blocks the runtime of the client, so that its tasks do not see that the connection was closed.
    front_end.hang_up();
    post(&client, &front_end).await.unwrap();
    assert_eq!(front_end.connections(), [1, 2]);
}

#[tokio::test]
async fn a_lost_request_is_distinguished_from_one_never_sent() {
    let front_end = FrontEnd::start(BOTH, [Reply::HangUp, Reply::answer("{}")]);
    let client = client(&front_end);
    let lost = post(&client, &front_end).await.unwrap_err();
    assert!(lost.is_io() && !was_never_sent(&lost), "{lost:?}");
    let closed = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("https://localhost:{}", closed.local_addr().unwrap().port());
    drop(closed);
    for url in [url, "https://nowhere.invalid".to_owned()] {
        let refused = client.call(request("POST", &url)).await.unwrap_err();
        assert!(refused.is_io() && was_never_sent(&refused), "{refused:?}");
    }
    let stranger = FrontEnd::start(BOTH, [Reply::answer("{}")]);
    let refused = client.call(request("POST", &stranger.url())).await.unwrap_err();
    assert!(was_never_sent(&refused), "{refused:?}");
    assert_eq!(front_end.connections(), [1]);
}
