"""Reads recorded requests and checks them with AWS's own service models.

A request is a line of JSON on standard input: service (its signing name), method, path (with its query), target,
body (base64). The answer is one JSON list: for each request its operation, its parameters, and the parts that the
model refuses.
"""

import base64
import json
import re
import sys
from urllib.parse import parse_qs, unquote, urlsplit

import cbor2
from botocore.session import Session

MODELS = {"monitoring": "cloudwatch", "states": "stepfunctions"}
KINDS = {
    "string": str, "boolean": bool, "integer": int, "long": int, "float": (int, float), "double": (int, float),
    "list": list, "map": dict, "structure": dict,
}

session = Session()
models = {}


def model_of(service):
    name = MODELS.get(service, service)
    if name not in models:
        models[name] = session.get_service_model(name)
    return models[name]


def check(shape, value, path):
    """Returns what a model refuses in a value: types, required and unknown members, lengths, ranges, enumerations,
    patterns."""
    kind = shape.type_name
    wanted = KINDS.get(kind)
    if wanted and (not isinstance(value, wanted) or (kind in ("integer", "long") and isinstance(value, bool))):
        return [f"{path}: {type(value).__name__} in place of {kind}"]
    found = []
    size = value if isinstance(value, (int, float)) else len(value) if hasattr(value, "__len__") else None
    limits = shape.metadata
    if size is not None and "min" in limits and size < limits["min"]:
        found.append(f"{path}: {size} is below {limits['min']}")
    if size is not None and "max" in limits and size > limits["max"]:
        found.append(f"{path}: {size} is above {limits['max']}")
    if kind == "structure":
        found += [f"{path}: {name} is missing" for name in shape.required_members if name not in value]
        if getattr(shape, "is_tagged_union", False) and len(value) != 1:
            found.append(f"{path}: {sorted(value)} in place of one member")
        for name, member in value.items():
            if name not in shape.members:
                found.append(f"{path}: {name} is unknown")
            elif member is not None:
                found += check(shape.members[name], member, f"{path}.{name}")
    elif kind == "list":
        for index, member in enumerate(value):
            found += check(shape.member, member, f"{path}[{index}]")
    elif kind == "map":
        for key, member in value.items():
            found += check(shape.key, key, f"{path} key") + check(shape.value, member, f"{path}.{key}")
    elif kind == "string":
        if getattr(shape, "enum", None) and value not in shape.enum:
            found.append(f"{path}: {value} is none of {shape.enum}")
        pattern = limits.get("pattern")
        if pattern and not matches(pattern, value):
            found.append(f"{path}: {value!r} does not match {pattern}")
    return found


def matches(pattern, value):
    try:
        return re.search(pattern, value) is not None
    except re.error:
        # Some patterns of the models are not valid in Python.
        return True


def rest(model, method, path):
    """Returns the operation of a REST request, and the parameters in its path and query."""
    parts = urlsplit(path)
    for name in model.operation_names:
        operation = model.operation_model(name)
        template = urlsplit(operation.http["requestUri"]).path
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(template))
        found = re.fullmatch(pattern, parts.path) if operation.http["method"] == method else None
        if found:
            members = operation.input_shape.members.items()
            located = {shape.serialization.get("name", member): member for member, shape in members}
            params = {located[name]: unquote(value) for name, value in found.groupdict().items()}
            for name, values in parse_qs(parts.query).items():
                params[located.get(name, name)] = values[0]
            return operation, params
    raise SystemExit(f"{method} {path} is no operation of {model.service_name}")


def read(request):
    model = model_of(request["service"])
    body = base64.b64decode(request["body"])
    if request["target"]:
        operation = model.operation_model(request["target"].rsplit(".", 1)[-1])
        params = json.loads(body or b"{}")
    elif "/operation/" in request["path"]:
        operation = model.operation_model(request["path"].rsplit("/operation/", 1)[-1])
        params = cbor2.loads(body)
    else:
        operation, params = rest(model, request["method"], request["path"])
        payload = operation.input_shape.serialization.get("payload")
        if payload:
            params[payload] = body
        elif body:
            params.update(json.loads(body))
    faults = check(operation.input_shape, params, operation.name)
    return {"operation": operation.name, "params": params, "faults": faults}


def plain(value):
    """Converts values that JSON does not have, bytes and times, to text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


requests = [json.loads(line) for line in sys.stdin if line.strip()]
json.dump([read(request) for request in requests], sys.stdout, default=plain)
