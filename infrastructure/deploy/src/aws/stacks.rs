//! `CloudFormation`.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_edge::call_error::CallError;
use aws_edge::error_kind::ErrorKind;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{
    Capability, ChangeAction, ChangeSetStatus, ChangeSetType, Parameter, Replacement, ResourceChange, ResourceStatus,
    Stack, StackEvent,
};
use operate::aws::errors::{call_error, failure};

use crate::plan::{Change, ChangeSet, Proposal};
use crate::ports::{Event, StackResource, StackService, StackView};

/// Maximum number of events that are read.
const EVENTS: usize = 300;
/// Parts of `CloudFormation`'s messages about a change set that would change nothing.
const NO_CHANGES: [&str; 2] = ["didn't contain changes", "No updates are to be performed"];
/// Maximum time until a change set is computed. Usually it takes seconds.
const COMPUTED: Duration = Duration::from_mins(10);

/// `CloudFormation` in one account and region.
#[derive(Clone, Debug)]
pub struct CloudFormation {
    client: Client,
    pause: Duration,
}

impl CloudFormation {
    /// The service of these clients.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let pause = if config.endpoint_url().is_some() { Duration::from_millis(100) } else { Duration::from_secs(2) };
        Self { client: Client::new(config), pause }
    }

    /// Waits until a change set is computed; None if it would change nothing.
    async fn computed(&self, id: &str, stack: &str) -> Result<Option<Vec<Change>>, CallError> {
        let begun = tokio::time::Instant::now();
        loop {
            let first = self.page(id, None).await?;
            match first.status() {
                Some(ChangeSetStatus::CreateComplete) => return self.changes(id, first).await.map(Some),
                Some(ChangeSetStatus::Failed | ChangeSetStatus::DeleteComplete | ChangeSetStatus::DeleteFailed) => {
                    let reason = first.status_reason().unwrap_or("CloudFormation gives no reason");
                    if NO_CHANGES.iter().any(|text| reason.contains(text)) {
                        return Ok(None);
                    }
                    return Err(refused(format!("the changes of {stack} cannot be computed: {reason}")));
                }
                _ if begun.elapsed() > COMPUTED => {
                    return Err(refused(format!(
                        "the changes of {stack} are not computed after {} minutes",
                        COMPUTED.as_secs() / 60
                    )));
                }
                _ => tokio::time::sleep(self.pause).await,
            }
        }
    }

    async fn page(&self, id: &str, token: Option<String>) -> Result<DescribeChangeSetOutput, CallError> {
        let call = self.client.describe_change_set().change_set_name(id).set_next_token(token);
        call.send().await.map_err(|error| call_error("a change set cannot be read", error))
    }

    async fn changes(&self, id: &str, first: DescribeChangeSetOutput) -> Result<Vec<Change>, CallError> {
        let mut page = first;
        let mut changes = Vec::new();
        loop {
            changes.extend(page.changes().iter().filter_map(|change| change.resource_change()).map(change_of));
            match page.next_token() {
                Some(token) => page = self.page(id, Some(token.to_owned())).await?,
                None => return Ok(changes),
            }
        }
    }

    async fn remove_change_set(&self, id: &str) -> Result<(), CallError> {
        let sent = self.client.delete_change_set().change_set_name(id).send().await;
        sent.map(drop).map_err(|error| call_error("a change set cannot be removed", error))
    }
}

impl StackService for CloudFormation {
    async fn stack(&self, name: &str) -> Result<Option<StackView>, CallError> {
        match self.client.describe_stacks().stack_name(name).send().await {
            Ok(answer) => Ok(answer.stacks().first().map(view_of)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(call_error(&format!("the stack {name} cannot be read"), error)),
        }
    }

    async fn resource(&self, stack: &str, logical: &str) -> Result<Option<StackResource>, CallError> {
        let call = self.client.describe_stack_resource().stack_name(stack).logical_resource_id(logical);
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(call_error(&format!("the resource {logical} of {stack} cannot be read"), error)),
        };
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Ok(answer.stack_resource_detail().map(|resource| StackResource {
            kind: text(resource.resource_type()),
            status: text(resource.resource_status().map(ResourceStatus::as_str)),
            physical: text(resource.physical_resource_id()),
        }))
    }

