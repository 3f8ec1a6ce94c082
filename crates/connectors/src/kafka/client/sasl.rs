//! Who we are: PLAIN and SCRAM, by the properties of Kafka's clients.

use std::fmt;
use std::num::NonZeroU32;

use ring::rand::SecureRandom;
use ring::{digest, hmac, pbkdf2};

use super::connection::Connection;
use crate::format::base64;
use crate::kafka::error::KafkaError;
use crate::kafka::properties::Properties;
use crate::kafka::protocol::session::{SaslAuthenticateRequest, SaslHandshakeRequest};

/// A user, the password, and how it is proved that we know it.
#[derive(Clone)]
pub struct Credentials {
    mechanism: &'static str,
    user: String,
    password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as {}", self.mechanism, self.user)
    }
}

/// `name="value"` in the options of a login module.
fn option<'a>(jaas: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = jaas;
    while let Some(at) = rest.find(name) {
        let (before, after) = (rest.get(..at)?, rest.get(at + name.len()..)?);
        let starts = before.chars().next_back().is_none_or(char::is_whitespace);
        let value = after.trim_start().strip_prefix('=').map(str::trim_start);
        if let Some(quoted) = value.filter(|_| starts) {
            let quote = quoted.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            return quoted.get(1..)?.split(quote).next();
        }
        rest = after;
    }
    None
}

impl Credentials {
    /// What the properties say.
    ///
    /// # Errors
    /// Where the mechanism is not one of those spoken, or user and password are missing.
    pub fn new(properties: &Properties) -> Result<Self, KafkaError> {
        let known = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];
        if properties.get("sasl.mechanism").is_none() {
            return Err(KafkaError::setting(format!(
                "sasl.mechanism is missing: one of {}",
                known.join(", ")
            )));
        }
        let mechanism = properties.choice("sasl.mechanism", &known)?;
        let jaas = properties.get("sasl.jaas.config").unwrap_or_default();
        let given = |property: &str, word: &str| {
            let value = properties.get(property).or_else(|| option(jaas, word));
            value.map(str::to_owned).ok_or_else(|| {
                KafkaError::setting(format!(
                    "SASL needs {property}, or {word}=\"…\" in sasl.jaas.config"
                ))
            })
        };
        Ok(Self {
            mechanism,
            user: given("sasl.username", "username")?,
            password: given("sasl.password", "password")?,
        })
    }

    /// Mechanism, user and password.
    #[cfg(feature = "kafka-librdkafka")]
    pub(in crate::kafka) fn parts(&self) -> (&'static str, &str, &str) {
        (self.mechanism, &self.user, &self.password)
    }

    /// Authenticates on a new connection.
    pub(super) async fn authenticate(&self, connection: &mut Connection) -> Result<(), KafkaError> {
        let mechanism = self.mechanism;
        let handshake = SaslHandshakeRequest { mechanism };
        if let Err((code, others)) = connection.call(&handshake).await? {
            let what = format!(
                "{code}: the mechanism {mechanism} is refused; the broker has {}",
                others.join(", ")
            );
            return Err(connection.distrust(what));
        }
        if mechanism == "PLAIN" {
            let token = format!("\0{}\0{}", self.user, self.password).into_bytes();
            self.step(connection, token).await?;
            return Ok(());
        }
        let scram = Scram::new(mechanism, &self.user, &self.password)
            .map_err(|what| connection.distrust(what))?;
        let first = self.step(connection, scram.first()).await?;
        let (last, signature) = scram
            .last(&String::from_utf8_lossy(&first))
            .map_err(|what| connection.distrust(what))?;
        let answer = self.step(connection, last).await?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        if answer.strip_prefix("v=") != Some(signature.as_str()) {
            return Err(connection.distrust("the broker does not know the password either".into()));
        }
        Ok(())
    }

    async fn step(
        &self,
        connection: &mut Connection,
        token: Vec<u8>,
    ) -> Result<bytes::Bytes, KafkaError> {
        let answer = connection.call(&SaslAuthenticateRequest { token }).await?;
        answer.map_err(|(code, message)| {
            let words = message.unwrap_or_else(|| code.to_string());
            connection.distrust(format!(
                "user '{}' by {}: {words}",
                self.user, self.mechanism
            ))
        })
    }
}

