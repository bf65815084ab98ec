"""Samples to look at: the first ones and those with the largest loss, each with label, prediction and pictures."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from equipoise.lab.diagnostics.classification import Decide, Thresholds, even
from equipoise.lab.diagnostics.diagnostic import Card, Diagnostic, Gallery, Picture, Predictions
from equipoise.missing import MISSING, labelled

COUNT = 8
Describe = Callable[[Predictions, int], Card]  # of sample i of the split
NOT_KNOWN = "not known"
Words = Callable[[Predictions, int], tuple[str, str]]  # sample i of the split -> label and prediction in words
UNKNOWN = (128, 128, 128)  # where a mask has no label
_WRONG = (255, 255, 0)


def first_samples(tasks: Sequence[str], describe: Describe, count: int = COUNT, legend: str = "") -> Diagnostic:
    """The first samples that have a label of each of these tasks.

    Args:
        tasks: Those that ``describe`` speaks of.
        describe: Makes the card of a sample.
        count: How many, at most.
        legend: How to read the pictures.
    """

    def show(predictions: Predictions) -> Gallery:
        labelled = [set(predictions.labelled(task)[0].tolist()) for task in tasks]
        places = sorted(set.intersection(*labelled))[:count]
        note = f"The first samples of the validation split. {legend}".strip()
        return Gallery(tuple(describe(predictions, place) for place in places), note)

    return Diagnostic("samples", "Predictions for the first samples", tuple(tasks), show)


def worst_samples(task: str, describe: Describe, count: int = COUNT, legend: str = "") -> Diagnostic:
    """The samples with the largest loss, each taken as a batch of one; arguments as in ``first_samples``."""

    def show(predictions: Predictions) -> Gallery:
        places, output, target = predictions.labelled(task)
        loss = predictions.tasks[task].loss
        with torch.no_grad():
            values = torch.stack([loss(output[i : i + 1], target[i : i + 1]).cpu() for i in range(len(places))])
        cards = []
        for i in values.argsort(descending=True)[:count].tolist():
            card = describe(predictions, int(places[i]))
            cards.append(Card((*card.lines, f"loss {values[i]:.3g}, mean {values.mean():.3g}"), card.pictures))
        note = f"The largest losses among {len(places)} samples of the validation split. {legend}".strip()
        return Gallery(tuple(cards), note)

    return Diagnostic(f"{task}-worst", f"{task}: largest losses", (task,), show)


def class_words(task: str, classes: Sequence[str], decision: Decide) -> Words:
    """Of a task with one class per sample; arguments as in ``confusion``."""

    def words(predictions: Predictions, place: int) -> tuple[str, str]:
        output, target = _of(predictions, task, place)
        predicted, _ = decision(output, torch.zeros_like(target), MISSING)
        return NOT_KNOWN if _is_missing(predictions, task, target) else classes[int(target)], classes[int(predicted)]

    return words


def number_words(task: str, factor: float = 1.0, offset: float = 0.0) -> Words:
    """Of a number; ``factor`` and ``offset`` turn what the network learns into the unit to show."""

    def words(predictions: Predictions, place: int) -> tuple[str, str]:
        output, target = _of(predictions, task, place)
        true, predicted = (f"{value.item() * factor + offset:.4g}" for value in (target, output))
        return NOT_KNOWN if _is_missing(predictions, task, target) else true, predicted

    return words


def label_words(task: str, labels: Sequence[str], thresholds: Thresholds = even) -> Words:
    """Of a multilabel task; arguments as in ``label_table``."""

    def words(predictions: Predictions, place: int) -> tuple[str, str]:
        _, logits, known = predictions.labelled(task)
        output, target = _of(predictions, task, place)
        predicted = output.double() > thresholds(logits, known)
        true = NOT_KNOWN if _is_missing(predictions, task, target) else _names(target[0] == 1, labels)
        return true, _names(predicted[0], labels)

    return words


def cards(
    words: Mapping[str, Words],
    title: Callable[[Predictions, int], str],
    pictures: Callable[[Predictions, int], tuple[Picture, ...]] = lambda predictions, place: (),
) -> Describe:
    """A card with a title, a line for each task that the network has, and pictures.

    Args:
        words: By task name.
        title: Of a sample.
        pictures: Of a sample.
    """

    def describe(predictions: Predictions, place: int) -> Card:
        lines = [title(predictions, place)]
        for task, of in words.items():
            if task in predictions.tasks.names:
                true, predicted = of(predictions, place)
                lines.append(f"{task}: true {true}, predicted {predicted}")
        return Card(tuple(lines), pictures(predictions, place))

    return describe


def _of(predictions: Predictions, task: str, place: int) -> tuple[Tensor, Tensor]:
    """Output and target of a sample, as a batch of one."""
    row = slice(place, place + 1)
    return predictions.output(task)[row], predictions.targets[str(predictions.tasks[task].target)][row]


def _is_missing(predictions: Predictions, task: str, target: Tensor) -> bool:
    return not bool(labelled(target, predictions.tasks[task].ignored_class).any())


def _names(chosen: Tensor, names: Sequence[str]) -> str:
    return ", ".join(name for name, there in zip(names, chosen.tolist(), strict=True) if there) or "none"


def coloured(mask: Tensor, colours: Sequence[tuple[int, int, int]], missing: int = -100) -> Tensor:
    """Each class of a mask [H, W] in its colour [H, W, 3], uint8; grey where the label is missing.

    >>> coloured(torch.tensor([[0, 1]]), [(0, 0, 0), (255, 0, 0)]).tolist()
    [[[0, 0, 0], [255, 0, 0]]]
    """
    table = torch.tensor([*colours, UNKNOWN], dtype=torch.uint8)
    return table[mask.masked_fill(mask == missing, len(colours)).long()]


def overlaid(picture: Tensor, layer: Tensor, opacity: float = 0.5) -> Tensor:
    """A layer [H, W, 3] over a picture [H, W, 3], both uint8.

    >>> overlaid(torch.tensor([[[0, 100, 200]]]).byte(), torch.tensor([[[100, 100, 0]]]).byte()).tolist()
    [[[50, 100, 100]]]
    """
    return ((1 - opacity) * picture.float() + opacity * layer.float()).round().to(torch.uint8)


def wrong_pixels(picture: Tensor, predicted: Tensor, true: Tensor, missing: int = MISSING) -> Tensor:
    """A picture [H, W, 3], uint8, darkened, and yellow where two masks [H, W] differ; unknown pixels do not.

    >>> predicted, true = torch.tensor([[0, 1, 1]]), torch.tensor([[0, 0, -100]])
    >>> wrong_pixels(torch.full((1, 3, 3), 100).byte(), predicted, true).tolist()
    [[[50, 50, 50], [255, 255, 0], [50, 50, 50]]]
    """
    differs = (predicted != true) & (true != missing)
    return torch.where(differs[:, :, None], torch.tensor(_WRONG, dtype=torch.uint8), picture // 2)
