"""Work on bytes that nobody vouches for, in a process that can be ended when it hangs, grows, or crashes.

The process runs one function, named "module:function", which takes a JSON object and bytes and returns the same. It is
kept for the next call; one that was ended is replaced. Nothing is pickled. It does not outlive its work by much where
whoever asked is gone. Where processes cannot be handed a socket (Windows), the function runs here.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from antiphon.errors import RunError

Message = tuple[dict[str, Any], bytes]
Work = Callable[[dict[str, Any], bytes], Message]
SECONDS = 10.0
"""For one call."""
MEMORY = 1_500_000_000
"""Bytes that a process may have beyond what it has when it is ready."""
START = 60.0
"""Seconds in which a process must be ready."""
IDLE = 2
"""Processes that are kept for the next calls."""
STATM = Path("/proc/self/statm")
"""Says how large a process is, on Linux."""
_SIZES = struct.Struct("!II")


class EndedError(Exception):
    """The process hung, grew, or crashed, and is gone."""


class Isolated:
    """Calls of one function, each in a process that does nothing else meanwhile; safe to use from several threads.

    `seconds` and `memory` (bytes) limit a call; `keep`: processes that wait for the next calls.
    """

    def __init__(self, target: str, *, seconds: float = SECONDS, memory: int = MEMORY, keep: int = IDLE) -> None:
        self.target, self.seconds, self.memory, self.keep = target, seconds, memory, keep
        self._idle: list[_Process] = []
        self._lock = threading.Lock()
        self.close = weakref.finalize(self, _end_all, self._idle)

    def warm(self) -> None:
        """Have a process ready.

        Raises:
            RunError: there is none in time.
        """
        if _possible():
            self._give(self._take())

    def call(self, header: dict[str, Any], data: bytes) -> Message:
        """What the function makes of an object and bytes.

        Raises:
            EndedError: the process took longer or more memory than it may, or crashed.
            RunError: no process could be started, which is not the fault of the bytes.
        """
        if not _possible():
            return function_of(self.target)(header, data)
        process = self._take()
        try:
            answer = process.ask(header, data, self.seconds)
        except (OSError, EndedError) as error:
            process.end()
            raise EndedError(f"{self.target} was ended ({type(error).__name__}).") from error
        except BaseException:
            process.end()
            raise
        self._give(process)
        return answer

    def _take(self) -> _Process:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        try:
            return _Process(self.target, self.memory, self.seconds)
        except (OSError, EndedError) as error:
            reason = getattr(error, "strerror", None) or "it ended at once, or was not ready in time"
            raise RunError(
                f"a process that decodes files could not be started ({reason}); look at the limits on memory, "
                "processes and open files."
            ) from error

    def _give(self, process: _Process) -> None:
        with self._lock:
            if len(self._idle) < self.keep and self.close.alive:
                self._idle.append(process)
                return
        process.end()


class _Process:
    def __init__(self, target: str, memory: int, seconds: float) -> None:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                given = [str(theirs.fileno()), target, str(memory), str(math.ceil(seconds))]
                self._process = subprocess.Popen(  # noqa: S603  our own interpreter and names of our own
                    [sys.executable, "-m", "antiphon.base.isolated", *given], pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )  # fmt: skip
        except OSError:
            ours.close()
            raise
        self._socket = ours
        try:
            _receive(ours, time.monotonic() + START)
        except (OSError, EndedError):
            self.end()
            raise

    def ask(self, header: dict[str, Any], data: bytes, seconds: float) -> Message:
        end = time.monotonic() + seconds
        self._socket.settimeout(seconds)
        _send(self._socket, header, data)
        return _receive(self._socket, end)

    def end(self) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()


def _end_all(processes: list[_Process]) -> None:
    for process in processes:
        process.end()
    processes.clear()


def _possible() -> bool:
    return sys.platform != "win32"


def _send(to: socket.socket, header: dict[str, Any], data: bytes) -> None:
    head = json.dumps(header).encode()
    to.sendall(_SIZES.pack(len(head), len(data)) + head)
    to.sendall(data)


def _receive(source: socket.socket, end: float | None = None) -> Message:
    head, size = _SIZES.unpack(_exactly(source, _SIZES.size, end))
    header: dict[str, Any] = json.loads(_exactly(source, head, end))
    return header, _exactly(source, size, end)


def _exactly(source: socket.socket, size: int, end: float | None) -> bytes:
    buffer, filled = bytearray(size), 0
    while filled < size:
        if end is not None:
            source.settimeout(max(0.001, end - time.monotonic()))
        got = source.recv_into(memoryview(buffer)[filled:])
        if not got:
            raise EndedError
        filled += got
    return bytes(buffer)


def function_of(target: str) -> Work:
    """The function that "module:function" names."""
    module, _, name = target.partition(":")
    found: Work = getattr(importlib.import_module(module), name)
    return found


def _limit(memory: int) -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        pages = int(STATM.read_text(encoding="ascii").split()[0]) if STATM.is_file() else 0
        most = pages * os.sysconf("SC_PAGE_SIZE") + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_time(seconds: int) -> None:
    """End this process after so much more of the processor's time: also where nobody is left to end it."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        used, (_, most) = resource.getrusage(resource.RUSAGE_SELF), resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used.ru_utime + used.ru_stime) + seconds, most))


def main(descriptor: int, target: str, memory: int, seconds: int) -> None:
    """Answer calls until whoever asks is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal, to whoever asked: who then ends this
    work = function_of(target)
    with socket.socket(fileno=descriptor) as asked:
        with contextlib.suppress(Exception):
            work({"warm": True}, b"")  # what it needs is loaded before memory is limited
        _limit(memory)
        _send(asked, {"ready": True}, b"")
        while True:
            try:
                header, data = _receive(asked)
            except (EndedError, OSError):
                return
            _limit_time(seconds)
            _send(asked, *work(header, data))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
