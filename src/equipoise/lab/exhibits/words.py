"""One sample in words: what is true of it, and what the network says."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from equipoise.lab.exhibits.decisions import Decision
from equipoise.lab.exhibits.exhibit import Seen
from equipoise.lab.exhibits.labels import Thresholds, even
from equipoise.lab.exhibits.result import Card, Picture
from equipoise.lab.exhibits.samples import Describe
from equipoise.lab.metrics.labelled import MISSING

NOT_KNOWN = "not known"
Words = Callable[[Seen, int], tuple[str, str]]  # sample i of the split -> what is true, what the network says


def class_words(task: str, classes: Sequence[str], decision: Decision) -> Words:
    """Of a task with one class per sample; arguments as in ``confusion``."""

    def words(seen: Seen, place: int) -> tuple[str, str]:
        output, target = _of(seen, task, place)
        said, _ = decision(output, torch.zeros_like(target), MISSING)
        return NOT_KNOWN if _is_missing(seen, task, target) else classes[int(target)], classes[int(said)]

    return words


def number_words(task: str, factor: float = 1.0, offset: float = 0.0) -> Words:
    """Of a number; ``factor`` and ``offset`` turn what the network learns into the unit to show."""

    def words(seen: Seen, place: int) -> tuple[str, str]:
        output, target = _of(seen, task, place)
        true, said = (f"{value.item() * factor + offset:.4g}" for value in (target, output))
        return NOT_KNOWN if _is_missing(seen, task, target) else true, said

    return words


def label_words(task: str, labels: Sequence[str], thresholds: Thresholds = even) -> Words:
    """Of a multi-label task; arguments as in ``label_table``."""

    def words(seen: Seen, place: int) -> tuple[str, str]:
        _, logits, known = seen.labelled(task)
        output, target = _of(seen, task, place)
        said = output.double() > thresholds(logits, known)
        true = NOT_KNOWN if _is_missing(seen, task, target) else _names(target[0] == 1, labels)
        return true, _names(said[0], labels)

    return words


def cards(
    words: Mapping[str, Words],
    title: Callable[[Seen, int], str],
    pictures: Callable[[Seen, int], tuple[Picture, ...]] = lambda seen, place: (),
) -> Describe:
    """A card with a title, a line for each task that the network has, and pictures.

    Args:
        words: By task name.
        title: Of a sample.
        pictures: Of a sample.
    """

    def describe(seen: Seen, place: int) -> Card:
        lines = [title(seen, place)]
        for task, of in words.items():
            if task in seen.tasks.names:
                true, said = of(seen, place)
                lines.append(f"{task}: true {true}, said {said}")
        return Card(tuple(lines), pictures(seen, place))

    return describe


def _of(seen: Seen, task: str, place: int) -> tuple[Tensor, Tensor]:
    """Output and target of a sample, as a batch of one."""
    row = slice(place, place + 1)
    return seen.outputs[str(seen.tasks[task].output)][row], seen.targets[str(seen.tasks[task].target)][row]


def _is_missing(seen: Seen, task: str, target: Tensor) -> bool:
    if target.is_floating_point():
        return bool(target.isnan().all())
    missing = seen.tasks[task].ignored_class
    return missing is not None and bool((target == missing).all())


def _names(chosen: Tensor, names: Sequence[str]) -> str:
    return ", ".join(name for name, there in zip(names, chosen.tolist(), strict=True) if there) or "none"
