//! The one HTTPS client of a Lambda.
//!
//! The SDK's own client reads and parses the machine's certificates, some 145 of them, whenever a service client
//! is made. That is a third of a whole start, and Amazon's services show certificates of Amazon's own authorities.
//! So those five are compiled in and asked first; the machine's are read where they do not know the issuer of what a
//! server shows.
//!
//! # What it costs a bank
//!
//! | taken | because |
//! |---|---|
//! | Amazon's five authorities first, the machine's second | Amazon advises trust stores of one's own to hold all five, and advises against pinning (<https://www.amazontrust.com/repository/>). This is no pinning: what the machine trusts is trusted, read at the first handshake that needs it, so that a new authority needs no deployment. Only one that Amazon withdraws stays trusted until the next deployment |
//! | `SSL_CERT_FILE` or `SSL_CERT_DIR`, where set, in place of both | an inspecting proxy's own authority must be enough, and the list of a bank that keeps one must be the whole of it; reading it is then part of the start. `HTTPS_PROXY` and `NO_PROXY` work as everywhere |
//! | aws-lc, as the SDK | its FIPS build is the one with a certificate: `CryptoMode::AwsLcFips` below and the feature `rustls-aws-lc-fips` of `aws-smithy-http-client` take it, at the cost of its self-tests at each start. FIPS *endpoints* need neither: `AWS_USE_FIPS_ENDPOINT=true` |
//! | aws-lc's two independent sources of randomness | its rule is that two must fail before anything can be predicted. Beside the kernel it takes the processor's instruction or, by default, the jitter of execution times, whose collection burns 50 ms of processor at the first random number of a process. On x86-64, where every processor that runs Lambda has RDRAND, the build leaves jitter out (`.cargo/config.toml`) and two sources remain. On arm64 it stays in, because Graviton2 has no such instruction and the kernel would remain alone |
//!
//! What is not taken: certificates that are not verified, early data (replays), a client without
//! post-quantum key exchange (it would save about a kilobyte a handshake).

use std::error::Error;
use std::io;
use std::iter::successors;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use rustls::CertificateError;
use rustls::crypto::aws_lc_rs::default_provider;

use crate::settings::Environment;

/// How long a connection may take, handshake included. Within AWS that is milliseconds; it is the whole
/// client's, whatever a service client says of its own, so that all share the connections. A request that had
/// no connection in this time was never sent, so it is safe to send it again.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The authorities of Amazon Trust Services: "Amazon Root CA 1" to 4 and Starfield's G2.
const AMAZON: &[u8] = include_bytes!("amazon-trust-services.pem");

/// A client that trusts as the module says. Making it needs the processor, of which a starting environment has the
/// whole and a running one what its memory buys: make it before the first event is asked for.
#[must_use]
pub fn client(environment: &Environment) -> SharedHttpClient {
    // The first random number of a process is the slow one: let it be drawn here. That it was refused, a
    // handshake will say.
    drop(default_provider().secure_random.fill(&mut [0]));
    let own = ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| !environment.text(name, "").is_empty());
    // With these variables set, the machine's certificates are those that they name.
    let machine = TrustStore::default();
    let first = if own { machine.clone() } else { TrustStore::empty().with_pem_certificate(AMAZON) };
    let connector = SharedHttpConnector::new(AskedFirst::new(&trusting(first), trusting(machine)));
    // Whatever settings a service client has of its own.
    http_client_fn(move |_, _| connector.clone())
}

/// [`TrustStore::default`] are the machine's certificates. They are read when a connector is made.
fn trusting(authorities: TrustStore) -> TlsContext {
    // Today nothing can fail in it; the default would trust the machine's.
    TlsContext::builder().with_trust_store(authorities).build().unwrap_or_default()
}

fn connector(trusting: &TlsContext) -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
    let connector = Connector::builder()
        .connector_settings(settings)
        .sleep_impl(TokioSleep::new())
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(trusting.clone())
        .build();
    SharedHttpConnector::new(connector)
}

/// Sends with the trust of the first until that meets a server whose issuer it does not know; then that request,
/// of which nothing was sent yet, and all that follow with the trust of the other.
#[derive(Clone, Debug)]
struct AskedFirst(Arc<Both>);

#[derive(Debug)]
struct Both {
    first: SharedHttpConnector,
    trusting_others: TlsContext,
    other: OnceLock<SharedHttpConnector>,
}

impl AskedFirst {
    fn new(first: &TlsContext, trusting_others: TlsContext) -> Self {
        Self(Arc::new(Both { first: connector(first), trusting_others, other: OnceLock::new() }))
    }
}

