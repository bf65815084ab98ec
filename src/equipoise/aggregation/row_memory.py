"""State with a row [P] per task, for methods that carry whole gradients from step to step."""

from typing import Any

import torch
from torch import Tensor

from equipoise.method import CoordinateAggregator


class RowMemory(CoordinateAggregator):
    """``memory`` [num_tasks, P], which has width 0 until the first jacobian shows P, and then holds zeros.

    A saved state brings its own width along, 0 included, so it loads into a fresh method and into a used
    one. Rows are kept in float32 or better. They belong to the coordinates by their places: the same
    shared parameters have to be trained throughout, though tasks may be absent from a step.
    """

    memory: Tensor

    def bind(self, num_tasks: int) -> None:
        self.register_buffer("memory", torch.zeros(num_tasks, 0))

    def remember(self, jacobian: Tensor) -> Tensor:
        """The memory itself, of the jacobian's width.

        Raises:
            ValueError: If it was of another width.
        """
        width, known = jacobian.shape[1], self.memory.shape[1]
        if known == 0:
            dtype = torch.promote_types(jacobian.dtype, torch.float32)
            self.memory = torch.zeros(len(self.memory), width, dtype=dtype, device=jacobian.device)
        elif known != width:
            raise ValueError(
                f"{self} remembers {known} coordinates per task, and this step's jacobian has {width}: keep the same "
                "shared parameters trained and reached throughout, or start with a new method"
            )
        return self.memory

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        saved = state_dict.get(f"{prefix}memory")
        if saved is not None:
            self.memory = self.memory.new_empty(len(self.memory), *saved.shape[1:], dtype=saved.dtype)
        super()._load_from_state_dict(state_dict, prefix, *args)
