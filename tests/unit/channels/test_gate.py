"""What the gate reads of a request, and the weights that it gives."""

from __future__ import annotations

import numpy as np
import pytest

from antiphon.channels.dictionary import Dictionary
from antiphon.channels.gate import FACTS, LEADS, VOICES, Gate, facts_of, leads_of

DICTIONARY = Dictionary({("dark",): np.array([0], np.int32), ("comedi",): np.array([0, 1], np.int32)}, 3)


def gate(seed: int = 0) -> Gate:
    """Some gate."""
    rng = np.random.default_rng(seed)
    n, v = len(FACTS), len(VOICES)
    return Gate([0.0] * n, [1.0] * n, rng.normal(size=(n, v)).tolist(), rng.normal(size=v).tolist())


def facts(text: str, n_examples: int = 0, n_asked: int = 0) -> dict[str, float]:
    """By name."""
    found = facts_of([text], None, [n_examples], [n_asked], DICTIONARY)
    return dict(zip(FACTS, found[0].tolist(), strict=True))


def test_facts_tell_requests_apart() -> None:
    """A request of values alone is wholly covered; a story is long and hardly covered; names are counted."""
    short, story = facts("dark comedies"), facts("I remember a dark hall where somebody hid a letter under the carpet")
    assert short["wholly covered"] == 1
    assert story["wholly covered"] == 0
    assert story["words"] > short["words"]
    assert story["covered"] < short["covered"]
    assert facts("like these", n_examples=2)["examples?"] == 1
    assert facts("play this", n_asked=1)["asked?"] == 1


def test_weights_are_never_negative_and_no_request_is_too_far() -> None:
    """Facts beyond those of the training count as the furthest of these."""
    found = gate()(np.array([[1e6] * len(FACTS), [3.0] * len(FACTS)], dtype=np.float32))
    assert set(found) == set(VOICES)
    for weights in found.values():
        assert (weights >= 0).all()
        assert weights[0] == pytest.approx(weights[1])


def test_a_voice_can_be_silenced() -> None:
    """The others stay as they are."""
    x = np.random.default_rng(3).normal(size=(4, len(FACTS))).astype(np.float32)
    usual, without = gate()(x), gate().without(["words"])(x)
    assert not without["words"].any()
    np.testing.assert_allclose(without["facets"], usual["facets"])


def test_a_copied_phrase_has_a_lead() -> None:
    """One text far ahead of all others leads; many equal ones do not; items without vectors do not count."""
    searchable = np.array([True, True, True, True, False])
    scores = np.array([[9.0, 1, 1, 1, 20], [5, 5, 1, 1, 0], [0, 0, 0, 0, 0]], dtype=np.float32)
    found = leads_of(scores, searchable)
    for line, (best, lead) in zip(scores[:2, searchable], found[:2], strict=True):
        first, second = sorted(line)[::-1][:2]
        assert best == pytest.approx((first - line.mean()) / line.std(), rel=1e-5)
        assert lead == pytest.approx((first - second) / line.std(), rel=1e-5)
    assert found[2].tolist() == [0, 0]
    assert leads_of(scores[:, :1], searchable[:1]).tolist() == [[0, 0]] * 3


def test_the_lead_is_a_fact() -> None:
    """What `leads_of` found stands where training looks for it; nothing leads where values say all."""
    leads = np.array([[3.0, 2.0], [3.0, 2.0]], dtype=np.float32)
    found = facts_of(["umbrellas in rain", "dark"], None, [0, 0], [0, 0], DICTIONARY, leads)
    assert found[:, LEADS].tolist() == [[3.0, 2.0], [0.0, 0.0]]


def test_the_gate_of_an_older_space_reads_the_facts_that_it_knows() -> None:
    """Its weights stay what they were."""
    whole = gate()
    older = Gate(whole.mean[:12], whole.spread[:12], whole.weights[:12], whole.bias)
    x = np.random.default_rng(1).normal(size=(3, len(FACTS))).astype(np.float32)
    without = x.copy()
    without[:, 12:] = 0
    for voice, weights in older(x).items():
        assert weights == pytest.approx(whole(without)[voice], rel=1e-5)
