"""The network beside simple methods on the same held-out examples, and the sentence that heads the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import floor, isfinite
from typing import NamedTuple

import numpy as np

from layerwise.figures import count, figure, number
from layerwise.findings import Dots, Finding, Rows, Section
from layerwise.look.words import NAMES, capital, with_article
from layerwise.look.words import plural as plural_of
from layerwise.tasks.base import Metric, Task
from layerwise.tasks.metrics import LESS_IS_BETTER, paired

__all__ = ["Comparison", "compare", "rivals", "verdict"]

OURS = "the network"


class Comparison(NamedTuple):
    """The network and its rivals in the task's primary metric, on the same held-out rows.

    `ahead` is how far the network is ahead of the best rival, a paired difference with its interval,
    negative where it is behind.
    """

    net: Metric
    rivals: Mapping[str, Mapping[str, Metric]]  # name -> every metric
    best: str | None = None
    ahead: Metric | None = None

    @property
    def winner(self) -> str:
        """`network`, `rival`, `nobody` where the interval holds 0, or `alone` without rivals."""
        if self.ahead is None:
            return "alone"
        if self.ahead.low > 0:
            return "network"
        return "rival" if self.ahead.high < 0 else "nobody"


def compare(
    task: Task,
    decoded: np.ndarray,
    *,
    targets: np.ndarray,
    others: Mapping[str, np.ndarray],
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> Comparison:
    """Judge the network's `decoded` values and those of each rival against encoded `targets`."""
    name = task.primary
    net = task.metrics(decoded, targets, groups=groups, seed=seed)[name]
    found = {
        other: task.metrics(theirs, targets, groups=groups, seed=seed) for other, theirs in others.items()
    }
    known = {other: m[name].value for other, m in found.items() if isfinite(m[name].value)}
    if not known or not isfinite(net.value):
        return Comparison(net, found)
    best = (max if task.higher else min)(known, key=lambda other: known[other])
    ahead = paired(task, decoded, others[best], targets, groups, seed=seed)
    return Comparison(net, found, best, Metric(name, *ahead, net.n, net.groups))


def rivals(comparison: Comparison, *, group_word: str = "group") -> Section:
    """One dot and interval for each method, the paired difference, and every metric in a table."""
    net, best, ahead = comparison.net, comparison.best, comparison.ahead
    name = NAMES.get(net.name, net.name)
    methods = {OURS: net, **{rival: m[net.name] for rival, m in comparison.rivals.items()}}
    rows = [(method, m.value, m.low, m.high) for method, m in methods.items() if isfinite(m.value)]
    rows.sort(key=lambda row: row[1], reverse=net.name not in LESS_IS_BETTER)
    dots = Dots(
        rows,
        name,
        f"{capital(name)} of each method on the same held-out examples, best first.",
        strong=(OURS,),
    )
    pictures = (dots, _table(comparison)) if comparison.rivals else ()
    if best is not None and ahead is not None:
        same = f"on the same {count(ahead.n)} examples"
        said = {
            "network": f"is how far the network is ahead of {best}, {same}.",
            "rival": f"is how far the network is behind {best}, {same}.",
            "nobody": f"lies between the network and {best}, {same}; the interval holds no difference.",
        }[comparison.winner]
        over = f", drawn over {count(ahead.groups)} {plural_of(group_word)}" if ahead.groups else ""
        method = f"paired difference in {name}, positive where the network is better{over}"
        finding = Finding(
            "rivals.ahead",
            said,
            ahead.value,
            ahead.low,
            ahead.high,
            n=ahead.n,
            method=method,
            pictures=pictures,
        )
    else:
        why = "These examples do not rank the methods." if comparison.rivals else "No rival was tried."
        finding = Finding("rivals.ahead", why, pictures=pictures)
    return Section("rivals", _heading(comparison), (finding,))


