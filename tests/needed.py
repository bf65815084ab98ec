"""What a test needs that an older PyTorch lacks: ``@pytest.mark.needs("seen_hooks")`` skips it there."""

import pytest
import torch
from torch import nn

from equipoise.torch_private.autograd import HOOKS_ARE_SEEN


def older_than(release: str) -> bool:
    """Whether PyTorch is older than a release such as ``"2.12"``; never where there is none to compare with."""
    return bool(release) and tuple(map(int, torch.__version__.split(".")[:2])) < tuple(map(int, release.split(".")))


LACKING = {  # what is needed -> whether this one lacks it, and what it is
    "seen_hooks": (
        not HOOKS_ARE_SEEN,
        "torch up to 2.8 does not show whether hooks hide what was saved: no factors",
    ),
    "fsdp2": (
        older_than("2.10"),
        "FSDP2 by itself does not work on CPU in torch 2.6, and sums gradients where it should average in 2.8",
    ),
    "whole_graphs": (older_than("2.13"), "torch.compile leaves out parts of a loss, as seen in torch up to 2.10"),
    "every_loss": (not hasattr(nn, "LinearCrossEntropyLoss"), "the page has losses that came to torch later"),
}


def skip_what_lacks(items):
    for item in items:
        for mark in item.iter_markers("needs"):
            is_lacking, reason = LACKING[mark.args[0]]
            if is_lacking:
                item.add_marker(pytest.mark.skip(reason=f"{reason} ({torch.__version__})"))
