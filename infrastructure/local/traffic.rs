//! Requests to the bank.

use std::time::Duration;

use anyhow::Result;

/// A hanging request is an answer too.
const TIMEOUT: Duration = Duration::from_secs(40);

/// What the bank answered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answer {
    /// The level that was current, or `none`.
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
    /// A client of the bank at `address`.
    ///
    /// # Errors
    /// The client cannot be set up.
    pub fn new(address: &str) -> Result<Self> {
        let client = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        Ok(Self { client, address: address.to_owned() })
    }

    /// Asks for the breaker's status.
    ///
    /// # Errors
    /// There was no answer, or another program answered.
    pub async fn status(&self) -> Result<()> {
        self.client.get(format!("{}/circuit-breaker", self.address)).send().await?.error_for_status()?;
        Ok(())
    }

    /// Asks for an account; the service of the level `failing`, or of each if it is `true`, fails on purpose.
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
        // The whole answer, or a service that hangs half-way would look well.
        answer.bytes().await?;
        Ok(Answer { level, status, routed_to })
    }
}
