"""Runs a state machine in the local AWS's own interpreter, with scripted replies instead of its tasks.

Standard input: a JSON list of runs {"machine", "input", "replies": {state: [reply, ...]}}. A reply is for one attempt
of a task. It is {"Return": ...} or {"Throw": {"Error", "Cause"}}, and comes after "Seconds" if it has that member.
Standard output: a JSON list with the result of each run.

Only the edges of the interpreter are replaced: the call of a task, the clock, sleeping, and `States.ALL`, which as on
AWS does not match `States.DataLimitExceeded` and `States.Runtime`. A wait takes no time and moves the clock instead.
The emulator's own mock configuration is not enough here: with a mocked result it does not evaluate `Arguments`, it
repeats a mocked error in each retry of a state, and its history has no states inside of a Parallel state.
"""

import datetime
import json
import sys
import threading
import types

from ministack.services import stepfunctions as interpreter


UNCAUGHT_BY_ALL = ("States.DataLimitExceeded", "States.Runtime")
# The state that a thread is in: the branches of a Parallel state are threads.
inside = threading.local()
lock = threading.RLock()
run = None


class Run:
    """Records what happens in one execution."""

    def __init__(self, replies):
        self.replies = {state: list(given) for state, given in replies.items()}
        self.now = datetime.datetime(2026, 9, 10, 14, 6, 12, tzinfo=datetime.timezone.utc)
        self.main_thread = threading.get_ident()
        self.visits, self.calls, self.taken, self.expressions, self.waits, self.faults = [], [], [], set(), [], []
        self.largest = {}

    def measure(self, what, value):
        size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
        with lock:
            self.largest[what] = max(size, self.largest.get(what, 0))

    def told(self, response):
        return {
            "status": response["status"],
            "output": json.loads(response["output"]) if response["status"] == "SUCCEEDED" else None,
            "error": response.get("error"),
            "cause": response.get("cause"),
            "visits": self.visits,
            "calls": self.calls,
            "taken": self.taken,
            "expressions": sorted(self.expressions),
            "waits": self.waits,
            "largest": self.largest,
            "unused": {state: left for state, left in self.replies.items() if left},
            "faults": self.faults,
        }


def name_parts(machine):
    """Writes the name of each state, and of its choices, retries and catches, into its comment."""
    for name, state in machine["States"].items():
        state["Comment"] = name
        for kind in ("Choices", "Retry", "Catch"):
            for place, rule in enumerate(state.get(kind, [])):
                rule["Comment"] = f"{name}/{kind}/{place}"
        for branch in state.get("Branches", []):
            name_parts(branch)


def visiting(kind, handler):
    def visit(state, raw_input, *rest):
        outer = getattr(inside, "state", None)
        inside.state = state["Comment"]
        entry = {"state": state["Comment"], "input": raw_input, "branch": threading.get_ident() != run.main_thread}
        with lock:
            run.visits.append(entry)
        run.measure("input of a state", raw_input)
        try:
            output, following = handler(state, raw_input, *rest)
            entry["output"] = output
            run.measure("output of a state", output)
            if kind == "Choice" and (not run.taken or not run.taken[-1].startswith(f"{state['Comment']}/")):
                run.taken.append(f"{state['Comment']}/Default")
            return output, following
        finally:
            inside.state = outer

    return visit


def fail(state, raw_input, ctx=None, original=interpreter._fail_state_error):
    inside.state = state["Comment"]
    run.visits.append({"state": inside.state, "input": raw_input, "branch": False})
    return original(state, raw_input, ctx)


def invoke(resource, arguments, timeout):
    state = inside.state
    with lock:
        run.calls.append({"state": state, "resource": resource, "arguments": arguments})
        replies = run.replies.get(state)
        if not replies:
            run.faults.append(f"{state} is called more often than it has replies")
            raise interpreter._ExecutionError("States.Runtime", "no reply")
        reply = replies.pop(0)
        run.now += datetime.timedelta(seconds=reply.get("Seconds", 0))
    run.measure("arguments of a task", arguments)
    if "Throw" in reply:
        raise interpreter._ExecutionError(reply["Throw"]["Error"], reply["Throw"]["Cause"])
    run.measure("result of a task", reply["Return"])
    return reply["Return"]


def matched(find):
    def note(rules, error, *rest):
        found = find(rules, error, *rest)
        rule = found[0] if isinstance(found, tuple) else found
        if rule is not None:
            with lock:
                run.taken.append(f"{rule['Comment']}/{error}")
        return found

    return note


def choice_rule(rule, raw_input, ctx, original=interpreter._evaluate_jsonata_choice_rule):
    holds = original(rule, raw_input, ctx)
    if holds:
        run.taken.append(rule["Comment"])
    return holds


def truthy(value):
    if not isinstance(value, bool):
        run.faults.append(f"a condition is not a boolean, which AWS refuses: {value!r}")
    return value is True


def error_matches(names, error):
    if error in UNCAUGHT_BY_ALL:
        return error in names
    return "States.ALL" in names or error in names


def evaluate(expression, raw_input, ctx=None, result=None, error_output=None, original=interpreter._evaluate_jsonata):
    with lock:
        run.expressions.add(f"{inside.state}: {expression}")
    value = original(expression, raw_input, ctx, result, error_output)
    run.measure("value of an expression", value)
    return value


def assign(state, raw_input, ctx, result=None, error_output=None, original=interpreter._apply_state_assign):
    original(state, raw_input, ctx, result=result, error_output=error_output)
    run.measure("variables of one Assign", {name: ctx["variables"][name] for name in state.get("Assign", {})})


def sleep(seconds):
    with lock:
        run.waits.append({"state": inside.state, "seconds": seconds})
        run.now += datetime.timedelta(seconds=seconds)


def now():
    return run.now.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def install():
    for kind in ("Pass", "Task", "Choice", "Wait", "Parallel"):
        handler = f"_execute_{kind.lower()}"
        setattr(interpreter, handler, visiting(kind, getattr(interpreter, handler)))
    for finder in ("_find_matching_retrier", "_find_matching_catcher"):
        setattr(interpreter, finder, matched(getattr(interpreter, finder)))
    replaced = {
        "_fail_state_error": fail,
        "_invoke_resource_with_timeout": invoke,
        "_evaluate_jsonata_choice_rule": choice_rule,
        "_truthy": truthy,
        "_error_matches": error_matches,
        "_evaluate_jsonata": evaluate,
        "_apply_state_assign": assign,
        "_scaled_sleep": sleep,
        "now_iso": now,
        # The interpreter waits before each execution, to simulate a delay.
        "time": types.SimpleNamespace(sleep=lambda seconds: None, time=interpreter.time.time),
    }
    for name, function in replaced.items():
        getattr(interpreter, name)
        setattr(interpreter, name, function)


def answer(response):
    status, _, body = response
    body = json.loads(body)
    if status != 200:
        raise SystemExit(f"the interpreter refuses: {body}")
    return body


def execute(number, given):
    global run
    run = Run(given["replies"])
    name_parts(given["machine"])
    role = "arn:aws:iam::000000000000:role/states"
    machine = {"name": f"m{number}", "type": "EXPRESS", "roleArn": role, "definition": json.dumps(given["machine"])}
    arn = answer(interpreter._create_state_machine(machine))["stateMachineArn"]
    order = {"stateMachineArn": arn, "name": given["name"], "input": json.dumps(given["input"])}
    return run.told(answer(interpreter._start_sync_execution(order)))


install()
json.dump([execute(number, given) for number, given in enumerate(json.load(sys.stdin))], sys.stdout)
