//! Removes the monitoring stack, then the main stack. The data stays unless its deletion is asked for.

use operate::exit::Failure;
use stacks::Role;

use super::{Engine, failed};
use crate::names::DataNames;
use crate::ports::{Bucket as _, BucketState, Data as _, DataKey, Ports, StackService as _};
use crate::release::Releases;
use crate::report::DestroyReport;

/// Table and key, as they are now.
struct Found {
    table: bool,
    key: Option<DataKey>,
}

impl<P: Ports + Sync> Engine<P> {
    /// Removes the deployment, with `delete_data` table and key, too.
    ///
    /// # Errors
    /// Names what could not be removed or read. If table or key could not be read, neither was removed.
    pub async fn destroy(&self, delete_data: bool) -> Result<DestroyReport, Failure> {
        let main = self.names.deployment();
        let data = self.names.stack(Role::Data);
        let mut stacks = Vec::new();
        for name in [self.names.stack(Role::Monitoring), main.clone()] {
            if self.is_there(&name).await? {
                stacks.push(name);
            }
        }
        let data_stack = self.is_there(&data).await?;
        // Both are read before anything is removed, because without the key the table's records are lost.
        let found = self.find_data().await?;
        let mut going = stacks.clone();
        if delete_data {
            going.extend(data_stack.then(|| data.clone()));
            going.extend(self.data_in_words(&found));
        }
        self.say(format!("Deployment {main} in account {}, region {}", self.account, self.region));
        if going.is_empty() {
            self.say(format!("There is no stack {main}: nothing is to be removed."));
            return Ok(self.removal(Vec::new(), self.kept(data_stack.then_some(data), &found)));
        }
        self.say(format!("This removes: {}.", going.join(", ")));
        if !delete_data {
            self.say_kept(data_stack.then_some(data.as_str()), &found);
        }
        if self.manner.dry_run {
            self.say("Nothing was changed (--dry-run).");
            let kept = if delete_data { Vec::new() } else { self.kept(data_stack.then_some(data), &found) };
            return Ok(self.removal(going, kept));
        }
        self.agree(&format!("Remove {main} for good?"), &main, "nothing was changed")?;
        for stack in &stacks {
            self.say(format!("Deleting {stack} ..."));
            self.delete_stack(stack).await?;
            self.say(format!("The stack {stack} is gone."));
        }
        self.remove_releases(&main).await;
        if delete_data {
            self.delete_data(data_stack.then_some(data.as_str()), &found).await?;
        }
        let data_stack = self.is_there(&data).await?;
        let found = self.find_data().await?;
        self.say_kept(data_stack.then_some(data.as_str()), &found);
        Ok(self.removal(going, self.kept(data_stack.then_some(data), &found)))
    }

    /// Removes the recorded releases, because a later deployment of this name has a history of its own.
    async fn remove_releases(&self, deployment: &str) {
        let bucket = self.ports.bucket();
        let removed = match bucket.state().await {
            Ok(BucketState::Missing) => Ok(()),
            Ok(_) => bucket.remove_all(&Releases::new(bucket, deployment).prefix()).await,
            Err(error) => Err(error),
        };
        if let Err(error) = removed {
            self.warn(&format!(
                "the recorded releases are still in the bucket, and a later rollback of this name could go back to them: \
                 {error}"
            ));
        }
    }

    async fn is_there(&self, stack: &str) -> Result<bool, Failure> {
        let view = self.ports.stacks().stack(stack).await.map_err(failed)?;
        let Some(view) = view.filter(|view| view.status != "DELETE_COMPLETE") else { return Ok(false) };
        if view.status.ends_with("_IN_PROGRESS") && view.status != "REVIEW_IN_PROGRESS" {
            return Err(Failure::failed(format!(
                "the stack {stack} is being changed by another session ({}): try again when that is done",
                view.status
            )));
        }
        Ok(true)
    }

    async fn find_data(&self) -> Result<Found, Failure> {
        let (table, alias) = (self.names.table(), self.names.key_alias());
        let cannot =
            |what: String| move |error| Failure::failed(format!("it is unknown whether {what} is there: {error}"));
        let has_table = self.ports.data().has_table(&table).await.map_err(cannot(format!("the table {table}")))?;
        let key = self.ports.data().key(&alias).await.map_err(cannot(format!("the key {alias}")))?;
        Ok(Found { table: has_table, key })
    }

    /// Deletes the stack first, whose template retains table and key; then each of them, and waits for its end.
    async fn delete_data(&self, stack: Option<&str>, found: &Found) -> Result<(), Failure> {
        if let Some(stack) = stack {
            self.ports.stacks().protect(stack, false).await.map_err(failed)?;
            self.delete_stack(stack).await?;
            self.say(format!("The stack {stack} is gone."));
        }
        if found.table {
            let table = self.names.table();
            self.ports.data().delete_table(&table).await.map_err(failed)?;
            self.say(format!("The table {table} is deleted."));
        }
        match &found.key {
            Some(key) => self.end_key(&key.id).await,
            None => Ok(()),
        }
    }

    fn data_in_words(&self, found: &Found) -> Vec<String> {
        let table = found.table.then(|| format!("the table {} with all its records", self.names.table()));
        let key = found.key.as_ref().map(|key| format!("the key {} ({})", self.names.key_alias(), key.id));
        table.into_iter().chain(key).collect()
    }

    fn kept(&self, stack: Option<String>, found: &Found) -> Vec<String> {
        stack.into_iter().chain(self.data_in_words(found)).collect()
    }

    fn say_kept(&self, stack: Option<&str>, found: &Found) {
        let kept = self.data_in_words(found);
        if kept.is_empty() && stack.is_none() {
            return;
        }
        let kept = if kept.is_empty() { "nothing".to_owned() } else { kept.join(" and ") };
        self.say(match stack {
            Some(stack) => format!(
                "Kept: {kept} in the stack {stack}. The next deployment finds it; `breaker destroy --delete-data` removes \
                 it."
            ),
            None => format!(
                "Kept: {kept}. No stack has it, so that no later deployment can take it over; `breaker destroy \
                 --delete-data` removes it."
            ),
        });
    }

    fn removal(&self, removed: Vec<String>, kept: Vec<String>) -> DestroyReport {
        DestroyReport { place: self.place(), dry_run: self.manner.dry_run, removed, kept }
    }
}
