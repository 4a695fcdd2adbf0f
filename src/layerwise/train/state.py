"""The state of modules and optimisers as nests of plain data and tensors, taken and put back bit for bit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from layerwise.errors import ModelError, listed, shown

__all__ = ["Nest", "as_found", "copied", "put", "put_optimiser", "tensors"]

Nest: TypeAlias = Any
"""Tensors, numbers, text, truth values and None in dicts, lists and tuples of any depth."""


def tensors(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, each once where several names share one; live, not copied."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def copied(nest: Nest) -> Nest:
    """The nest with every tensor and every container copied, so that nothing later can move it."""
    if isinstance(nest, Tensor):
        return nest.detach().clone()
    if isinstance(nest, Mapping):
        return {k: copied(v) for k, v in nest.items()}
    if isinstance(nest, list | tuple):
        return [copied(v) for v in nest]
    return nest


@torch.no_grad()
def put(module: nn.Module, values: Mapping[str, Tensor]) -> None:
    """Copy `values` into a module in place. Raises ModelError where names, shapes or types differ."""
    live = tensors(module)
    if live.keys() != values.keys():
        raise ModelError(
            f"saved weights are of another network: {listed(live.keys() ^ values.keys())} stand on one side"
            " only"
        )
    for name, t in live.items():
        saved = values[name]
        if saved.shape != t.shape or saved.dtype != t.dtype:
            raise ModelError(
                f"saved weights are of another network: {shown(name)} is {tuple(t.shape)} of {t.dtype} here"
                f" and {tuple(saved.shape)} of {saved.dtype} there"
            )
    for name, t in live.items():
        t.copy_(values[name])


@contextmanager
def as_found(*modules: nn.Module) -> Iterator[None]:
    """Give back what requires gradients and who is in training mode, whatever happens in between."""
    gradients = [(p, p.requires_grad) for m in modules for p in m.parameters()]
    modes = [(inner, inner.training) for m in modules for inner in m.modules()]
    try:
        yield
    finally:
        for p, required in gradients:
            p.requires_grad_(required)
        for inner, training in modes:
            inner.training = training


def put_optimiser(optimiser: Optimizer, saved: Mapping[str, Any]) -> None:
    """Load what `optimiser.state_dict()` gave, copied and laid out as the parameters are.

    Raises ModelError where it does not fit.
    """
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    state: dict[int, Any] = {}
    for index, values in saved["state"].items():
        if not isinstance(index, int) or not 0 <= index < len(parameters):
            raise ModelError(
                f"saved optimiser state is of another network: it has a parameter {shown(index)}"
            )
        state[index] = {name: _laid_out(v, parameters[index]) for name, v in values.items()}
    try:
        optimiser.load_state_dict({"state": state, "param_groups": copied(saved["param_groups"])})
    except ValueError as error:
        raise ModelError(f"saved optimiser state is of another network: {error}") from error


def _laid_out(value: Nest, parameter: nn.Parameter) -> Nest:
    if isinstance(value, Tensor) and value.shape == parameter.shape and value.ndim > 0:
        return torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)
    return copied(value)
