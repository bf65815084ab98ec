"""Spans of tags, as conlleval counts them: B-x begins one of kind x, I-x continues it, O is in none.

Tjong Kim Sang and Buchholz, Introduction to the CoNLL-2000 Shared Task: Chunking, CoNLL 2000.
"""

from collections.abc import Sequence

from torch import Tensor

from equipoise.missing import MISSING

Span = tuple[int, int, str]  # first token, the one after the last, kind


def spans(tags: Sequence[str]) -> set[Span]:
    """The spans of one sequence; an I-x that continues nothing of its kind begins a span.

    >>> sorted(spans(["B-city", "I-city", "O", "I-day", "B-day"]))
    [(0, 2, 'city'), (3, 4, 'day'), (4, 5, 'day')]
    """
    found: set[Span] = set()
    start, kind = 0, ""
    for place, tag in enumerate([*tags, "O"]):
        prefix, _, of = tag.partition("-")
        if kind and (prefix != "I" or of != kind):
            found.add((start, place, kind))
            kind = ""
        if prefix != "O" and not kind:
            start, kind = place, of
    return found


def span_f1(outputs: Tensor, targets: Tensor, tags: Sequence[str], missing: int = MISSING) -> float:
    """2 · right / (predicted + true) over the spans of all sequences; right are those of the same tokens and kind.

    Args:
        outputs: Logits [B, T, V].
        targets: Tags [B, T]; tokens that are ``missing`` (padding, later pieces of a word) are left out.
        tags: The V tags by number: "O", "B-x" and "I-x" of any kinds x.
        missing: The target of a token without a tag.

    Returns:
        From 0 to 1; NaN where there is no span at all, predicted or true.

    Raises:
        ValueError: If shapes do not match.
    """
    if outputs.dim() != 3 or outputs.shape[:2] != targets.shape or outputs.shape[2] != len(tags):
        raise ValueError(
            f"outputs must be logits [B, T, V] of {len(tags)} tags beside targets [B, T], got {tuple(outputs.shape)} "
            f"and {tuple(targets.shape)}"
        )
    right = total = 0
    for predicted, true in zip(outputs.argmax(dim=2).tolist(), targets.tolist(), strict=True):
        pairs = [(tags[p], tags[t]) for p, t in zip(predicted, true, strict=True) if t != missing]
        found, there = spans([p for p, _ in pairs]), spans([t for _, t in pairs])
        right, total = right + len(found & there), total + len(found) + len(there)
    return 2 * right / total if total else float("nan")
