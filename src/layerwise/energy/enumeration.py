"""Every configuration of a small system: the oracle that samplers and approximations are held to."""

from __future__ import annotations

import torch
from torch import Tensor

from layerwise.errors import UsageError

__all__ = ["configurations"]

MOST = 2**20


def configurations(units: int, *, values: int = 2) -> Tensor:
    """All settings of `units` variables of `values` values each: (values**units, units), uint8.

    The first unit changes slowest. Raises UsageError beyond 2**20 configurations.
    """
    if values**units > MOST:
        raise UsageError(
            f"{units} variables of {values} values have too many configurations to enumerate (at most {MOST}):"
            " sample them instead"
        )
    number = torch.arange(values**units)
    columns = [(number // values**place % values).to(torch.uint8) for place in reversed(range(units))]
    return torch.stack(columns, 1) if columns else torch.zeros(1, 0, dtype=torch.uint8)