impl HttpConnector for AskedFirst {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Both { first, other, .. } = self.0.as_ref();
        if let Some(other) = other.get() {
            return other.call(request);
        }
        // A body that can be sent only once keeps the first answer.
        let again = request.try_clone();
        let (answer, both) = (first.call(request), Arc::clone(&self.0));
        HttpConnectorFuture::new(async move {
            match (answer.await, again) {
                (Err(error), Some(request)) if is_unknown_issuer(&error) => {
                    tracing::info!("an issuer is unknown here: from now on the certificates of the machine are taken");
                    both.other.get_or_init(|| connector(&both.trusting_others)).call(request).await
                }
                (answer, _) => answer,
            }
        })
    }
}

/// Whether no connection was made because none of the trusted authorities issued the server's certificate.
fn is_unknown_issuer(error: &(dyn Error + 'static)) -> bool {
    let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
    successors(Some(error), |error| cause(*error)).any(|error| error.downcast_ref() == Some(&unknown))
}

/// What an error is about. Of an `io::Error` that is its content; its source is that of the content.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(content) => Some(content),
        None => error.source(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_types::body::SdkBody;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
    use rustls::ServerConfig;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;
    use tokio_rustls::TlsAcceptor;
    use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

    use super::*;

    fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    fn trust_in(authority: &CertifiedIssuer<'static, KeyPair>) -> TlsContext {
        trusting(TrustStore::empty().with_pem_certificate(authority.pem()))
    }

    /// A server at `localhost` with a certificate for `name`, and the requests that reach it.
    async fn server(
        authority: &CertifiedIssuer<'static, KeyPair>,
        name: &str,
    ) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let acceptor = TlsAcceptor::from(Arc::new(config));
            while let Ok((connection, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(connection).await else { continue };
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).await.unwrap();
                request.truncate(length);
                seen.send(String::from_utf8(request).unwrap()).unwrap();
                let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        (address, requests)
    }

    async fn post(connector: &impl HttpConnector, to: SocketAddr) -> Result<u16, ConnectorError> {
        let mut request = HttpRequest::new(SdkBody::from("once"));
        request.set_method("POST").unwrap();
        request.set_uri(format!("https://localhost:{}/", to.port())).unwrap();
        Ok(connector.call(request).await?.status().as_u16())
    }

    #[tokio::test]
    async fn a_server_whose_issuer_only_the_other_knows_gets_the_request_once() {
        let (amazon, bank) = (authority("Amazon"), authority("bank"));
        let (address, mut requests) = server(&bank, "localhost").await;
        let client = AskedFirst::new(&trust_in(&amazon), trust_in(&bank));
        assert_eq!(post(&client, address).await.unwrap(), 200);
        assert!(requests.recv().await.unwrap().ends_with("once"));
        assert!(requests.try_recv().is_err());
    }

    #[tokio::test]
    async fn the_other_is_not_made_where_the_first_knows_the_issuer() {
        let amazon = authority("Amazon");
        let (address, _requests) = server(&amazon, "localhost").await;
        let client = AskedFirst::new(&trust_in(&amazon), trust_in(&authority("bank")));
        assert_eq!(post(&client, address).await.unwrap(), 200);
        assert!(client.0.other.get().is_none());
    }

    #[tokio::test]
    async fn a_server_that_nobody_vouches_for_gets_nothing() {
        let (address, mut requests) = server(&authority("nobody"), "localhost").await;
        let client = AskedFirst::new(&trust_in(&authority("Amazon")), trust_in(&authority("bank")));
        assert!(is_unknown_issuer(&post(&client, address).await.unwrap_err()));
        assert!(requests.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_certificate_for_another_name_is_refused_by_the_first_alone() {
        let amazon = authority("Amazon");
        let (address, mut requests) = server(&amazon, "elsewhere").await;
        let client = AskedFirst::new(&trust_in(&amazon), trust_in(&amazon));
        assert!(!is_unknown_issuer(&post(&client, address).await.unwrap_err()));
        assert!(client.0.other.get().is_none());
        assert!(requests.try_recv().is_err());
    }

    #[test]
    fn the_five_authorities_that_are_compiled_in_are_trusted_by_mozilla_too() {
        let compiled_in: Vec<_> = CertificateDer::pem_slice_iter(AMAZON).map(Result::unwrap).collect();
        assert_eq!(compiled_in.len(), 5);
        for authority in compiled_in {
            assert!(TLS_SERVER_ROOT_CERTS.contains(&authority), "{authority:?}");
        }
    }
}
