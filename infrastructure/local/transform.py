"""Prints a template as CloudFormation sees it after the SAM transform, as JSON.

usage: transform.py TEMPLATE [Parameter=Value ...]

A parameter that is not given has its default. Nothing is asked of AWS.
"""

import json
import os
import sys

from cfnlint.decode import decode
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator


def main(path, *overrides):
    template, problems = decode(path)
    if problems:
        sys.exit(f"{path}: {problems[0].message}")
    # Plain dictionaries: the decoder's own remember lines, and the translator copies them.
    template = json.loads(json.dumps(template, default=str))
    values = {name: parameter.get("Default") for name, parameter in template["Parameters"].items()}
    for override in overrides:
        name, _, value = override.partition("=")
        if name not in values:
            sys.exit(f"{name}: the template has no such parameter")
        values[name] = value
    # The translator wants archives in S3; `package` sees to that in a deployment.
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = {"Bucket": "artifacts", "Key": resource["Properties"]["CodeUri"]}
    # The translator wants to know where it is, and nothing here depends on it.
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    # No managed policies by name: the roles are the template's own.
    translated = Translator({}, Parser()).translate(template, values)
    json.dump(translated, sys.stdout, indent=2)


main(*sys.argv[1:])
