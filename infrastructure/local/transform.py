"""Prints a template as CloudFormation sees it after the SAM transform, as JSON.

usage: transform.py TEMPLATE [Parameter=Value | PARAMETERS.json ...]

PARAMETERS.json is a file that `render` wrote. A parameter that is not given has its default. The script does not call
AWS.
"""

import json
import os
import sys

from cfnlint.decode import decode
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator


def assignments(arguments):
    """Yields the name and value of each parameter in the arguments."""
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
    # Converted to plain dictionaries, because the translator copies the decoder's, which also hold line numbers.
    template = json.loads(json.dumps(template, default=str))
    values = {name: parameter.get("Default") for name, parameter in template["Parameters"].items()}
    for name, value in assignments(arguments):
        if name not in values:
            sys.exit(f"{name}: the template has no such parameter")
        values[name] = value
    # The translator requires a region; the result does not depend on it.
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    # The empty map of managed policies suffices, because the template defines its own roles.
    translated = Translator({}, Parser()).translate(template, values)
    json.dump(translated, sys.stdout, indent=2)


main(*sys.argv[1:])
