"""A graph that an earlier backward pass has used up."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def used_once() -> Iterator[None]:
    """Say in the balancer's words what PyTorch says of a graph that is gone."""
    try:
        yield
    except RuntimeError as error:
        if "backward through the graph a second time" not in str(error):
            raise
        raise RuntimeError(
            "the graph of these losses is used up: a backward pass, of their sum or of an earlier balanced loss, went "
            "through it before. Compute losses anew for each call, and call .backward() once, on what the balancer "
            "returns"
        ) from error
