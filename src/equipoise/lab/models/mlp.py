"""An encoder of numbers."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from equipoise.lab.models.stages import Stage


class MLP(nn.Module):
    """z = dropout(relu(W z + b)), once for each width.

    Args:
        features: Numbers per sample that go in.
        widths: Numbers per sample after each layer.
        dropout: Share of numbers dropped after each layer while training, 0 to 1.
    """

    def __init__(self, features: int, widths: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(
                layer
                for before, after in pairwise([features, *widths])
                for layer in (nn.Linear(before, after), nn.ReLU(), nn.Dropout(dropout))
            )
        )

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Each width's layer, the first of which takes inputs of any type."""
        first, *others = (self.layers[place : place + 3] for place in range(0, len(self.layers), 3))
        return (lambda inputs: first(inputs.float()), *others)

    def forward(self, inputs: Tensor) -> Tensor:
        """From [N, features], of any type, to [N, widths[-1]]."""
        representation: Tensor = self.layers(inputs.float())
        return representation
