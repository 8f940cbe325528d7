//! SDK clients as Lambda's environment configures them, against a server on the loopback interface.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_edge::clients::{
    TASK_TIMEOUTS, Timeouts, cloudwatch_for_evidence, connect_to_cloudwatch, connect_to_dynamodb, connect_to_lambda,
    connect_to_step_functions, lambda_without_retries, sdk_config, step_functions,
};
use aws_edge::settings::Environment;
use aws_edge::stores::evidence::{EvidenceReader, ServiceMetrics};
use aws_sdk_dynamodb::types::AttributeValue;
use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use breaker::{EvidenceQuery, Policy, PolicySettings, SystemState};
use jiff::Timestamp;
use tokio::net::TcpListener;

/// One request that came in: the client's address, the request line, and whether it was signed.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    from: SocketAddr,
    line: String,
    signed: bool,
}

type Log = Arc<Mutex<Vec<Seen>>>;

async fn note(State(log): State<Log>, ConnectInfo(from): ConnectInfo<SocketAddr>, request: Request) -> &'static str {
    let line = format!("{} {}", request.method(), request.uri());
    log.lock().unwrap().push(Seen { from, line, signed: request.headers().contains_key("authorization") });
    "{}"
}

async fn server() -> (String, Log) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (url, log) = (format!("http://{}", listener.local_addr().unwrap()), Log::default());
    let service =
        Router::new().fallback(note).with_state(Arc::clone(&log)).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
    (url, log)
}

fn environment(more: &[(&str, &str)]) -> Environment {
    [("AWS_REGION", "eu-central-1"), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")]
        .into_iter()
        .chain(more.iter().copied())
        .collect()
}

fn dynamodb(environment: &Environment) -> aws_sdk_dynamodb::Client {
    aws_sdk_dynamodb::Client::new(&sdk_config(environment, TASK_TIMEOUTS).unwrap())
}

async fn get_item(client: &aws_sdk_dynamodb::Client) {
    client.get_item().table_name("states").key("pk", AttributeValue::S("system-state".into())).send().await.unwrap();
}

#[tokio::test]
async fn connecting_ahead_is_one_request_without_a_signature() {
    let (url, log) = server().await;
    let config = sdk_config(&environment(&[("AWS_ENDPOINT_URL", &url)]), TASK_TIMEOUTS).unwrap();
    connect_to_dynamodb(&aws_sdk_dynamodb::Client::new(&config)).await;
    connect_to_cloudwatch(&aws_sdk_cloudwatch::Client::new(&config)).await;
    connect_to_step_functions(&step_functions(&config)).await;
    connect_to_lambda(&lambda_without_retries(&config)).await;
    let seen = log.lock().unwrap().clone();
    let lines: Vec<_> = seen.iter().map(|seen| (seen.line.as_str(), seen.signed)).collect();
    assert_eq!(lines, [("HEAD /", false); 4]);
}

#[tokio::test]
async fn a_call_after_connecting_ahead_finds_the_connection_open() {
    let (url, log) = server().await;
    let client = dynamodb(&environment(&[("AWS_ENDPOINT_URL", &url)]));
    connect_to_dynamodb(&client).await;
    get_item(&client).await;
    let seen = log.lock().unwrap().clone();
    let lines: Vec<_> = seen.iter().map(|seen| (seen.line.as_str(), seen.signed)).collect();
    assert_eq!(lines, [("HEAD /", false), ("POST /", true)]);
    assert_eq!(seen[0].from, seen[1].from);
}

#[tokio::test]
async fn connecting_ahead_to_nothing_is_no_error_and_ends() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let timeouts = Timeouts { attempt: Duration::from_millis(200), operation: Duration::from_millis(500) };
    let config = sdk_config(&environment(&[("AWS_ENDPOINT_URL", &url)]), timeouts).unwrap();
    connect_to_dynamodb(&aws_sdk_dynamodb::Client::new(&config)).await;
}

#[tokio::test]
async fn a_services_own_endpoint_goes_before_the_general_one() {
    let (url, log) = server().await;
    let general = ("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    get_item(&dynamodb(&environment(&[general, ("AWS_ENDPOINT_URL_DYNAMODB", &url)]))).await;
    assert_eq!(log.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_unusable_environment_is_refused_by_its_variable() {
    for missing in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        let error = sdk_config(&environment(&[(missing, "")]), TASK_TIMEOUTS).unwrap_err();
        assert_eq!(error.name, missing);
    }
    let error = sdk_config(&environment(&[("AWS_USE_FIPS_ENDPOINT", "maybe")]), TASK_TIMEOUTS).unwrap_err();
    assert_eq!(error.name, "AWS_USE_FIPS_ENDPOINT");
}

#[tokio::test]
async fn fips_endpoints_are_used_where_the_environment_says_so() {
    let config = sdk_config(&environment(&[("AWS_USE_FIPS_ENDPOINT", "true")]), TASK_TIMEOUTS);
    assert_eq!(config.unwrap().use_fips(), Some(true));
}

#[tokio::test]
async fn a_page_of_evidence_may_take_longer_than_other_calls() {
    let latency = TASK_TIMEOUTS.attempt + Duration::from_millis(100);
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    let late = Router::new().fallback(async move || {
        count.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(latency).await;
        StatusCode::BAD_REQUEST
    });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, late).await.unwrap() });
    let config = sdk_config(&environment(&[("AWS_ENDPOINT_URL", &url)]), TASK_TIMEOUTS).unwrap();
    let policy = Policy::new(PolicySettings::default()).unwrap();
    let now = Timestamp::now();
    let query = EvidenceQuery::new(&SystemState::initial(&policy, now), &policy, now);
    let reader = ServiceMetrics::new(cloudwatch_for_evidence(&config), "bank-test".to_owned());
    let ranges = query.ranges.len();
    reader.read(&query).await.unwrap_err();
    // An attempt that times out is made again; one that is answered with 400 is not.
    assert_eq!(requests.load(Ordering::Relaxed), ranges);
}
