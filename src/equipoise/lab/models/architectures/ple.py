"""Progressive layered extraction: experts for all tasks beside experts of each; of one layer, customised gate control.

Tang, Liu, Zhao, Gong, Progressive Layered Extraction (PLE): A Novel Multi-Task Learning (MTL) Model for Personalized
Recommendations, RecSys 2020.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from equipoise.lab.models.architectures.experts import Gate, make_experts, through
from equipoise.lab.models.heads import Headed


class Extraction(nn.Module):
    """x_k' = gate_k(x_k) over the experts of task k and the shared ones; x_s' = gate_s(x_s) over all.

    Args:
        width: D.
        tasks: K.
        shared: How many experts read the shared x_s.
        own: How many experts read each task's x_k.
        is_last: No x_s is made.
    """

    def __init__(self, width: int, tasks: int, shared: int, own: int, is_last: bool) -> None:
        super().__init__()
        self.shared = make_experts(width, shared)
        self.own = nn.ModuleList(make_experts(width, own) for _ in range(tasks))
        self.gates = nn.ModuleList(Gate(width, own + shared) for _ in range(tasks))
        self.shared_gate = None if is_last else Gate(width, tasks * own + shared)

    def forward(self, xs: list[Tensor], x_s: Tensor) -> tuple[list[Tensor], Tensor]:
        """From x_k [N, D] of every task and x_s [N, D] to those of the next layer; the last leaves x_s as it is."""
        shared = through(self.shared, x_s)
        own = [through(experts, x) for experts, x in zip(self.own, xs, strict=True)]
        mixed = [gate(x, features + shared) for gate, x, features in zip(self.gates, xs, own, strict=True)]
        if self.shared_gate is None:
            return mixed, x_s
        return mixed, self.shared_gate(x_s, [feature for features in own for feature in features] + shared)


class PLE(Headed):
    """y_k = h_k(x_k) after some layers of extraction, which begin with every x at what the encoder makes of the inputs.

    Args:
        encoder: From inputs to x [N, width].
        heads: h_k, from [N, width] to a task's output.
        width: D, also of the experts.
        layers: Of extraction; 1 is CGC.
        shared: Experts of all tasks, in each layer.
        own: Experts of each task, in each layer.

    Raises:
        ValueError: If there is no layer, or no expert.
    """

    def __init__(
        self,
        encoder: nn.Module,
        heads: Mapping[str, nn.Module],
        width: int,
        *,
        layers: int = 2,
        shared: int = 2,
        own: int = 1,
    ) -> None:
        super().__init__()
        if layers < 1 or min(shared, own) < 0 or not shared + own:
            raise ValueError(
                f"layers, and experts in them, must be 1 or more, got {layers}, {shared} shared, {own} own"
            )
        self.encoder = encoder
        self.layers = nn.ModuleList(
            Extraction(width, len(heads), shared, own, is_last=layer == layers - 1) for layer in range(layers)
        )
        self.take_heads(heads)

    def features(self, inputs: Any) -> dict[str, Any]:
        """x_k [N, D] by task name."""
        x_s = self.encoder(inputs)
        xs = [x_s] * len(self.names)
        for layer in self.layers:
            xs, x_s = layer(xs, x_s)
        return dict(zip(self.names, xs, strict=True))
