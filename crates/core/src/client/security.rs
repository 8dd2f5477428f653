//! How the Python faces say that brokers are to be talked to; files are read there, so that all here is text.

use barnabas_client::sasl::Hash;
use barnabas_client::security::{Entropy, Sasl, Security, Token};
use barnabas_client::tls::{Tls, TlsOptions};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::errors::raised;
use super::options::Options;

/// The token of OAUTHBEARER, which Python replaces before it ends. Clients read it when they connect.
#[pyclass(frozen, module = "barnabas._core")]
#[derive(Default)]
pub(crate) struct BearerToken(Token);

#[pymethods]
impl BearerToken {
    #[new]
    fn new(token: String) -> BearerToken {
        let made = BearerToken::default();
        made.0.set(token);
        made
    }

    /// Replaces it.
    fn set(&self, token: String) {
        self.0.set(token);
    }

    /// Whether a client may still ask for it.
    #[getter]
    fn in_use(&self) -> bool {
        self.0.is_shared()
    }
}

/// Chance for nonces and jitter.
fn chance() -> u64 {
    // Without any, the nonces of this process would be known: the operating system has always some.
    getrandom::u64().unwrap_or_default()
}

impl Options<'_, '_> {
    fn optional(&self, name: &str) -> PyResult<Option<String>> {
        match self.0.get_item(name)? {
            Some(value) if !value.is_none() => value.extract(),
            _ => Ok(None),
        }
    }

    fn needed(&self, name: &str, by: &str) -> PyResult<String> {
        let value = self.optional(name)?;
        value.ok_or_else(|| PyValueError::new_err(format!("{name} must be set for {by}")))
    }

    fn tls(&self) -> PyResult<Tls> {
        let chain = self.optional("ssl.keystore.certificate.chain")?;
        let keystore = chain.zip(self.optional("ssl.keystore.key")?);
        let options = TlsOptions {
            truststore: self.optional("ssl.truststore.certificates")?,
            keystore,
            check_names: self.optional("ssl.endpoint.identification.algorithm")?.as_deref() == Some("https"),
            protocols: self.get("ssl.enabled.protocols")?,
        };
        Tls::new(&options).map_err(|error| raised(self.0.py(), &error))
    }

    fn sasl(&self) -> PyResult<Sasl> {
        let mechanism = self.needed("sasl.mechanism", "security.protocol=SASL_*")?;
        let user = |mechanism: &str| {
            Ok::<_, PyErr>((
                self.needed("sasl.username", mechanism)?,
                self.needed("sasl.password", mechanism)?,
            ))
        };
        let hash = match mechanism.as_str() {
            "PLAIN" => {
                let (username, password) = user("PLAIN")?;
                return Ok(Sasl::Plain { username, password });
            }
            "OAUTHBEARER" => {
                let token = self.0.get_item("sasl.oauthbearer.token")?;
                let token =
                    token.ok_or_else(|| PyValueError::new_err("sasl.oauthbearer.token is missing"))?;
                return Ok(Sasl::Bearer(token.cast::<BearerToken>()?.get().0.clone()));
            }
            "SCRAM-SHA-256" => Hash::Sha256,
            "SCRAM-SHA-512" => Hash::Sha512,
            other => return Err(PyValueError::new_err(format!("sasl.mechanism {other} is not known"))),
        };
        let (username, password) = user(&mechanism)?;
        Ok(Sasl::Scram { hash, username, password, token: self.get("sasl.token.authentication")? })
    }

    /// All of it.
    pub(crate) fn security(&self) -> PyResult<Security> {
        let protocol = self.needed("security.protocol", "a client")?;
        let tls = protocol.ends_with("SSL").then(|| self.tls()).transpose()?;
        let sasl = protocol.starts_with("SASL").then(|| self.sasl()).transpose()?;
        Ok(Security { tls, sasl, entropy: Entropy(chance) })
    }
}
