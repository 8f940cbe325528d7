//! Connections to AWS. A connection in doubt is never used again.
//!
//! A connection that broke, or on which an attempt timed out, is closed. If no answer had begun, the idle connections
//! to the same host are dropped too: the next attempt opens a new one. A connection that was idle for [`IDLE_TIMEOUT`]
//! is not used either. A clock that goes on while Lambda freezes the environment ([`clock`]) measures its age, which is
//! checked when the connection is taken from the pool: a task that closes idle connections would be frozen too.
//!
//! # Why HTTP/1.1
//!
//! AWS's endpoints offer HTTP/2 too. All calls to one host would then share one connection:
//!
//! | | HTTP/1.1 | HTTP/2 |
//! |---|---|---|
//! | an attempt times out | the client closes its connection | the client resets one stream, and the connection stays in the pool, dead or not: in a test with a server that goes silent, the second, third and fourth call timed out on the connection of the first |
//! | a connection breaks | one attempt fails | every attempt under way fails |
//! | parallel calls | a connection each; an environment of the controller has one request at a time | one connection |
//!
//! HTTP/2 has no advantage for one request at a time, and it costs more processor time of the client's thread: 1.59
//! times as much for a request and 1.33 times as much for the first one with its handshake (427 to 268 us, 2,119 to
//! 1,587 us, of the SDK's connector with HTTP/2 to this one, in an unoptimised build; the SDK's with HTTP/1.1 has 0.95
//! and 1.00; `cargo bench --package aws-edge --profile dev --bench protocols`, 2026-11-30, two cores shared with other
//! work).
//!
//! # Why no connector of the SDK
//!
//! `aws-smithy-http-client` 1.5.2 offers both protocols to every server and has no setting for it. Its `Connector`
//! measures idle time with a clock that may stand still in a frozen environment. Its `pool::ConnectionPool` takes a
//! clock, but compares ages only in a task that sleeps by the runtime's timer: the first request after a freeze still
//! gets the old connection.

mod clock;
mod dial;
mod error;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{CaptureConnection, Connected, capture_connection};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioExecutor;
use rustls::RootCertStore;

pub use clock::AgeClock;
use dial::Dialer;
pub use dial::{CONNECT_TIMEOUT, Tls, tls};
pub(crate) use error::cause;
use error::connector_error;
pub use error::was_never_sent;

/// Maximum idle time of a connection that is used again. AWS does not document when it closes idle connections, and a
/// request on a closed one is lost. A new connection costs some milliseconds.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Sends requests over HTTP/1.1, each on a connection of its own while it is under way.
#[derive(Clone, Debug)]
pub struct Connections(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dialer: Dialer,
    clock: AgeClock,
    pools: Mutex<Pools>,
}

/// One pool for each host, so that a host that is down costs the others nothing.
#[derive(Debug, Default)]
struct Pools {
    by_host: HashMap<String, Pool>,
    /// Number of pools made so far.
    made: u64,
}

#[derive(Clone, Debug)]
struct Pool {
    /// Number that distinguishes the pool from earlier and later pools of the same host.
    number: u64,
    client: Client<Dialer, SdkBody>,
}

impl Connections {
    /// Returns a connector. It trusts the servers that `trusted` accepts, uses the proxies that the process's environment
    /// names, and measures the age of a connection with `clock`, which goes on in a frozen environment.
    pub fn new(tls: Tls, trusted: RootCertStore, clock: impl TimeSource + 'static) -> Self {
        Self::through(Matcher::from_env(), tls, trusted, clock)
    }

    fn through(proxies: Matcher, tls: Tls, trusted: RootCertStore, clock: impl TimeSource + 'static) -> Self {
        let dialer = Dialer::new(proxies, tls, trusted);
        Self(Arc::new(Inner { dialer, clock: AgeClock::new(clock), pools: Mutex::default() }))
    }

    fn attempt(&self, host: &str) -> Attempt {
        Attempt { inner: Arc::clone(&self.0), pool: self.0.pool(host), host: host.to_owned(), in_doubt: true }
    }
}

impl HttpConnector for Connections {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut attempt = self.attempt(host_of(request.uri()));
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        let connection = capture_connection(&mut request);
        if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
            capture.set_connection_retriever(move || metadata(&connection));
        }
        HttpConnectorFuture::new(async move {
            // Lets the runtime ask the kernel which connections were closed. Without this, the first request after a
            // freeze could be written to a closed one.
            tokio::task::yield_now().await;
            let answer = attempt.pool.client.request(request).await;
            // A failure to connect puts no other connection in doubt.
            attempt.ends(answer.as_ref().is_err_and(|error| !error.is_connect()));
            let answer = answer.map_err(connector_error)?.map(SdkBody::from_body_1_x);
            HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

impl Inner {
    fn pools(&self) -> MutexGuard<'_, Pools> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pool(&self, host: &str) -> Pool {
        let mut pools = self.pools();
        if let Some(pool) = pools.by_host.get(host) {
            return pool.clone();
        }
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(self.clock.clone())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(self.dialer.clone());
        pools.made += 1;
        let pool = Pool { number: pools.made, client };
        pools.by_host.insert(host.to_owned(), pool.clone());
        pool
    }

    /// Drops a pool with its idle connections, unless a newer one of the same host took its place already.
    fn forget(&self, host: &str, number: u64) {
        let mut pools = self.pools();
        if pools.by_host.get(host).is_some_and(|pool| pool.number == number) {
            pools.by_host.remove(host);
        }
    }
}

/// A request under way. If it is dropped while its connection is in doubt, because the connection broke or the
/// caller stopped waiting, the host's pool is dropped too.
struct Attempt {
    inner: Arc<Inner>,
    pool: Pool,
    host: String,
    in_doubt: bool,
}

impl Attempt {
    fn ends(&mut self, in_doubt: bool) {
        self.in_doubt = in_doubt;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.in_doubt {
            self.inner.forget(&self.host, self.pool.number);
        }
    }
}

/// Lets the SDK close a connection that brought a transient error.
fn metadata(connection: &CaptureConnection) -> Option<ConnectionMetadata> {
    let is_proxied = connection.connection_metadata().as_ref().map(Connected::is_proxied)?;
    let connection = connection.clone();
    let poison = move || {
        if let Some(connected) = connection.connection_metadata().as_ref() {
            connected.poison();
        }
    };
    Some(ConnectionMetadata::builder().proxied(is_proxied).poison_fn(poison).build())
}

/// Returns the scheme, the host and the port of a URI.
pub(crate) fn host_of(uri: &str) -> &str {
    let end = uri.match_indices('/').nth(2).map_or(uri.len(), |(end, _)| end);
    uri.get(..end).unwrap_or_default()
}
