//! One request after the other to a server on the loopback interface, over HTTP/1.1 and over HTTP/2: what decided for
//! HTTP/1.1 (`connections`). Read the ratios.
//!
//! `cargo bench --package platform --no-default-features --features sdk --bench protocols`

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench may fail where it stands")]

#[path = "../tests/front_end/mod.rs"]
mod front_end;

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use criterion::{Criterion, criterion_group, criterion_main};
use front_end::{BOTH, FrontEnd, Reply};
use platform::connections::{Connections, tls};
use tokio::runtime::Runtime;

/// About what the controller sends and gets for a small request.
const REQUEST: &str = include_str!("protocols.rs");

async fn call(client: &impl HttpConnector, url: &str) {
    let mut request = HttpRequest::new(SdkBody::from(REQUEST));
    request.set_method("POST").unwrap();
    request.set_uri(format!("{url}/2015-03-31/functions/full-service/invocations")).unwrap();
    for (name, value) in [("content-type", "application/json"), ("x-amz-date", "20261130T120000Z")] {
        request.headers_mut().insert(name, value);
    }
    let body = client.call(request).await.unwrap().into_body();
    ByteStream::new(body).collect().await.unwrap();
}

/// The SDK's connector, which takes HTTP/2 from whoever offers it.
fn sdk(front_end: &FrontEnd) -> Connector {
    let trusted = TrustStore::empty().with_pem_certificate(front_end.pem());
    Connector::builder()
        .sleep_impl(TokioSleep::new())
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(TlsContext::builder().with_trust_store(trusted).build().unwrap())
        .build()
}

fn protocols(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = || [Reply::answer(r#"{"statusCode":200,"body":"{\"balance\":\"1024.50\"}"}"#)];
    let (both, old) = (FrontEnd::start(BOTH, answer()), FrontEnd::start(&["http/1.1"], answer()));
    let ours = Connections::new(tls().unwrap(), both.trusted(), SystemTimeSource::new());
    bench(criterion, &runtime, "ours, http/1.1", &ours, &both);
    bench(criterion, &runtime, "sdk, h2", &sdk(&both), &both);
    bench(criterion, &runtime, "sdk, http/1.1", &sdk(&old), &old);
    for (name, front_end) in [("sdk, h2", &both), ("sdk, http/1.1", &old)] {
        criterion.bench_function(&format!("first request, {name}"), |bencher| {
            bencher.iter_with_setup(|| sdk(front_end), |client| runtime.block_on(call(&client, &front_end.url())));
        });
    }
}

fn bench(criterion: &mut Criterion, runtime: &Runtime, name: &str, client: &impl HttpConnector, front_end: &FrontEnd) {
    let url = front_end.url();
    criterion.bench_function(&format!("request, {name}"), |bencher| {
        bencher.iter(|| runtime.block_on(call(client, &url)));
    });
}

criterion_group!(benches, protocols);
criterion_main!(benches);
