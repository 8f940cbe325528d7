//! The documented calls that AWS services make by themselves for the product. They are evaluated like recorded calls.

use local::server::REGION;

use crate::calls::anything;
use crate::deployed::{ACCOUNT, Deployed};
use crate::policies::{Call, Caller};

/// Calls of one kind, with their documentation.
pub struct Row {
    /// The purpose of the calls, for people.
    pub what: &'static str,
    /// The page that documents the calls.
    pub source: &'static str,
    pub calls: Vec<Call>,
}

const SNS_KEYS: &str = "https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html";
const SNS_SQS: &str =
    "https://docs.aws.amazon.com/sns/latest/dg/sns-enable-encryption-for-topic-sqs-queue-subscriptions.html";
const ALARMS: &str = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html";
const LAMBDA_SQS: &str = "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html";
const LAMBDA_ROLE: &str =
    "https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSLambdaBasicExecutionRole.html";
const LAMBDA_TRACES: &str =
    "https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSXRayDaemonWriteAccess.html";
const LAMBDA_VPC: &str = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html";
const LOG_GROUPS: &str = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html";
const MACHINE_KEY: &str = "https://docs.aws.amazon.com/step-functions/latest/dg/encryption-at-rest.html";
const MACHINE_LOGS: &str = "https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html";
const MACHINE_TRACES: &str = "https://docs.aws.amazon.com/step-functions/latest/dg/xray-iam.html";
const BUS_LOGS: &str = "https://docs.aws.amazon.com/eventbridge/latest/userguide/encryption-bus-logs.html";
const SCHEDULER: &str =
    "https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html";
const SCHEDULER_ROLE: &str = "https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html";
const CONFUSED_MACHINE: &str = "https://docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html";
const API_LAMBDA: &str =
    "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html";
const CODEDEPLOY: &str =
    "https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSCodeDeployRoleForLambdaLimited.html";
const TABLE_KEY: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html";

fn role(name: &str) -> Caller {
    Caller::Role(name.to_owned())
}

fn service(name: &str) -> Caller {
    Caller::Service(format!("{name}.amazonaws.com"))
}

/// Returns a call for each of these actions.
fn each(caller: &Caller, actions: &[&str], resource: &str, what: &str) -> Vec<Call> {
    actions.iter().map(|action| Call::new(caller.clone(), action, resource, what)).collect()
}

fn with(calls: Vec<Call>, context: &[(&str, &str)]) -> Vec<Call> {
    calls.into_iter().map(|call| context.iter().fold(call, |call, (key, value)| call.with(key, &[value]))).collect()
}

