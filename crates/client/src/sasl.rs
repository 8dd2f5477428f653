//! The client's half of SASL: what is sent first, and what is answered to the server's challenges.
//!
//! PLAIN (RFC 4616), SCRAM (RFC 5802, 7677) without channel binding, OAUTHBEARER (RFC 7628). Errors tell what was
//! wrong, never a secret.

use std::num::NonZeroU32;

use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use base64::Engine;
use ring::{digest, hmac, pbkdf2};

use crate::security::{Entropy, Sasl};

/// Kafka allows no fewer iterations.
const ITERATIONS_MIN: u32 = 4096;
/// A server that asks for more wants to keep this client busy.
const ITERATIONS_MAX: u32 = 1_000_000;
/// What an OAUTHBEARER client says when the server has refused its token, so that the server may end the exchange.
const ABORT: &[u8] = b"\x01";

/// The hash of a SCRAM mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SCRAM-SHA-256.
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

/// Why the exchange can't go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SaslError {
    /// The server's message makes no sense.
    #[error("the broker's SCRAM message can't be read")]
    Unreadable,
    /// The server does not continue what was begun.
    #[error("the broker's nonce does not begin with ours")]
    Nonce,
    /// Too few would give the password away, too many keep us busy.
    #[error("the broker wants {0} iterations; {ITERATIONS_MIN} to {ITERATIONS_MAX} are accepted")]
    Iterations(u64),
    /// The server does not know the password either.
    #[error("the broker could not prove that it knows the password")]
    NotProven,
    /// The server says so.
    #[error("the broker says: {0}")]
    Refused(String),
    /// There is no token yet.
    #[error("there is no token")]
    NoToken,
    /// More was asked for than there is to say.
    #[error("the broker goes on after the end")]
    Unexpected,
}

#[derive(Debug)]
enum State {
    /// PLAIN has nothing more to say.
    Last,
    /// OAUTHBEARER: an answer that is not empty is an error, in JSON.
    Bearer,
    BearerRefused(String),
    ServerFirst(Box<Scram>),
    ServerFinal(Vec<u8>),
    Done,
}

#[derive(Debug)]
struct Scram {
    hash: Hash,
    password: String,
    nonce: String,
    first_bare: String,
}

/// One exchange.
#[derive(Debug)]
pub struct Exchange(State);

impl Exchange {
    /// Begins one: the first message.
    pub fn begin(sasl: &Sasl, entropy: Entropy) -> Result<(Exchange, Vec<u8>), SaslError> {
        match sasl {
            Sasl::Plain { username, password } => {
                Ok((Exchange(State::Last), format!("\0{username}\0{password}").into_bytes()))
            }
            Sasl::Bearer(token) => {
                let token = token.get();
                if token.is_empty() {
                    return Err(SaslError::NoToken);
                }
                Ok((Exchange(State::Bearer), format!("n,,\x01auth=Bearer {token}\x01\x01").into_bytes()))
            }
            Sasl::Scram { hash, username, password, token } => {
                let nonce = nonce(entropy);
                let name = username.replace('=', "=3D").replace(',', "=2C");
                let extension = if *token { ",tokenauth=true" } else { "" };
                let first_bare = format!("n={name},r={nonce}{extension}");
                let first = format!("n,,{first_bare}").into_bytes();
                let scram = Scram { hash: *hash, password: password.clone(), nonce, first_bare };
                Ok((Exchange(State::ServerFirst(Box::new(scram))), first))
            }
        }
    }

    /// Takes what the server answered; the next message, or None when the exchange is over.
    pub fn step(&mut self, challenge: &[u8]) -> Result<Option<Vec<u8>>, SaslError> {
        match std::mem::replace(&mut self.0, State::Done) {
            State::Last => Ok(None),
            State::Bearer if challenge.is_empty() => Ok(None),
            State::Bearer => {
                self.0 = State::BearerRefused(String::from_utf8_lossy(challenge).into_owned());
                Ok(Some(ABORT.to_vec()))
            }
            State::BearerRefused(text) => Err(SaslError::Refused(text)),
            State::ServerFirst(scram) => {
                let (message, signature) = scram.finish(challenge)?;
                self.0 = State::ServerFinal(signature);
                Ok(Some(message))
            }
            State::ServerFinal(signature) => verify(challenge, &signature).map(|()| None),
            State::Done => Err(SaslError::Unexpected),
        }
    }
}

