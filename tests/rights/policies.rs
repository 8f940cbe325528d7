//! The policy statements of the deployment, which decide whether a call is allowed.

use std::collections::BTreeMap;
use std::fmt;

use iam_rs::{Arn, Context, Decision, IAMPolicy, IAMRequest, PolicyEvaluator, Principal, PrincipalId};
use serde_json::{Value, json};

use crate::deployed::{ACCOUNT, Deployed};

/// The caller of a call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caller {
    /// A role of the template, by its logical name.
    Role(String),
    /// An AWS service with its service principal.
    Service(String),
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Role(name) | Self::Service(name)) = self;
        f.write_str(name)
    }
}

/// A call as IAM judges it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    pub caller: Caller,
    pub action: String,
    pub resource: String,
    /// The values of the call's condition keys.
    pub context: BTreeMap<String, Vec<String>>,
    /// The reason of the call, for people.
    pub why: String,
}

impl Call {
    pub fn new(caller: Caller, action: &str, resource: &str, why: &str) -> Self {
        // All calls use TLS.
        let context = BTreeMap::from([("aws:SecureTransport".to_owned(), vec!["true".to_owned()])]);
        Self { caller, action: action.to_owned(), resource: resource.to_owned(), context, why: why.to_owned() }
    }

    pub fn with(mut self, key: &str, values: &[&str]) -> Self {
        self.context.insert(key.to_owned(), values.iter().map(|value| (*value).to_owned()).collect());
        self
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { caller, action, resource, context, why } = self;
        write!(f, "{caller}: {action} on {resource} with {context:?} ({why})")
    }
}

/// A statement and its holder.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The role, managed policy or resource whose policy it is in.
    pub holder: String,
    pub sid: String,
    /// The statement in IAM's grammar, with resolved references.
    pub body: Value,
}

/// All statements of a deployment.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    pub statements: Vec<Statement>,
    /// The managed policies of each role.
    managed: BTreeMap<String, Vec<String>>,
    /// The resource that each resource policy is attached to, by the policy's holder.
    attached: BTreeMap<String, Vec<String>>,
}

impl Policies {
    pub fn of(deployed: &Deployed) -> Self {
        let mut policies = Self::default();
        policies.take_identities(deployed);
        policies.take_resources(deployed);
        policies
    }

    fn take_identities(&mut self, deployed: &Deployed) {
        for (name, role) in deployed.of_type("AWS::IAM::Role") {
            for policy in list(&deployed.property(name, "Policies")) {
                self.take(deployed, name, &policy["PolicyDocument"]["Statement"]);
            }
            let arns = list(&deployed.property(name, "ManagedPolicyArns"));
            let names = arns.iter().map(|arn| arn.as_str().unwrap().rsplit('/').next().unwrap().to_owned());
            self.managed.insert(name.to_owned(), names.collect());
            // The trust policy says who may assume the role. It is a resource policy of the role, without a `Resource`.
            for (index, mut trust) in
                list(&role["Properties"]["AssumeRolePolicyDocument"]["Statement"]).into_iter().enumerate()
            {
                trust["Resource"] = "*".into();
                trust["Sid"] = format!("Trust{index}").into();
                self.attach(&trust_of(name), &[deployed.arn(name)]);
                self.take(deployed, &trust_of(name), &trust);
            }
        }
        for name in deployed.of_type("AWS::IAM::ManagedPolicy").into_keys() {
            self.take(deployed, name, &deployed.property(name, "PolicyDocument")["Statement"]);
        }
    }

    fn take_resources(&mut self, deployed: &Deployed) {
        for name in deployed.of_type("AWS::KMS::Key").into_keys() {
            self.attach(name, &[deployed.arn(name)]);
            self.take(deployed, name, &deployed.property(name, "KeyPolicy")["Statement"]);
        }
        for (kind, member) in [("AWS::SNS::TopicPolicy", "Topics"), ("AWS::SQS::QueuePolicy", "Queues")] {
            for name in deployed.of_type(kind).into_keys() {
                let arns: Vec<String> = list(&deployed.property(name, member))
                    .iter()
                    .map(|one| one.as_str().unwrap())
                    .map(|one| if one.starts_with("arn:") { one.to_owned() } else { deployed.arn(one) })
                    .collect();
                self.attach(name, &arns);
                self.take(deployed, name, &deployed.property(name, "PolicyDocument")["Statement"]);
            }
        }
        for name in deployed.of_type("AWS::Lambda::Permission").into_keys() {
            let function = deployed.property(name, "FunctionName").as_str().unwrap().to_owned();
            self.attach(name, std::slice::from_ref(&function));
            // The statement that AddPermission writes into the function's policy.
            let statement = json!({
                "Sid": name, "Effect": "Allow", "Principal": {"Service": deployed.property(name, "Principal")},
                "Action": deployed.property(name, "Action"), "Resource": function,
                "Condition": {"ArnLike": {"aws:SourceArn": deployed.property(name, "SourceArn")}},
            });
            self.take(deployed, name, &statement);
        }
    }

