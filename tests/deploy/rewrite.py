"""Writes a template anew as `aws cloudformation package` of the AWS CLI v2 does: parsed and dumped with ruamel.yaml.

usage: rewrite.py TEMPLATE REWRITTEN
"""

import sys

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode, SequenceNode
from ruamel.yaml.representer import SafeRepresenter


class NoAliases(SafeRepresenter):
    def ignore_aliases(self, data):
        return True


def intrinsic(constructor, suffix, node):
    """A function in its short form, such as `!Sub text`, in its long one."""
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if suffix == "GetAtt" and isinstance(node.value, str):
        value = node.value.split(".", 1)
    elif isinstance(node, ScalarNode):
        value = constructor.construct_scalar(node)
    elif isinstance(node, SequenceNode):
        value = constructor.construct_sequence(node, deep=True)
    else:
        value = constructor.construct_mapping(node, deep=True)
    return {name: value}


def engine():
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.Representer = NoAliases
    yaml.constructor.add_multi_constructor("!", intrinsic)
    return yaml


def main(source, target):
    with open(source) as file:
        template = engine().load(file)
    with open(target, "w") as file:
        engine().dump(template, file)


main(*sys.argv[1:])
