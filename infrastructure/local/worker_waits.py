"""Lets the threads of an idle execution environment sleep until there is work.

The emulator gives each environment two threads that look ten times a second whether there is an invocation or whether
the environment must stop. With ten environments that is most of the processor time of an idle bank.
"""

import queue
import socket
import socketserver
import types

from ministack.core import lambda_runtime

# Time after which a waiting environment looks whether it was stopped. An invocation ends the wait at once.
LOOK_SECONDS = 2


class Queue(queue.Queue):
    def get(self, block=True, timeout=None):
        if self.maxsize != 1 or timeout is None:
            return super().get(block, timeout)
        # The queue of invocations; the emulator passes a tenth of a second.
        return super().get(block, max(timeout, LOOK_SECONDS))


class ThreadingServer(socketserver.ThreadingTCPServer):
    def serve_forever(self, poll_interval=None):
        super().serve_forever(None)

    def shutdown(self):
        # The flag that ends `serve_forever`, and a connection that wakes it.
        self._BaseServer__shutdown_request = True
        with socket.create_connection(self.server_address):
            self._BaseServer__is_shut_down.wait()


lambda_runtime.queue = types.SimpleNamespace(**{**vars(queue), "Queue": Queue})
socketserver.ThreadingTCPServer = ThreadingServer
