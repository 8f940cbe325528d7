"""Gives each invocation all log lines that its function wrote before it answered, as Lambda does.

The emulator waits 50 ms for the first line and 5 ms for each further one. On a busy machine the thread that reads the
pipe runs later. Its lines are then added to the environment's next invocation or lost, and with them the metrics from
which failures are counted.
"""

import array
import fcntl
import os
import queue
import select
import termios
import threading
import time

from ministack.core.lambda_runtime import ProvidedWorker

# A read takes at most the usual capacity of a pipe.
PIPE_BYTES = 65536

# Maximum time that an invocation waits for the lines of a function that never stops writing.
LONGEST_SECONDS = 10

# Lock that a reader holds while it moves lines from the pipe to the queue. Without a reader holding it, each
# complete line is either in the pipe or in the queue.
reading = threading.Lock()


def pump(self, stream, lines):
    """Puts each line of the pipe into the queue until the pipe is closed."""
    self._pipe = stream
    begun = b""
    waiting = select.poll()
    waiting.register(stream, select.POLLIN)
    with stream:
        while True:
            waiting.poll()
            with reading:
                read = os.read(stream.fileno(), PIPE_BYTES)
                *whole, begun = (begun + read).split(b"\n")
                whole += [begun] if begun and not read else []
                for line in whole:
                    put(lines, line.decode("utf-8", errors="replace").rstrip("\r"))
            if not read:
                return


def put(lines, line):
    """Drops the oldest line if the queue is full: the pipe must never block the function."""
    while True:
        try:
            return lines.put_nowait(line)
        except queue.Full:
            lines.get_nowait()


def is_empty(pipe):
    if pipe is None or pipe.closed:
        return True
    waiting = array.array("i", [0])
    try:
        fcntl.ioctl(pipe.fileno(), termios.FIONREAD, waiting)
    except (OSError, ValueError):
        # The pipe was closed meanwhile, because the function has ended.
        return True
    return waiting[0] == 0


def drain(self, **_):
    """Returns the lines that the function has written so far."""
    until = time.monotonic() + LONGEST_SECONDS
    while True:
        with reading:
            if is_empty(getattr(self, "_pipe", None)) or time.monotonic() > until:
                return self._drain_stderr()
        time.sleep(0.001)


ProvidedWorker._pump_output = pump
ProvidedWorker._drain_stderr_bounded = drain
