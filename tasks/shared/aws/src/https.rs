//! The one HTTPS client of a Lambda.
//!
//! The SDK's own client parses the machine's certificates, some 145 of them, for each service client. Reading and
//! parsing them once is a quarter of a whole start, and the endpoints of AWS show certificates of Amazon's own
//! authorities. So those five are compiled in and tried first. If they did not sign a server's certificate, the
//! machine's certificates are read and tried too.
//!
//! # Choices
//!
//! | choice | reason |
//! |---|---|
//! | Amazon's five authorities first, the machine's second | Amazon advises that a custom trust store holds all five, and advises against pinning (<https://www.amazontrust.com/repository/>). This is no pinning: the machine's authorities are trusted too, so that a new authority needs no deployment. Only one that Amazon withdraws stays trusted until the next deployment |
//! | `SSL_CERT_FILE` or `SSL_CERT_DIR`, if set, in place of both | a bank's own list must be the only one, and the authority of an inspecting proxy must be enough. If the endpoints of a partition show certificates of other authorities, set it to the machine's list, `/etc/pki/tls/certs/ca-bundle.crt` in `provided.al2023`: then no handshake is refused first. `HTTPS_PROXY` and `NO_PROXY` work as usual |
//! | aws-lc, as the SDK | its FIPS build is the certified one. To use it, take `rustls::crypto::default_fips_provider` and the feature `fips` of `rustls`; each start then runs its self-tests. FIPS *endpoints* need neither: `AWS_USE_FIPS_ENDPOINT=true` |
//! | aws-lc's two independent sources of randomness | its rule is that two must fail before anything can be predicted. Beside the kernel it takes the processor's instruction or, by default, the jitter of execution times, whose collection takes 50 ms of processor time at the first random number of a process. On x86-64, where every processor that runs Lambda has RDRAND, the build leaves jitter out (`.cargo/config.toml`) and two sources remain. On arm64 it stays in, because Graviton2 has no such instruction and the kernel would be the only source |
//!
//! Not used: certificates that are not verified, early data (replays), a client without
//! post-quantum key exchange (it would save about a kilobyte a handshake). How connections are kept, and when none is
//! used again, is in the module [`connections`](crate::connections).

use std::env::split_paths;
use std::error::Error;
use std::iter::successors;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::connections::{Connections, Tls, cause, host_of, tls};
use crate::settings::{Environment, SettingError};

/// The authorities of Amazon Trust Services: "Amazon Root CA 1" to 4 and Starfield's G2.
const AMAZON: &[u8] = include_bytes!("amazon-trust-services.pem");

/// Returns a client with the trust that this module describes. Making it takes processor time. A starting environment
/// has the whole processor and a running one a share by its memory, so make it before the first event is requested.
///
/// # Errors
/// `SSL_CERT_FILE` or `SSL_CERT_DIR` holds no certificates, or the proxy's scheme is neither HTTP nor HTTPS.
pub fn client(environment: &Environment) -> Result<SharedHttpClient, SettingError> {
    // The first random number of a process is slow, so it is drawn here. If that fails, a handshake reports it.
    drop(default_provider().secure_random.fill(&mut [0]));
    // None of this can fail today.
    let tls = tls().map_err(|error| SettingError::new("SSL_CERT_FILE", error.to_string()))?;
    check_proxy(environment)?;
    let connector = if has_own_list(environment)? {
        connector(tls, machine())
    } else {
        SharedHttpConnector::new(AmazonFirst::new(tls, amazon(), || {
            let mut both = machine();
            both.roots.extend(amazon().roots);
            both
        }))
    };
    // The settings of a service client do not matter.
    Ok(http_client_fn(move |_, _| connector.clone()))
}

