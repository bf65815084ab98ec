"""State with a row per task, for methods that carry whole gradients, or more, from step to step."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor

from equipoise.method import Method


class RowMemory(Method):
    """``memory`` [num_tasks, P], which has width 0 until the first rows show P, and then holds zeros.

    A saved state brings its own width along, 0 included, so it loads into a fresh method and into a used
    one. Rows are kept in float32 or better. They belong to the coordinates by their places: the same
    shared parameters have to be trained throughout, though tasks, and a parameter's use, may be absent from a
    step. A method that remembers more names all its ``memories``.
    """

    has_coordinate_state = True

    memories: ClassVar[tuple[str, ...]] = ("memory",)
    memory: Tensor

    def bind(self, num_tasks: int) -> None:
        for name in self.memories:
            self.register_buffer(name, torch.zeros(num_tasks, 0))

    def remember(self, rows: Tensor, name: str = "memory") -> Tensor:
        """The memory of that name itself, as wide as the rows.

        Raises:
            ValueError: If it was of another width.
        """
        memory: Tensor = getattr(self, name)
        width, known = rows.shape[1], memory.shape[1]
        if known == 0:
            dtype = torch.promote_types(rows.dtype, torch.float32)
            memory = torch.zeros(len(memory), width, dtype=dtype, device=rows.device)
            setattr(self, name, memory)
        elif known != width:
            raise ValueError(
                f"{self} remembers {known} numbers per row, and this step shows {width}: keep the same shared "
                "parameters trained and reached throughout, or start with a new method"
            )
        return memory

    @contextmanager
    def remembered(self, rows: Tensor, tasks: Tensor, name: str = "memory") -> Iterator[Tensor]:
        """What is remembered [K, P] of these tasks, as wide as the rows, to be changed in place."""
        memory = self.remember(rows, name)
        if tasks.tolist() == list(range(len(memory))):  # no copy
            yield memory
            return
        own = memory[tasks]
        yield own
        memory[tasks] = own

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for name in self.memories:
            saved = state_dict.get(f"{prefix}{name}")
            if saved is not None:
                memory: Tensor = getattr(self, name)
                setattr(self, name, memory.new_empty(len(memory), *saved.shape[1:], dtype=saved.dtype))
        super()._load_from_state_dict(state_dict, prefix, *args)
