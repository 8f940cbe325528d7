//! The three stacks as they are deployed: after the SAM transform, with resolved references.

use std::collections::BTreeMap;

use deployment_file::Effective;
use local::folders;
use local::python::Python;
use local::server::REGION;
use serde_json::{Map, Value, json};
use stacks::{Code, Names, Role, stacks};
use tokio::process::Command;
use tokio::sync::OnceCell;

/// The account of the local AWS.
pub const ACCOUNT: &str = "000000000000";

/// A deployment with every feature that needs roles or rights: a VPC and gradual deployments.
const FILE: &str = r#"
deployment.gradual = true
limits.vpc_subnet_ids = ["subnet-1"]
limits.vpc_security_group_ids = ["sg-1"]
"#;

/// The stacks as one template, and the values of their parameters.
pub struct Deployed {
    template: Value,
    parameters: BTreeMap<String, Value>,
}

impl Deployed {
    /// Returns the deployment that all tests of this program use.
    pub async fn get() -> &'static Self {
        static DEPLOYED: OnceCell<Deployed> = OnceCell::const_new();
        DEPLOYED.get_or_init(Self::transform).await
    }

    async fn transform() -> Self {
        let names = Names { project: "bank-circuit-breaker".to_owned(), environment: "dev".to_owned() };
        let mut whole = json!({"Resources": {}, "Conditions": {}, "Outputs": {}});
        let mut parameters = BTreeMap::new();
        for stack in stacks(&Effective::read("a file", FILE, &[]).unwrap(), &names, &Code::default()) {
            let template = match stack.role {
                // Only the main stack has a transform.
                Role::Main => transformed(&stack.parameters).await,
                Role::Data => transformed_at("infrastructure/circuit-breaker-data.yaml", &[]).await,
                Role::Monitoring => serde_json::from_str(&stack.template).unwrap(),
            };
            for section in ["Resources", "Conditions", "Outputs"] {
                let entries = template[section].as_object().cloned().unwrap_or_default();
                let known = whole[section].as_object_mut().unwrap();
                let outputs_of = if section == "Outputs" { format!("{:?}", stack.role) } else { String::new() };
                for (name, entry) in entries {
                    let name = outputs_of.clone() + &name;
                    assert!(known.insert(name.clone(), entry).is_none(), "two stacks have {name}");
                }
            }
            parameters.extend(stack.parameters.into_iter().map(|(name, value)| (name, value.into())));
        }
        Self { template: whole, parameters }
    }

    /// Returns the resources of a type that this deployment has, by logical name.
    pub fn of_type(&self, kind: &str) -> BTreeMap<&str, &Value> {
        let resources = self.template["Resources"].as_object().unwrap();
        let found: BTreeMap<_, _> = resources
            .iter()
            .filter(|(_, resource)| resource["Type"] == kind)
            .filter(|(_, resource)| {
                resource["Condition"].as_str().is_none_or(|name| self.holds(&json!({"Condition": name})))
            })
            .map(|(name, resource)| (name.as_str(), resource))
            .collect();
        assert!(!found.is_empty(), "the deployment has no {kind}");
        found
    }

    /// Returns the types of all resources.
    pub fn types(&self) -> std::collections::BTreeSet<&str> {
        let resources = self.template["Resources"].as_object().unwrap();
        resources.values().map(|resource| resource["Type"].as_str().unwrap()).collect()
    }

    /// Whether a resource of this type has tags after the transform.
    pub fn is_tagged(&self, kind: &str) -> bool {
        let resources = self.template["Resources"].as_object().unwrap();
        resources.values().any(|resource| resource["Type"] == kind && !resource["Properties"]["Tags"].is_null())
    }

    fn resource(&self, name: &str) -> &Value {
        let resource = &self.template["Resources"][name];
        assert!(resource.is_object(), "the template has no resource {name}");
        resource
    }

    /// Returns a property's resolved value.
    pub fn property(&self, resource: &str, property: &str) -> Value {
        self.resolve(&self.resource(resource)["Properties"][property])
    }

    fn text(&self, resource: &str, property: &str) -> String {
        let value = self.property(resource, property);
        value.as_str().unwrap_or_else(|| panic!("{resource} {property}: {value}")).to_owned()
    }

    /// Returns the ARN of a resource.
    pub fn arn(&self, name: &str) -> String {
        let kind = self.resource(name)["Type"].as_str().unwrap();
        let (service, rest) = match kind {
            "AWS::Lambda::Function" => ("lambda", format!("function:{}", self.text(name, "FunctionName"))),
            "AWS::Lambda::Alias" => {
                let function = self.text(name, "FunctionName");
                ("lambda", format!("function:{function}:{}", self.text(name, "Name")))
            }
            "AWS::DynamoDB::Table" => ("dynamodb", format!("table/{}", self.text(name, "TableName"))),
            "AWS::SNS::Topic" => ("sns", self.text(name, "TopicName")),
            "AWS::SQS::Queue" => ("sqs", self.text(name, "QueueName")),
            "AWS::StepFunctions::StateMachine" => {
                ("states", format!("stateMachine:{}", self.text(name, "StateMachineName")))
            }
            "AWS::KMS::Key" => ("kms", format!("key/{name}")),
            "AWS::Logs::LogGroup" => ("logs", format!("log-group:{}:*", self.text(name, "LogGroupName"))),
            "AWS::IAM::Role" => return format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
            "AWS::IAM::ManagedPolicy" => return format!("arn:aws:iam::{ACCOUNT}:policy/{name}"),
            other => panic!("{name}: the ARN of {other} is not known here"),
        };
        format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}")
    }

    /// Returns the value of `Ref` for a parameter, a pseudo parameter or a resource.
    fn reference(&self, name: &str) -> Value {
        match name {
            "AWS::Partition" => return "aws".into(),
            "AWS::Region" => return REGION.into(),
            "AWS::AccountId" => return ACCOUNT.into(),
            "AWS::URLSuffix" => return "amazonaws.com".into(),
            "AWS::NoValue" => return Value::Null,
            _ => {}
        }
        if let Some(value) = self.parameters.get(name) {
            return value.clone();
        }
        match self.resource(name)["Type"].as_str().unwrap() {
            "AWS::Lambda::Function" => self.property(name, "FunctionName"),
            "AWS::DynamoDB::Table" => self.property(name, "TableName"),
            "AWS::Lambda::Alias"
            | "AWS::SNS::Topic"
            | "AWS::StepFunctions::StateMachine"
            | "AWS::IAM::ManagedPolicy" => self.arn(name).into(),
            // AWS generates these ids. The logical name replaces them here.
            _ => name.into(),
        }
    }

    /// Resolves the functions of a value; list members and map entries without a value are left out.
    pub fn resolve(&self, value: &Value) -> Value {
        match value {
            Value::Array(values) => {
                values.iter().map(|value| self.resolve(value)).filter(|value| !value.is_null()).collect()
            }
            Value::Object(map) => {
                if let (1, Some((function, argument))) = (map.len(), map.iter().next())
                    && let Some(value) = self.call(function, argument)
                {
                    return value;
                }
                let entries = map.iter().map(|(key, value)| (key.clone(), self.resolve(value)));
                Value::Object(entries.filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
            }
            plain => plain.clone(),
        }
    }

    fn call(&self, function: &str, argument: &Value) -> Option<Value> {
        Some(match function {
            "Ref" => self.reference(argument.as_str().unwrap()),
            "Fn::GetAtt" => self.attribute(argument[0].as_str().unwrap(), argument[1].as_str().unwrap()),
            "Fn::Sub" => self.substitute(argument.as_str().unwrap()),
            "Fn::ImportValue" => self.exported(&self.resolve(argument)),
            "Fn::If" => self.resolve(&argument[if self.holds(&json!({"Condition": argument[0]})) { 1 } else { 2 }]),
            "Fn::Join" => {
                let parts = self.resolve(&argument[1]);
                let parts = parts.as_array().map_or_else(|| vec![parts.clone()], Clone::clone);
                let parts: Vec<_> = parts.iter().map(|part| part.as_str().unwrap()).collect();
                parts.join(argument[0].as_str().unwrap()).into()
            }
            _ => return None,
        })
    }

    /// Returns the value that an output exports under this name.
    fn exported(&self, name: &Value) -> Value {
        let outputs = self.template["Outputs"].as_object().unwrap().values();
        let output = outputs.into_iter().find(|output| self.resolve(&output["Export"]["Name"]) == *name);
        self.resolve(&output.unwrap_or_else(|| panic!("no stack exports {name}"))["Value"])
    }

    fn attribute(&self, resource: &str, attribute: &str) -> Value {
        match attribute {
            "Arn" => self.arn(resource).into(),
            other => panic!("{resource}.{other} is not known here"),
        }
    }

    fn substitute(&self, text: &str) -> Value {
        let mut parts = text.split("${");
        let mut whole = parts.next().unwrap().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').unwrap();
            let value = match name.split_once('.') {
                Some((resource, attribute)) => self.attribute(resource, attribute),
                None => self.reference(name),
            };
            whole.push_str(value.as_str().unwrap_or_else(|| panic!("${{{name}}} is {value}")));
            whole.push_str(rest);
        }
        whole.into()
    }

    fn holds(&self, condition: &Value) -> bool {
        let (function, argument) = condition.as_object().unwrap().iter().next().unwrap();
        let operands = || argument.as_array().unwrap().iter();
        match function.as_str() {
            "Condition" => self.holds(&self.template["Conditions"][argument.as_str().unwrap()]),
            "Fn::Not" => !self.holds(&argument[0]),
            "Fn::And" => operands().all(|operand| self.holds(operand)),
            "Fn::Or" => operands().any(|operand| self.holds(operand)),
            "Fn::Equals" => text_of(&self.resolve(&argument[0])) == text_of(&self.resolve(&argument[1])),
            other => panic!("{other} is not known here"),
        }
    }
}

/// Returns a value as text, because all parameters are texts.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns the main stack's template after the transform.
async fn transformed(parameters: &BTreeMap<String, String>) -> Value {
    let parameters: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    transformed_at("infrastructure/circuit-breaker-infrastructure.yaml", &parameters).await
}

async fn transformed_at(path: &str, parameters: &[String]) -> Value {
    let python = Python::for_tests().await.unwrap();
    let mut command = Command::new(python.program("python"));
    command.arg(folders::project().join("infrastructure/local/transform.py")).arg(folders::project().join(path));
    let output = command.args(parameters).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
