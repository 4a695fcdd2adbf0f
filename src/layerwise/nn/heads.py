"""The last level: as many numbers as the answer needs."""

from __future__ import annotations

from torch import Tensor, nn

from layerwise.errors import UsageError
from layerwise.nn.dense import flat, inputs_of
from layerwise.nn.initialise import normal
from layerwise.nn.options import Channels
from layerwise.nn.stage import Reach, Stage, spatial, vector
from layerwise.spec import Spec

__all__ = ["Head"]


class Head(Stage):
    """A linear map to the task's outputs that starts small, so that no answer is favoured at first.

    **Shape** (N, ...) of fixed shape to (N, outputs).
    """

    answers = True

    def __init__(self, spec: Spec, *, outputs: Channels) -> None:
        super().__init__()
        if spec.padded:
            raise UsageError(f"the head takes examples of one shape, got {spec}: put GlobalPool before it")
        self.inputs, self.outputs = inputs_of(self, spec), outputs
        self.sees = spatial(spec)
        self.linear = nn.Linear(self.inputs, outputs)
        normal(self.linear.weight, 0.01)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(flat(x))
        return y

    def spec(self, _spec: Spec) -> Spec:
        return vector(self.outputs)

    def field(self) -> dict[str, Reach | None]:
        return dict.fromkeys(self.sees)

    def cost(self, _spec: Spec) -> int:
        return self.inputs * self.outputs

    def words(self) -> str:
        return f"linear to {self.outputs}"
