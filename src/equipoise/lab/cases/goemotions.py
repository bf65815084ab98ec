"""GoEmotions: 28 imbalanced labels of a comment, as one task or as one for each sentiment."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from equipoise import losses
from equipoise.lab.cases.case import Case
from equipoise.lab.cases.goemotions_inputs import INPUTS
from equipoise.lab.cases.tuned import tuned_f1
from equipoise.lab.data.arrays import Arrays
from equipoise.lab.data.folder import data_hash
from equipoise.lab.data.goemotions import FILES, GROUPS, goemotions_folder, read_comments, read_labels
from equipoise.lab.exhibits import (
    Exhibit,
    Seen,
    cards,
    first_samples,
    label_overlap,
    label_table,
    label_words,
    said_overlap,
    worst_samples,
)
from equipoise.lab.metrics.thresholds import best_thresholds
from equipoise.lab.models.heads import SharedEncoder
from equipoise.tasks import Task, Tasks, nearest


def _soft_f1(labels: Tensor, proportion: float = 0.5) -> nn.Module:
    return losses.Mixed({"bce": (1 - proportion, nn.BCEWithLogitsLoss()), "soft-f1": (proportion, losses.SoftF1Loss())})


# name -> the loss for the labels of the training split [N, L]
LOSSES: Mapping[str, Callable[[Tensor], nn.Module]] = {
    "bce": lambda labels: nn.BCEWithLogitsLoss(),
    "weighted-bce": lambda labels: nn.BCEWithLogitsLoss(
        pos_weight=losses.positive_weights(labels.sum(dim=0).long(), num_samples=len(labels))
    ),
    "focal": lambda labels: losses.BinaryFocalLoss(),
    "asymmetric": lambda labels: losses.AsymmetricLoss(),
    "soft-f1": _soft_f1,
}


def goemotions(
    folder: Path | None = None,
    *,
    loss: str = "bce",
    groups: bool = False,
    proportion: float | None = None,
    inputs: str = "words",
) -> Case:
    """Emotions in comments, as bags of words and pairs of words or as vectors; the official splits.

    F1 is at thresholds that are chosen on validation, one for each label.

    Args:
        folder: That of ``train.tsv`` and the others; by default see ``data_folder``.
        loss: One of ``LOSSES``, for every task.
        groups: Whether positive, negative, ambiguous and neutral are a task each, or all 28 labels are one.
        proportion: Of soft-F1 beside cross-entropy, 0 to 1; for the loss "soft-f1" only, by default 0.5.
        inputs: "words", or "sentences" for the vectors of a frozen encoder (``equipoise.lab.data.sentences``).

    Raises:
        ValueError: If a file is missing or not as it should be, or there is no such loss or no such inputs.
    """
    for argument, given, known in (("loss", loss, LOSSES), ("inputs", inputs, INPUTS)):
        if given not in known:
            raise ValueError(f"no {argument} {given!r}; {nearest(given, known)}")
    if proportion is not None and (loss != "soft-f1" or not 0 <= proportion <= 1):
        raise ValueError(f"proportion must be of the loss 'soft-f1' and lie in [0, 1], got {proportion!r} for {loss!r}")
    make_loss = LOSSES[loss] if proportion is None else partial(_soft_f1, proportion=proportion)
    folder = goemotions_folder(folder)
    names = read_labels(folder)
    comments = {split: read_comments(folder / file, len(names)) for split, file in FILES.items()}
    seen = INPUTS[inputs]({split: part.texts for split, part in comments.items()})
    of_task = {name: [names.index(one) for one in group] for name, group in GROUPS.items()}
    of_task = of_task if groups else {"emotions": list(range(len(names)))}
    splits = {
        split: Arrays(
            seen.rows[split],
            {task: comments[split].labels[:, columns] for task, columns in of_task.items()},
        )
        for split in FILES
    }

    def make_model(task_names: Sequence[str]) -> nn.Module:
        encoder = seen.make_encoder()
        heads = {task: nn.Linear(seen.width, len(columns)) for task, columns in of_task.items()}
        return SharedEncoder(encoder, {name: heads[name] for name in task_names})

    train = splits["train"].targets
    return Case(
        name=_name(loss, groups, inputs),
        title="GoEmotions: 28 emotions in comments" + (", by sentiment" if groups else ""),
        tasks=Tasks([Task(task, make_loss(train[task])) for task in of_task]),
        splits=splits,
        collate=seen.collate,
        make_model=make_model,
        metrics={task: tuned_f1(splits["validation"].targets[task]) for task in of_task},
        batch_size=256,
        learning_rate=seen.learning_rate,
        weight_decay=0.01,
        epochs=6,
        data_hash=data_hash([*(folder / file for file in (*FILES.values(), "labels.txt")), *seen.files]),
        exhibits=_exhibits({task: [names[i] for i in columns] for task, columns in of_task.items()}, seen.title),
    )


def _exhibits(labels: Mapping[str, Sequence[str]], title: Callable[[Seen, int], str]) -> tuple[Exhibit, ...]:
    """Labels by task, and a sample in words."""
    every = [name for names in labels.values() for name in names]
    describe = cards(
        {task: label_words(task, names, best_thresholds) for task, names in labels.items()},
        title=title,
    )
    return (
        *(label_table([task], names, best_thresholds) for task, names in labels.items()),
        label_overlap(list(labels), every),
        said_overlap(list(labels), every, best_thresholds),
        first_samples(list(labels), describe),
        *(worst_samples(task, describe) for task in labels),
    )


def _name(loss: str, groups: bool, inputs: str) -> str:
    chosen = ["groups"] * groups + [inputs] * (inputs != "words") + [loss] * (loss != "bce")
    return "-".join(["goemotions", *chosen])


GOEMOTIONS: Mapping[str, Callable[[], Case]] = {
    _name(loss, groups, inputs): partial(goemotions, loss=loss, groups=groups, inputs=inputs)
    for groups in (False, True)
    for inputs in INPUTS
    for loss in (LOSSES if inputs == "words" else ["bce"])
}