/// Refuses a proxy that no call could go through. The error quotes the scheme only, because the rest may hold a
/// password.
fn check_proxy(environment: &Environment) -> Result<(), SettingError> {
    // In the order in which the connections look for a proxy.
    let proxy = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
        .into_iter()
        .find_map(|name| environment.optional(name).map(|value| (name, value)));
    let Some((name, value)) = proxy else { return Ok(()) };
    match value.split_once("://") {
        Some((scheme, _)) if !["http", "https"].iter().any(|allowed| scheme.eq_ignore_ascii_case(allowed)) => {
            Err(SettingError::new(name, format!("the scheme {scheme:?} of the proxy is not one of: http, https")))
        }
        _ => Ok(()),
    }
}

/// Whether the environment names a list of certificates. If so, [`machine`] reads that list in place of the machine's.
fn has_own_list(environment: &Environment) -> Result<bool, SettingError> {
    let refused = |name, value: &str| {
        let remedy = "name certificates in PEM, or leave the variable out";
        SettingError::new(name, format!("{value:?} holds no certificate that can be read; {remedy}"))
    };
    let file = environment.optional("SSL_CERT_FILE");
    if let Some(path) = &file
        && !holds_a_certificate(Path::new(path))
    {
        return Err(refused("SSL_CERT_FILE", path));
    }
    // The reader of the machine's list would take the empty value for a file name.
    if environment.is_set_to_nothing("SSL_CERT_FILE") {
        return Err(refused("SSL_CERT_FILE", ""));
    }
    let folders = environment.optional("SSL_CERT_DIR");
    if let Some(paths) = &folders {
        let mut files = split_paths(paths).filter_map(|folder| folder.read_dir().ok()).flatten().flatten();
        if !files.any(|file| holds_a_certificate(&file.path())) {
            return Err(refused("SSL_CERT_DIR", paths));
        }
    }
    Ok(file.is_some() || folders.is_some())
}

fn holds_a_certificate(file: &Path) -> bool {
    CertificateDer::pem_file_iter(file).is_ok_and(|mut certificates| certificates.any(|read| read.is_ok()))
}

/// Returns the authorities that are compiled in.
fn amazon() -> RootCertStore {
    let mut authorities = RootCertStore::empty();
    authorities.add_parsable_certificates(CertificateDer::pem_slice_iter(AMAZON).flatten());
    authorities
}

/// Returns the authorities that the machine trusts, or the custom list. Reading and parsing them is slow.
fn machine() -> RootCertStore {
    let read = rustls_native_certs::load_native_certs();
    let mut authorities = RootCertStore::empty();
    let (trusted, refused) = authorities.add_parsable_certificates(read.certs);
    if trusted == 0 || refused > 0 || !read.errors.is_empty() {
        tracing::warn!(
            tls.trusted = trusted,
            tls.refused = refused,
            error.message = ?read.errors,
            "not all certificates of the machine can be read"
        );
    }
    authorities
}

/// Returns a connector that trusts these authorities only.
fn connector(tls: Tls, authorities: RootCertStore) -> SharedHttpConnector {
    SharedHttpConnector::new(Connections::new(tls, authorities, SystemTimeSource::new()))
}

/// Sends requests with trust in Amazon's authorities. If they did not sign a server's certificate, no byte of the
/// request was sent, and the request is sent with trust in the machine's authorities. If that works, later requests use
/// these at once.
#[derive(Clone, Debug)]
struct AmazonFirst(Arc<Connectors>);

#[derive(Debug)]
struct Connectors {
    amazon: SharedHttpConnector,
    machine: LazyLock<SharedHttpConnector, Box<dyn FnOnce() -> SharedHttpConnector + Send>>,
    machine_has_vouched: AtomicBool,
}

impl AmazonFirst {
    /// Once the machine's authorities were needed, they are used for every server, so `machine` holds all of `amazon`.
    fn new(tls: Tls, amazon: RootCertStore, machine: impl FnOnce() -> RootCertStore + Send + 'static) -> Self {
        Self(Arc::new(Connectors {
            amazon: connector(tls.clone(), amazon),
            machine: LazyLock::new(Box::new(move || connector(tls, machine()))),
            machine_has_vouched: AtomicBool::new(false),
        }))
    }
}

