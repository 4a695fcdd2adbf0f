from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from layerwise.nn import Recurrent
from layerwise.nn.recurrence import reversed_within
from layerwise.spec import Spec
from layerwise.values import Padded

LENGTHS = torch.tensor([9, 4, 1, 7])


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_both_ways_is_torchs_packed(cell: str) -> None:
    torch.manual_seed(0)
    stage = Recurrent.from_spec(
        Spec(("time", "channel"), (None, 5), longest=9), width=6, cell=cell, both_ways=True
    )
    theirs = (nn.LSTM if cell == "lstm" else nn.GRU)(5, 6, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for name, p in theirs.named_parameters():
            source = stage.back if name.endswith("_reverse") else stage.forth
            p.copy_(source.get_parameter(name.removesuffix("_reverse")))
    x = Padded(torch.randn(4, 9, 5), LENGTHS).zeroed()
    packed = pack_padded_sequence(x.values, LENGTHS, batch_first=True, enforce_sorted=False)
    expected, _ = pad_packed_sequence(theirs(packed)[0], batch_first=True)
    torch.testing.assert_close(stage(x).values, expected)
    torch.testing.assert_close(stage(x.values[:1]), expected[:1])


def test_reversed_within_is_its_own_inverse() -> None:
    x = torch.arange(36.0).reshape(4, 9, 1)
    y = reversed_within(x, LENGTHS)
    assert y[1, :, 0].tolist() == [12, 11, 10, 9, 13, 14, 15, 16, 17]
    assert torch.equal(reversed_within(y, LENGTHS), x)


def test_forget_gates_start_open() -> None:
    stage = Recurrent(Spec(("time", "channel"), (None, 5)), width=6)
    assert stage.forth.bias_ih_l0.tolist() == [0.0] * 6 + [1.0] * 6 + [0.0] * 12
    recurrent = stage.forth.weight_hh_l0[:6]
    torch.testing.assert_close(recurrent @ recurrent.T, torch.eye(6))
