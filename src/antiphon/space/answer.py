"""The answer path: candidates from each channel, their union scored exactly by all channels, the best of these.

Where the catalog is small, all its items are candidates and the answer is exact: without an index a channel looks at
every item anyway. One that knows nearly as much for less scores exactly only the items that may lead. In a large one
each channel brings its own best `DEPTH` times as many as are asked for, and at least `LEAST`, which finds nearly all of
the exact answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from antiphon.channels.base import (
    Allowed,
    Channel,
    Estimates,
    Estimating,
    Floats,
    Leaning,
    Listing,
    Passing,
    Resolved,
    Rows,
)
from antiphon.channels.near import Near
from antiphon.numbers.coded import GATHERED
from antiphon.numbers.exact import SPARSE, top_k
from antiphon.numbers.lists import Listed, best_of
from antiphon.numbers.vectors import once, without

SMALL = 200_000
"""Where no more items than this may be answers, all of them are scored."""
DEPTH, LEAST = 8, 1_000
"""Candidates of a channel: this many times k, and no fewer than the other."""
LATE, DRAWN = 2, 256
"""Rows that costly channels score first: this many times k, and so many of the others."""
MAX_SCORES = 16_000_000
"""Scores that are held at once by each channel: 64 MB of float32."""


def best(
    channels: Sequence[Channel],
    resolved: Resolved,
    k: int,
    passing: Passing | None,
    n_items: int,
    *,
    near: Sequence[Near] = (),
) -> tuple[Rows, Floats]:
    """Rows and scores of the k best items for each request, (n_requests, k), best first, equal scores by row.

    `passing`: the items that may be answers; None for all. Where fewer than k may, the rest is -1 and -inf; whenever k
    items may be answers there are k. `near`: what finds candidates by codes, for less than it costs to score `SMALL`
    items.
    """
    rows = np.full((len(resolved), k), -1, dtype=np.int64)
    scores = np.full((len(resolved), k), -np.inf, dtype=np.float32)
    n_open, allowed = (n_items, None) if passing is None else (passing.n, passing.mask)
    few = n_open <= max(GATHERED * n_items if near else SMALL, DEPTH * k)
    # A few rows are gathered; more are cheaper to score with the others.
    gathered = passing.rows if passing is not None and few and n_open <= SPARSE * n_items else None
    step = max(1, MAX_SCORES // n_items)
    for start in range(0, len(resolved), step):
        part = range(start, min(start + step, len(resolved)))
        some = resolved.take(part) if len(part) < len(resolved) else resolved
        heard = [channel for channel in channels if some.hears(channel)]
        if few:
            if near and gathered is not None:
                ones = [some.take([place]) for place in range(len(some))]
                open_ = [without(gathered, hidden) for hidden in some.hidden]
                rows[part], scores[part] = _each(heard, ones, k, open_, near)
            else:
                rows[part], scores[part] = _of_all(heard, some, k, gathered, allowed)
        else:
            rows[part], scores[part] = _of_candidates(heard, some, k, allowed, n_items, near)
    return rows, scores


def _of_all(
    channels: Sequence[Channel], resolved: Resolved, k: int, gathered: Rows | None, allowed: Allowed | None
) -> tuple[Rows, Floats]:
    estimated = _estimated(channels, resolved) if gathered is None else {}
    if estimated:
        return _of_estimates(channels, resolved, k, allowed, estimated)
    total = _sum(channels, resolved, gathered)
    if gathered is None:
        _close(total, resolved, allowed)
    else:
        for line, hidden in zip(total, resolved.hidden, strict=True):
            line[np.isin(gathered, hidden)] = -np.inf
    return _top(total, k, gathered)


def _of_estimates(
    channels: Sequence[Channel],
    resolved: Resolved,
    k: int,
    allowed: Allowed | None,
    estimated: Mapping[str, Estimates],
) -> tuple[Rows, Floats]:
    """The exact answers, of the rows that may be among them by what channels know for less."""
    first, *others = estimated.values()
    total, most_off = first.scores, first.most_off
    for one in others:
        total, most_off = total + one.scores, most_off + one.most_off
    for channel in channels:
        if channel.name not in estimated:
            total = total + channel.scores(resolved, None)
    _close(total, resolved, allowed)
    answers = []
    for place, (line, off) in enumerate(zip(total, most_off, strict=True)):
        leading = _may_lead(line, off, k)
        answers.append(_top(_sum(channels, resolved.take([place]), leading), k, leading))
    rows, scores = zip(*answers, strict=True)
    return np.concatenate(rows), np.concatenate(scores)


def _estimated(channels: Sequence[Channel], resolved: Resolved) -> dict[str, Estimates]:
    """What channels know for less than their exact scores cost, by the channel's name."""
    found = {one.name: one.estimates(resolved) for one in channels if isinstance(one, Estimating)}
    return {name: estimates for name, estimates in found.items() if estimates is not None}


def _may_lead(line: Floats, most_off: np.float32, k: int) -> Rows:
    """Rows whose exact score may be among the k best, ascending, by scores that may be so far off."""
    # The k-th best exact score is no further below the k-th best estimate, and no score further above its own.
    bar = np.partition(line, -k)[-k] - 2 * most_off if k < len(line) else -np.inf
    return np.flatnonzero((line >= bar) & (line > -np.inf))


def _close(total: Floats, resolved: Resolved, allowed: Allowed | None) -> None:
    """Take out of scores of all items those that may not be answers."""
    if allowed is not None:
        total[:, ~allowed] = -np.inf
    for line, hidden in zip(total, resolved.hidden, strict=True):
        line[hidden] = -np.inf


