//! Removes each part of each statement once, to find the calls that need it.

use serde_json::Value;

use crate::policies::{Call, Policies, list};

/// A part of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub holder: String,
    pub sid: String,
    /// The kind of the part in IAM's terms, such as `Action`.
    pub kind: String,
    pub value: String,
}

/// A part, and the policies without it. If it was the only part of its kind, its whole statement is removed.
pub struct Without {
    pub part: Part,
    pub policies: Policies,
}

/// Returns the deployment's policies without each part. Leaves out statements that deny, and the key's statement for
/// the account, which every role needs.
pub fn each_left_out(policies: &Policies) -> Vec<Without> {
    let mut all = Vec::new();
    for (index, statement) in policies.statements.iter().enumerate() {
        if statement.body["Effect"] != "Allow" || statement.sid == "AccountDecidesThroughIam" {
            continue;
        }
        for (kind, pointer) in parts_of(&statement.body) {
            let values = list(statement.body.pointer(&pointer).unwrap());
            for (at, value) in values.iter().enumerate() {
                let mut rest = values.clone();
                rest.remove(at);
                let mut policies = policies.clone();
                if rest.is_empty() {
                    policies.statements.remove(index);
                } else if let Some(statement) = policies.statements.get_mut(index) {
                    *statement.body.pointer_mut(&pointer).unwrap() = rest.into();
                }
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let part =
                    Part { holder: statement.holder.clone(), sid: statement.sid.clone(), kind: kind.clone(), value };
                all.push(Without { part, policies });
            }
        }
    }
    all
}

/// Returns the kinds and pointers of the parts that can be removed one by one: actions, and also resources and values
/// of conditions if there are several.
fn parts_of(statement: &Value) -> Vec<(String, String)> {
    let mut parts = vec![("Action".to_owned(), "/Action".to_owned())];
    if list(&statement["Resource"]).len() > 1 {
        parts.push(("Resource".to_owned(), "/Resource".to_owned()));
    }
    for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
        for (key, values) in keys.as_object().unwrap() {
            if list(values).len() > 1 {
                let escape = |name: &str| name.replace('~', "~0").replace('/', "~1");
                parts.push((key.clone(), format!("/Condition/{}/{}", escape(operator), escape(key))));
            }
        }
    }
    parts
}

/// Returns the calls that need a part: those that are denied without it.
pub fn needing<'a>(without: &Without, calls: &'a [Call]) -> Vec<&'a Call> {
    calls.iter().filter(|call| !without.policies.allow(call)).collect()
}
