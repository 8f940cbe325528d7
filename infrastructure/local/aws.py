"""The AWS CLI of the local environment: it reaches the local AWS or nothing.

AWS_ENDPOINT_URL alone is not enough. Version 1 of the CLI sends the calls of some services, SQS among them, to old
addresses of AWS unless the command line names an endpoint. Calls such as StartSyncExecution put a prefix before the
host's name. Variables and profiles of the user may name other endpoints or a proxy. And an option whose value begins
with http:// or https:// makes version 1 fetch that address, unless its configuration says otherwise.
"""

import os
import sys
from urllib.parse import urlsplit

# Global options whose value is the argument after them.
WITH_VALUE = {
    "--ca-bundle", "--cli-binary-format", "--cli-connect-timeout", "--cli-read-timeout", "--color", "--endpoint-url",
    "--output", "--profile", "--query", "--region",
}
# Commands that send nothing.
OFFLINE = {None, "configure", "help"}
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
# Beside this script, and written with it.
CONFIGURATION = os.path.join(os.path.dirname(os.path.abspath(__file__)), "aws.config")


def command(arguments):
    """Returns the first argument that is no global option, or None."""
    rest = iter(arguments)
    for argument in rest:
        if argument in WITH_VALUE:
            next(rest, None)
        elif not argument.startswith("-"):
            return argument
    return None


def endpoint(arguments):
    """Returns the endpoint that the arguments name, else the environment's."""
    found = os.environ.get("AWS_ENDPOINT_URL", "")
    for index, argument in enumerate(arguments):
        if argument == "--endpoint-url":
            found = "".join(arguments[index + 1:index + 2])
        elif argument.startswith("--endpoint-url="):
            found = argument.partition("=")[2]
    return found


def host(url):
    """Returns the host of a URL, or None if it has none."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def stay_local(url):
    """Leaves nothing in the environment that could lead a call away from `url`."""
    for name in list(os.environ):
        if name.startswith(("AWS_ENDPOINT_URL_", "AWS_USE_")) or name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
            del os.environ[name]
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, ["127.0.0.1,localhost,::1", os.environ.get(name)]))
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
    arguments = sys.argv[1:]
    # Even `configure` would ask it for credentials.
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    if command(arguments) not in OFFLINE:
        url = endpoint(arguments)
        if host(url) not in LOOPBACK:
            problem = "it is not set" if not url else f"it is {url}"
            sys.exit(
                "aws: this AWS CLI reaches the local AWS only, and needs its address in AWS_ENDPOINT_URL "
                f"({problem}): use the line that begins with `export` in what `cargo run` printed"
            )
        stay_local(url)
        # First, so that every later option is the command's.
        sys.argv[1:1] = ["--endpoint-url", url]
    from awscli.clidriver import main as aws

    return aws()


if __name__ == "__main__":
    sys.exit(main())
