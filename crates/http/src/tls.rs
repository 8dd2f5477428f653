//! TLS for listeners: a certificate of the service's own, and if wished none but clients with certificates that an
//! authority has signed.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// What PEM texts a listener's TLS is made of.
#[derive(Debug, Clone, Copy)]
pub struct TlsTexts<'a> {
    /// The service's certificate, and those between it and its authority.
    pub certificates: &'a str,
    /// The key of the service's certificate.
    pub key: &'a str,
    /// Authorities of clients' certificates. None: nobody is asked for one.
    pub client_authorities: Option<&'a str>,
}

/// Why the texts can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No certificate, or one that can't be read.
    #[error("the {0} hold no certificate in PEM")]
    Certificates(&'static str),
    /// No key, or one that can't be read.
    #[error("the key is none in PEM, or needs a password")]
    Key,
    /// They don't fit together.
    #[error("key and certificates can't be used: {0}")]
    Unusable(rustls::Error),
    /// The authorities can't be used.
    #[error("the clients' authorities can't be used: {0}")]
    Authorities(String),
}

/// The TLS of a listener.
#[derive(Debug, Clone)]
pub struct Tls(pub(crate) Arc<ServerConfig>);

impl Tls {
    /// Reads the texts.
    pub fn new(texts: TlsTexts<'_>) -> Result<Tls, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unusable)?;
        let builder = match texts.client_authorities {
            None => builder.with_no_client_auth(),
            Some(text) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(text, "clients' authorities")? {
                    roots.add(certificate).map_err(|error| TlsError::Authorities(error.to_string()))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .build()
                    .map_err(|error| TlsError::Authorities(error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let key = PrivateKeyDer::from_pem_slice(texts.key.as_bytes()).map_err(|_| TlsError::Key)?;
        let chain = certificates(texts.certificates, "certificates")?;
        let mut config = builder.with_single_cert(chain, key).map_err(TlsError::Unusable)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls(Arc::new(config)))
    }
}

fn certificates(text: &str, what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or(TlsError::Certificates(what))
}