def _of_candidates(
    channels: Sequence[Channel],
    resolved: Resolved,
    k: int,
    allowed: Allowed | None,
    n_items: int,
    near: Sequence[Near],
) -> tuple[Rows, Floats]:
    most_hidden = max(len(hidden) for hidden in resolved.hidden)
    n = max(LEAST, DEPTH * k) + most_hidden
    united, others = _united(channels, resolved, n, allowed, n_items)
    ones, unions = [resolved.take([place]) for place in range(len(resolved))], []
    for place, one in enumerate(ones):
        asked = [finder for finder in near if finder.asked(one)[0]]
        told = {name for finder in asked for name in finder.names}
        found = [united[place], *(finder.candidates(one, n, allowed)[0] for finder in asked)]
        found += [channel.candidates(one, n, allowed)[0] for channel in others if channel.name not in told]
        line, hidden = np.concatenate(found), resolved.hidden[place]
        unions.append(_at_least(k, without(once(line[line >= 0]), hidden), hidden, allowed, n_items))
    return _each(channels, ones, k, unions, near)


def _each(
    channels: Sequence[Channel], ones: Sequence[Resolved], k: int, unions: Sequence[Rows], near: Sequence[Near]
) -> tuple[Rows, Floats]:
    """The k best of some rows, which ascend, for each request."""
    answers = [_best_among(channels, one, k, union, near) for one, union in zip(ones, unions, strict=True)]
    rows, scores = zip(*answers, strict=True)
    return np.concatenate(rows), np.concatenate(scores)


def _best_among(
    channels: Sequence[Channel], one: Resolved, k: int, union: Rows, near: Sequence[Near]
) -> tuple[Rows, Floats]:
    """The k best of some rows for one request; what is costly is scored where it may bring a row among these.

    First for the rows that lead without it, and for some drawn evenly, which tell what it brings a row at most; then
    for more of those that lead, twice as many each time, until no other can come among the best.
    """
    met = {name for finder in near for name in finder.meet(one, union)}
    late = sorted((channel for channel in channels if _cost(channel) and channel.name not in met), key=_cost)
    first = LATE * k
    if len(union) <= 2 * first + DRAWN or len(late) in (0, len(channels)):
        return _top(_sum(channels, one, union), k, union)
    total = _sum([channel for channel in channels if channel not in late], one, union)
    ahead = np.zeros(len(union), dtype=bool)
    ahead[np.argpartition(-total[0], first)[:first]] = True
    ahead[:: len(union) // DRAWN] = True
    parts = [channel.scores(one, union[ahead]) for channel in late]
    total[:, ahead] += sum(parts[1:], parts[0])
    most = np.cumsum([part.max() + part.std() for part in reversed(parts)])[::-1]
    left = np.flatnonzero(~ahead)
    left = left[np.argsort(-total[0, left])]
    size = first
    while len(left := left[total[0, left] + most[0] >= (bar := np.partition(total[0, ahead], -k)[-k])]):
        some, left = np.sort(left[:size]), left[size:]
        for channel, brings in zip(late, most, strict=True):
            some = some[total[0, some] + brings >= bar]
            total[0, some] += channel.scores(one, union[some])[0]
        ahead[some], size = True, 2 * size
    return _top(total[:, ahead], k, union[ahead])


def _cost(channel: Channel) -> int:
    """Bytes that a channel reads for the scores of an item, where that is much; 0 else."""
    return int(getattr(channel, "costs", 0))


def _united(
    channels: Sequence[Channel], resolved: Resolved, n: int, allowed: Allowed | None, n_items: int
) -> tuple[Rows, list[Channel]]:
    """The n best rows by the inverted lists of all channels together and by what items have anyway, (n_requests, n).

    The best of the sum are not among the best of each. Also the channels that have candidates beside these.
    """
    found, others = np.full((len(resolved), n), -1, dtype=np.int64), []
    lists: list[list[Listed]] = [[] for _ in found]
    for channel in channels:
        parts = [channel.listed(resolved, i) for i in range(len(found))] if isinstance(channel, Listing) else [None]
        if None in parts:
            others.append(channel)
        for mine, part in zip(lists, parts, strict=False):
            mine.extend(part or ())
    for place, mine in enumerate(lists):
        if mine:
            known = [channel.leaning(resolved, place) for channel in channels if isinstance(channel, Leaning)]
            beside = [one for one in known if one is not None]
            rows = best_of(mine, n, n_items, allowed, sum(beside[1:], beside[0]) if beside else None)
            found[place, : len(rows)] = rows
    return found, others


def _at_least(k: int, found: Rows, hidden: Rows, allowed: Allowed | None, n_items: int) -> Rows:
    """The rows found, ascending; where they are fewer than k, with the first others that may be answers."""
    if len(found) >= k:
        return found
    # Channels that have nothing to say bring nothing; there are k answers all the same.
    others = np.arange(n_items) if allowed is None else np.flatnonzero(allowed)
    others = np.setdiff1d(others, np.concatenate([found, hidden]))
    return np.union1d(found, others[: k - len(found)])


def _sum(channels: Sequence[Channel], resolved: Resolved, rows: Rows | None) -> Floats:
    total = channels[0].scores(resolved, rows)
    for channel in channels[1:]:
        total = total + channel.scores(resolved, rows)
    return total


def _top(scores: Floats, k: int, gathered: Rows | None) -> tuple[Rows, Floats]:
    """The k best columns of each line as rows of the catalog, (n, k), filled up with -1 and -inf."""
    columns, values = top_k(scores, min(k, scores.shape[1]))
    rows = columns if gathered is None else np.where(columns >= 0, gathered[columns], -1)
    if rows.shape[1] == k:
        return rows, values
    missing = ((0, 0), (0, k - rows.shape[1]))
    return np.pad(rows, missing, constant_values=-1), np.pad(values, missing, constant_values=-np.inf)
