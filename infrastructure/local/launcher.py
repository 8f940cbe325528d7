"""Runs the local AWS so that it cannot outlive the process that started it.

Standard input is a pipe that the starter holds open. When it closes, however the starter ended, this script removes the
folder that the starter named and kills the whole process group: the server and its Lambda processes.
"""

import contextvars
import os
import shutil
import signal
import socketserver
import sys
import threading


folder = os.environ.pop("LOCAL_AWS_FOLDER")


def die_with_starter():
    sys.stdin.buffer.read()
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


threading.Thread(target=die_with_starter, daemon=True).start()
# Otherwise Nagle's algorithm delays each answer of the server's Lambda runtime API by 40 ms.
socketserver.StreamRequestHandler.disable_nagle_algorithm = True

import worker_logs  # noqa: E402, F401
import worker_waits  # noqa: E402, F401
from ministack.app import main  # noqa: E402
from ministack.services import apigateway, cloudwatch, lambda_svc  # noqa: E402
from ministack.services.cloudformation import changesets, engine, handlers, provisioners  # noqa: E402

# The emulator decodes a body of a text type and replaces bytes that are not UTF-8. AWS documents no such loss. Here a
# body that is not UTF-8 reaches the function as base64, whatever its type.
body_of_request = contextvars.ContextVar("body_of_request", default=b"")
invoke = apigateway._invoke_lambda_proxy
is_text_type = apigateway._v2_request_body_is_text


def invoke_with_body(integration, api_id, stage, path, method, headers, body, *arguments, **options):
    body_of_request.set(body or b"")
    return invoke(integration, api_id, stage, path, method, headers, body, *arguments, **options)


def is_text(content_type):
    try:
        body_of_request.get().decode("utf-8")
    except UnicodeDecodeError:
        return False
    return is_text_type(content_type)


apigateway._invoke_lambda_proxy = invoke_with_body
apigateway._v2_request_body_is_text = is_text



def of_template(call):
    """Translates the CORS properties of a template to those of the API, which the server knows: a template's names
    begin with capital letters, and a parameter's value is a text."""

    def called(cors, origin):
        cors = {name[:1].lower() + name[1:]: value for name, value in (cors or {}).items()}
        if "allowCredentials" in cors:
            cors["allowCredentials"] = str(cors["allowCredentials"]).lower() == "true"
        return call(cors, origin)

    return called


apigateway._cors_response_headers = of_template(apigateway._cors_response_headers)
apigateway._cors_preflight_response = of_template(apigateway._cors_preflight_response)

# Switched off, because the runner evaluates the alarms and sends their messages as CloudWatch documents it.
cloudwatch._evaluate_alarm = lambda alarm: None
cloudwatch._dispatch_alarm_actions = lambda alarm, old_state, new_state, reason: None

record_of_metric_alarm = provisioners._cw_metric_alarm_record


def record_of_alarm(name, properties):
    """Stores an alarm on metric math, which the server's CloudFormation refuses, as DescribeAlarms returns it on AWS.
    Only the runner evaluates it."""
    queries = properties.get("Metrics")
    if not queries:
        return record_of_metric_alarm(name, properties)
    rest = {key: value for key, value in properties.items() if key != "Metrics"}
    record = record_of_metric_alarm(name, {**rest, "MetricName": "none", "Namespace": "none"})
    return {**record, "MetricName": None, "Namespace": None, "Metrics": [typed(query) for query in queries]}


def typed(query):
    """Returns a query with the API's types. CloudFormation passes parameters as texts."""
    query = {**query, "ReturnData": str(query.get("ReturnData", True)).lower() == "true"}
    if "MetricStat" in query:
        query["MetricStat"] = {**query["MetricStat"], "Period": int(query["MetricStat"]["Period"])}
    return query


provisioners._cw_metric_alarm_record = record_of_alarm

apply_transforms = engine._apply_transforms


def apply_transforms_with_parameters(template, provided=None, previous=None):
    """Applies the SAM transform with the stack's values as the parameters' defaults. On AWS the transform gets the
    values; here it gets none and reads the defaults."""
    declared = template.get("Parameters")
    if not declared:
        return apply_transforms(template, provided, previous)
    values = engine._transform_parameters(template, provided or [], previous)
    valued = {name: {**entry, "Default": values[name]} if name in values else entry for name, entry in declared.items()}
    applied = apply_transforms({**template, "Parameters": valued}, provided, previous)
    # A result of another type is an error.
    return {**applied, "Parameters": declared} if type(applied) is dict else applied


# The transform creates these two resources for a gradual deployment. The server does not support them, so an alias
# moves all at once.
for kind in ("AWS::CodeDeploy::Application", "AWS::CodeDeploy::DeploymentGroup"):
    provisioners._RESOURCE_HANDLERS[kind] = {
        "create": lambda logical_id, properties, stack_name: (f"{stack_name}-{logical_id}", {}),
        "delete": lambda physical_id, properties: None,
    }

table_properties = provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::Table"]


def with_switches(call):
    """Converts the text of a parameter to the boolean of DynamoDB; otherwise DescribeTable would return a text."""

    def switched(properties):
        name = "DeletionProtectionEnabled"
        if type(properties) is dict and name in properties:
            return {**properties, name: str(properties[name]).lower() == "true"}
        return properties

    return lambda *arguments, **options: call(*map(switched, arguments), **options)


provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::Table"] = {
    **table_properties,
    "create": with_switches(table_properties["create"]),
    "update": with_switches(table_properties["update"]),
}

for module in (changesets, engine, handlers):
    module._apply_transforms = apply_transforms_with_parameters

reserved_concurrency = lambda_svc._reserved_concurrency


def reserved_of_function(function, config):
    """Returns the concurrency that is reserved for a function. The server looks for it in the record of the version that
    is invoked, which never has one: Lambda reserves for all versions together."""
    return reserved_concurrency(lambda_svc._functions.get(config.get("FunctionName")) or function, config)


lambda_svc._reserved_concurrency = reserved_of_function

if os.environ.pop("LOCAL_AWS_NAMED_FUNCTIONS", "") == "true":
    credentials = lambda_svc.execution_credentials
    # Gives each function its own access key; otherwise all functions sign with the same one.
    lambda_svc.execution_credentials = lambda config: {
        **credentials(config),
        "AWS_ACCESS_KEY_ID": config["FunctionName"],
    }

sys.argv = sys.argv[:1]
main()
