"""Runs the local AWS so that it cannot outlive whoever started it.

Standard input is a pipe that the starter holds. When it closes, however the starter ended, the folder
that it named is removed and the whole process group is killed: the server and the Lambda processes
below it.
"""

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
# The server's Lambda runtime API waits on Nagle's algorithm otherwise: 40 ms an invocation.
socketserver.StreamRequestHandler.disable_nagle_algorithm = True

from ministack.app import main  # noqa: E402
from ministack.services.cloudformation import provisioners  # noqa: E402

record_of_metric_alarm = provisioners._cw_metric_alarm_record


def record_of_alarm(name, properties):
    """CloudFormation refuses alarms on metric math here. Keeps such a definition as DescribeAlarms gives it on AWS; the
    server never evaluates it, the runner does."""
    queries = properties.get("Metrics")
    if not queries:
        return record_of_metric_alarm(name, properties)
    rest = {key: value for key, value in properties.items() if key != "Metrics"}
    record = record_of_metric_alarm(name, {**rest, "MetricName": "none", "Namespace": "none"})
    return {**record, "MetricName": None, "Namespace": None, "Metrics": [typed(query) for query in queries]}


def typed(query):
    """A query with the types that CloudFormation gives its texts: parameters are texts."""
    query = {**query, "ReturnData": str(query.get("ReturnData", True)).lower() == "true"}
    if "MetricStat" in query:
        query["MetricStat"] = {**query["MetricStat"], "Period": int(query["MetricStat"]["Period"])}
    return query


provisioners._cw_metric_alarm_record = record_of_alarm

sys.argv = sys.argv[:1]
main()