/// Returns all rows.
pub fn rows(deployed: &Deployed) -> Vec<Row> {
    [
        alarms(deployed),
        queue(deployed),
        logs(deployed),
        machine(deployed),
        requests(deployed),
        functions(deployed),
        trust(deployed),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns the calls with which `CloudWatch` publishes to the encrypted topics.
fn alarms(deployed: &Deployed) -> Vec<Row> {
    let key = deployed.arn("EncryptionKey");
    let cloudwatch = service("cloudwatch");
    let (mut publish, mut encrypt) = (Vec::new(), Vec::new());
    let (publishes, encrypts) = ("CloudWatch publishes an alarm", "CloudWatch encrypts an alarm for its topic");
    for name in deployed.of_type("AWS::CloudWatch::Alarm").into_keys() {
        let alarm = deployed.property(name, "AlarmName");
        let alarm = format!("arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{}", alarm.as_str().unwrap());
        let context = [("aws:SourceArn", alarm.as_str()), ("aws:SourceAccount", ACCOUNT)];
        for topic in crate::policies::list(&deployed.property(name, "AlarmActions")) {
            publish.extend(with(each(&cloudwatch, &["sns:Publish"], topic.as_str().unwrap(), publishes), &context));
        }
        encrypt.extend(with(each(&cloudwatch, &["kms:Decrypt", "kms:GenerateDataKey"], &key, encrypts), &context));
    }
    vec![
        Row { what: publishes, source: ALARMS, calls: publish },
        Row { what: encrypts, source: SNS_KEYS, calls: encrypt },
    ]
}

/// Returns the calls with which SNS delivers to the encrypted queue and Lambda polls it.
fn queue(deployed: &Deployed) -> Vec<Row> {
    let (key, topic, queue) = (deployed.arn("EncryptionKey"), deployed.arn("AlarmTopic"), deployed.arn("AlarmQueue"));
    let (delivers, encrypts) = ("SNS delivers an alarm to the queue", "SNS encrypts an alarm for the queue");
    let (polls, decrypts) = ("Lambda polls the queue", "Lambda decrypts what it polls");
    // SNS documents no other condition key than the topic's ARN.
    let context = [("aws:SourceArn", topic.as_str())];
    let processor = role("AlarmProcessorRole");
    let via = format!("sqs.{REGION}.amazonaws.com");
    let polled = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
    vec![
        Row {
            what: delivers,
            source: SNS_SQS,
            calls: with(each(&service("sns"), &["sqs:SendMessage"], &queue, delivers), &context),
        },
        Row {
            what: encrypts,
            source: SNS_SQS,
            calls: with(each(&service("sns"), &["kms:GenerateDataKey", "kms:Decrypt"], &key, encrypts), &context),
        },
        Row { what: polls, source: LAMBDA_SQS, calls: each(&processor, &polled, &queue, polls) },
        Row {
            what: decrypts,
            source: LAMBDA_SQS,
            calls: with(each(&processor, &["kms:Decrypt"], &key, decrypts), &[("kms:ViaService", &via)]),
        },
    ]
}

/// Returns the calls for encrypted log groups and for the delivery of logs into them.
fn logs(deployed: &Deployed) -> Vec<Row> {
    let key = deployed.arn("EncryptionKey");
    let groups = "CloudWatch Logs encrypts a log group";
    let (delivers, hands) =
        ("log delivery reads the machine's log events", "Step Functions passes its log events to log delivery");
    let encrypt = [
        "kms:Encrypt",
        "kms:Decrypt",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
        "kms:GenerateDataKey",
        "kms:DescribeKey",
    ];
    let logs = Caller::Service(format!("logs.{REGION}.amazonaws.com"));
    let mut encrypts = Vec::new();
    for name in deployed.of_type("AWS::Logs::LogGroup").into_keys() {
        let group = deployed.arn(name);
        // The group's ARN without the streams.
        let context = [("kms:EncryptionContext:aws:logs:arn", group.trim_end_matches(":*"))];
        encrypts.extend(with(each(&logs, &encrypt, &key, groups), &context));
    }
    let all = format!("arn:aws:logs:{REGION}:{ACCOUNT}:*");
    let context = [("kms:EncryptionContext:SourceArn", all.as_str())];
    let shipper = service("delivery.logs");
    vec![
        Row { what: groups, source: LOG_GROUPS, calls: encrypts },
        Row {
            what: delivers,
            source: BUS_LOGS,
            calls: with(each(&shipper, &["kms:Decrypt", "kms:GenerateDataKey"], &key, delivers), &context),
        },
        Row {
            what: hands,
            source: MACHINE_KEY,
            calls: with(each(&role("LevelTransitionRole"), &["kms:GenerateDataKey"], &key, hands), &context),
        },
    ]
}

/// Returns the calls for the state machine: key, log, traces, schedule.
fn machine(deployed: &Deployed) -> Vec<Row> {
    let (key, machine) = (deployed.arn("EncryptionKey"), deployed.arn("LevelTransitionStateMachine"));
    let itself = role("LevelTransitionRole");
    let schedule = role("EvaluationScheduleRole");
    let encrypts = "Step Functions encrypts an execution";
    let (logs, traces) = ("Step Functions sets up its log delivery", "Step Functions traces an execution");
    // `StartExecution` needs no right on the machine's key.
    let starts = "EventBridge Scheduler starts the machine";
    let deliveries = [
        "logs:CreateLogDelivery",
        "logs:GetLogDelivery",
        "logs:UpdateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:DescribeResourcePolicies",
        "logs:DescribeLogGroups",
    ];
    let sampled =
        ["xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"];
    let via = format!("states.{REGION}.amazonaws.com");
    let context =
        [("kms:EncryptionContext:aws:states:stateMachineArn", machine.as_str()), ("kms:ViaService", via.as_str())];
    let row = |what, source, calls| Row { what, source, calls };
    vec![
        row(
            encrypts,
            MACHINE_KEY,
            with(each(&itself, &["kms:Decrypt", "kms:GenerateDataKey"], &key, encrypts), &context),
        ),
        row(logs, MACHINE_LOGS, each(&itself, &deliveries, &anything("logs"), logs)),
        row(traces, MACHINE_TRACES, each(&itself, &sampled, &anything("xray"), traces)),
        row(starts, SCHEDULER_ROLE, each(&schedule, &["states:StartExecution"], &machine, starts)),
    ]
}

/// Returns the calls with which API Gateway invokes functions and `CodeDeploy` moves aliases.
fn requests(deployed: &Deployed) -> Vec<Row> {
    let invokes = "API Gateway invokes a function";
    let (moves, reads, watches) =
        ("CodeDeploy moves an alias", "CodeDeploy reads provisioned concurrency", "CodeDeploy watches the alarms");
    let alias = deployed.arn("ControllerFunctionAliaslive");
    let gateway = service("apigateway");
    let deployment = role("DeploymentRole");
    let mut gateway_calls = Vec::new();
    let status = deployed.arn("StatusFunction");
    for (route, function) in [
        ("$default", &alias),
        ("GET/circuit-breaker", &status),
        ("HEAD/circuit-breaker", &status),
        ("GET/openapi.json", &status),
        ("HEAD/openapi.json", &status),
    ] {
        let source = format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:Api/$default/{route}");
        let calls = each(&gateway, &["lambda:InvokeFunction"], function, invokes);
        gateway_calls.extend(with(calls, &[("aws:SourceArn", &source), ("aws:SourceAccount", ACCOUNT)]));
    }
    let (mut alias_calls, mut setting_calls) = (Vec::new(), Vec::new());
    for name in deployed.of_type("AWS::Lambda::Alias").into_keys() {
        let alias = deployed.arn(name);
        // Lambda checks the first two against the function.
        let function = alias.rsplit_once(':').unwrap().0;
        alias_calls.extend(each(&deployment, &["lambda:GetAlias", "lambda:UpdateAlias"], function, moves));
        setting_calls.extend(each(&deployment, &["lambda:GetProvisionedConcurrencyConfig"], &alias, reads));
    }
    let alarm_calls = each(&deployment, &["cloudwatch:DescribeAlarms"], &anything("cloudwatch"), watches);
    vec![
        Row { what: invokes, source: API_LAMBDA, calls: gateway_calls },
        Row { what: moves, source: CODEDEPLOY, calls: alias_calls },
        Row { what: reads, source: CODEDEPLOY, calls: setting_calls },
        Row { what: watches, source: CODEDEPLOY, calls: alarm_calls },
    ]
}

/// Returns the calls that Lambda makes with the role of each function.
fn functions(deployed: &Deployed) -> Vec<Row> {
    let (logs, traces) = ("Lambda writes a function's log", "Lambda sends a function's traces");
    let (joins, writes) = ("Lambda attaches a function to a VPC", "DynamoDB encrypts what is written");
    let interfaces = [
        "ec2:CreateNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:DeleteNetworkInterface",
        "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses",
    ];
    let (mut log, mut trace, mut join) = (Vec::new(), Vec::new(), Vec::new());
    for (name, function) in deployed.of_type("AWS::Lambda::Function") {
        let caller = role(function["Properties"]["Role"]["Fn::GetAtt"][0].as_str().unwrap());
        let function = deployed.arn(name).rsplit(':').next().unwrap().to_owned();
        let group = format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{function}:log-stream:one");
        log.extend(each(&caller, &["logs:CreateLogStream", "logs:PutLogEvents"], &group, logs));
        trace.extend(each(&caller, &["xray:PutTraceSegments", "xray:PutTelemetryRecords"], &anything("xray"), traces));
        join.extend(each(&caller, &interfaces, &anything("ec2"), joins));
    }
    let key = deployed.arn("EncryptionKey");
    let via = format!("dynamodb.{REGION}.amazonaws.com");
    let write = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"];
    let written = with(each(&role("WriteStateRole"), &write, &key, writes), &[("kms:ViaService", &via)]);
    vec![
        Row { what: logs, source: LAMBDA_ROLE, calls: log },
        Row { what: traces, source: LAMBDA_TRACES, calls: trace },
        Row { what: joins, source: LAMBDA_VPC, calls: join },
        Row { what: writes, source: TABLE_KEY, calls: written },
    ]
}

/// Returns the calls with which services assume roles.
fn trust(deployed: &Deployed) -> Vec<Row> {
    let takes = "a service assumes its role";
    let machine = deployed.arn("LevelTransitionStateMachine");
    let mut lambda = Vec::new();
    for function in deployed.of_type("AWS::Lambda::Function").into_values() {
        let role = function["Properties"]["Role"]["Fn::GetAtt"][0].as_str().unwrap();
        lambda.extend(each(&service("lambda"), &["sts:AssumeRole"], &deployed.arn(role), takes));
    }
    let one = |who: &str, role: &str| each(&service(who), &["sts:AssumeRole"], &deployed.arn(role), takes);
    let states = [("aws:SourceArn", machine.as_str()), ("aws:SourceAccount", ACCOUNT)];
    vec![
        Row { what: takes, source: LAMBDA_ROLE, calls: lambda },
        Row { what: takes, source: CONFUSED_MACHINE, calls: with(one("states", "LevelTransitionRole"), &states) },
        Row {
            what: takes,
            source: SCHEDULER,
            calls: with(one("scheduler", "EvaluationScheduleRole"), &[("aws:SourceAccount", ACCOUNT)]),
        },
        Row { what: takes, source: CODEDEPLOY, calls: one("codedeploy", "DeploymentRole") },
    ]
}
