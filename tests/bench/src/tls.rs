//! A certification authority for one run, beside the machine's own: loading those is part of what a
//! start costs.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;

/// Where systems keep the certificates that they trust: Debian's place and Amazon Linux's.
const SYSTEM_BUNDLES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// What a server needs to be trusted as `localhost`, and what a client needs to trust it.
#[derive(Debug)]
pub struct TestAuthority {
    /// For the server.
    pub server: Arc<ServerConfig>,
    /// PEM, for clients: the system's certificates and this run's.
    pub bundle: String,
}

impl TestAuthority {
    /// Makes a new authority and a certificate for `localhost`.
    ///
    /// # Errors
    /// The keys cannot be made.
    pub fn new() -> Result<Self> {
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
        // What AWS's endpoints speak.
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        let system = SYSTEM_BUNDLES.iter().find_map(|path| std::fs::read_to_string(Path::new(path)).ok());
        let bundle = format!("{}\n{}", system.unwrap_or_default(), authority.pem());
        Ok(Self { server: Arc::new(server), bundle })
    }

    /// How many certificates a client loads.
    #[must_use]
    pub fn certificates(&self) -> usize {
        self.bundle.matches("-----BEGIN CERTIFICATE-----").count()
    }
}
