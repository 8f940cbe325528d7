//! A certification authority for one run, beside others: loading those is part of what a start costs.

use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;

use crate::cli::Trust;

/// What the Lambdas bring.
const AMAZON: &str = include_str!("../../../tasks/shared/aws/src/amazon-trust-services.pem");
/// Where systems keep the certificates that they trust: Debian's place and Amazon Linux's.
const SYSTEM_BUNDLES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// What a server needs to be trusted as `localhost`, and what a client needs to trust it.
#[derive(Debug)]
pub struct TestAuthority {
    /// For the server.
    pub server: Arc<ServerConfig>,
    /// PEM, for clients: those that are trusted anyway, and this run's.
    pub bundle: String,
}

impl TestAuthority {
    /// Makes a new authority and a certificate for `localhost`.
    ///
    /// # Errors
    /// The keys cannot be made, or this machine's certificates are not where they are looked for.
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
        // What AWS's endpoints offer.
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
