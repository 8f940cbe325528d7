//! Each part of each statement, taken out once.

use serde_json::Value;

use crate::policies::{Call, Policies, list};

/// A part of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub holder: String,
    pub sid: String,
    /// What kind of part, in the words of IAM, such as `Action`.
    pub kind: String,
    pub value: String,
}

/// A part, the policies without it, and whether it is all of its kind: then its statement is gone.
pub struct Without {
    pub part: Part,
    pub policies: Policies,
}

/// The deployment's policies, without each part once. Statements that deny are not there to be needed, and the one
/// that lets the account's policies speak for a key is every role's.
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

/// The parts that can be left out one by one: actions, and where there are several, resources and values of conditions.
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

/// The calls that need a part: those that are allowed with it, and are not without it.
pub fn needing<'a>(without: &Without, calls: &'a [Call]) -> Vec<&'a Call> {
    calls.iter().filter(|call| !without.policies.allow(call)).collect()
}
