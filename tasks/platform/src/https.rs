//! The one HTTPS client of a Lambda, set up beside its start.
//!
//! The SDK's own client reads and parses the machine's certificates whenever a service client is made:
//! some milliseconds of every start, on the path to the first event, for each client again. This one does
//! it once, on a thread of its own that begins when the Lambda does, and a call that comes before it is
//! done waits for it.
//!
//! # What it costs a bank
//!
//! | taken | because |
//! |---|---|
//! | the machine's certificates, not a list compiled in | a withdrawn authority must not need a deployment, and an inspecting proxy's own is given with `SSL_CERT_FILE` or `SSL_CERT_DIR`, which replace the machine's; `HTTPS_PROXY` and `NO_PROXY` work as everywhere |
//! | all of them, not Amazon's alone | Amazon asks not to be pinned |
//! | aws-lc, as the SDK | its FIPS build is the one with a certificate: `CryptoMode::AwsLcFips` below and the feature `rustls-aws-lc-fips` of `aws-smithy-http-client` take it, at the cost of its self-tests at each start. FIPS *endpoints* need neither: `AWS_USE_FIPS_ENDPOINT=true` |
//! | aws-lc's two independent sources of randomness | its rule is that two must fail before anything can be predicted. Beside the kernel it takes the processor's instruction or, by default, the jitter of execution times, whose collection burns 50 ms of processor at the first random number of a process. On x86-64, where every processor that runs Lambda has RDRAND, the build leaves jitter out (`.cargo/config.toml`) and two sources remain. On arm64 it stays in, because Graviton2 has no such instruction and the kernel would remain alone; there the thread collects it |
//!
//! What is not taken: certificates that are not verified, early data (replays), a client without
//! post-quantum key exchange (it would save about a kilobyte a handshake).

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use rustls::crypto::aws_lc_rs::default_provider;
use tokio::sync::OnceCell;
use tokio::task::{JoinHandle, spawn_blocking};

/// How long a connection may take, handshake included. Within AWS that is milliseconds; it is the whole
/// client's, whatever a service client says of its own, so that all share the connections. A request that had
/// no connection in this time was never sent, so it is safe to send it again.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The client. Clones share everything.
#[derive(Clone, Debug)]
pub struct Https(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    connector: OnceCell<SharedHttpConnector>,
    setting_up: Mutex<Option<JoinHandle<SharedHttpConnector>>>,
}

impl Https {
    /// Begins to set up a client on another thread. Needs a Tokio runtime.
    #[must_use]
    pub fn prepare() -> Self {
        let setting_up = Mutex::new(Some(spawn_blocking(set_up)));
        Self(Arc::new(Shared { connector: OnceCell::new(), setting_up }))
    }

    /// Waits until the client is set up. Not for within a timeout: on a small function it can take longer than
    /// a call may.
    pub async fn ready(&self) {
        self.connector().await;
    }

    async fn connector(&self) -> &SharedHttpConnector {
        self.0
            .connector
            .get_or_init(|| async {
                let begun = self.0.setting_up.lock().unwrap_or_else(PoisonError::into_inner).take();
                let done = match begun {
                    Some(thread) => thread.await.ok(),
                    None => None,
                };
                // Only where the first to wait gave up waiting.
                done.unwrap_or_else(set_up)
            })
            .await
    }
}

fn set_up() -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
    let connector = Connector::builder()
        .connector_settings(settings)
        .sleep_impl(TokioSleep::new())
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .build();
    // The first random number of a process is the slow one: let it be drawn here. That it was refused, a
    // handshake will say.
    drop(default_provider().secure_random.fill(&mut [0]));
    SharedHttpConnector::new(connector)
}

impl HttpClient for Https {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        Some(ConnectorMetadata::new("hyper", Some(Cow::Borrowed("1.x"))))
    }
}

impl HttpConnector for Https {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if let Some(connector) = self.0.connector.get() {
            return connector.call(request);
        }
        let client = self.clone();
        HttpConnectorFuture::new(async move { client.connector().await.call(request).await })
    }
}
