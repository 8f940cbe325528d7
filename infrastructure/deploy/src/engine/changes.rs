//! Change sets: computed, shown, confirmed, carried out.

use std::collections::BTreeMap;

use operate::exit::Failure;
use stacks::{Role, Stack};

use super::stack::{Condition, Ended, explained, role_was_unknown};
use super::{Engine, failed};
use crate::artifacts::digest;
use crate::plan::{Change, ChangeSet, Proposal, additions, lines};
use crate::ports::{Bucket as _, Ports, StackService as _, StackView, Talk as _};
use crate::report::StackChanges;

/// The statuses of a change that was carried out.
const APPLIED: [&str; 2] = ["CREATE_COMPLETE", "UPDATE_COMPLETE"];

/// Stacks whose changes are confirmed together.
pub(super) struct Batch<'a> {
    /// The stacks, in the order in which they are changed.
    pub stacks: Vec<(&'a Stack, Condition)>,
    /// The question, without its end.
    pub question: String,
    /// The failure's sentence if the answer is no.
    pub otherwise: String,
}

/// A stack that is to be changed.
enum Step<'a> {
    /// By this change set.
    Now(&'a Stack, ChangeSet),
    /// By a change set that is computed once the stacks before it exist.
    Later(&'a Stack),
}

impl Step<'_> {
    /// Whether the stack does not exist yet.
    const fn is_new(&self) -> bool {
        match self {
            Self::Now(_, set) => set.new,
            Self::Later(_) => true,
        }
    }
}

impl<P: Ports + Sync> Engine<P> {
    /// Uploads the templates, proposes all changes, shows them, asks once and carries them out in order. Returns the
    /// changes of each stack; a stack that is up to date has none.
    pub(super) async fn change(&self, batch: Batch<'_>) -> Result<Vec<StackChanges>, Failure> {
        let mut steps: Vec<Step<'_>> = Vec::new();
        let mut report = Vec::new();
        for (stack, condition) in &batch.stacks {
            let new = *condition == Condition::New;
            // A stack that imports from a new one: its changes can be computed only once that one exists.
            let later = new && steps.iter().any(Step::is_new);
            if later || (self.manner.dry_run && new) {
                report.push(self.show_additions(stack)?);
                steps.push(Step::Later(stack));
                continue;
            }
            let set = match self.propose(stack, new).await {
                Ok(set) => set,
                Err(failure) => {
                    self.discard(steps).await;
                    return Err(failure);
                }
            };
            let changes = set.as_ref().map(|set| set.changes.clone()).unwrap_or_default();
            if set.is_some() {
                self.show(&stack.name, &changes);
            } else {
                self.say(format!("No changes: the stack {} is up to date.", stack.name));
            }
            report.push(StackChanges { stack: stack.name.clone(), new, changes });
            steps.extend(set.map(|set| Step::Now(stack, set)));
        }
        if self.manner.dry_run {
            self.discard(steps).await;
            return Ok(report);
        }
        if steps.is_empty() {
            return Ok(report);
        }
        let question = format!("{} in account {}, region {}?", batch.question, self.account, self.region);
        if let Err(refused) = self.agree(&question, "yes", &batch.otherwise) {
            self.discard(steps).await;
            return Err(refused);
        }
        let mut open = steps.into_iter();
        while let Some(step) = open.next() {
            if let Err(failure) = self.take(step).await {
                self.discard(open.collect()).await;
                return Err(failure);
            }
        }
        Ok(report)
    }

    async fn take(&self, step: Step<'_>) -> Result<(), Failure> {
        match step {
            Step::Now(stack, set) => self.carry_out(stack, set).await,
            Step::Later(stack) => match self.propose(stack, true).await? {
                Some(set) => self.carry_out(stack, set).await,
                None => Ok(()),
            },
        }
    }

    /// Shows what a template would create, without a change set.
    pub(super) fn show_additions(&self, stack: &Stack) -> Result<StackChanges, Failure> {
        let changes = additions(&stack.name, &stack.template)?;
        self.show(&stack.name, &changes);
        Ok(StackChanges { stack: stack.name.clone(), new: true, changes })
    }

