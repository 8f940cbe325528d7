//! One stack: its condition, its progress during a change, and the reason of a failure.

use operate::exit::Failure;
use stacks::Stack;

use super::{Engine, failed, unknown};
use crate::names::DataNames;
use crate::ports::{Data as _, Event, Ports, StackService as _, StackView, Step, Talk as _};

/// What can be done with a stack, by its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// It can be created: it does not exist, or has nothing but a change set.
    New,
    /// It can be updated.
    Ready,
    /// Its first deployment failed, and what that left must be removed first.
    FailedStart,
}

/// Number of reads without a new event after which the stack's status counts.
const LOOKS_WITHOUT_EVENTS: usize = 10;

/// How a change of a stack ended.
pub(super) enum Ended {
    /// As intended.
    Well,
    /// With this status, for these reasons.
    Badly { status: String, reasons: Vec<Event> },
}

impl<P: Ports + Sync> Engine<P> {
    /// Reads a stack that is to be changed.
    pub(super) async fn look(&self, name: &str) -> Result<(Condition, StackView), Failure> {
        let view = self.ports.stacks().stack(name).await.map_err(failed)?.unwrap_or_default();
        let condition = match view.status.as_str() {
            "" | "REVIEW_IN_PROGRESS" | "DELETE_COMPLETE" => Condition::New,
            "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED" => Condition::FailedStart,
            "UPDATE_ROLLBACK_FAILED" => {
                return Err(Failure::failed(format!(
                    "the stack {name} is stuck in a rollback (UPDATE_ROLLBACK_FAILED): see in its events what failed, \
                     then: aws cloudformation continue-update-rollback --region {} --stack-name {name}",
                    self.region
                )));
            }
            "DELETE_FAILED" => {
                return Err(Failure::failed(format!(
                    "the stack {name} could not be deleted (DELETE_FAILED): see in its events what failed, then run \
                     `breaker destroy` again"
                )));
            }
            status if status.ends_with("_IN_PROGRESS") => {
                return Err(Failure::failed(format!(
                    "the stack {name} is being changed by another session ({status}): try again when that is done"
                )));
            }
            _ => Condition::Ready,
        };
        Ok((condition, view))
    }

    /// The newest event of a stack before a change.
    pub(super) async fn newest_event(&self, stack: &str) -> Option<String> {
        let events = self.ports.stacks().events(stack, None).await.ok()?;
        events.into_iter().next().map(|event| event.id)
    }

    /// Waits until a stack is no longer changing, and shows its events. `before` is the newest event before the
    /// change; `of` the number of resources that change; `well` the statuses of a change that succeeded.
    ///
    /// The status from before the change does not count as its end: without a new event, a status counts only after
    /// [`LOOKS_WITHOUT_EVENTS`] reads.
    pub(super) async fn follow(
        &self,
        stack: &str,
        before: Option<&str>,
        of: usize,
        well: &[&str],
    ) -> Result<Ended, Failure> {
        let (mut seen, mut done) = (before.map(str::to_owned), 0);
        let mut reasons = Vec::new();
        let mut looks = 0;
        loop {
            let cannot = |error| unknown(&format!("the change of {stack}"), &error);
            let view = self.ports.stacks().stack(stack).await.map_err(cannot)?;
            for event in self.new_events(stack, seen.as_deref()).await {
                let finished = event.status.ends_with("_COMPLETE") && event.resource != stack;
                done += usize::from(finished && !event.status.starts_with("ROLLBACK"));
                self.ports.talk().step(Step { stack, done: done.min(of), of, event: &event });
                seen = Some(event.id.clone());
                if is_reason(&event) {
                    reasons.push(event);
                }
            }
            let Some(view) = view else { return Ok(Ended::Well) };
            looks += 1;
            let begun = seen.as_deref() != before || looks >= LOOKS_WITHOUT_EVENTS;
            match view.status.as_str() {
                // Includes the clean-up after a change, which removes replaced resources.
                status if !begun || status.ends_with("_IN_PROGRESS") => tokio::time::sleep(self.manner.pause).await,
                status if well.contains(&status) => return Ok(Ended::Well),
                status => return Ok(Ended::Badly { status: status.to_owned(), reasons }),
            }
        }
    }

