"""What a network costs to keep and to ask, measured here."""

from __future__ import annotations

import sys
import time
from statistics import median

import numpy as np
import torch
from torch import nn

from layerwise.data import Store
from layerwise.figures import count, in_bytes, in_seconds
from layerwise.findings import Finding, Section
from layerwise.values import Value, collate, move

__all__ = ["cost", "peak_memory"]

RUNS = 7
BATCH = 64


def cost(net: nn.Module, store: Store, rows: np.ndarray, *, model_bytes: int, multiply_adds: int) -> Section:
    """Bytes of the model, multiply-adds and milliseconds an example.

    `rows` are places in the store; the first 64 of them are asked. Times are medians of several runs.
    """
    parameters = sum(p.numel() for p in net.parameters())
    one = _seconds(net, collate(store.take(rows[:1]), store.spec))
    several = rows[:BATCH]
    many = _seconds(net, collate(store.take(several), store.spec)) / len(several)
    threads = torch.get_num_threads()
    here = (
        f"median of {RUNS} runs on {threads} thread{'s' if threads > 1 else ''}; reading the file not counted"
    )
    findings = [
        Finding(
            "cost.bytes",
            f"for the model, {count(parameters)} weights.",
            round(model_bytes / 1e6, 3),
            unit="MB",
        ),
        Finding("cost.multiply_adds", "million multiply-adds an example.", round(multiply_adds / 1e6, 4)),
        Finding("cost.one", "for one example alone.", _rounded(1000 * one), unit="ms", method=here),
        Finding(
            "cost.many",
            f"an example in batches of {len(several)}.",
            _rounded(1000 * many),
            unit="ms",
            method=here,
        ),
    ]
    heading = f"It takes {in_bytes(model_bytes)} on disk and {in_seconds(many)} an example."
    return Section("cost", heading, tuple(findings))


def peak_memory() -> int | None:
    """The most bytes that this process held in memory; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _seconds(net: nn.Module, value: Value) -> float:
    """The median time of one forward pass."""
    device = next((p.device for p in net.parameters()), torch.device("cpu"))
    was_training = net.training
    net.eval()
    times = []
    with torch.inference_mode():
        for _ in range(RUNS + 2):  # the first two warm up
            start = time.perf_counter()
            net(move(value, device)).cpu()
            times.append(time.perf_counter() - start)
    net.train(was_training)
    return median(times[2:])


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