impl HttpConnector for AmazonFirst {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if self.0.machine_has_vouched.load(Ordering::Relaxed) {
            return self.0.machine.call(request);
        }
        // A body that can be sent only once cannot be sent again.
        let again = request.try_clone();
        let (answer, connectors) = (self.0.amazon.call(request), Arc::clone(&self.0));
        HttpConnectorFuture::new(async move {
            match (answer.await, again) {
                (Err(error), Some(request)) if is_refused_certificate(&error) => {
                    let server = host_of(request.uri()).to_owned();
                    let answer = connectors.machine.call(request).await;
                    if answer.is_ok() && !connectors.machine_has_vouched.swap(true, Ordering::Relaxed) {
                        tracing::warn!(
                            server.address = server,
                            "server trusted by the machine's authorities, not by Amazon's"
                        );
                    }
                    answer
                }
                (answer, _) => answer,
            }
        })
    }
}

/// Whether no connection was made because the server's certificate was refused.
fn is_refused_certificate(error: &(dyn Error + 'static)) -> bool {
    successors(Some(error), |error| cause(*error))
        .any(|error| matches!(error.downcast_ref(), Some(rustls::Error::InvalidCertificate(_))))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_types::body::SdkBody;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
    use rustls::ServerConfig;
    use rustls::pki_types::PrivateKeyDer;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;
    use tokio_rustls::TlsAcceptor;
    use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

    use super::*;

    fn authority(name: &str) -> Authority {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    type Authority = CertifiedIssuer<'static, KeyPair>;

    /// A client with `amazon` as Amazon's authority and `bank` as the only other one that the machine trusts.
    fn client_of(amazon: &Authority, bank: &Authority) -> AmazonFirst {
        let (amazon, bank) = (amazon.der().clone(), bank.der().clone());
        let trusting = |authorities: &[&CertificateDer<'static>]| {
            let mut store = RootCertStore::empty();
            store.add_parsable_certificates(authorities.iter().map(|der| (*der).clone()));
            store
        };
        let both = trusting(&[&amazon, &bank]);
        AmazonFirst::new(tls().unwrap(), trusting(&[&amazon]), move || both)
    }

    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    const HANGS_UP: &str = "";

    /// Starts a server at `localhost` with a certificate for `name`. Returns its address and the requests to it.
    async fn server(
        authority: &Authority,
        name: &str,
        answer: &'static str,
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
                let mut request = Vec::new();
                while !request.ends_with(b"once") {
                    assert!(stream.read_buf(&mut request).await.unwrap() > 0);
                }
                seen.send(String::from_utf8(request).unwrap()).unwrap();
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

    fn machine_has_vouched(client: &AmazonFirst) -> bool {
        client.0.machine_has_vouched.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn a_server_that_only_the_machine_knows_gets_each_request_once() {
        let (amazon, bank) = (authority("Amazon"), authority("bank"));
        let (address, mut requests) = server(&bank, "localhost", OK).await;
        let client = client_of(&amazon, &bank);
        for _ in 0..2 {
            assert_eq!(post(&client, address).await.unwrap(), 200);
            assert!(requests.recv().await.unwrap().ends_with("once"));
        }
        assert!(machine_has_vouched(&client));
        assert!(requests.try_recv().is_err());
    }

    #[tokio::test]
    async fn the_machines_list_is_not_read_if_amazons_suffices() {
        let amazon = authority("Amazon");
        let (address, mut requests) = server(&amazon, "localhost", OK).await;
        let client = client_of(&amazon, &authority("bank"));
        assert_eq!(post(&client, address).await.unwrap(), 200);
        assert!(requests.recv().await.unwrap().ends_with("once"));
        assert!(!machine_has_vouched(&client));
    }

    #[tokio::test]
    async fn a_request_that_was_sent_is_not_sent_again() {
        let amazon = authority("Amazon");
        let (address, mut requests) = server(&amazon, "localhost", HANGS_UP).await;
        let client = client_of(&amazon, &authority("bank"));
        assert!(!is_refused_certificate(&post(&client, address).await.unwrap_err()));
        assert!(requests.recv().await.unwrap().ends_with("once"));
        assert!(requests.try_recv().is_err());
    }

    #[tokio::test]
    async fn an_untrusted_server_receives_nothing() {
        let (amazon, bank) = (authority("Amazon"), authority("bank"));
        let client = client_of(&amazon, &bank);
        for (authority, name) in [(&authority("unknown"), "localhost"), (&amazon, "elsewhere"), (&bank, "elsewhere")] {
            let (address, mut requests) = server(authority, name, OK).await;
            assert!(is_refused_certificate(&post(&client, address).await.unwrap_err()));
            assert!(requests.try_recv().is_err());
            assert!(!machine_has_vouched(&client));
        }
        let (address, _requests) = server(&amazon, "localhost", OK).await;
        assert_eq!(post(&client, address).await.unwrap(), 200);
    }

    #[tokio::test]
    async fn a_server_that_hangs_up_early_changes_nothing() {
        let (amazon, bank) = (authority("Amazon"), authority("bank"));
        let (address, _requests) = server(&bank, "localhost", HANGS_UP).await;
        let client = client_of(&amazon, &bank);
        assert!(!is_refused_certificate(&post(&client, address).await.unwrap_err()));
        assert!(!machine_has_vouched(&client));
    }

    #[test]
    fn a_proxy_of_another_scheme_is_refused_by_its_name() {
        let of = |variables: &[(&str, &str)]| client(&variables.iter().copied().collect()).map(drop);
        for (name, value) in [
            ("ALL_PROXY", "socks5://user:secret@proxy:1080"),
            ("all_proxy", "socks4://proxy:1080"),
            ("HTTPS_PROXY", "SOCKS5H://proxy"),
            ("https_proxy", "ftp://proxy"),
        ] {
            let error = of(&[(name, value)]).unwrap_err();
            assert_eq!(error.name, name);
            assert!(error.problem.contains(value.split(':').next().unwrap()) && !error.problem.contains("secret"));
        }
        for taken in ["http://proxy:3128", "HTTPS://proxy", "proxy:3128", ""] {
            assert_eq!(of(&[("HTTPS_PROXY", taken)]), Ok(()), "{taken}");
        }
        assert_eq!(of(&[("HTTPS_PROXY", "http://proxy"), ("ALL_PROXY", "socks5://proxy")]), Ok(()));
    }

    #[test]
    fn a_list_that_a_variable_names_is_used() {
        let of = |variables: &[(&str, &str)]| has_own_list(&variables.iter().copied().collect());
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/amazon-trust-services.pem");
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
        assert_eq!(of(&[]), Ok(false));
        assert_eq!(of(&[("SSL_CERT_DIR", "")]), Ok(false));
        assert_eq!(of(&[("SSL_CERT_FILE", file)]), Ok(true));
        assert_eq!(of(&[("SSL_CERT_DIR", folder)]), Ok(true));
    }

    #[test]
    fn an_invalid_list_is_refused_by_its_variable() {
        let no_list = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let no_folder_of_lists = env!("CARGO_MANIFEST_DIR");
        for (variable, value) in [
            ("SSL_CERT_FILE", "/nowhere.pem"),
            ("SSL_CERT_FILE", no_list),
            ("SSL_CERT_FILE", ""),
            ("SSL_CERT_DIR", "/nowhere"),
            ("SSL_CERT_DIR", no_folder_of_lists),
        ] {
            let error = has_own_list(&[(variable, value)].into_iter().collect()).unwrap_err();
            assert_eq!(error.name, variable);
            assert!(error.problem.contains(value), "{error}");
        }
    }

    #[test]
    fn mozilla_trusts_the_compiled_in_authorities_too() {
        let compiled_in: Vec<_> = CertificateDer::pem_slice_iter(AMAZON).map(Result::unwrap).collect();
        assert_eq!(compiled_in.len(), 5);
        for authority in compiled_in {
            assert!(TLS_SERVER_ROOT_CERTS.contains(&authority), "{authority:?}");
        }
    }
}
