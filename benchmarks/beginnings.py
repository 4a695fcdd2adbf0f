"""Deep nets of sigmoids, begun in four ways, tuned in one: what `variants` and `few_labels` share."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from scipy.stats import t as student
from torch import Tensor, nn

from benchmarks.autoencoder import PIXELS, Pictures
from layerwise.energy import RestrictedBoltzmannMachine, unrolled
from layerwise.nn import Head, Pipeline, mirrored
from layerwise.nn.stage import vector
from layerwise.randomness import Randomness
from layerwise.stacks.autoencoding import first_weights, machines, pretraining, stacking
from layerwise.tasks import Classify
from layerwise.train import Done, Phase, Plan, Supervised, optimiser, train

WAYS = ("plain", "SAE-3", "SDAE-3", "DBN-3")
NOISE = 0.25  # of the denoising stack, that of most published rows
DIGITS = Classify(tuple(range(10)), counts=(1,) * 10)


def trained(
    net: nn.Module, plan: Plan, x: Tensor, y: Tensor | None = None, *, seed: int, path: Path | None = None
) -> float:
    """Train in place; go on from the checkpoint at `path` where there is one. The seconds it took."""

    def data(size: int, rng: Randomness) -> Pictures:
        return Pictures(x, min(size, len(x)), rng, y)

    (*_, done) = train(net, plan, data, seed=seed, checkpoint=path)
    assert isinstance(done, Done)
    return done.seconds


def follow(net: nn.Module, plan: Plan, x: Tensor, y: Tensor | None = None, *, seed: int, path: Path) -> None:
    """The same, and say how long it took."""
    path.parent.mkdir(exist_ok=True)
    seconds = trained(net, plan, x, y, seed=seed, path=path)
    sys.stdout.write(f"{path.stem}: {seconds:.0f} s\n")
    sys.stdout.flush()


def begun(way: str, widths: Sequence[int], x: Tensor, *, epochs: float, seed: int, path: Path) -> Pipeline:
    """An encoder of pictures, each of its levels `epochs` long on x; "plain": with its first weights."""
    if way == "DBN-3":
        stack = machines(PIXELS, widths, code="bernoulli", seed=seed)
        rbms = [rbm for _, rbm in stack.stages() if isinstance(rbm, RestrictedBoltzmannMachine)]
        rbms[0].start_at(x.mean(0))
        follow(stack, pretraining(stack, epochs=epochs), x, seed=seed, path=path)
        return unrolled(rbms).encoder
    with first_weights(seed):
        net = mirrored(PIXELS, widths, activation="sigmoid", code="sigmoid", init="glorot")
    if way != "plain":
        noise = NOISE if way == "SDAE-3" else 0.0
        plan = stacking(net, error="cross-entropy", noise=noise, epochs=epochs, rate=2e-3, size=200)
        follow(net.encoder, plan, x, seed=seed, path=path)
    return net.encoder


def classifier(encoder: Pipeline, *, seed: int) -> Pipeline:
    """The encoder's levels, and a head for ten digits."""
    width = encoder(torch.zeros(1, 784)).shape[1]
    with first_weights(seed):
        head = Head.from_spec(vector(width), outputs=DIGITS.outputs)
    return Pipeline(**dict(encoder.stages()), answer=head)


def tuning(*, rate: float, epochs: float | None = None, steps: int | None = None) -> Phase:
    """All levels together on labels: AdamW, one cycle, batches of 200."""
    make = optimiser("adamw", rate=rate, decay=0.01)
    return Phase("tuning", Supervised(DIGITS), make, size=200, epochs=epochs, steps=steps, clip=1.0)


@torch.no_grad()
def wrong(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """(N,) in percent: 100 where the most probable digit is not the right one."""
    net.eval()
    return torch.cat(
        [100.0 * (net(p).argmax(1) != q) for p, q in zip(x.split(1000), y.split(1000), strict=True)]
    )


def interval(each: Tensor) -> dict[str, float]:
    """The mean of (n,) with its 95 % interval."""
    value = each.double().mean().item()
    half = float(student.ppf(0.975, len(each) - 1)) * each.double().std().item() / len(each) ** 0.5
    return {"value": value, "low": value - half, "high": value + half}
