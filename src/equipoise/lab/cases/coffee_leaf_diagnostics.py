"""What a run on coffee leaves shows: confusions, and leaves with their masks."""

from equipoise.lab.data.coffee_leaf import REGIONS, SEVERITIES, STRESSES
from equipoise.lab.diagnostics import (
    Diagnostic,
    Picture,
    Predictions,
    cards,
    class_table,
    class_words,
    coloured,
    confusion,
    first_samples,
    largest,
    level,
    overlaid,
    worst_samples,
)
from equipoise.missing import MISSING

_LEVELS = tuple(map(str, range(SEVERITIES)))
_COLOURS = tuple(REGIONS.values())
_LEGEND = "In a mask the leaf is green and the symptom red."


def coffee_leaf_diagnostics() -> tuple[Diagnostic, ...]:
    """Of stress, severity and mask."""
    severity, regions = level("cumulative"), tuple(REGIONS)
    describe = cards(
        {
            "stress": class_words("stress", STRESSES, largest),
            "severity": class_words("severity", _LEVELS, severity),
        },
        title=lambda seen, place: f"leaf {place + 1} of the split",
        pictures=_pictures,
    )
    return (
        confusion("stress", STRESSES, largest, "leaves"),
        class_table("stress", STRESSES, largest, "leaves"),
        confusion("severity", _LEVELS, severity, "leaves"),
        confusion("mask", regions, largest, "pixels"),
        class_table("mask", regions, largest, "pixels"),
        first_samples(("mask",), describe, legend=_LEGEND),
        *(worst_samples(task, describe, legend=_LEGEND) for task in ("stress", "severity", "mask")),
    )


def _pictures(seen: Predictions, place: int) -> tuple[Picture, ...]:
    """The leaf, and over it the true and the predicted mask as far as there are such."""
    leaf = seen.inputs([place])[0].movedim(0, 2)
    pictures = [Picture.of(leaf, "the leaf")]
    if "mask" in seen.tasks.names:
        true, said = seen.targets["mask"][place], seen.outputs["mask"][place].argmax(dim=0)
        if (true != MISSING).any():
            pictures.append(Picture.of(overlaid(leaf, coloured(true, _COLOURS)), "true mask"))
        pictures.append(Picture.of(overlaid(leaf, coloured(said, _COLOURS)), "predicted mask"))
    return tuple(pictures)
