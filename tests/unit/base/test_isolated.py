"""Work in a process that can be ended: what it answers comes back, and what it breaks is its own."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from antiphon.base.isolated import EndedError, Isolated
from antiphon.errors import RunError

HERE = "isolated_work"
WORK = """
import os, time

def echo(header, data):
    return {**header, "pid": os.getpid()}, data[::-1]

def odd(header, data):
    do = header.get("do")
    if do == "hang":
        time.sleep(600)
    if do == "grow":
        data = bytearray(header["bytes"])
        return {"size": len(data)}, b""
    while do == "spin":
        pass
    if do == "crash":
        os.abort()
    if do == "raise":
        raise ZeroDivisionError
    return {"pid": os.getpid()}, b"fine"
"""


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    """A module that the processes import."""
    (tmp_path / f"{HERE}.py").write_text(WORK)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))


def alive(pid):
    """Whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def running(pid):
    """Whether a process is there and does something; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return alive(pid) if not Path("/proc/self").exists() else False


def n_opened():
    """How many descriptors this process has; 0 where that cannot be known."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def test_an_answer_comes_back_and_the_process_is_kept():
    """The object and the bytes, also many of them, by one process after another call."""
    apart = Isolated(f"{HERE}:echo")
    large = os.urandom(3_000_000)
    first, data = apart.call({"name": "Été"}, large)
    second, empty = apart.call({}, b"")
    assert (first["name"], data, empty) == ("Été", large[::-1], b"")
    assert first["pid"] == second["pid"] != os.getpid()


@pytest.mark.parametrize(
    "do", [{"do": "hang"}, {"do": "grow", "bytes": 2_000_000_000}, {"do": "crash"}, {"do": "raise"}]
)
def test_what_hangs_grows_or_crashes_is_ended_and_replaced(do):
    """The call is an error, its process is gone, and the next call is answered by another."""
    apart = Isolated(f"{HERE}:odd", seconds=3.0, memory=500_000_000)
    pid = apart.call({}, b"")[0]["pid"]
    with pytest.raises(EndedError, match=f"{HERE}:odd"):
        apart.call(do, b"x")
    assert not alive(pid)
    said, data = apart.call({}, b"")
    assert data == b"fine"
    assert said["pid"] != pid


def test_a_process_that_cannot_be_started_is_no_fault_of_the_bytes(monkeypatch):
    """It is an error of its own, which nobody takes for a flaw of a file, and no socket stays open."""
    opened = n_opened()
    with pytest.raises(RunError, match="could not be started"):
        Isolated("no_such_module:work").call({}, b"")
    monkeypatch.setattr("sys.executable", "/no/such/python")
    with pytest.raises(RunError, match=r"could not be started \(No such file"):
        Isolated(f"{HERE}:echo").warm()
    assert n_opened() == opened


@pytest.mark.skipif(sys.platform == "win32", reason="has no such limits")
def test_what_hangs_ends_also_where_nobody_is_left(tmp_path):
    """Whoever asked is killed: a decoder that computes for ever ends by the processor's time that it may take."""
    code = (
        "import sys; from antiphon.base.isolated import Isolated\n"
        f"apart = Isolated('{HERE}:odd', seconds=2.0)\n"
        "print(apart.call({}, b'')[0]['pid'], flush=True)\n"
        "apart.call({'do': 'spin'}, b'')\n"
    )
    asking = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pid = int(asking.stdout.readline())
    time.sleep(0.5)
    asking.kill()
    asking.wait()
    for _ in range(600):
        if not running(pid):
            break
        time.sleep(0.1)
    assert not running(pid)


def test_calls_of_several_threads_do_not_mix():
    """Each gets its own answer; two processes are kept."""
    apart, wrong = Isolated(f"{HERE}:echo"), []

    def ask(number):
        for turn in range(5):
            data = bytes([number, turn]) * 1000
            if apart.call({"n": number}, data)[1] != data[::-1]:
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(apart._idle) <= 2


def test_processes_go_with_whoever_asked():
    """Nothing is left behind when it is forgotten."""
    apart = Isolated(f"{HERE}:echo")
    pid = apart.call({}, b"")[0]["pid"]
    del apart
    gc.collect()
    for _ in range(100):
        if not alive(pid):
            break
        time.sleep(0.05)
    assert not alive(pid)