    fn attach(&mut self, holder: &str, arns: &[String]) {
        self.attached.insert(holder.to_owned(), arns.to_vec());
    }

    fn take(&mut self, deployed: &Deployed, holder: &str, statements: &Value) {
        for statement in list(statements) {
            let body = deployed.resolve(&statement);
            let sid = body["Sid"].as_str().unwrap_or_else(|| panic!("{holder}: a statement without a Sid")).to_owned();
            self.statements.push(Statement { holder: holder.to_owned(), sid, body });
        }
    }

    /// Whether the policies allow a call within the account: the caller's own policies or those of the resource allow
    /// it, and none denies it. For KMS both must allow it.
    pub fn allow(&self, call: &Call) -> bool {
        let attached = self.of_resource(&call.resource);
        match &call.caller {
            Caller::Service(name) => {
                decide(&attached, &Principal::Service(PrincipalId::String(name.clone())), call) == Decision::Allow
            }
            Caller::Role(role) => {
                let principal = |arn: String| Principal::Aws(PrincipalId::String(arn));
                let itself = principal(format!("arn:aws:iam::{ACCOUNT}:role/{role}"));
                let own = decide(&self.of_role(role), &itself, call);
                let theirs = decide(&attached, &itself, call);
                let allowed = if call.action.starts_with("kms:") {
                    // A key's policy that names the account lets the account's IAM policies decide.
                    let account = decide(&attached, &principal(format!("arn:aws:iam::{ACCOUNT}:root")), call);
                    own == Decision::Allow && account == Decision::Allow
                } else {
                    own == Decision::Allow || theirs == Decision::Allow
                };
                allowed && own != Decision::Deny && theirs != Decision::Deny
            }
        }
    }

    fn of_role(&self, role: &str) -> Vec<&Value> {
        let managed = self.managed.get(role).unwrap_or_else(|| panic!("there is no role {role}"));
        self.bodies(|holder| holder == role || managed.iter().any(|name| name == holder))
    }

    fn of_resource(&self, arn: &str) -> Vec<&Value> {
        self.bodies(|holder| self.attached.get(holder).is_some_and(|arns| arns.iter().any(|one| one == arn)))
    }

    fn bodies(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<&Value> {
        self.statements
            .iter()
            .filter(|statement| is_wanted(&statement.holder))
            .map(|statement| &statement.body)
            .collect()
    }
}

/// Returns the holder of the statements that say who may assume a role.
pub fn trust_of(role: &str) -> String {
    format!("{role} (trust)")
}

/// Returns the engine's decision on a call by these statements alone.
pub fn decide(statements: &[&Value], principal: &Principal, call: &Call) -> Decision {
    let policy = json!({"Version": "2012-10-17", "Statement": statements});
    let policy: IAMPolicy = serde_json::from_value(policy).unwrap();
    let context = call.context.iter().map(|(key, values)| match values.as_slice() {
        [value] if value == "true" || value == "false" => (key.clone(), json!(value == "true")),
        // A multivalued key is a list even if it has one value.
        [value] if !key.ends_with("LeadingKeys") => (key.clone(), json!(value)),
        values => (key.clone(), json!(values)),
    });
    let context: Context = serde_json::from_value(Value::Object(context.collect())).unwrap();
    let resource = Arn::parse(&call.resource).unwrap();
    let request = IAMRequest::new_with_context(principal.clone(), call.action.clone(), resource, context);
    PolicyEvaluator::with_policies(vec![policy])
        .evaluate(&request)
        .unwrap_or_else(|error| panic!("{call}: {error}"))
        .decision
}

/// Returns the members of a list, or a single value as a list.
pub fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    }
}