def verdict(
    comparison: Comparison, *, plural: str, verb: str = "seen", group_word: str | None = None
) -> Finding:
    """The first sentence of the page; it names the rival first when the rival wins.

    `plural` is what the examples are called, `verb` what one does with them ("seen", "heard", "read");
    `group_word` is what groups are called, where the split keeps them whole.
    """
    net, best, ahead = comparison.net, comparison.best, comparison.ahead
    where = f"n {plural_of(group_word) if group_word else plural} it has never {verb}, "
    noun = f" {plural}" if group_word else ""
    if not isfinite(net.value):
        why = f": {net.caveat}" if net.caveat else ""
        name = NAMES.get(net.name, net.name)
        sentence = f"The network's {name} cannot be told on these {count(net.n)} {plural}{why}."
        return Finding(net.name, sentence, n=net.n)
    long, short = PHRASES.get(net.name, _plain_phrase(net.name))(net, noun)
    if best is None or ahead is None:
        sentence = f"O{where}the network {long(net)}."
    else:
        rival = comparison.rivals[best][net.name]
        if comparison.winner == "rival":
            sentence = f"{capital(best)} wins: o{where}it {long(rival)}; the network {short(net)}."
        elif comparison.winner == "network":
            sentence = f"O{where}the network {long(net)}; {best} {short(rival)}."
        else:
            sentence = (
                f"O{where}the network {long(net)} and {best} {short(rival)}:"
                f" no difference that these {_size(net, plural, group_word)} can show."
            )
    method = (
        f"95 % interval over {count(net.groups)} {plural_of(group_word or 'group')}"
        if net.groups
        else "95 % interval"
    )
    return Finding(
        net.name, sentence, net.value, net.low, net.high, n=net.n, method=method, caveat=net.caveat
    )


Phrase = Callable[[Metric], str]


def _right_in(net: Metric, noun: str) -> tuple[Phrase, Phrase]:
    """`is right in 71 of 100 clips (66 to 77)` and `in 65`, of as many as the interval can tell apart."""
    half = (net.high - net.low) / 2
    whole = 100 if half >= 0.01 or half == 0 else 1000 if half >= 0.001 else 10_000

    def of(share: float) -> str:
        return f"{floor(whole * share + 0.5 + 1e-9):,}"  # two halves are rounded alike

    return (
        lambda m: f"is right in {of(m.value)} of {whole:,}{noun} ({of(m.low)} to {of(m.high)})",
        lambda m: f"in {of(m.value)}",
    )


def _reaches(start: str, again: str) -> Callable[[Metric, str], tuple[Phrase, Phrase]]:
    def phrases(net: Metric, _noun: str) -> tuple[Phrase, Phrase]:
        def of(value: float) -> str:
            return number(value, net.low, net.high)

        return (
            lambda m: f"{start} {of(m.value)} ({of(m.low)} to {of(m.high)})",
            lambda m: f"{again} {of(m.value)}".strip(),
        )

    return phrases


def _plain_phrase(name: str) -> Callable[[Metric, str], tuple[Phrase, Phrase]]:
    return _reaches(f"reaches {with_article(NAMES.get(name, name))} of", "")


PHRASES = {
    "accuracy": _right_in,
    "roc_auc": _reaches("reaches an area under the ROC curve of", ""),
    "r2": _reaches("reaches an R² of", ""),
    "mae": _reaches("is off by", "by"),
    "mse": _reaches("has a mean squared error of", ""),
    "mae_scaled": _reaches("has a mean absolute error (in standard deviations) of", ""),
    "mse_scaled": _reaches("has a mean squared error (scaled) of", ""),
}


def _size(metric: Metric, plural: str, group_word: str | None) -> str:
    groups = f" in {count(metric.groups)} {plural_of(group_word)}" if metric.groups and group_word else ""
    return f"{count(metric.n)} {plural}{groups}"


def _heading(comparison: Comparison) -> str:
    best = comparison.best
    return {
        "network": f"The network beats {best}, the best of its simple rivals.",
        "rival": f"{capital(best or '')} beats the network.",
        "nobody": f"Neither the network nor {best} can be said to be better.",
        "alone": "No simple rival to compare with."
        if not comparison.rivals
        else "The rivals cannot be ranked here.",
    }[comparison.winner]


def _table(comparison: Comparison) -> Rows:
    names = list(next(iter(comparison.rivals.values())))
    rows: list[list[str | float | int | None]] = [
        [rival, *(figure(m[name].value, m[name].low, m[name].high) for name in names)]
        for rival, m in comparison.rivals.items()
    ]
    return Rows(
        ["method", *(NAMES.get(n, n) for n in names)],
        rows,
        "Metrics of every rival with 95 % intervals.",
        fold=True,
    )
