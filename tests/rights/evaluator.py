"""Evaluates cases with the local AWS's own policy evaluator. Standard input: a list of cases with statements, action,
resource and context. Standard output: a list of decisions, Allow, Deny or ImplicitDeny.
"""

import json
import sys

from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document


def decision(case):
    context = {key.lower(): value for key, value in case["context"].items()}
    secure = context.pop("aws:securetransport", "true") == "true"
    request = EvalContext(
        principal_arn="arn:aws:iam::000000000000:role/any",
        principal_type="AssumedRole",
        principal_account="000000000000",
        action=case["action"],
        resource_arn=case["resource"],
        region="us-east-1",
        secure_transport=secure,
        service_context=context,
    )
    document = {"Version": "2012-10-17", "Statement": case["statements"]}
    return evaluate(request, [parse_policy_document(document)]).decision


json.dump([decision(case) for case in json.load(sys.stdin)], sys.stdout)