fn nonce(entropy: Entropy) -> String {
    let bytes: Vec<u8> = (0..3).flat_map(|_| (entropy.0)().to_be_bytes()).collect();
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The value behind `name=` in a message of SCRAM.
fn field(text: &str, name: char) -> Option<&str> {
    text.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

fn verify(challenge: &[u8], signature: &[u8]) -> Result<(), SaslError> {
    let text = std::str::from_utf8(challenge).map_err(|_| SaslError::Unreadable)?;
    if let Some(error) = field(text, 'e') {
        return Err(SaslError::Refused(error.to_string()));
    }
    let given = field(text, 'v').and_then(|text| STANDARD.decode(text).ok()).ok_or(SaslError::Unreadable)?;
    // Both are known to whoever listens by now: the time that comparing takes tells nothing.
    if given != signature {
        return Err(SaslError::NotProven);
    }
    Ok(())
}

impl Hash {
    fn hmac(self) -> hmac::Algorithm {
        match self {
            Hash::Sha256 => hmac::HMAC_SHA256,
            Hash::Sha512 => hmac::HMAC_SHA512,
        }
    }

    fn digest(self) -> &'static digest::Algorithm {
        self.hmac().digest_algorithm()
    }

    /// What SCRAM makes of a password.
    fn salted(self, password: &str, salt: &[u8], iterations: NonZeroU32) -> Vec<u8> {
        let algorithm = match self {
            Hash::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Hash::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        };
        let mut salted = vec![0; self.digest().output_len()];
        pbkdf2::derive(algorithm, iterations, salt, password.as_bytes(), &mut salted);
        salted
    }

    fn sign(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        hmac::sign(&hmac::Key::new(self.hmac(), key), message).as_ref().to_vec()
    }
}

impl Scram {
    /// The proof for a server's first message, and the signature that its last one is to have.
    fn finish(self, challenge: &[u8]) -> Result<(Vec<u8>, Vec<u8>), SaslError> {
        let text = std::str::from_utf8(challenge).map_err(|_| SaslError::Unreadable)?;
        if let Some(error) = field(text, 'e') {
            return Err(SaslError::Refused(error.to_string()));
        }
        let nonce = field(text, 'r').ok_or(SaslError::Unreadable)?;
        let salt =
            field(text, 's').and_then(|text| STANDARD.decode(text).ok()).ok_or(SaslError::Unreadable)?;
        let count =
            field(text, 'i').and_then(|text| text.parse::<u64>().ok()).ok_or(SaslError::Unreadable)?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(SaslError::Nonce);
        }
        let iterations =
            u32::try_from(count).ok().filter(|count| (ITERATIONS_MIN..=ITERATIONS_MAX).contains(count));
        let iterations = iterations.and_then(NonZeroU32::new).ok_or(SaslError::Iterations(count))?;
        let without_proof = format!("c=biws,r={nonce}");
        let signed = format!("{},{text},{without_proof}", self.first_bare);
        let hash = self.hash;
        let salted = hash.salted(&self.password, &salt, iterations);
        let client_key = hash.sign(&salted, b"Client Key");
        let stored_key = digest::digest(hash.digest(), &client_key);
        let signature = hash.sign(stored_key.as_ref(), signed.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        let message = format!("{without_proof},p={}", STANDARD.encode(proof)).into_bytes();
        let server_key = hash.sign(&salted, b"Server Key");
        Ok((message, hash.sign(&server_key, signed.as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";

    fn scram(nonce: &str) -> Scram {
        let first_bare = format!("n=user,r={nonce}");
        Scram { hash: Hash::Sha256, password: "pencil".to_string(), nonce: nonce.to_string(), first_bare }
    }

    /// The example of RFC 7677.
    const SERVER_FIRST: &[u8] =
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    #[test]
    fn the_proof_is_that_of_the_rfc() {
        let mut exchange = Exchange(State::ServerFirst(Box::new(scram(NONCE))));
        let last = exchange.step(SERVER_FIRST).unwrap().unwrap();
        assert_eq!(
            String::from_utf8(last).unwrap(),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(exchange.step(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(None));
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_not_believed() {
        let mut exchange = Exchange(State::ServerFirst(Box::new(scram(NONCE))));
        exchange.step(SERVER_FIRST).unwrap();
        assert_eq!(exchange.step(b"v=AAAA"), Err(SaslError::NotProven));
    }

    #[test]
    fn a_foreign_nonce_and_too_few_or_too_many_iterations_are_refused() {
        let step = |text: &str| Exchange(State::ServerFirst(Box::new(scram("abc")))).step(text.as_bytes());
        assert_eq!(step("r=xyz,s=QQ==,i=4096"), Err(SaslError::Nonce));
        assert_eq!(step("r=abc,s=QQ==,i=4096"), Err(SaslError::Nonce));
        assert_eq!(step("r=abcd,s=QQ==,i=4095"), Err(SaslError::Iterations(4095)));
        assert_eq!(step("r=abcd,s=QQ==,i=1000001"), Err(SaslError::Iterations(1_000_001)));
        assert_eq!(step("r=abcd,s=QQ=="), Err(SaslError::Unreadable));
        assert_eq!(step("e=unknown-user"), Err(SaslError::Refused("unknown-user".to_string())));
    }

    #[test]
    fn a_users_name_may_hold_what_scram_uses_itself() {
        let (username, password) = ("a=b,c".to_string(), String::new());
        let sasl = Sasl::Scram { hash: Hash::Sha512, username, password, token: true };
        let (_, first) = Exchange::begin(&sasl, Entropy::default()).unwrap();
        let nonce = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert_eq!(String::from_utf8(first).unwrap(), format!("n,,n=a=3Db=2Cc,r={nonce},tokenauth=true"));
    }
}
