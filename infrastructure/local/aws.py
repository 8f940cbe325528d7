"""The AWS CLI of the local environment: every request goes to the local AWS or is refused.

AWS_ENDPOINT_URL alone is not enough. Version 1 of the CLI sends the calls of some services, SQS among them, to old
addresses of AWS unless the command line names an endpoint. Calls such as StartSyncExecution put a prefix before the
host's name. Variables and profiles of the user may name other endpoints or a proxy. And an option whose value begins
with http:// or https:// makes version 1 fetch that address, unless its configuration says otherwise. All other requests
to other hosts, for example those of a profile's role, are refused when they are sent.
"""

import argparse
import json
import os
import sys
from urllib.parse import urlsplit

# Commands that need no endpoint.
OFFLINE = {None, "configure", "help"}
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
# Configuration file, which is written beside this script.
CONFIGURATION = os.path.join(os.path.dirname(os.path.realpath(__file__)), "aws.config")


class NotLocal(Exception):
    """A request that would leave this machine. The CLI does not retry it, and prints its text."""


class Parser(argparse.ArgumentParser):
    """Reads global options as the CLI does: with its list of them, anywhere, and abbreviated."""

    def __init__(self):
        super().__init__(add_help=False)
        import awscli

        with open(os.path.join(os.path.dirname(awscli.__file__), "data", "cli.json"), encoding="utf-8") as file:
            options = json.load(file)["options"]
        for name, option in options.items():
            takes_value = "action" not in option
            self.add_argument(f"--{name}", action="store" if takes_value else "store_true")
        self.add_argument("command")

    def error(self, message):
        raise ValueError(message)


def parse(arguments):
    """Returns the command and the endpoint that the arguments name, each None if it is missing."""
    try:
        parsed, _ = Parser().parse_known_args(arguments)
    except ValueError:
        # The CLI refuses these arguments too, and says why.
        return None, None
    return parsed.command, parsed.endpoint_url


def host(url):
    """Returns the host of a URL, or None if it has none."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def send_to_loopback_only():
    """Makes the CLI refuse every request to another host, caused by a service, credentials or an option's value.

    All requests of the CLI go through the method that is replaced here."""
    from awscli import clidriver  # noqa: F401 (after it, botocore is the CLI's own copy)
    from botocore.httpsession import URLLib3Session

    send = URLLib3Session.send

    def send_locally(session, request):
        if host(request.url) not in LOOPBACK:
            raise NotLocal(f"this AWS CLI reaches the local AWS only, and does not call {request.url}")
        return send(session, request)

    URLLib3Session.send = send_locally


def stay_on_this_machine():
    """Switches off features that would contact another host: proxies, credentials, monitoring."""
    # Even `configure` would ask the metadata service for credentials.
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    # Client-side monitoring sends datagrams to a host that the user's settings name.
    os.environ["AWS_CSM_ENABLED"] = "false"
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, ["127.0.0.1,localhost,::1", os.environ.get(name)]))


def stay_local(url):
    """Removes from the environment every variable that could send a call to another address than `url`."""
    for name in list(os.environ):
        if name.startswith(("AWS_ENDPOINT_URL_", "AWS_USE_")) or name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
            del os.environ[name]
    os.environ.update(
        AWS_ENDPOINT_URL=url,
        AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="false",
        AWS_DISABLE_HOST_PREFIX_INJECTION="true",
        AWS_CONFIG_FILE=CONFIGURATION,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    )
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    if "AWS_ACCESS_KEY_ID" not in os.environ:
        os.environ.pop("AWS_SESSION_TOKEN", None)
        os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")


def main():
    stay_on_this_machine()
    command, url = parse(sys.argv[1:])
    if command not in OFFLINE:
        url = os.environ.get("AWS_ENDPOINT_URL", "") if url is None else url
        if host(url) not in LOOPBACK:
            problem = "it is not set" if not url else f"it is {url}"
            sys.exit(
                "aws: this AWS CLI reaches the local AWS only, and needs its address in AWS_ENDPOINT_URL "
                f"({problem}): use the line that begins with `export` in what `cargo run` printed"
            )
        stay_local(url)
        # Inserted first, so that all later arguments are the user's.
        sys.argv[1:1] = ["--endpoint-url", url]
    send_to_loopback_only()
    from awscli.clidriver import main as aws

    return aws()


if __name__ == "__main__":
    sys.exit(main())
