//! A certificate authority for one run. Clients also load other authorities, because that takes a part of a start's
//! time.

use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;

use crate::cli::Trust;

/// The authorities that are compiled into the Lambdas.
const AMAZON: &str = include_str!("../../../tasks/shared/aws/src/amazon-trust-services.pem");
/// Files with the certificates that a system trusts, of Debian and of Amazon Linux.
const SYSTEM_BUNDLES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// The configuration of a server that is trusted as `localhost`, and the certificates with which a client trusts it.
#[derive(Debug)]
pub struct TestAuthority {
    /// The server's configuration.
    pub server: Arc<ServerConfig>,
    /// The clients' certificates, as PEM: the other authorities, and that of this run.
    pub bundle: String,
}

impl TestAuthority {
    /// Creates an authority and a certificate for `localhost`.
    ///
    /// # Errors
    /// The keys cannot be created, or this machine's certificates are in none of the known files.
    pub fn new(beside: Trust) -> Result<Self> {
        let mut params = CertificateParams::new([])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "bench test authority");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(["localhost".to_owned()])?.signed_by(&key, &authority)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        let mut server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .context("the server's certificate does not fit its key")?;
        // The protocols that AWS's endpoints offer.
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let others = match beside {
            Trust::Amazon => AMAZON.to_owned(),
            Trust::Machine => SYSTEM_BUNDLES
                .iter()
                .find_map(|path| std::fs::read_to_string(path).ok())
                .with_context(|| format!("this machine's certificates are in none of {SYSTEM_BUNDLES:?}"))?,
        };
        let bundle = format!("{others}\n{}", authority.pem());
        Ok(Self { server: Arc::new(server), bundle })
    }

    /// Number of certificates that a client loads.
    #[must_use]
    pub fn certificates(&self) -> usize {
        self.bundle.matches("-----BEGIN CERTIFICATE-----").count()
    }
}
