//! Compares HTTP/1.1 and HTTP/2 for one request after the other to a server on the loopback interface, which decided
//! for HTTP/1.1 (`aws_edge::connections`). It prints the processor time of the client's thread, which other work on the
//! machine disturbs less than the time by the clock. The clients take turns, so read the ratios.
//!
//! `cargo bench --package aws-edge --bench protocols`, or with `--profile dev` for an unoptimised build.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench may fail where it stands")]

#[path = "../tests/front_end/mod.rs"]
mod front_end;

use aws_edge::connections::{Connections, tls};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use front_end::{BOTH, FrontEnd, Reply};
use tokio::runtime::Runtime;

const ROUNDS: usize = 40;
const REQUESTS: u32 = 50;

/// A body of about the size of a small request to a service.
const REQUEST: &str = include_str!("protocols.rs");

async fn call(client: &SharedHttpConnector, url: &str) {
    let mut request = HttpRequest::new(SdkBody::from(REQUEST));
    request.set_method("POST").unwrap();
    request.set_uri(format!("{url}/2015-03-31/functions/full-service/invocations")).unwrap();
    for (name, value) in [("content-type", "application/json"), ("x-amz-date", "20261130T120000Z")] {
        request.headers_mut().insert(name, value);
    }
    let body = client.call(request).await.unwrap().into_body();
    ByteStream::new(body).collect().await.unwrap();
}

/// The SDK's connector, which speaks HTTP/2 if the server offers it.
fn sdk(front_end: &FrontEnd) -> SharedHttpConnector {
    let trusted = TrustStore::empty().with_pem_certificate(front_end.pem());
    let connector = Connector::builder()
        .sleep_impl(TokioSleep::new())
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(TlsContext::builder().with_trust_store(trusted).build().unwrap())
        .build();
    SharedHttpConnector::new(connector)
}

fn ours(front_end: &FrontEnd) -> SharedHttpConnector {
    SharedHttpConnector::new(Connections::new(tls().unwrap(), front_end.trusted(), SystemTimeSource::new()))
}

/// Makes a client.
type Make = fn(&FrontEnd) -> SharedHttpConnector;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = || [Reply::answer(r#"{"statusCode":200,"body":"{\"balance\":\"1024.50\"}"}"#)];
    let (both, old) = (FrontEnd::start(BOTH, answer()), FrontEnd::start(&["http/1.1"], answer()));
    let clients: [(&str, Make, &FrontEnd); 3] =
        [("ours, http/1.1", ours, &both), ("SDK's, h2", sdk, &both), ("SDK's, http/1.1", sdk, &old)];
    let made: Vec<_> = clients.iter().map(|(_, make, front_end)| make(front_end)).collect();
    let mut times = vec![(Vec::new(), Vec::new()); clients.len()];
    for _ in 0..ROUNDS {
        for (place, (_, make, front_end)) in clients.iter().enumerate() {
            let url = front_end.url();
            times[place].0.push(processor_time(&runtime, &made[place], &url, REQUESTS));
            times[place].1.push(processor_time(&runtime, &make(front_end), &url, 1));
        }
    }
    let medians: Vec<_> = times.into_iter().map(|(warm, first)| (median(warm), median(first))).collect();
    for ((name, ..), (warm, first)) in clients.iter().zip(&medians) {
        let (warm_ratio, first_ratio) = (warm / medians[0].0, first / medians[0].1);
        println!("{name:16} request {warm:7.1} us ({warm_ratio:.2})   first request {first:8.1} us ({first_ratio:.2})");
    }
}

/// Returns the microseconds of this thread's processor time for each of `requests` requests.
fn processor_time(runtime: &Runtime, client: &SharedHttpConnector, url: &str, requests: u32) -> f64 {
    let begun = nanoseconds();
    runtime.block_on(async {
        for _ in 0..requests {
            call(client, url).await;
        }
    });
    (nanoseconds() - begun) / 1_000.0 / f64::from(requests)
}

fn nanoseconds() -> f64 {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    statistics.split(' ').next().unwrap().parse().unwrap()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
