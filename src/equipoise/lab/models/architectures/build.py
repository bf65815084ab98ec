"""From a network with one encoder for all tasks to another one on the same encoder and heads."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from equipoise.lab.models.architectures.cross_stitch import CrossStitch
from equipoise.lab.models.architectures.mmoe import MMoE
from equipoise.lab.models.architectures.mtan import MTAN
from equipoise.lab.models.architectures.ple import PLE
from equipoise.lab.models.encoders import widths_of
from equipoise.lab.models.heads import SharedEncoder

Heads = Mapping[str, nn.Module]

# encoder, heads, the encoder's widths, a maker of further encoders -> network
ARCHITECTURES: Mapping[str, Callable[[nn.Module, Heads, Sequence[int], Callable[[], nn.Module]], nn.Module]] = {
    "cross-stitch": lambda encoder, heads, widths, another: CrossStitch(
        {name: another() if place else encoder for place, name in enumerate(heads)}, heads, widths
    ),
    "mmoe": lambda encoder, heads, widths, _: MMoE(encoder, heads, widths[-1]),
    "cgc": lambda encoder, heads, widths, _: PLE(encoder, heads, widths[-1], layers=1),
    "ple": lambda encoder, heads, widths, _: PLE(encoder, heads, widths[-1]),
    "mtan": lambda encoder, heads, widths, _: MTAN(encoder, heads, widths),
}


def build_architecture(name: str, make: Callable[[], nn.Module], inputs: Any) -> nn.Module:
    """The network of an architecture.

    Args:
        name: One of ``ARCHITECTURES``.
        make: Makes a ``SharedEncoder``, newly drawn at each call.
        inputs: Of a small batch.

    Raises:
        ValueError: If it makes something else, or the encoder gives more than one vector per sample.
    """
    network = make()
    if not isinstance(network, SharedEncoder):
        raise ValueError(f"{name} needs a network that is a SharedEncoder, got {type(network).__name__}")

    def another() -> nn.Module:
        further = make()
        assert isinstance(further, SharedEncoder)
        return further.encoder

    heads = {task: network.head(task) for task in network.names}
    return ARCHITECTURES[name](network.encoder, heads, widths_of(network.encoder, inputs), another)
