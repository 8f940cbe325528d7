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
from ministack.services import lambda_svc  # noqa: E402

if os.environ.pop("LOCAL_AWS_NAMED_FUNCTIONS", "") == "true":
    credentials = lambda_svc.execution_credentials
    # Without this all functions sign with the same key.
    lambda_svc.execution_credentials = lambda config: {
        **credentials(config),
        "AWS_ACCESS_KEY_ID": config["FunctionName"],
    }

sys.argv = sys.argv[:1]
main()