    /// The events after `seen`, oldest first. What cannot be read now is read the next time.
    async fn new_events(&self, stack: &str, seen: Option<&str>) -> Vec<Event> {
        let mut new = self.ports.stacks().events(stack, seen).await.unwrap_or_default();
        new.reverse();
        new
    }

    /// Deletes a stack and waits until it is gone. A stack whose exports another stack imports goes back to the status
    /// that it had, which is no success.
    pub(super) async fn delete_stack(&self, name: &str) -> Result<(), Failure> {
        let before = self.newest_event(name).await;
        self.ports.stacks().delete(name).await.map_err(failed)?;
        match self.follow(name, before.as_deref(), 0, &["DELETE_COMPLETE"]).await? {
            Ended::Well => Ok(()),
            Ended::Badly { status, reasons } => {
                let explained = explained(name, &status, &reasons);
                Err(Failure::failed(format!("not deleted: {}", explained.sentence)))
            }
        }
    }

    /// Removes what is left of a stack whose first deployment failed. Its rollback cannot delete a table that is
    /// protected; a table that the rollback tried to delete is the stack's own.
    pub(super) async fn remove_failed_start(&self, stack: &Stack) -> Result<(), Failure> {
        let resource = async |logical: &str| self.ports.stacks().resource(&stack.name, logical).await.map_err(failed);
        let table = resource("StateTable").await?.filter(|table| table.status == "DELETE_FAILED");
        let key = resource("EncryptionKey").await?.filter(|key| !key.physical.is_empty());
        self.ports.stacks().protect(&stack.name, false).await.map_err(failed)?;
        if let Some(table) = table {
            self.ports.data().delete_table(&table.physical).await.map_err(failed)?;
            self.say(format!("The table {} of the failed attempt is deleted.", table.physical));
            if let Some(key) = key {
                self.end_key(&key.physical).await?;
            }
        }
        self.delete_stack(&stack.name).await
    }

    /// Deletes a key's alias and schedules the key's deletion. The alias goes first, because by it the next deployment
    /// would find a key that is about to be deleted.
    pub(super) async fn end_key(&self, id: &str) -> Result<(), Failure> {
        let data = self.ports.data();
        data.delete_alias(&self.names.key_alias()).await.map_err(failed)?;
        data.end_key(id).await.map_err(failed)?;
        self.say(format!("The key {id} goes in 30 days; until then `aws kms cancel-key-deletion` keeps it."));
        Ok(())
    }
}

/// Whether an event is the reason why a change failed. A cancelled resource is none, because another one failed first.
fn is_reason(event: &Event) -> bool {
    event.status.ends_with("_FAILED") && !event.reason.to_lowercase().contains("cancelled")
}

/// Whether a change failed because a new role was not known to every service yet. If the account has used up its ten
/// resource policies of CloudWatch Logs, the text is the same, and the second attempt fails too.
pub(super) fn role_was_unknown(reasons: &[Event]) -> bool {
    const TEXTS: [&str; 2] = ["not authorized to access the Log Destination", "authorized to assume the provided role"];
    reasons.iter().any(|event| TEXTS.iter().any(|text| event.reason.contains(text)))
}

/// Returns the failure of a change, with the first cause first.
pub(super) fn explained(stack: &str, status: &str, reasons: &[Event]) -> Failure {
    let ended = match status {
        "UPDATE_ROLLBACK_COMPLETE" => {
            format!("the update of {stack} failed and was rolled back: the stack is as it was before")
        }
        "ROLLBACK_COMPLETE" => format!("the first deployment of {stack} failed and was rolled back"),
        _ => format!("the stack {stack} ended as {status}"),
    };
    let reasons: Vec<_> = reasons
        .iter()
        .map(|Event { resource, kind, reason, .. }| format!("\n  {resource} ({kind}): {reason}"))
        .collect();
    if reasons.is_empty() {
        return Failure::failed(format!("{ended}; its events give no reason"));
    }
    Failure::failed(format!("{ended}. What failed:{}", reasons.concat()))
}
