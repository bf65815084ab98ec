"""Multi-gate mixture of experts: experts for all tasks, a gate for each.

Ma, Zhao, Yi, Chen, Hong, Chi, Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts,
KDD 2018, section 4.2.
"""

from collections.abc import Mapping
from typing import Any

from torch import nn

from equipoise.lab.models.architectures.experts import Gate, make_experts, through
from equipoise.lab.models.heads import Headed


class MMoE(Headed):
    """y_k = h_k(sum_i g_ki(x) f_i(x)), g_k(x) = softmax(W_k x), x what the encoder makes of the inputs.

    Args:
        encoder: From inputs to x [N, width].
        heads: h_k, from [N, width] to a task's output.
        width: D, also of the experts.
        experts: How many f_i there are.
    """

    def __init__(self, encoder: nn.Module, heads: Mapping[str, nn.Module], width: int, experts: int = 4) -> None:
        super().__init__()
        self.encoder = encoder
        self.experts = make_experts(width, experts)
        self.gates = nn.ModuleList(Gate(width, experts) for _ in heads)
        self.take_heads(heads)

    def features(self, inputs: Any) -> dict[str, Any]:
        """x_k [N, D] by task name."""
        x = self.encoder(inputs)
        features = through(self.experts, x)
        return {name: gate(x, features) for name, gate in zip(self.names, self.gates, strict=True)}
