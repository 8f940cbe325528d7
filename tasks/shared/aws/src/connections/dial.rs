//! Opens a connection: the proxy if there is one, TCP, then TLS.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls::CipherSuite::{TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS13_CHACHA20_POLY1305_SHA256};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;

/// Maximum time to open a connection, handshake included. Within AWS it takes milliseconds. The limit holds for all
/// service clients, whatever they set themselves, because they share the connections. A request that had no connection
/// within this time was never sent, so it can be sent again.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Maximum time for TCP, a part of [`CONNECT_TIMEOUT`]; the rest is for TLS. The addresses of a host share it in equal
/// parts, so that a dead first address leaves time for the next one. A lost SYN is sent again after 1 s. By then the
/// time to connect is over, and the request is sent again on a new connection.
const TCP_TIMEOUT: Duration = Duration::from_millis(750);

/// The one protocol that this client uses, of those that AWS offers. The module `connections` gives the reasons.
const PROTOCOL: &[u8] = b"http/1.1";

type BoxError = Box<dyn Error + Send + Sync>;
type Opening<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;
/// A connection to the server, straight or through a proxy. The proxy may require TLS of its own.
type Stretch = MaybeHttpsStream<TokioIo<TcpStream>>;

/// TLS that trusts no server yet.
pub type Tls = ConfigBuilder<ClientConfig, WantsVerifier>;

/// TLS by aws-lc, with the cipher suites of the SDK's own connector.
///
/// # Errors
/// The provider lacks TLS 1.2 or 1.3; aws-lc has both.
pub fn tls() -> Result<Tls, rustls::Error> {
    let mut provider = default_provider();
    provider.cipher_suites.retain(|suite| {
        ![TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS13_CHACHA20_POLY1305_SHA256].contains(&suite.suite())
    });
    ClientConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions()
}

/// Opens connections within [`CONNECT_TIMEOUT`].
#[derive(Clone, Debug)]
pub(super) struct Dialer(HttpsConnector<Way>);

impl Dialer {
    pub(super) fn new(proxies: Matcher, tls: Tls, trusted: RootCertStore) -> Self {
        let mut tls = tls.with_root_certificates(trusted).with_no_client_auth();
        tls.alpn_protocols = vec![PROTOCOL.to_vec()];
        let tls = Arc::new(tls);
        let tcp = tcp(HttpConnector::new());
        let to_proxy = HttpsConnector::from((tcp.clone(), Arc::clone(&tls)));
        Self(HttpsConnector::from((Way { tcp, to_proxy, proxies: Arc::new(proxies) }, tls)))
    }
}

impl Service<Uri> for Dialer {
    type Response = MaybeHttpsStream<Stretch>;
    type Error = BoxError;
    type Future = Opening<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let opening = self.0.call(to);
        Box::pin(async move { timeout(CONNECT_TIMEOUT, opening).await? })
    }
}

fn tcp<R>(mut connector: HttpConnector<R>) -> HttpConnector<R> {
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(TCP_TIMEOUT));
    connector
}

/// The way to a server: straight, or for HTTPS through the proxy that the environment names. Plain HTTP, which only a
/// local AWS speaks, goes straight.
#[derive(Clone, Debug)]
struct Way {
    tcp: HttpConnector,
    to_proxy: HttpsConnector<HttpConnector>,
    proxies: Arc<Matcher>,
}

impl Service<Uri> for Way {
    type Response = Stretch;
    type Error = BoxError;
    type Future = Opening<Stretch>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let proxy = self.proxies.intercept(&to).filter(|_| to.scheme() == Some(&Scheme::HTTPS));
        let Some(proxy) = proxy else {
            let opening = self.tcp.call(to);
            return Box::pin(async move { Ok(MaybeHttpsStream::Http(opening.await?)) });
        };
        let mut tunnel = Tunnel::new(proxy.uri().clone(), self.to_proxy.clone());
        if let Some(credentials) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(credentials.clone());
        }
        Box::pin(async move { Ok(tunnel.call(to).await?) })
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Ready, ready};
    use std::io;
    use std::net::SocketAddr;
    use std::vec;

    use hyper_util::client::legacy::connect::dns::Name;
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    #[derive(Clone)]
    struct Addresses(Vec<SocketAddr>);

    impl Service<Name> for Addresses {
        type Response = vec::IntoIter<SocketAddr>;
        type Error = io::Error;
        type Future = Ready<io::Result<Self::Response>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Name) -> Self::Future {
            ready(Ok(self.0.clone().into_iter()))
        }
    }

    #[tokio::test]
    async fn a_dead_first_address_leaves_time_for_the_next() {
        // The kernel drops connections for which a full queue has no room, so that connecting takes until its timeout.
        let dead = TcpSocket::new_v4().unwrap();
        dead.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let dead = dead.listen(0).unwrap();
        let address = dead.local_addr().unwrap();
        let mut queue = Vec::new();
        while let Ok(connected) = timeout(Duration::from_millis(50), TcpStream::connect(address)).await {
            queue.push(connected.unwrap());
        }
        let alive = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let addresses = Addresses(vec![address, alive.local_addr().unwrap()]);
        let mut connector = tcp(HttpConnector::new_with_resolver(addresses));
        let opened = timeout(CONNECT_TIMEOUT, connector.call(Uri::from_static("http://example.com/"))).await;
        let peer = opened.unwrap().unwrap().inner().peer_addr().unwrap();
        assert_eq!(peer, alive.local_addr().unwrap());
    }
}
