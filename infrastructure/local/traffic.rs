//! Requests to the bank.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;

/// A hanging request is an answer too.
const TIMEOUT: Duration = Duration::from_secs(40);

/// A client that counts what it was answered.
#[derive(Clone, Debug)]
pub struct Traffic {
    client: reqwest::Client,
    address: String,
    /// Answers by (level, status).
    pub answers: BTreeMap<(String, u16), u32>,
}

impl Traffic {
    /// A client of the bank at `address`.
    ///
    /// # Errors
    /// The client cannot be set up.
    pub fn new(address: &str) -> Result<Self> {
        let client = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        Ok(Self { client, address: address.to_owned(), answers: BTreeMap::new() })
    }

    /// Asks for an account, which fails on purpose where `fail` says so. Returns the level that answered.
    ///
    /// # Errors
    /// Nobody answered.
    pub async fn ask(&mut self, fail: bool) -> Result<String> {
        let mut request = self.client.get(format!("{}/account/12345", self.address));
        if fail {
            request = request.header("X-Simulate-Failure", "true");
        }
        let answer = request.send().await?;
        let level = answer.headers().get("x-circuit-breaker-level").and_then(|level| level.to_str().ok());
        let level = level.unwrap_or("none").to_owned();
        *self.answers.entry((level.clone(), answer.status().as_u16())).or_default() += 1;
        Ok(level)
    }
}
