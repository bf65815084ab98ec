"""Which class is taken for which, and how well each is found."""

from collections.abc import Sequence

from torch import Tensor
from torchmetrics.functional.classification import multiclass_confusion_matrix, multiclass_stat_scores

from equipoise.lab.exhibits.decisions import Decision
from equipoise.lab.exhibits.exhibit import Exhibit, Seen
from equipoise.lab.exhibits.result import Matrix, Table
from equipoise.lab.metrics.labelled import MISSING

SCORES = ("precision", "recall", "F1", "support")


def confusion(task: str, classes: Sequence[str], decision: Decision, what: str = "samples") -> Exhibit:
    """Rows: the true class; columns: what the network says; shares of the row.

    Args:
        task: Whose outputs.
        classes: Names of the classes, in the order of their numbers.
        decision: From outputs to classes.
        what: What is counted, in words.
    """

    def show(seen: Seen) -> Matrix:
        said, true = _pairs(seen, task, decision)
        counts = multiclass_confusion_matrix(said, true, num_classes=len(classes)).tolist()
        return Matrix(
            rows=tuple(classes),
            columns=tuple(classes),
            row_title="true",
            column_title="said",
            shares=tuple(tuple(n / sum(row) if sum(row) else None for n in row) for row in counts),
            counts=tuple(map(tuple, counts)),
            note=f"Each row is the {what} of one true class: the share that the network calls each class, and how "
            "many. The diagonal is right.",
        )

    return Exhibit(f"{task}-confusion", f"{task}: which class is taken for which", (task,), show)


def class_table(task: str, classes: Sequence[str], decision: Decision, what: str = "samples") -> Exhibit:
    """Precision, recall, F1 and support of every class; arguments as in ``confusion``."""

    def show(seen: Seen) -> Table:
        said, true = _pairs(seen, task, decision)
        scores = multiclass_stat_scores(said, true, num_classes=len(classes), average="none")
        return scores_table(task, classes, scores, f"Support is the number of {what} of the class.")

    return Exhibit(f"{task}-classes", f"{task}: how well each class is found", (task,), show)


def scores_table(task: str, names: Sequence[str], scores: Tensor, note: str) -> Table:
    """From true and false positives, true and false negatives, and support [L, 5], as torchmetrics counts them."""
    rows = []
    for name, (hits, false_alarms, _, misses, support) in zip(names, scores.tolist(), strict=True):
        ratios = (
            _ratio(hits, hits + false_alarms),
            _ratio(hits, hits + misses),
            _ratio(2 * hits, 2 * hits + false_alarms + misses),
        )
        rows.append((name, *ratios, support))
    return Table((task, *SCORES), tuple(rows), f"{note} A dash: nothing to divide by.")


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _pairs(seen: Seen, task: str, decision: Decision) -> tuple[Tensor, Tensor]:
    _, output, target = seen.labelled(task)
    missing = seen.tasks[task].ignored_class
    return decision(output, target, MISSING if missing is None else missing)
