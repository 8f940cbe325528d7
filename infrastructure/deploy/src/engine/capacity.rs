//! Fits throttle and reservations to the account's limit of concurrent executions.

use aws_edge::call_error::CallError;
use deployment_file::Effective;
use operate::exit::Failure;

use super::{Engine, Limits, failed};
use crate::capacity::{Capacity, FullService, SAMPLE_TIMEOUT_MS, Situation, capacity, lines, warnings};
use crate::names::DataNames;
use crate::ports::{Account as _, Ports, StackService as _, Talk as _};
use crate::settings;

/// What the account has, and what the deployment's functions reserve of it at the moment.
struct Limit {
    unreserved: u64,
    own: u64,
}

impl<P: Ports + Sync> Engine<P> {
    /// Puts the values that follow from the account's limit into the file, and shows the arithmetic. Returns `None` if
    /// the limit cannot be read: the file then stays as it is.
    ///
    /// # Errors
    /// The functions would reserve more than Lambda allows.
    pub(super) async fn fit(&self, effective: &mut Effective) -> Result<Option<Capacity>, Failure> {
        if self.manner.limits == Limits::AsInFile {
            return Ok(None);
        }
        let limit = match self.limit().await? {
            Ok(limit) => limit,
            Err(error) => {
                self.warn(&format!(
                    "{error}. Throttle and reservations stay as the file has them, and whether they hold while level 1 \
                     hangs is not known"
                ));
                return Ok(None);
            }
        };
        let (full, timeout_ms) = self.full_service(effective).await;
        let available = limit.unreserved + limit.own;
        let found = capacity(&Situation::new(effective, available, full, timeout_ms));
        found.apply(&mut effective.file);
        settings::check_concurrency(settings::reserved_concurrency(effective), limit.own, limit.unreserved)?;
        for line in lines(&found) {
            self.ports.talk().say(line);
        }
        for warning in warnings(&found) {
            self.warn(&warning);
        }
        Ok(Some(found))
    }

    /// Reads the account's limit. What the functions reserve is asked of Lambda, because a deployment that stopped half
    /// way has reserved a part of it.
    async fn limit(&self) -> Result<Result<Limit, CallError>, Failure> {
        let resources = self.ports.stacks().resources(&self.names.deployment()).await.map_err(failed)?;
        let account = self.ports.account();
        let mut own = 0;
        for function in resources.iter().filter(|resource| resource.is_function()) {
            match account.reserved_concurrency(&function.physical).await {
                Ok(reserved) => own += reserved,
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(account.unreserved_concurrency().await.map(|unreserved| Limit { unreserved, own }))
    }

    /// Returns the function of level 1, and its timeout in milliseconds.
    async fn full_service(&self, effective: &Effective) -> (FullService, u64) {
        let Some(arn) = &effective.file.services.full else {
            return (Situation::sample(effective), SAMPLE_TIMEOUT_MS);
        };
        let account = self.ports.account();
        let own = async {
            let reserved = account.reserved_concurrency(without_qualifier(arn)).await?;
            Ok::<_, CallError>((reserved, account.timeout_seconds(arn).await?))
        };
        match own.await {
            Ok((reserved, timeout)) => {
                (FullService::Own { reserved: (reserved > 0).then_some(reserved) }, timeout * 1_000)
            }
            Err(error) => {
                self.warn(&format!(
                    "{error}. The arithmetic below assumes that services.full has no reserved concurrency and a timeout \
                     of {ASSUMED_TIMEOUT_SECONDS} s"
                ));
                (FullService::Own { reserved: None }, ASSUMED_TIMEOUT_SECONDS * 1_000)
            }
        }
    }
}

/// Timeout of a function that cannot be read: that of API Gateway, because a longer one has no use behind an API.
const ASSUMED_TIMEOUT_SECONDS: u64 = 30;

/// Returns the ARN of a function without its version or alias, because concurrency is reserved for the whole function.
fn without_qualifier(arn: &str) -> &str {
    arn.match_indices(':').nth(6).and_then(|(end, _)| arn.get(..end)).unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_loses_its_version_or_alias_only() {
        let arn = "arn:aws:lambda:us-east-1:111122223333:function:accounts";
        for given in [arn.to_owned(), format!("{arn}:live"), format!("{arn}:12")] {
            assert_eq!(without_qualifier(&given), arn);
        }
    }
}
