"""What losses over a batch of features share: unit vectors, and all products of two batches in full precision."""

import torch
from torch import Tensor

from equipoise.losses.checks import require_dim, require_floating, require_integers, require_same_shape


def unit(features: Tensor, dim: int = 1) -> Tensor:
    """Each vector along ``dim`` over its length; a zero vector stays zero."""
    length = torch.linalg.vector_norm(features, dim=dim, keepdim=True)
    return features / torch.where(length > 0, length, 1.0)


def products(first: Tensor, second: Tensor) -> Tensor:
    """All first · secondᵀ, in their own precision under autocast too: at a low temperature digits count."""
    with torch.autocast(first.device.type, enabled=False):
        return first @ second.T


def require_pairs(first: Tensor, second: Tensor, *, least: int = 0) -> None:
    """Raise unless both are features [N, D], paired by row, of no sample or of ``least`` at least."""
    require_floating(first=first, second=second)
    require_dim("first", first, "[N, D]", least=2, most=2)
    require_same_shape(first=first, second=second)
    if 0 < len(first) < least:
        raise ValueError(
            f"first and second must hold at least {least} samples, got {len(first)}: one has no spread; "
            "set drop_last=True in the DataLoader, or gather over processes"
        )


def require_labelled(features: Tensor, labels: Tensor) -> None:
    """Raise unless features are [N, D] and labels [N], of an integer dtype."""
    require_floating(features=features)
    require_dim("features", features, "[N, D]", least=2, most=2)
    require_integers("labels", labels)
    if labels.shape != features.shape[:1]:
        remedy = ": squeeze(-1) the labels" if labels.shape == (len(features), 1) else ""
        raise ValueError(
            f"labels must have shape [N] = ({len(features)},) beside features [N, D] = {tuple(features.shape)}, "
            f"got {tuple(labels.shape)}{remedy}"
        )


def both(features: object) -> tuple[Tensor, Tensor]:
    """The two of a pair, as a task without targets hands them over.

    Raises:
        ValueError: If this is no pair.
    """
    if isinstance(features, tuple | list) and len(features) == 2:
        return features[0], features[1]
    raise ValueError(
        f"features must be a pair (first, second) of tensors [N, D], got {type(features).__name__}: "
        "the network's output of this task is the tuple of both"
    )
