//! The changes of a deployment, and how they are shown.

use std::collections::BTreeMap;

use operate::exit::Failure;
use operate::terminal::{Line, Tone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A template with its parameters, for a new stack or an existing one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The stack.
    pub stack: String,
    /// Whether there is no such stack yet.
    pub new: bool,
    /// Address of the template.
    pub template_url: String,
    /// All of its parameters.
    pub parameters: BTreeMap<String, String>,
}

/// A change set that waits to be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSet {
    /// Its identifier.
    pub id: String,
    /// The stack.
    pub stack: String,
    /// Whether there was no such stack.
    pub new: bool,
    /// What changes.
    pub changes: Vec<Change>,
}

/// One resource that changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The action: `Add`, `Modify`, `Remove` and so on.
    pub action: String,
    /// Its logical name.
    pub resource: String,
    /// Its type.
    pub kind: String,
    /// Whether the resource is replaced, which loses its content.
    pub replaced: bool,
}

/// Returns the changes of a stack as lines.
#[must_use]
pub fn lines(stack: &str, changes: &[Change]) -> Vec<Line> {
    let mut changes = changes.to_vec();
    changes.sort();
    let heading = Line::toned(Tone::Strong, format!("{stack}: {} to change", resources(changes.len())));
    let width = changes.iter().map(|change| change.resource.len()).max().unwrap_or_default();
    let rows = changes.iter().map(|change| {
        let tone = match change.action.as_str() {
            "Add" => Tone::Good,
            "Remove" => Tone::Bad,
            _ => Tone::Plain,
        };
        let row = Line::toned(tone, format!("  {:<8}", change.action))
            .and(Tone::Plain, format!("{:<width$}  ", change.resource))
            .and(Tone::Faint, change.kind.clone());
        if change.replaced { row.and(Tone::Bad, "  REPLACED: what it holds is lost") } else { row }
    });
    std::iter::once(heading).chain(rows).collect()
}

fn resources(count: usize) -> String {
    if count == 1 { "1 resource".to_owned() } else { format!("{count} resources") }
}

/// The part of a template that lists its resources.
#[derive(Deserialize)]
struct Template {
    #[serde(rename = "Resources")]
    resources: BTreeMap<String, Resource>,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(rename = "Condition")]
    condition: Option<String>,
}

/// Returns the resources that a template would create. The kind of a conditional resource names the condition.
///
/// # Errors
/// The template cannot be read.
pub fn additions(stack: &str, template: &str) -> Result<Vec<Change>, Failure> {
    let template: Template = serde_norway::from_str(template)
        .map_err(|error| Failure::failed(format!("the template of {stack} cannot be read: {error}")))?;
    let change = |(name, resource): (String, Resource)| Change {
        action: "Add".to_owned(),
        resource: name,
        kind: match resource.condition {
            Some(condition) => format!("{} (if {condition})", resource.kind),
            None => resource.kind,
        },
        replaced: false,
    };
    Ok(template.resources.into_iter().map(change).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_replaced_stands_out() {
        let change = |resource: &str, replaced| Change {
            action: "Modify".to_owned(),
            resource: resource.to_owned(),
            kind: "AWS::DynamoDB::Table".to_owned(),
            replaced,
        };
        let shown = lines("bank-dev", &[change("StateTable", true), change("Api", false)]);
        let text: Vec<_> = shown.iter().map(Line::text).collect();
        assert_eq!(text[0], "bank-dev: 2 resources to change");
        assert_eq!(text[1], "  Modify  Api         AWS::DynamoDB::Table");
        assert_eq!(text[2], "  Modify  StateTable  AWS::DynamoDB::Table  REPLACED: what it holds is lost");
    }

    #[test]
    fn a_templates_resources_are_listed_with_their_conditions() {
        let template = "Resources:\n  Table:\n    Type: AWS::DynamoDB::Table\n    Properties: {Name: !Sub 'a-${B}'}\n  \
                        Mail:\n    Type: AWS::SNS::Subscription\n    Condition: HasMail\n";
        let listed: Vec<_> = additions("bank-dev-data", template).unwrap();
        assert_eq!(listed[0].kind, "AWS::SNS::Subscription (if HasMail)");
        assert_eq!((listed[1].resource.as_str(), listed[1].kind.as_str()), ("Table", "AWS::DynamoDB::Table"));
        assert!(additions("bank-dev-data", "Parameters: {}").is_err());
    }
}
