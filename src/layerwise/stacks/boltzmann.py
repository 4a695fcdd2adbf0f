"""Deep Boltzmann machines: the plans by which they begin, layer by layer, and then learn as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor, nn

from layerwise.energy import DeepBoltzmannMachine, RestrictedBoltzmannMachine
from layerwise.nn import Pipeline, Scale
from layerwise.nn.initialise import normal
from layerwise.nn.stage import Stage, vector
from layerwise.spec import Spec
from layerwise.stacks.autoencoding import first_weights, pretraining
from layerwise.train import MeanField, Phase, Plan, optimiser, stepped, trapezoid

__all__ = ["deep_machine", "jointly", "parts"]


def deep_machine(
    spec: Spec,
    widths: Sequence[int],
    run: Callable[[nn.Module, Plan], None],
    *,
    means: Tensor,
    epochs: float,
    seed: int,
    precision: str = "float32",
) -> DeepBoltzmannMachine:
    """A machine that learned layer by layer and then as one; `run(net, plan)` trains in place.

    `means` (V,) are those of the data, from 0 to 1; `epochs` those of each part and of the whole; products are
    of that `precision`. Raises UsageError for fewer than two widths.
    """
    with first_weights(seed):
        dbm = DeepBoltzmannMachine.from_spec(spec, widths=list(widths))
    stack = parts(spec, widths, seed=seed)
    machines = [stage for _, stage in stack.stages() if isinstance(stage, RestrictedBoltzmannMachine)]
    machines[0].start_at(2 * means)

    def learn(net: nn.Module, plan: Plan) -> None:
        run(net, tuple(replace(phase, precision=precision) for phase in plan))

    learn(stack, pretraining(stack, epochs=epochs))
    dbm.start_from(machines)
    learn(dbm, jointly(epochs=epochs))
    return dbm


def parts(spec: Spec, widths: Sequence[int], *, seed: int = 0) -> Pipeline:
    """The machines that a deep one begins with, `level1`, ..., each on the hidden means of the one below.

    Salakhutdinov and Hinton 2009, "Deep Boltzmann machines", section 3.1: the lowest sees its input twice, the
    topmost has its hidden units twice. First weights are normal of deviation 0.1.
    """
    stages: dict[str, Stage] = {"twice": Scale.from_spec(spec.but(centre=(0.0,), spread=(0.5,)))}
    with first_weights(seed):
        for place, width in enumerate(widths, 1):
            rbm = RestrictedBoltzmannMachine.from_spec(
                spec,
                width=width,
                visible="doubled" if place == 1 else "bernoulli",
                hidden="doubled" if place == len(widths) else "bernoulli",
            )
            normal(rbm.weight.data, 0.1)
            stages[f"level{place}"] = rbm
            spec = vector(width)
    return Pipeline(**stages)


def jointly(*, epochs: float, rate: float = 0.001) -> Plan:
    """All layers together, by mean field and 100 chains that persist, at a rate that falls at last."""
    phase = Phase(
        "together",
        MeanField(),
        optimiser("sgd", rate=rate, decay=0.0002),
        size=100,
        epochs=epochs,
        schedule=trapezoid,
        momentum=stepped(0.5, 0.9),
    )
    return (phase,)