    async fn resources(&self, stack: &str) -> Result<Vec<StackResource>, CallError> {
        let mut resources = Vec::new();
        let mut pages = self.client.list_stack_resources().stack_name(stack).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) if is_missing(&error) => return Ok(resources),
                Err(error) => return Err(call_error(&format!("the resources of {stack} cannot be read"), error)),
            };
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            resources.extend(page.stack_resource_summaries().iter().map(|resource| StackResource {
                kind: text(resource.resource_type()),
                status: text(resource.resource_status().map(ResourceStatus::as_str)),
                physical: text(resource.physical_resource_id()),
            }));
        }
        Ok(resources)
    }

    async fn propose(&self, proposal: &Proposal) -> Result<Option<ChangeSet>, CallError> {
        let Proposal { stack, new, template_url, parameters } = proposal;
        let name = format!("breaker-{}", jiff::Timestamp::now().as_millisecond());
        let parameter =
            |(key, value): (&String, &String)| Parameter::builder().parameter_key(key).parameter_value(value).build();
        let call = self
            .client
            .create_change_set()
            .stack_name(stack)
            .change_set_name(name)
            .change_set_type(if *new { ChangeSetType::Create } else { ChangeSetType::Update })
            .template_url(template_url)
            .set_parameters(Some(parameters.iter().map(parameter).collect()))
            .capabilities(Capability::CapabilityIam)
            .capabilities(Capability::CapabilityAutoExpand);
        let sent = match call.send().await {
            Ok(sent) => sent,
            Err(error) if says_no_changes(&error) => return Ok(None),
            Err(error) => return Err(call_error(&format!("the changes of {stack} cannot be computed"), error)),
        };
        let id = sent.id().unwrap_or_default().to_owned();
        let computed = self.computed(&id, stack).await;
        let of_changes = |changes| ChangeSet { id: id.clone(), stack: stack.clone(), new: *new, changes };
        match computed {
            Ok(Some(changes)) => Ok(Some(of_changes(changes))),
            Ok(None) => {
                // A change set without changes has failed, and stays in the stack's list until it is removed.
                let _ = self.remove_change_set(&id).await;
                Ok(None)
            }
            Err(error) => {
                let _ = self.discard(&of_changes(Vec::new())).await;
                Err(error)
            }
        }
    }

    async fn execute(&self, change_set: &ChangeSet) -> Result<(), CallError> {
        // A rollback removes the versions that the change has published, which their default policy would keep: Lambda
        // publishes nothing that equals its newest version, so a second try of the same release would fail.
        let call = self.client.execute_change_set().change_set_name(&change_set.id).retain_except_on_create(true);
        let sent = call.send().await;
        let what = format!("the change of {} cannot be begun", change_set.stack);
        sent.map(drop).map_err(|error| call_error(&what, error))
    }

    async fn discard(&self, change_set: &ChangeSet) -> Result<(), CallError> {
        if change_set.new {
            // A stack that was never executed holds nothing but its change sets.
            return self.delete(&change_set.stack).await;
        }
        self.remove_change_set(&change_set.id).await
    }

    async fn delete(&self, stack: &str) -> Result<(), CallError> {
        let sent = self.client.delete_stack().stack_name(stack).send().await;
        sent.map(drop).map_err(|error| call_error(&format!("the stack {stack} cannot be deleted"), error))
    }

    async fn protect(&self, stack: &str, on: bool) -> Result<(), CallError> {
        let call = self.client.update_termination_protection().stack_name(stack).enable_termination_protection(on);
        let what = format!("the protection of the stack {stack} against deletion cannot be switched");
        call.send().await.map(drop).map_err(|error| call_error(&what, error))
    }

    async fn events(&self, stack: &str, after: Option<&str>) -> Result<Vec<Event>, CallError> {
        let mut events = Vec::new();
        let mut pages = self.client.describe_stack_events().stack_name(stack).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) if is_missing(&error) => return Ok(events),
                Err(error) => return Err(call_error(&format!("the events of {stack} cannot be read"), error)),
            };
            for event in page.stack_events() {
                if events.len() >= EVENTS || (after.is_some() && event.event_id() == after) {
                    return Ok(events);
                }
                events.push(event_of(event));
            }
        }
        Ok(events)
    }
}

fn event_of(event: &StackEvent) -> Event {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Event {
        id: text(event.event_id()),
        resource: text(event.logical_resource_id()),
        kind: text(event.resource_type()),
        status: text(event.resource_status().map(ResourceStatus::as_str)),
        reason: text(event.resource_status_reason()),
    }
}

fn view_of(stack: &Stack) -> StackView {
    let parameters = stack.parameters().iter();
    let outputs = stack.outputs().iter();
    StackView {
        status: stack.stack_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
        parameters: parameters.filter_map(|one| pair(one.parameter_key(), one.parameter_value())).collect(),
        outputs: outputs.filter_map(|one| pair(one.output_key(), one.output_value())).collect::<BTreeMap<_, _>>(),
        protected: stack.enable_termination_protection().unwrap_or_default(),
    }
}

fn pair(key: Option<&str>, value: Option<&str>) -> Option<(String, String)> {
    Some((key?.to_owned(), value?.to_owned()))
}

fn change_of(change: &ResourceChange) -> Change {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Change {
        action: text(change.action().map(ChangeAction::as_str)),
        resource: text(change.logical_resource_id()),
        kind: text(change.resource_type()),
        replaced: change.replacement() == Some(&Replacement::True),
    }
}

/// Whether the error says that there is no such stack. `CloudFormation` has no error code for it.
fn is_missing<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.code() == Some("ValidationError") && error.message().is_some_and(|text| text.contains("does not exist"))
}

fn says_no_changes<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.message().is_some_and(|message| NO_CHANGES.iter().any(|text| message.contains(text)))
}

fn refused(message: String) -> CallError {
    failure(ErrorKind::Refused, message)
}
