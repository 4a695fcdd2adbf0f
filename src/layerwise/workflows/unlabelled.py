"""Raw examples as vectors, for what learns without labels: columns -> reader -> store -> batches -> plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from layerwise import device
from layerwise.data import Packed, Source, Store, open_source, read_rows
from layerwise.errors import DataError, UsageError, listed, shown
from layerwise.kinds import KINDS, TABLE, Kind, kind_named
from layerwise.kinds.base import Reader
from layerwise.nn.stage import IMAGE, vector
from layerwise.randomness import Randomness
from layerwise.spec import Spec
from layerwise.train import Batches, Data, Plan, train
from layerwise.values import ONLY, Batch
from layerwise.workflows.stored import make_reader, pack

__all__ = ["Vectors", "derived", "follow", "vectors_of"]

CHUNK = 1024  # rows of a matrix that are read at once
AT_ONCE = 1 << 22  # values that are looked at at once, as float64
CONSTANT = 1e-9  # times its size: a feature that spreads less is taken as constant
FULL_SCALE: Mapping[str, float] = {"uint8": 255.0, "uint16": 65535.0}


@dataclass(frozen=True)
class Vectors:
    """How raw examples become vectors (F,), (x - shift) / spread of what is read, and back."""

    spec: Spec  # of an example as it is read
    shift: np.ndarray  # (F,)
    spread: np.ndarray  # (F,), positive
    means: np.ndarray  # (F,) of the training vectors, which stand for missing numbers too
    reader: Reader | None = None  # None: examples are rows of a matrix of numbers
    inputs: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """The number of values F in a vector."""
        return len(self.shift)

    def read(self, data: Any) -> Iterator[Tensor]:
        """Vectors (n, F) of new data, a part at a time, in float64.

        Raises DataError where an example cannot be read.
        """
        for part in self._parts(data):
            # pandas gives views that nobody may write to
            yield self.scaled(torch.from_numpy(np.require(part, requirements="W")))

    def scaled(self, x: Tensor) -> Tensor:
        """(N, ...) as read to vectors (N, F): float64 stays so, all else becomes float32."""
        dtype = x.dtype if x.dtype == torch.float64 else torch.float32
        shift, spread, means = (
            torch.from_numpy(a).to(x.device, dtype) for a in (self.shift, self.spread, self.means)
        )
        y = (x.to(dtype).flatten(1) - shift).div_(spread)
        return torch.where(y.isnan(), means, y) if x.is_floating_point() else y

    def restored(self, vectors: Tensor) -> np.ndarray:
        """Vectors (N, F) in the units of the data: (N, F), or pictures (N, H, W), or (N, H, W, C) in colour."""
        x: np.ndarray = vectors.detach().double().numpy() * self.spread + self.shift
        if self.spec.columns:
            return x
        x = x.reshape(len(x), *(s or 1 for s in self.spec.shape))
        if self.spec.axes != IMAGE:
            return x
        return x[:, 0] if x.shape[1] == 1 else np.moveaxis(x, 1, 3)

    def batches(
        self, store: Store, *, targets: np.ndarray | None = None, where: torch.device | None = None
    ) -> Data:
        """The stored examples as batches of vectors; `targets` (len(store), ...) go with them."""

        def data(size: int, rng: Randomness) -> Batches:
            rows, home = np.arange(len(store)), where or torch.device("cpu")
            return _Scaled(self, Packed(store, rows, targets=targets, size=size, rng=rng, device=home))

        return data

    def _parts(self, data: Any) -> Iterator[np.ndarray]:
        """Examples as read, in float64."""
        if self.reader is None:
            if not isinstance(data, np.ndarray) or data.shape[1:] != (self.width,):
                raise UsageError(
                    f"this was fitted on a matrix (N, {self.width}) of numbers, got"
                    f" {shown(getattr(data, 'shape', type(data).__name__))}: give a matrix, or fit it anew"
                )
            for start in range(0, len(data), CHUNK):
                yield np.asarray(data[start : start + CHUNK], np.float64)
            return
        source = open_source(data)
        names = self.inputs if self.inputs[0] in source.columns else _inputs(source)
        for read in read_rows(source, self.reader, names, np.arange(len(source))):
            for row, why in read.rejected.items():
                raise DataError(
                    f"{shown(source.ids[row])} cannot be read: {why}. Leave it out, so that each row that"
                    " comes back belongs to one that was given"
                )
            (values,) = read.values.values()
            yield np.asarray(values, np.float64)


def vectors_of(
    data: Any, *, unit: bool, kind: str | None = None, reading: Mapping[str, Any] | None = None, run: Path
) -> tuple[Vectors, Store]:
    """The training examples in a store, and how they and others become vectors.

    `data` is a matrix (N, F) of numbers, or whatever `open_source` takes: a folder, a list of paths, arrays
    (N, H, W). `unit` asks for values from 0 to 1: those within stay as they are, pictures of 8 or 16 bits
    are divided by their full scale where they use it, others are moved there by their least and greatest
    (of each feature of a table, of all values of other kinds, which share one unit). Without, features get
    mean 0 and spread 1 (the spread of each feature of a table, of all values of other kinds). What is
    constant becomes 0.

    `run` is a folder for the store. Raises DataError where examples are of unequal length or no numbers.
    """
    reader: Reader | None = None
    names: tuple[str, ...] = ()
    table = True
    if isinstance(data, np.ndarray) and data.ndim == 2:
        spec = vector(data.shape[1]).but(dtype=str(data.dtype))
        store = Store(spec, {ONLY: data}, np.arange(len(data)), rejected={}, facts={})
    else:
        source = open_source(data, spool=run)
        names = _inputs(source)
        found = _kind(source, names, kind)
        table = found is TABLE
        reader = make_reader(found, reading or {})
        rows = np.arange(len(source))
        reader.fit({name: source.columns[name] for name in names}, rows)
        spec = _numbers(reader.spec, found)
        store = pack(source, names, reader, rows, run=run, workers=None)
        names = reader.needs(names)
    looks = _looked_at(store)
    shift, spread = _unit(spec, looks, table) if unit else _standard(looks, table)
    means = (looks.mean - shift) / spread
    return Vectors(spec, shift, spread, means, reader, names), store


def follow(
    net: nn.Module,
    plan: Plan,
    vectors: Vectors,
    store: Store,
    *,
    seed: int,
    targets: np.ndarray | None = None,
) -> None:
    """Train `net` on the stored examples by that plan, where that is fastest; it comes back to the processor.

    `targets` (len(store), ...) are what a supervised phase is after.
    """
    work = 3.0 * max(phase.size for phase in plan) * sum(p.numel() for p in net.parameters())
    parts = [net, *(phase.objective for phase in plan)]  # decoders and chains belong to objectives
    for part in parts:
        where = device.place(part, precision="float32")
    data = vectors.batches(store, targets=targets, where=where)
    with device.threads(device.threads_for(work)):
        for _ in train(net, plan, data, seed=seed):
            pass
    for part in parts:
        device.bring_back(part)


@torch.no_grad()
def derived(vectors: Vectors, store: Store, stage: nn.Module, *, run: Path) -> tuple[Vectors, Store]:
    """The stored examples as what `stage` makes of their vectors, found once; in a file in the folder `run`."""
    found: np.ndarray | None = None
    for start in range(0, len(store), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(store)))
        (values,) = store.take(rows).values()
        made = stage(vectors.scaled(torch.from_numpy(np.asarray(values))).float()).numpy()
        if found is None:
            found = np.memmap(run / "derived", made.dtype, "w+", shape=(len(store), made.shape[1]))
        found[rows] = made
    assert found is not None
    width = found.shape[1]
    plain = Vectors(vector(width), np.zeros(width), np.ones(width), np.zeros(width))
    return plain, Store(plain.spec, {ONLY: found}, np.arange(len(found)), rejected={}, facts={})


class _Looks(NamedTuple):
    """Of each feature over the training examples: (F,) each."""

    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    variance: np.ndarray


@dataclass(frozen=True)
class _Scaled:
    """Batches as vectors."""

    vectors: Vectors
    packed: Packed

    @property
    def steps_per_epoch(self) -> int:
        return self.packed.steps_per_epoch

    def at(self, step: int) -> Batch:
        batch = self.packed.at(step)
        x = batch.inputs
        if isinstance(x, Mapping):
            (x,) = x.values()
        assert isinstance(x, Tensor)
        return replace(batch, inputs=self.vectors.scaled(x).float())


def _inputs(source: Source) -> tuple[str, ...]:
    labels = (source.target, source.group)
    return source.inputs or tuple(name for name in source.columns if name not in labels)


def _kind(source: Source, names: tuple[str, ...], wanted: str | None) -> Kind:
    if wanted is not None:
        return kind_named(wanted)
    columns = {name: source.columns[name] for name in names}
    for kind in KINDS:
        if kind.claims(columns) is not None:
            return kind
    raise DataError(
        f"{shown(source.name)} holds nothing that layerwise reads: found columns {listed(columns)};"
        " give pictures, arrays or numbers"
    )


def _numbers(spec: Spec, kind: Kind) -> Spec:
    """The same, where every example is so many numbers."""
    (only, *others) = spec.columns.values() if spec.columns else (spec,)
    if others or only.padded or only.sizes:
        raise DataError(
            f"{kind.plural} are read as {spec}, expected the same number of numbers for each: turn categories"
            " and texts into numbers, and cut series to one length"
        )
    return spec


def _looked_at(store: Store) -> _Looks:
    """Missing numbers (NaN) are left out; a feature of which all are missing counts as 0."""
    (values,) = store.take([0]).values()
    size = max(1, AT_ONCE // max(1, np.size(values)))

    def parts() -> Iterator[np.ndarray]:
        for start in range(0, len(store), size):
            (values,) = store.take(np.arange(start, min(start + size, len(store)))).values()
            yield np.asarray(values, np.float64).reshape(len(values), -1)

    seen = [(np.fmin.reduce(x), np.fmax.reduce(x), np.nansum(x, 0), (~np.isnan(x)).sum(0)) for x in parts()]
    lows, highs, totals, counts = (np.stack(column) for column in zip(*seen, strict=True))
    count = np.maximum(counts.sum(0), 1)
    mean = totals.sum(0) / count
    with np.errstate(over="ignore"):
        variance = sum((np.nansum((x - mean) ** 2, 0) for x in parts()), np.zeros(len(mean))) / count
    if not np.isfinite(variance).all():
        largest = max(float(np.nanmax(np.abs(x))) for x in parts())
        raise DataError(f"values up to {largest:.1g} are too large to be squared: divide them first")
    low, high = np.fmin.reduce(lows), np.fmax.reduce(highs)
    return _Looks(np.nan_to_num(low), np.nan_to_num(high), mean, variance)


def _unit(spec: Spec, looks: _Looks, table: bool) -> tuple[np.ndarray, np.ndarray]:
    zeros, ones = np.zeros(len(looks.low)), np.ones(len(looks.low))
    full = FULL_SCALE.get(spec.dtype)
    if full is not None and not table and looks.high.max() > full / 2:
        return zeros, full * ones
    if looks.low.min() >= 0 and looks.high.max() <= 1:
        return zeros, ones
    low, high = (looks.low, looks.high) if table else (zeros + looks.low.min(), zeros + looks.high.max())
    return low, _positive(high - low, low)


def _standard(looks: _Looks, table: bool) -> tuple[np.ndarray, np.ndarray]:
    variance = looks.variance if table else np.full_like(looks.mean, looks.variance.mean())
    return looks.mean, _positive(np.sqrt(variance), looks.mean)


def _positive(spread: np.ndarray, about: np.ndarray) -> np.ndarray:
    return np.where(spread > CONSTANT * np.abs(about), spread, 1.0)
