"""One phase under way: what a step does, and all that must be kept to go on elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from math import isfinite
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from layerwise.errors import MachineError, UsageError, listed, shown, suggest
from layerwise.randomness import Randomness
from layerwise.train.averaging import Average
from layerwise.train.objectives import Objective
from layerwise.train.optimisers import Learned
from layerwise.train.pieces import mass, on, pieces
from layerwise.train.plan import Phase
from layerwise.train.state import Nest, copied, put, put_optimiser, tensors
from layerwise.values import Batch

__all__ = ["AfterGradients", "Evaluate", "OutOfMemory", "Running", "device_of"]

AfterGradients: TypeAlias = Callable[[nn.Module, Batch], None]
Evaluate: TypeAlias = Callable[[nn.Module], Mapping[str, float]]


class OutOfMemory(Exception):
    """A step did not fit into memory."""


_SEED = (1 << 63) - 1


class Running:
    """A phase with its optimiser and averages, on a net whose modes and frozen parts it has set."""

    def __init__(
        self,
        net: nn.Module,
        phase: Phase,
        *,
        rng: Randomness,
        objectives: Sequence[Objective],
        after_gradients: AfterGradients | None = None,
    ) -> None:
        self.net = net
        self.phase = phase
        self.pieces = 1
        self._rng = rng
        self._objectives = objectives
        self._after_gradients = after_gradients
        self._learning = _freeze(net, phase)
        self.learned = Learned.of(net, phase.objective)
        if not self.learned:
            raise UsageError(
                f"phase {shown(phase.name)} has nothing to learn: no parameter requires gradients"
            )
        self.optimiser = phase.optimiser(self.learned)
        groups = self.optimiser.param_groups
        self._highest: list[float] = [group["lr"] for group in groups]
        self._decays: list[float] = [group.get("weight_decay", 0.0) for group in groups]
        if phase.momentum is not None and any("momentum" not in group for group in groups):
            raise UsageError(
                f"phase {shown(phase.name)} has a momentum by progress, and its optimiser has no momentum to"
                " set: take sgd, nesterov or muon"
            )
        self.average = None if phase.average is None else Average(net, phase.average)
        self._constrain: list[Callable[[], None]] = [
            method for m in self._learning if callable(method := getattr(m, "constrain", None))
        ]
        self.device = self.learned[0].device
        self._dice = _generators(self.device)
        self.to_learning()

    @property
    def highest(self) -> float:
        """The learning rate of a step with a share of 1."""
        return self._highest[0]

    def close(self) -> None:
        """Give back the memory of the gradients."""
        self._forget()

    def _forget(self) -> None:
        for p in self.learned:
            p.grad = None

    def to_learning(self) -> None:
        """Training mode where something is learned, evaluation mode elsewhere."""
        self.net.eval()
        for module in self._learning:
            module.training = True
        self.phase.objective.train()

    def step(
        self, batch: Batch, number: int, share: float, *, along: float = 0.0, last: bool = False
    ) -> Mapping[str, Tensor]:
        """One step on `batch` at `share` of the highest rate; the named scalars before it was taken.

        `along` is how far the phase is, from 0 to 1.
        """
        batch = on(batch, self.device)
        rng = self._rng.at(number)
        seed = rng.number("dropout") & _SEED
        self._set(share, along)
        before: dict[str, Tensor] = {}

        def closure() -> Tensor:
            self._forget()
            for generator in self._dice:  # a line search must meet the same function at every call
                generator.manual_seed(seed)
            scalars = self._gradients(batch, rng)
            if self._after_gradients is not None:
                self._after_gradients(self.net, batch)
            if self.phase.clip is not None:
                nn.utils.clip_grad_norm_(self.learned, self.phase.clip)
            if not before:
                before.update(scalars)
            return scalars["loss"]

        try:
            with _given_back(self._dice):
                self.optimiser.step(closure)  # type: ignore[arg-type]
                with torch.no_grad(), self.precision():
                    self.phase.objective.advance(self.net, batch, rng)
                    for constrain in self._constrain:
                        constrain()
        except (MemoryError, RuntimeError) as error:
            if not _of_memory(error):
                raise
            raise OutOfMemory from error
        if self.average is not None:
            self.average.update(number + 1, last=last)
        return before

    def _set(self, share: float, along: float) -> None:
        """Rates, momenta and decays of this step."""
        momentum, decay = self.phase.momentum, self.phase.decay
        for group, rate, cost in zip(self.optimiser.param_groups, self._highest, self._decays, strict=True):
            group["lr"] = rate * share
            if momentum is not None:
                group["momentum"] = momentum(along)
            if decay is not None:
                group["weight_decay"] = cost * decay(along)

    def _gradients(self, batch: Batch, rng: Randomness) -> Mapping[str, Tensor]:
        objective = self.phase.objective
        with self.precision():
            batch = objective.altered(batch, rng)
            if self.pieces == 1:
                return objective.gradients(self.net, batch, rng)
            return self._accumulated(batch, rng)

    def _accumulated(self, batch: Batch, rng: Randomness) -> Mapping[str, Tensor]:
        """The gradients of the whole batch from those of its pieces, each by its mass."""
        total = mass(batch)
        sums: list[Tensor | None] = [None] * len(self.learned)
        scalars: dict[str, Tensor] = {}
        for index, piece in enumerate(pieces(batch, self.pieces)):
            share = mass(piece) / total
            if share == 0:
                continue
            self._forget()
            for name, value in self.phase.objective.gradients(self.net, piece, rng.at(index)).items():
                scalars[name] = scalars.get(name, torch.zeros_like(value)) + share * value
            for i, p in enumerate(self.learned):
                if p.grad is not None:
                    so_far = sums[i]
                    sums[i] = p.grad.mul_(share) if so_far is None else so_far.add_(p.grad, alpha=share)
        for p, gradient in zip(self.learned, sums, strict=True):
            p.grad = gradient
        return scalars

    def precision(self) -> Any:
        """The context in which forward passes of this phase run."""
        if self.phase.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def halve(self) -> None:
        """From now on cut each batch into twice as many pieces. Raises MachineError where that is no use."""
        if self.pieces >= self.phase.size:
            raise MachineError(
                "out of memory with one example at a time: free memory, make the network smaller, or the"
                " examples (layerwise recipe DATA lists what can be set)"
            )
        self.pieces *= 2
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def answering(self) -> dict[str, Tensor]:
        """A copy of the weights that answer questions: the averaged ones where there are any."""
        live = tensors(self.net) if self.average is None else self.average.values
        return {name: t.detach().clone() for name, t in live.items()}

    def evaluated(self, evaluate: Evaluate) -> dict[str, float]:
        """What `evaluate` says of the net, in evaluation mode, with the weights that answer."""
        self.net.eval()
        averaged = nullcontext() if self.average is None else self.average.in_place()
        try:
            with torch.no_grad(), self.precision(), averaged:
                return dict(evaluate(self.net))
        finally:
            self.to_learning()

    def finite(self) -> bool:
        """Whether all that is learned consists of finite numbers."""
        return isfinite(float(nn.utils.get_total_norm(self.learned)))

    def state(self) -> dict[str, Nest]:
        """A copy of everything that steps move."""
        return {
            "net": copied(tensors(self.net)),
            "objectives": [copied(tensors(o)) for o in self._objectives],
            "optimiser": copied(self.optimiser.state_dict()),
            "average": None if self.average is None else copied(self.average.values),
        }

    def load(self, state: Mapping[str, Nest]) -> None:
        """Put back what `state` gave, bit for bit. Raises ModelError where it is of another network."""
        put(self.net, state["net"])
        for objective, values in zip(self._objectives, state["objectives"], strict=True):
            put(objective, values)
        put_optimiser(self.optimiser, state["optimiser"])
        if self.average is not None:
            for name, value in self.average.values.items():
                value.copy_(state["average"][name])


def _freeze(net: nn.Module, phase: Phase) -> list[nn.Module]:
    """Leave only what the phase learns requiring gradients; the modules that are to be in training mode."""
    if phase.learns is None:
        return list(net.modules())
    known = dict(net.named_modules())
    for address in phase.learns:
        if address not in known or not address:
            raise UsageError(
                f"phase {shown(phase.name)} is to learn {shown(address)}, which the network does not have"
                f"{suggest(address, known) or '.'} It has {listed(n for n in known if n)}"
            )
    learning = {inner: None for address in phase.learns for inner in known[address].modules()}
    keep = {p for module in learning for p in module.parameters()}
    for p in net.parameters():
        if p not in keep:
            p.requires_grad_(False)
    return list(learning)


def device_of(net: nn.Module) -> torch.device:
    """Where the net is."""
    return next((p.device for p in net.parameters()), torch.device("cpu"))


def _of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def _generators(device: torch.device) -> list[torch.Generator]:
    """The global generators that layers such as dropout draw from."""
    found = [torch.default_generator]
    if device.type == "cuda":
        found.append(torch.cuda.default_generators[device.index or 0])
    return found


@contextmanager
def _given_back(generators: Sequence[torch.Generator]) -> Iterator[None]:
    """The user's global randomness goes on afterwards as if nothing had been drawn."""
    states = [g.get_state() for g in generators]
    try:
        yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)
