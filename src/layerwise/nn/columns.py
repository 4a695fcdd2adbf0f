"""Columns of several kinds, each through a small network of its own, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn

from layerwise.errors import UsageError, listed, shown, suggest
from layerwise.nn.pipeline import Builder, Composite, Pipeline
from layerwise.nn.stage import vector, wanted
from layerwise.spec import Spec
from layerwise.values import Value

__all__ = ["Columns"]


class Columns(Composite):
    """Each field through its own branch, the vectors that come out of them side by side.

    **Shape** a mapping of fields to (N, sum of widths). `branches` give each field's stages as a recipe has
    them; a branch that ends in a fixed shape is flattened.
    """

    takes_columns = True

    def __init__(self, spec: Spec, *, branches: Mapping[str, Pipeline]) -> None:
        super().__init__()
        wanted(self, spec, ())
        widths = {field: _width(field, net, spec) for field, net in branches.items()}
        self.fields, self.width = _addresses(branches), sum(widths.values())
        self.branches = nn.ModuleList(branches.values())  # a field may be called what no module can be

    @classmethod
    def nested(cls, spec: Spec, build: Builder, /, **options: Any) -> Self:
        wanted(cls, spec, ())
        branches = options.pop("branches", None)
        if options or not isinstance(branches, Mapping) or not branches:
            raise UsageError(
                f"Columns has one option, branches (field -> stages), got {listed(options) or branches}"
            )
        return cls(spec, branches={f: build(b, _columns(spec, f), None)[0] for f, b in branches.items()})

    def networks(self) -> Mapping[str, Pipeline]:
        nets = (net for net in self.branches if isinstance(net, Pipeline))
        return dict(zip(self.fields, nets, strict=True))

    def inside(self, spec: Spec) -> Mapping[str, Spec]:
        return {address: spec.columns[field] for address, field in self.fields.items()}

    def enter(self, x: Value) -> Mapping[str, Value]:
        if not isinstance(x, Mapping):
            raise UsageError(
                f"Columns takes a mapping of fields ({listed(self.fields.values())}), got one tensor"
            )
        return {address: x[field] for address, field in self.fields.items()}

    def leave(self, _x: Value, outputs: Mapping[str, Value]) -> Tensor:
        return torch.cat([y.flatten(1) for y in outputs.values() if isinstance(y, Tensor)], 1)

    def spec(self, _spec: Spec) -> Spec:
        return vector(self.width)

    def words(self) -> str:
        return f"{len(self.fields)} groups of columns side by side"


def _columns(spec: Spec, field: str) -> Spec:
    if field not in spec.columns:
        known = listed(spec.columns) or "none"
        raise UsageError(
            f"no field {shown(field)} for a branch{suggest(str(field), spec.columns) or '.'} Fields: {known}"
        )
    return spec.columns[field]


def _width(field: str, net: Pipeline, spec: Spec) -> int:
    ends = net.spec(_columns(spec, field))
    if ends.padded:
        raise UsageError(f"the branch of {shown(field)} ends in a sequence ({ends}): end it with GlobalPool")
    return ends.features


def _addresses(fields: Iterable[str]) -> dict[str, str]:
    """An address without dots for each field."""
    addresses: dict[str, str] = {}
    for field in fields:
        address = field.replace(".", "_") or "_"
        while address in addresses:
            address += "_"
        addresses[address] = field
    return addresses
