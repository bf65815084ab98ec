"""What a run on a table shows of each target, by its kind."""

from collections.abc import Callable, Mapping, Sequence

from equipoise.lab.cases.target import LabelledTarget
from equipoise.lab.diagnostics import (
    Diagnostic,
    Predictions,
    above_half,
    cards,
    class_table,
    class_words,
    confusion,
    label_cooccurrence,
    label_table,
    label_words,
    labelled_together,
    largest,
    level,
    number_words,
    worst_samples,
)
from equipoise.lab.diagnostics.classification import Decide
from equipoise.lab.diagnostics.samples import Words
from equipoise.lab.metrics.thresholds import best_thresholds

DECISIONS: Mapping[str, Decide] = {"binary": above_half, "multiclass": largest, "ordinal": level("conditional")}


def table_diagnostics(
    targets: Mapping[str, LabelledTarget], title: Callable[[Predictions, int], str]
) -> tuple[Diagnostic, ...]:
    """Confusions, scores of classes and labels, the rows with the largest losses, and which targets share rows.

    Args:
        targets: By column.
        title: Says which row of the file a sample is.
    """
    describe = cards({column: _words(column, target) for column, target in targets.items()}, title)
    shown = [diagnostic for column, target in targets.items() for diagnostic in _of_target(column, target)]
    shown += [worst_samples(column, describe) for column in targets]
    return (*shown, *([labelled_together(list(targets))] if len(targets) > 1 else []))


def _of_target(column: str, target: LabelledTarget) -> Sequence[Diagnostic]:
    if target.kind in DECISIONS:
        decision = DECISIONS[target.kind]
        make = (confusion, class_table)
        return [one(column, target.names, decision, "rows") for one in make]
    if target.kind == "multilabel":
        return [label_table([column], target.names, best_thresholds), label_cooccurrence([column], target.names)]
    return []


def _words(column: str, target: LabelledTarget) -> Words:
    if target.kind == "regression":
        return number_words(column, target.deviation, target.mean)
    if target.kind == "multilabel":
        return label_words(column, target.names, best_thresholds)
    return class_words(column, target.names, DECISIONS[target.kind])
