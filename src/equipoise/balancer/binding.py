"""A method is given its size, its device and the users' weights, once."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from equipoise.balancer.state import State
from equipoise.method import Method


def bind(state: State) -> None:
    """Bind the method of a new balancer.

    Raises:
        ValueError: If another balancer has it.
    """
    config, device = state.config, state.parameters.device
    for part in config.method.modules():
        if isinstance(part, Method):
            part.require_unbound()
    config.method.name_tasks(config.names)
    with _plain_defaults():
        config.method.bind(len(config.names))
    if config.scale == "sum":
        config.method.match_sum()
    if device.type != "meta":  # a model that is filled later; state would lose its numbers
        config.method.to(device)
    state.weights.start()


@contextmanager
def _plain_defaults() -> Iterator[None]:
    """The CPU, and float32 or better: trainers set a GPU and bfloat16 while a model is made, and state needs digits."""
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.promote_types(dtype, torch.float32))
    try:
        with torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(dtype)
