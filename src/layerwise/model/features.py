"""`Features`: a network that learned without labels, and gives the codes of raw examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from layerwise.data.source import LeftOut
from layerwise.errors import UsageError, listed, shown, suggest
from layerwise.model.product import Product, Unlike
from layerwise.values import Padded, Value

__all__ = ["Codes", "Features"]


class Codes(NamedTuple):
    """Features of raw examples in the order of the data; NaN where one could not be read."""

    ids: Sequence[str]
    values: np.ndarray  # (N, K)
    left_out: tuple[LeftOut, ...]
    unlike: tuple[Unlike, ...] = ()  # rows far from all that were learned from

    def __repr__(self) -> str:
        n, k = self.values.shape
        return f"Codes({n:,} examples, {k:,} features; {len(self.left_out):,} left out)"


@dataclass(repr=False, kw_only=True)
class Features(Product):
    """What a network learned from raw examples alone: levels of features, the last one the code."""

    def __repr__(self) -> str:
        stages = " -> ".join(name for name, _ in self.net.stages())
        return f"Features({self.name!r}: {self.kind.plural}, learned without labels; {stages})"

    def transform(self, data: Any, *, level: str | None = None, batch: int = 256) -> Codes:
        """The values (N, K) of a level for raw data; of the last one where no address is given.

        Maps are laid out flat, (N, C, H, W) as (N, C H W); of levels as long as their examples the mean over
        time is given. Raises UsageError for a level that the network does not have, DataError where the
        data lack the columns that it reads.
        """
        addresses = [name for name, _ in self.net.stages()]
        level = addresses[-1] if level is None else level
        if level not in addresses:
            raise UsageError(
                f"no level {shown(level)}{suggest(str(level), addresses) or '.'} Levels: {listed(addresses, 20)}"
            )
        passed = self._passed(data, lambda value: self._at(value, level), batch=batch)
        return Codes(passed.ids, passed.whole(), passed.left_out, passed.unlike)

    def result(self) -> dict[str, Any]:
        """What `--json` prints: model, method, features, checks, split, quarantined, levels, seconds."""
        keys = ("method", "features", "checks", "split", "quarantined", "levels", "segments")
        told = {key: self.about[key] for key in keys if key in self.about}
        return {
            "model": None if self.folder is None else str(self.folder),
            "task": None,
            **told,
            "verdict": self.about.get("verdict"),
            "seconds": sum(self.about.get("seconds", {}).values()),
        }

    def answer(self) -> None:
        return None

    def _at(self, value: Value, level: str) -> np.ndarray:
        self.net.eval()
        with torch.inference_mode():
            found = next(v for address, v in self.net.levels(value) if address == level)
        if isinstance(found, Padded):
            mask = found.mask().reshape(*found.values.shape[:2], *[1] * (found.values.ndim - 2))
            count = found.lengths.clamp(min=1).reshape(-1, *[1] * (found.values.ndim - 2))
            found = (found.values * mask).sum(1) / count
        if not isinstance(found, torch.Tensor):
            raise UsageError(
                f"the level {shown(level)} has several parts, and gives no row of numbers an example"
            )
        flat: np.ndarray = found.flatten(1).cpu().numpy()
        return flat
