"""Encoders and decoders that mirror each other."""

import pytest
import torch

from layerwise.errors import UsageError
from layerwise.nn import Dense, mirrored
from layerwise.nn.stage import vector
from layerwise.spec import Spec


def test_the_decoder_goes_back_the_way_the_encoder_came():
    image = Spec(("channel", "height", "width"), (1, 4, 5))
    encoder, decoder = mirrored(image, [9, 7, 3], activation="sigmoid", norm="layer", output="sigmoid")
    x = torch.rand(6, 1, 4, 5)
    down, up = dict(encoder.levels(x)), dict(decoder.levels(encoder(x)))
    assert {name: v.shape[1] for name, v in down.items()} == {"level1": 9, "level2": 7, "code": 3}
    assert [(name, v.shape[1]) for name, v in up.items()] == [("level2", 7), ("level1", 9), ("output", 20)]
    assert encoder.spec(image) == vector(3)
    assert decoder.spec(vector(3)) == vector(20)
    assert 0 < up["output"].min() < up["output"].max() < 1
    ends = (dict(encoder.stages())["code"], dict(decoder.stages())["output"])
    assert [isinstance(s, Dense) and (s.activation, s.norm) for s in ends] == [
        (None, None),
        ("sigmoid", None),
    ]


def test_a_code_alone_and_none_at_all():
    encoder, decoder = mirrored(vector(5), [2], code="sigmoid")
    assert [[name for name, _ in net.stages()] for net in (encoder, decoder)] == [["code"], ["output"]]
    assert encoder(torch.randn(3, 5)).min() > 0
    with pytest.raises(UsageError, match="width of its code"):
        mirrored(vector(5), [])
    with pytest.raises(UsageError, match="width"):
        mirrored(vector(5), [4, 0])
