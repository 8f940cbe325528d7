//! A client that sends requests to the bank.

use std::time::Duration;

use anyhow::Result;

/// Timeout of a request, longer than the API's own, so that the answer to a hanging request still arrives.
const TIMEOUT: Duration = Duration::from_secs(40);

/// An answer of the bank.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answer {
    /// The current level at the time of the answer, or `none`.
    pub level: String,
    /// The status code.
    pub status: u16,
    /// The service that answered, or `none`.
    pub routed_to: String,
}

/// A client of the bank.
#[derive(Clone, Debug)]
pub struct Traffic {
    client: reqwest::Client,
    address: String,
}

impl Traffic {
    /// Returns a client of the bank at `address`.
    ///
    /// # Errors
    /// The client cannot be set up.
    pub fn new(address: &str) -> Result<Self> {
        let client = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        Ok(Self { client, address: address.to_owned() })
    }

    /// Requests the breaker's status.
    ///
    /// # Errors
    /// There was no answer, or another program answered.
    pub async fn status(&self) -> Result<()> {
        self.client.get(format!("{}/circuit-breaker", self.address)).send().await?.error_for_status()?;
        Ok(())
    }

    /// Requests an account. The service of the level `failing` fails on purpose, or every service if it is `true`.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn account(&self, failing: Option<&str>) -> Result<Answer> {
        let mut request = self.client.get(format!("{}/account/12345", self.address));
        if let Some(failing) = failing {
            request = request.header("X-Simulate-Failure", failing);
        }
        let answer = request.send().await?;
        let header = |name| {
            let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or("none").to_owned()
        };
        let (level, routed_to) = (header("x-circuit-breaker-level"), header("x-routed-to"));
        let status = answer.status().as_u16();
        // Reads the whole body, because a service may hang in the middle of it.
        answer.bytes().await?;
        Ok(Answer { level, status, routed_to })
    }
}
