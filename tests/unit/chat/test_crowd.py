"""Work at once, and its pace."""

from __future__ import annotations

import threading

import pytest

from antiphon.chat.crowd import each
from antiphon.chat.pace import Pace


def test_every_item_is_done_once():
    """Whatever the number of workers, also more than there are items."""
    for n_workers in (1, 3, 50):
        done = dict(each(lambda number: number * 2, range(20), n_workers, threading.Event()))
        assert done == {number: number * 2 for number in range(20)}
    assert list(each(lambda number: number, [], 3, threading.Event())) == []


def test_no_more_than_the_workers_are_under_way():
    """And as many as there are: both are inside at the same moment."""
    both = threading.Barrier(2)
    running, most, lock = 0, 0, threading.Lock()

    def work(number):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        both.wait(timeout=20)
        with lock:
            running -= 1

    list(each(work, range(6), 2, threading.Event()))
    assert most == 2


def test_an_error_stops_the_others():
    """It reaches the caller, and those that wait are told."""
    stop = threading.Event()
    with pytest.raises(ZeroDivisionError):
        list(each(lambda number: 1 / number, [1, 0, 2], 1, stop))
    assert stop.is_set()


def test_requests_are_spread_over_the_minute():
    """By their number or their tokens, whichever takes longer; a hold moves everyone."""
    now = [100.0]
    pace = Pace(requests_per_minute=30, tokens_per_minute=6000, clock=lambda: now[0])
    assert [pace.turn(100), pace.turn(100), pace.turn(1000), pace.turn(1)] == [0, 2, 4, 14]
    now[0] = 200.0
    assert pace.turn(1) == 0
    pace.hold(60)
    assert pace.turn(1) == 60
    assert Pace(clock=lambda: 0.0).turn(10**9) == 0


def test_waiting_ends_when_the_work_is_stopped():
    """At once, and says so."""
    pace = Pace()
    assert pace.wait(0)
    pace.stop.set()
    assert not pace.wait(1000)
    assert not pace.wait(0)