/// The client's side of RFC 5802.
struct Scram {
    hmac: hmac::Algorithm,
    digest: &'static digest::Algorithm,
    pbkdf2: pbkdf2::Algorithm,
    password: String,
    nonce: String,
    first_bare: String,
}

impl Scram {
    fn new(mechanism: &str, user: &str, password: &str) -> Result<Self, String> {
        let mut random = [0; 24];
        ring::rand::SystemRandom::new()
            .fill(&mut random)
            .map_err(|_| "the system gives no random numbers".to_owned())?;
        let nonce = text_of(&random);
        Ok(Self::with_nonce(mechanism, user, password, nonce))
    }

    fn with_nonce(mechanism: &str, user: &str, password: &str, nonce: String) -> Self {
        let (hmac, digest, pbkdf2) = if mechanism == "SCRAM-SHA-512" {
            (
                hmac::HMAC_SHA512,
                &digest::SHA512,
                pbkdf2::PBKDF2_HMAC_SHA512,
            )
        } else {
            (
                hmac::HMAC_SHA256,
                &digest::SHA256,
                pbkdf2::PBKDF2_HMAC_SHA256,
            )
        };
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Self {
            hmac,
            digest,
            pbkdf2,
            password: password.to_owned(),
            first_bare: format!("n={user},r={nonce}"),
            nonce,
        }
    }

    fn first(&self) -> Vec<u8> {
        format!("n,,{}", self.first_bare).into_bytes()
    }

    fn sign(&self, key: &[u8], message: &str) -> Vec<u8> {
        hmac::sign(&hmac::Key::new(self.hmac, key), message.as_bytes())
            .as_ref()
            .to_vec()
    }

    /// The last message, and the signature by which the server proves itself.
    fn last(&self, server_first: &str) -> Result<(Vec<u8>, String), String> {
        let part = |name: char| {
            server_first
                .split(',')
                .find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
                .ok_or_else(|| format!("the broker's SCRAM message lacks '{name}'"))
        };
        let nonce = part('r')?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("the broker answered with another nonce".to_owned());
        }
        let mut salt = Vec::new();
        if !base64::decode(part('s')?.as_bytes(), &mut salt) {
            return Err("the broker's salt is not base64".to_owned());
        }
        let iterations: u32 = part('i')?.parse().unwrap_or(0);
        // RFC 5802 asks for 4096 at least; a bound above keeps a hostile broker from hanging us.
        let iterations = NonZeroU32::new(iterations)
            .filter(|i| (4096..=1_000_000).contains(&i.get()))
            .ok_or_else(|| format!("the broker asks for {iterations} iterations"))?;
        let mut salted = vec![0; self.digest.output_len()];
        pbkdf2::derive(
            self.pbkdf2,
            iterations,
            &salt,
            self.password.as_bytes(),
            &mut salted,
        );
        let client_key = self.sign(&salted, "Client Key");
        let stored = digest::digest(self.digest, &client_key);
        let without_proof = format!("c=biws,r={nonce}");
        let message = format!("{},{server_first},{without_proof}", self.first_bare);
        let signature = self.sign(stored.as_ref(), &message);
        let proof: Vec<u8> = client_key
            .iter()
            .zip(&signature)
            .map(|(a, b)| a ^ b)
            .collect();
        let server_key = self.sign(&salted, "Server Key");
        let server_signature = text_of(&self.sign(&server_key, &message));
        let last = format!("{without_proof},p={}", text_of(&proof));
        Ok((last.into_bytes(), server_signature))
    }
}

fn text_of(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    base64::encode(bytes, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7677() {
        let scram = Scram::with_nonce(
            "SCRAM-SHA-256",
            "user",
            "pencil",
            "rOprNGfwEbeRWgbNEkqO".into(),
        );
        let first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                     s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let (last, signature) = scram.last(first).unwrap();
        assert_eq!(
            String::from_utf8(last).unwrap(),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(signature, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn options_of_a_login_module() {
        let jaas =
            "x.PlainLoginModule required serviceName=\"a\" username=\"u 1\"\n password='p;\"';";
        assert_eq!(option(jaas, "username"), Some("u 1"));
        assert_eq!(option(jaas, "password"), Some("p;\""));
        assert_eq!(option(jaas, "name"), None);
    }
}
