"""Dealing rows out: a share of every class, and what belongs together stays together."""

from __future__ import annotations

import numpy as np

from layerwise.randomness import Randomness

__all__ = ["Deal"]

TRIES = 64  # seeded orders in which groups are dealt out


class Deal:
    """Deals rows out. `strata` (N,) or None: shares are taken of each; `tied` (N,) or None: rows of one
    number stay together. `grouped`: these are groups, few and large, and not copies."""

    def __init__(
        self, strata: np.ndarray | None, tied: np.ndarray | None, *, grouped: bool, rng: Randomness
    ) -> None:
        self._strata, self._tied, self._grouped, self._rng = strata, tied, grouped, rng

    def part(self, rows: np.ndarray, share: float, purpose: str) -> np.ndarray:
        """About `share` of `rows`, rising. Where all belong to one group, of its rows."""
        draw = self._rng.numpy(purpose)
        strata = np.zeros(len(rows), np.int64) if self._strata is None else self._strata[rows]
        if self._tied is None:
            chosen = _by_chance(strata, share, draw)
        else:
            _, first, where = np.unique(self._tied[rows], return_index=True, return_inverse=True)
            if self._grouped and len(first) > 1:
                chosen = _by_group(strata, where, share, draw)
            elif self._grouped:
                chosen = _by_chance(strata, share, draw)
            else:
                chosen = _by_chance(strata[first], share, draw)[where]
        return np.asarray(rows[chosen], np.int64)


def _by_chance(strata: np.ndarray, share: float, draw: np.random.Generator) -> np.ndarray:
    """(n,) True for `share` of each stratum, what is over by largest remainder; one row of each stays."""
    _, strata, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    want = sizes * share
    take = np.floor(want).astype(np.int64)
    missing = round(len(strata) * share) - int(take.sum())
    order = np.argsort(-(want - take) - 1e-9 * draw.random(len(sizes)), kind="stable")
    take[order[: max(0, missing)]] += 1
    take = np.minimum(take, np.maximum(sizes - 1, 0))
    if not take.sum() and len(strata) > 1:
        take[np.argmax(sizes)] = 1
    shuffled = draw.permutation(len(strata))
    by_stratum = shuffled[np.argsort(strata[shuffled], kind="stable")]
    rank = np.arange(len(strata)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    chosen = np.zeros(len(strata), bool)
    chosen[by_stratum] = rank < np.repeat(take, sizes)
    return chosen


def _by_group(strata: np.ndarray, groups: np.ndarray, share: float, draw: np.random.Generator) -> np.ndarray:
    """(n,) True for whole groups that together hold about `share` of the rows of every class.

    Groups are dealt out greedily in several random orders and the best deal is kept. Where it can be,
    every class keeps a group to train on, and of each class that has two groups one is held out.
    """
    _, strata = np.unique(strata, return_inverse=True)
    counts = np.zeros((groups.max() + 1, strata.max() + 1))
    np.add.at(counts, (groups, strata), 1)
    tries = int(np.clip(20_000 // len(counts), 1, TRIES))
    deals = [_dealt(counts, share, draw.permutation(len(counts))) for _ in range(tries)]
    best: np.ndarray = min(deals, key=lambda deal: deal[0])[1][groups]
    return best


def _dealt(counts: np.ndarray, share: float, order: np.ndarray) -> tuple[float, np.ndarray]:
    """How far a deal is from what is wanted, and the groups chosen, of `counts` (groups, classes)."""
    totals, spread = counts.sum(0), (counts > 0).sum(0)
    weights = np.minimum(1, totals / totals.mean())  # a class of a row or two does not decide for all
    chosen = np.zeros(len(counts), bool)
    have = np.zeros(len(totals))

    def badness(have: np.ndarray) -> float:
        off = have / totals - share
        unseen = (have == 0) & (spread > 1)  # classes of which nothing is held out
        untaught = have == totals  # classes of which nothing is trained on
        size = len(totals) * (have.sum() / totals.sum() - share) ** 2
        return float(weights @ (off**2 + unseen + untaught) + size)

    now = badness(have)
    for g in order:
        then = badness(have + counts[g])
        if then < now:
            chosen[g], now, have = True, then, have + counts[g]
    if not chosen.any():
        smallest = order[np.argmin(counts[order].sum(1))]
        chosen[smallest], now = True, badness(counts[smallest])
    return now, chosen
