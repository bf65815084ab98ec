"""The metrics of a case, from names, torchmetrics metrics or nothing, each with the value of a constant predictor."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import torch
import torchmetrics
from torch import Tensor
from torchmetrics.classification import BinaryAUROC, MulticlassAUROC, MultilabelAUROC

from equipoise.arguments import short_repr
from equipoise.lab.cases.constant_outputs import constant_outputs
from equipoise.lab.metrics.defaults import BY_KIND, default_metrics, default_reading, is_per_token, kind_of
from equipoise.lab.metrics.labelled import Labelled, per_token
from equipoise.lab.metrics.table import metric, takes_size
from equipoise.lab.metrics.thresholds import best_thresholds
from equipoise.missing import MISSING, labelled
from equipoise.names import nearest
from equipoise.task import Task
from equipoise.tasks import Tasks


@dataclass(frozen=True)
class Metric:
    """How good a task's outputs are.

    Args:
        name: Unique within the task.
        higher_is_better: Whether larger values are better.
        perfect: The best value there is.
        trivial: The value on the validation split of a constant predictor fitted on the training split.
        compute: ``(outputs, targets) -> value`` on a whole split, samples without a label removed.
        calibrate: ``(outputs, targets) -> metric`` where ``compute`` chooses something by the split that it is given,
            such as thresholds: the metric that keeps what it chose on this one. None where nothing is chosen.
    """

    name: str
    higher_is_better: bool
    perfect: float
    trivial: float
    compute: Callable[[Tensor, Tensor], float]
    calibrate: "Callable[[Tensor, Tensor], Metric] | None" = None


Named = str | torchmetrics.Metric | Metric


def make_metrics(
    tasks: Tasks,
    train: Mapping[str, Tensor],
    validation: Mapping[str, Tensor],
    chosen: Mapping[str, Sequence[Named]] | None = None,
    sizes: Mapping[str, Mapping[str, int]] | None = None,
) -> dict[str, tuple[Metric, ...]]:
    """The metrics of each task, the primary one first.

    Args:
        tasks: All of the case's tasks.
        train: The targets of the training split by target name; missing labels are left out.
        validation: Those of the validation split.
        chosen: By task name: names of ``equipoise.lab.metrics.metric``, torchmetrics metrics, or ``Metric``s as they
            are. A task that is not there gets those that follow from its loss. A metric with a value for each class,
            such as "f1-none", becomes one for each, "f1-none/0" and so on. Outputs are read as the loss reads them:
            under ``losses.PerToken`` they are [B, T, ...], each token a sample.
        sizes: By task name, ``{"num_classes": C}`` or ``{"num_labels": L}`` for metrics that are given by name. Without
            it there are as many as the outputs have, [N, C, ...] or [N, L, ...].

    Raises:
        ValueError: If a name is unknown, a target is not there, nothing follows from a loss, or a metric does not say
            which values are better, or has no constant predictor.
    """
    chosen, sizes = chosen or {}, sizes or {}
    for name in (*chosen, *sizes):
        if name not in tasks.names:
            raise ValueError(f"no task {name!r}; {nearest(name, tasks.names)}")
    made: dict[str, tuple[Metric, ...]] = {}
    for task in tasks:
        targets = [_targets(task, split) for split in (train, validation)]
        given = sizes.get(task.name)
        size = _size(task, *targets) if given is None else given
        named = chosen[task.name] if task.name in chosen else _defaults(task, size)
        metrics: list[Metric] = []
        for one in named:
            if isinstance(one, Metric):
                metrics.append(one)
                continue
            form = next(iter(size), None) if given is None and isinstance(one, str) and takes_size(one) else None
            found = _labelled(one, task, size)
            if not isinstance(one, str):
                found = copy.deepcopy(found)  # what was given may be in use elsewhere
                found.reset()
            metrics += _with_constant(found, form, *targets)
        made[task.name] = tuple(metrics)
    return made


def tuned_f1(validation: Tensor, averages: Sequence[str] = ("macro", "micro", "weighted")) -> tuple[Metric, ...]:
    """One metric for each average of the labels' F1, or "f1" where there is one label.

    Every label is predicted above its best threshold.

    ``compute`` chooses the thresholds on what it is given, which suits validation; ``calibrate`` keeps them for test.

    Args:
        validation: The labels of the validation split, 0 or 1 [N, L].
        averages: Of "macro", "micro" and "weighted".
    """
    if validation.shape[1] == 1:
        return (_tuned("f1", validation),)
    return tuple(_tuned(f"f1-{average}", validation) for average in averages)


def _tuned(name: str, validation: Tensor) -> Metric:
    def compute(outputs: Tensor, targets: Tensor) -> float:
        return _f1(name, outputs, targets, best_thresholds(outputs, targets))

    def calibrate(outputs: Tensor, targets: Tensor) -> Metric:
        thresholds = best_thresholds(outputs, targets)
        return replace(tuned, compute=lambda o, t: _f1(name, o, t, thresholds), calibrate=None)

    constant = compute(torch.zeros_like(validation), validation)
    tuned = Metric(name, True, 1.0, constant, compute, calibrate)
    return tuned


def _f1(name: str, outputs: Tensor, targets: Tensor, thresholds: Tensor) -> float:
    f1 = metric(name) if name == "f1" else metric(name, num_labels=len(thresholds))
    f1.update(outputs.double() - thresholds.to(outputs.device), targets)
    return float(f1.compute())


def _targets(task: Task, split: Mapping[str, Tensor]) -> Tensor:
    """Those of a task."""
    if task.target not in split:
        raise ValueError(
            f"data has no target {task.target!r} of task {task.name!r}; {nearest(str(task.target), split)}"
        )
    return split[str(task.target)]


def _size(task: Task, *targets: Tensor) -> dict[str, int]:
    """How many classes or labels these targets have, if they have any, by what a metric calls their number."""
    first = targets[0].flatten(0, 1) if is_per_token(task.loss) else targets[0]
    if kind_of(task.loss) in ("multiclass", "segmentation") and first.is_floating_point() and first.dim() > 1:
        return {"num_classes": first.shape[1]}  # shares of classes
    if not first.is_floating_point():
        known = torch.cat([target[labelled(target, task.ignored_class)] for target in targets])
        return {"num_classes": max(2, int(known.max()) + 1) if known.numel() else 2}
    return {"num_labels": first.shape[1]} if first.dim() > 1 and first.shape[1] > 1 else {}


def _defaults(task: Task, size: Mapping[str, int]) -> tuple[str, ...]:
    kind, has_labels = kind_of(task.loss), "num_labels" in size
    if kind == "masks" and not has_labels:
        return BY_KIND["mask"]
    if kind in ("binary", "multilabel"):
        return BY_KIND["multilabel" if has_labels else "binary"]
    if kind is None:
        raise ValueError(
            f"task {task.name!r}: no metric follows from the loss {short_repr(task.loss)}: name some, such as "
            f"metrics={{{task.name!r}: ['accuracy']}}, of equipoise.lab.metrics.metric_names()"
        )
    return default_metrics(task.loss)


def _labelled(one: str | torchmetrics.Metric, task: Task, size: Mapping[str, int]) -> Labelled:
    missing = MISSING if task.ignored_class is None else task.ignored_class
    made: Labelled
    if not isinstance(one, str | torchmetrics.Metric):
        what = f"the class {one.__name__}: write {one.__name__}()" if isinstance(one, type) else short_repr(one)
        raise ValueError(
            f"a metric of task {task.name!r} must be a name, a torchmetrics metric or a Metric, got {what}"
        )
    if isinstance(one, Labelled):
        made = one
    elif isinstance(one, str):
        try:
            made = _named(one, missing, tuple(size.items()) if takes_size(one) else ())
        except ValueError as error:
            raise ValueError(f"task {task.name!r}: {error}") from None
    else:
        made = Labelled(one, default_reading(task.loss), type(one).__name__, missing)
    return per_token(made) if is_per_token(task.loss) and made.token_reading is None else made


@cache
def _named(name: str, missing: int, size: tuple[tuple[str, int], ...]) -> Labelled:
    """One for all tasks, as it keeps nothing between two values: of hundreds, making one for each takes seconds."""
    return metric(name, missing=missing, **dict(size))


def _resized(labelled: Labelled, form: str, outputs: Tensor) -> Labelled:
    """The metric of as many classes or labels as the outputs have: ``form`` is what a metric calls their number."""
    dim = 1 if labelled.token_reading is None else 2
    reading = labelled.token_reading or labelled.reading
    if isinstance(reading, partial) or outputs.dim() <= dim:  # levels are no classes
        return labelled
    made = metric(labelled.name, missing=labelled.missing, **{form: max(2, outputs.shape[dim])})
    return per_token(made) if dim == 2 else made


def _with_constant(labelled: Labelled, form: str | None, train: Tensor, validation: Tensor) -> tuple[Metric, ...]:
    """The metric, or one for each class or label where it gives a value for each, called by their numbers."""
    higher, perfect = labelled.higher_is_better, labelled.perfect
    if higher is None or perfect is None:
        raise ValueError(
            f"metric {labelled.name!r} does not say which values are better or which is the best: "
            "give a Metric with higher_is_better and perfect"
        )
    trivial = _value(labelled, constant_outputs(labelled, train, validation), validation)
    if trivial.dim() > 1:
        raise ValueError(
            f"metric {labelled.name!r} gives values of shape {tuple(trivial.shape)}, and a study compares single "
            "numbers: name another, or give a Metric whose compute makes one of them"
        )
    if isinstance(labelled.metric, BinaryAUROC | MulticlassAUROC | MultilabelAUROC):
        trivial = torch.full_like(trivial, 0.5)  # of any constant; torchmetrics has 0 where only one class is there
    if trivial.dim() == 0:
        return (Metric(labelled.name, higher, perfect, float(trivial), partial(_single, labelled, form, None)),)
    return tuple(
        Metric(f"{labelled.name}/{place}", higher, perfect, float(value), partial(_single, labelled, form, place))
        for place, value in enumerate(trivial)
    )


def _value(labelled: Labelled, outputs: Tensor, targets: Tensor) -> Tensor:
    try:
        labelled.update(outputs, targets)
    except ValueError as error:
        shapes = " and targets ".join(str(tuple(one.shape)) for one in (outputs, targets))
        raise ValueError(f"metric {labelled.name!r} does not take outputs {shapes}: {error}") from None
    else:
        return torch.as_tensor(labelled.compute())
    finally:
        labelled.reset()  # some hold all outputs


def _single(labelled: Labelled, form: str | None, place: int | None, outputs: Tensor, targets: Tensor) -> float:
    """The value, or that of one class, of as many classes or labels as the outputs have where ``form`` is given."""
    value = _value(labelled if form is None else _resized(labelled, form, outputs), outputs, targets)
    return float(value if place is None or value.dim() == 0 else value[place])  # NaN for all where there is no label
