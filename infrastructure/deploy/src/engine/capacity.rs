//! Fits throttle and reservations to the account's limit of concurrent executions.

use aws_edge::call_error::CallError;
use aws_edge::error_kind::ErrorKind;
use deployment_file::Effective;
use operate::exit::Failure;

use super::{Engine, Limits, failed};
use crate::capacity::{Capacity, FullService, SAMPLE_TIMEOUT_MS, Situation, capacity, lines, warnings};
use crate::names::DataNames;
use crate::ports::{Account as _, Ports, StackResource, StackService as _, Talk as _};
use crate::settings;

/// What the account has, and what the deployment's functions reserve of it at the moment.
struct Limit {
    unreserved: u64,
    own: u64,
}

impl<P: Ports + Sync> Engine<P> {
    /// Puts the values that follow from the account's limit into the file, and shows the arithmetic. Returns `None` if
    /// the credentials may not read what it needs: the file then stays as it is.
    ///
    /// # Errors
    /// The functions would reserve more than Lambda allows, or something cannot be read although it is allowed.
    pub(super) async fn fit(&self, effective: &mut Effective) -> Result<Option<Capacity>, Failure> {
        if self.manner.limits == Limits::AsInFile {
            return Ok(None);
        }
        let resources = self.ports.stacks().resources(&self.names.deployment()).await.map_err(failed)?;
        let Some(limit) = self.allowed(self.limit(&resources).await)? else { return Ok(None) };
        let full = self.allowed(self.full_service(effective).await)?;
        let available = limit.unreserved + limit.own;
        let found = full.map(|(full, timeout_ms)| capacity(&Situation::new(effective, available, full, timeout_ms)));
        if let Some(found) = &found {
            found.apply(&mut effective.file);
        }
        settings::check_concurrency(settings::reserved_concurrency(effective), limit.own, limit.unreserved)?;
        for line in found.iter().flat_map(lines) {
            self.ports.talk().say(line);
        }
        for warning in found.iter().flat_map(warnings) {
            self.warn(&warning);
        }
        Ok(found)
    }

    /// Returns what was read, or `None` with a warning if AWS rejects the call: the credentials may not read it, or the
    /// function does not exist yet. Any other error is a failure: a deployment without the derived values would remove
    /// those of an earlier one.
    fn allowed<T>(&self, read: Result<T, CallError>) -> Result<Option<T>, Failure> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(error) if matches!(error.kind(), ErrorKind::Denied | ErrorKind::Refused) => {
                self.warn(&format!(
                    "{error}. Throttle and reservations stay as the file has them, and whether they hold while level 1 \
                     hangs is not known"
                ));
                Ok(None)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Reads the account's limit. What the functions reserve is asked of Lambda, because a deployment that stopped half
    /// way has reserved a part of it.
    async fn limit(&self, resources: &[StackResource]) -> Result<Limit, CallError> {
        let account = self.ports.account();
        let mut own = 0;
        for function in resources.iter().filter(|resource| resource.is_function()) {
            own += account.reserved_concurrency(&function.physical).await?;
        }
        Ok(Limit { unreserved: account.unreserved_concurrency().await?, own })
    }

    /// Returns the function of level 1, and its timeout in milliseconds.
    async fn full_service(&self, effective: &Effective) -> Result<(FullService, u64), CallError> {
        let Some(arn) = &effective.file.services.full else {
            return Ok((Situation::sample(effective), SAMPLE_TIMEOUT_MS));
        };
        let account = self.ports.account();
        let reserved = account.reserved_concurrency(without_qualifier(arn)).await?;
        let timeout = account.timeout_seconds(arn).await?;
        Ok((FullService::Own { reserved: (reserved > 0).then_some(reserved) }, timeout * 1_000))
    }
}

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
