"""Prints a template as CloudFormation sees it after the SAM transform, as JSON.

usage: transform.py TEMPLATE [Parameter=Value | PARAMETERS.json ...]

A file of parameters is one that `render` wrote. A parameter that is not given has its default. Nothing is asked of AWS.
"""

import json
import os
import sys

from cfnlint.decode import decode
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator


def assignments(arguments):
    """Returns name and value of each parameter that the arguments give."""
    for argument in arguments:
        if argument.endswith(".json") and "=" not in argument:
            with open(argument, encoding="utf-8") as file:
                yield from ((entry["ParameterKey"], entry["ParameterValue"]) for entry in json.load(file))
        else:
            name, _, value = argument.partition("=")
            yield name, value


def main(path, *arguments):
    template, problems = decode(path)
    if problems:
        sys.exit(f"{path}: {problems[0].message}")
    # Plain dictionaries: the decoder's own remember lines, and the translator copies them.
    template = json.loads(json.dumps(template, default=str))
    values = {name: parameter.get("Default") for name, parameter in template["Parameters"].items()}
    for name, value in assignments(arguments):
        if name not in values:
            sys.exit(f"{name}: the template has no such parameter")
        values[name] = value
    # The translator wants to know where it is, and nothing here depends on it.
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    # No managed policies by name: the roles are the template's own.
    translated = Translator({}, Parser()).translate(template, values)
    json.dump(translated, sys.stdout, indent=2)


main(*sys.argv[1:])
