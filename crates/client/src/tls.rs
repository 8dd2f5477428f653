//! TLS as a client: whom it trusts, what it shows of itself.
//!
//! rustls with ring: small, without a build of C that takes minutes, and no surprise of a system's OpenSSL.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{ring, CryptoProvider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme, SupportedProtocolVersion,
};

use crate::error::ClientError;

/// What a client's TLS is made of. All is PEM.
#[derive(Clone, Default)]
pub struct TlsOptions {
    /// Certificates that are trusted; None: the system's.
    pub truststore: Option<String>,
    /// The client's own certificate with those above it, and its key.
    pub keystore: Option<(String, String)>,
    /// Whether a broker's certificate must have the name that it was asked for by
    /// (`ssl.endpoint.identification.algorithm`).
    pub check_names: bool,
    /// `ssl.enabled.protocols`.
    pub protocols: Vec<String>,
}

/// What connections begin with.
#[derive(Clone)]
pub struct Tls(Arc<ClientConfig>);

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Tls")
    }
}

fn refused(what: &str, error: impl fmt::Display) -> ClientError {
    ClientError::Tls(format!("{what}: {error}"))
}

impl Tls {
    /// Reads certificates and key.
    pub fn new(options: &TlsOptions) -> Result<Tls, ClientError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&versions(&options.protocols))
            .map_err(|error| refused("ssl.enabled.protocols", error))?;
        let verifier = verifier(roots(options.truststore.as_deref())?, provider, options.check_names)?;
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let config = match &options.keystore {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = certificates(chain, "ssl.keystore")?;
                builder
                    .with_client_auth_cert(chain, private_key(key)?)
                    .map_err(|error| refused("ssl.keystore: the key does not fit", error))?
            }
        };
        Ok(Tls(Arc::new(config)))
    }

    /// Begins a connection to a host.
    pub fn session(&self, host: &str) -> Result<ClientConnection, ClientError> {
        let name = ServerName::try_from(host.to_string()).map_err(|error| refused(host, error))?;
        ClientConnection::new(self.0.clone(), name).map_err(|error| refused(host, error))
    }
}

/// What went wrong in a handshake, and what to look at.
pub fn explained(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "the broker's certificate is not signed by one that is trusted: see ssl.truststore.location".to_string()
        }
        Error::InvalidCertificate(
            reason @ (CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }),
        ) => format!("the broker's certificate is for another host: {reason}"),
        Error::InvalidCertificate(reason) => format!("the broker's certificate is not valid: {reason}"),
        Error::AlertReceived(alert) => format!(
            "the broker refuses the TLS handshake ({alert:?}): does it want a certificate (ssl.keystore.location), \
             and trust this one?"
        ),
        Error::InvalidMessage(_) => format!("the broker does not speak TLS here: {error}"),
        other => format!("no TLS with the broker: {other}"),
    }
}

fn versions(protocols: &[String]) -> Vec<&'static SupportedProtocolVersion> {
    let version = |name: &String| match name.as_str() {
        "TLSv1.2" => Some(&rustls::version::TLS12),
        "TLSv1.3" => Some(&rustls::version::TLS13),
        _ => None,
    };
    protocols.iter().filter_map(version).collect()
}

fn certificates(pem: &str, config: &str) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let found = found.map_err(|error| refused(&format!("{config} can't be read as PEM"), error))?;
    match found.is_empty() {
        true => Err(refused(config, "there is no certificate in it (PEM is expected)")),
        false => Ok(found),
    }
}

fn private_key(pem: &str) -> Result<PrivateKeyDer<'static>, ClientError> {
    if pem.contains("ENCRYPTED") {
        let advice = "the key is encrypted, which is not read here: decrypt it with `openssl pkey -in KEY`";
        return Err(refused("ssl.keystore.key", advice));
    }
    PrivateKeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|error| refused("ssl.keystore.key can't be read as PEM", error))
}

fn roots(truststore: Option<&str>) -> Result<RootCertStore, ClientError> {
    let mut roots = RootCertStore::empty();
    let Some(pem) = truststore else {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            log::warn!("a certificate of the system can't be read: {error}");
        }
        roots.add_parsable_certificates(found.certs);
        return match roots.is_empty() {
            true => Err(refused("the system trusts no certificate", "set ssl.truststore.location")),
            false => Ok(roots),
        };
    };
    for certificate in certificates(pem, "ssl.truststore")? {
        roots.add(certificate).map_err(|error| refused("ssl.truststore", error))?;
    }
    Ok(roots)
}

fn verifier(
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
    check_names: bool,
) -> Result<Arc<dyn ServerCertVerifier>, ClientError> {
    let strict = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let strict = strict.map_err(|error| refused("ssl.truststore", error))?;
    Ok(if check_names { strict } else { Arc::new(AnyName(strict)) })
}

/// Trusts whom the roots vouch for, whatever the name (`ssl.endpoint.identification.algorithm` is empty).
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // The name is looked at last: an error of it says that everything else is right.
        match self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