    fn show(&self, stack: &str, changes: &[Change]) {
        for line in lines(stack, changes) {
            self.ports.talk().say(line);
        }
    }

    async fn propose(&self, stack: &Stack, new: bool) -> Result<Option<ChangeSet>, Failure> {
        let key = template_key(stack);
        self.upload_new(&key, stack.template.clone().into_bytes()).await?;
        let proposal = Proposal {
            stack: stack.name.clone(),
            new,
            template_url: self.ports.bucket().url(&key),
            parameters: stack.parameters.clone(),
        };
        self.ports.stacks().propose(&proposal).await.map_err(failed)
    }

    /// Whether an existing stack differs from `stack`.
    pub(super) async fn differs(&self, stack: &Stack) -> Result<bool, Failure> {
        let Some(set) = self.propose(stack, false).await? else { return Ok(false) };
        self.discard(vec![Step::Now(stack, set)]).await;
        Ok(true)
    }

    /// Uploads an object unless the bucket has it. Its key has a hash of its content.
    pub(super) async fn upload_new(&self, key: &str, content: Vec<u8>) -> Result<bool, Failure> {
        if self.ports.bucket().has(key).await.map_err(failed)? {
            return Ok(false);
        }
        self.ports.bucket().put(key, content).await.map_err(failed)?;
        Ok(true)
    }

    /// Discards change sets. A failure is ignored, because a change set that stays does no harm.
    async fn discard(&self, steps: Vec<Step<'_>>) {
        for step in steps {
            if let Step::Now(_, set) = step {
                let _ = self.ports.stacks().discard(&set).await;
            }
        }
    }

    async fn carry_out(&self, stack: &Stack, set: ChangeSet) -> Result<(), Failure> {
        let mut set = set;
        let mut again = true;
        loop {
            self.say(format!("{} {} ...", if set.new { "Creating" } else { "Updating" }, stack.name));
            let before = self.newest_event(&stack.name).await;
            self.ports.stacks().execute(&set).await.map_err(failed)?;
            let (status, reasons) =
                match self.follow(&stack.name, before.as_deref(), set.changes.len(), &APPLIED).await? {
                    Ended::Well => break,
                    Ended::Badly { status, reasons } => (status, reasons),
                };
            if !again || !role_was_unknown(&reasons) {
                return Err(explained(&stack.name, &status, &reasons));
            }
            again = false;
            self.say("Step Functions did not know the state machine's new role yet. Trying once more ...");
            let (condition, _) = self.look(&stack.name).await?;
            if condition == Condition::FailedStart {
                self.remove_failed_start(stack).await?;
            }
            let (condition, _) = self.look(&stack.name).await?;
            match self.propose(stack, condition == Condition::New).await? {
                Some(next) => set = next,
                None => return Err(explained(&stack.name, &status, &reasons)),
            }
        }
        self.say(format!("The stack {} is deployed.", stack.name));
        if stack.retained {
            self.ports.stacks().protect(&stack.name, true).await.map_err(failed)?;
        }
        Ok(())
    }

    /// The outputs of the main stack.
    pub(super) async fn outputs(&self, stacks: &[Stack]) -> Result<BTreeMap<String, String>, Failure> {
        let Some(main) = main(stacks) else { return Ok(BTreeMap::new()) };
        let view: Option<StackView> = self.ports.stacks().stack(&main.name).await.map_err(failed)?;
        Ok(view.map(|view| view.outputs).unwrap_or_default())
    }
}

/// The main stack.
pub(super) fn main(stacks: &[Stack]) -> Option<&Stack> {
    stacks.iter().find(|stack| stack.role == Role::Main)
}

fn template_key(stack: &Stack) -> String {
    let role = match stack.role {
        Role::Data => "data",
        Role::Main => "main",
        Role::Monitoring => "monitoring",
    };
    format!("templates/{role}-{}", digest(stack.template.as_bytes()))
}
