"""Where a network begins: with outputs that fit how often each label occurs, instead of outputs around 0.

For logits Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, section 4.1.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from equipoise.lab.cases import Case
from equipoise.lab.data.arrays import joined_targets
from equipoise.lab.metrics.defaults import kind_of
from equipoise.missing import labelled
from equipoise.task import Task
from equipoise.tasks import Tasks

_BATCH = 1024


@torch.no_grad()
def begin_at_labels(network: nn.Module, tasks: Tasks, case: Case) -> None:
    """Set the bias of every head's last layer to the best constant output on the labels of the training split.

    Logits of classes: log p_c; binary and of each of several labels: log(p / (1 - p)); of levels: of p(level > k), or
    among those above k - 1 where the loss is conditional. Numbers: the mean, the median for an absolute error; there
    the layer's weights are also multiplied by the labels' standard deviation, as if labels were standardised.

    Args:
        network: With ``head(task name)``, as ``SharedEncoder`` has it.
        tasks: Those that it is trained on.
        case: Whose training split it is.

    Raises:
        ValueError: If the network has no heads by name, a head ends in no layer with such a bias, or a loss is of a
            kind that has no constant output here.
    """
    head_of: Any = getattr(network, "head", None)
    if head_of is None:
        raise ValueError(f"start='labels' needs a network with head(task), got {type(network).__name__}")
    loader = DataLoader(case.splits["train"], _BATCH, collate_fn=case.collate)
    targets = joined_targets([of_batch for _, of_batch in loader], {str(t.target): t.ignored_class for t in tasks})
    for task in tasks:
        kind = _kind(task, case)
        layer = _last_layer(head_of(task.name))
        if kind not in _CONSTANTS or layer is None or layer.bias is None:
            raise ValueError(
                f"start='labels' needs a loss of a kind among {', '.join(_CONSTANTS)} and a head that ends in a linear "
                f"layer with a bias; task {task.name!r} is {kind!r}, its head ends in {layer}"
            )
        labels = targets[str(task.target)]
        known = labelled(labels, task.ignored_class)
        constant = _CONSTANTS[kind](labels, known, len(layer.bias))
        if constant.shape != layer.bias.shape:
            raise ValueError(f"task {task.name!r} has {len(constant)} kinds of label and {len(layer.bias)} outputs")
        layer.bias.copy_(constant)
        if kind in _NUMBERS:
            layer.weight.mul_(labels[known].std())


def _kind(task: Task, case: Case) -> str:
    """Of the task's loss; of a loss of one's own that of the case's first, which takes the same outputs."""
    first = [kind_of(make()) for make in list(case.losses.get(task.name, {}).values())[:1]]
    return next(filter(None, [kind_of(task.loss), *first]), "unknown")


def _last_layer(head: nn.Module) -> nn.Linear | nn.Conv2d | None:
    layers = [layer for layer in head.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    return layers[-1] if layers else None


def _log_odds(labels: Tensor, known: Tensor, outputs: int) -> Tensor:
    """Of the ones, in each column [N, outputs], or in the only one [N]."""
    columns, there = labels.reshape(len(labels), -1), known.reshape(len(labels), -1)
    return _logit(columns.where(there, torch.zeros_like(columns)).sum(dim=0), there.sum(dim=0))


def _log_frequencies(labels: Tensor, known: Tensor, outputs: int) -> Tensor:
    counts = torch.bincount(labels[known].flatten(), minlength=outputs) + 1  # so that no frequency is 0
    return (counts / counts.sum()).log()


def _log_odds_of_levels(labels: Tensor, known: Tensor, outputs: int) -> Tensor:
    levels = labels[known]
    above = torch.stack([(levels > level).sum() for level in range(outputs)])
    return _logit(above, torch.full_like(above, len(levels)))


def _log_odds_of_next_levels(labels: Tensor, known: Tensor, outputs: int) -> Tensor:
    levels = labels[known]
    above = torch.stack([(levels > level).sum() for level in range(-1, outputs)])
    return _logit(above[1:], above[:-1])


def _logit(ones: Tensor, of: Tensor) -> Tensor:
    """log(p / (1 - p)) with one more of either kind than was counted, so that it is finite."""
    return ((ones + 1) / (of - ones + 1)).log()


Constant = Callable[[Tensor, Tensor, int], Tensor]

_NUMBERS: Mapping[str, Constant] = {
    "regression": lambda labels, known, _: labels[known].mean()[None],
    "absolute regression": lambda labels, known, _: labels[known].median()[None],
}
_CONSTANTS: Mapping[str, Constant] = {
    **_NUMBERS,
    "binary": _log_odds,
    "multilabel": _log_odds,
    "multiclass": _log_frequencies,
    "segmentation": _log_frequencies,
    "cumulative levels": _log_odds_of_levels,
    "conditional levels": _log_odds_of_next_levels,
}
