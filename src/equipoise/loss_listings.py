"""All losses as text for a terminal of some width."""

from collections.abc import Collection

from equipoise.losses.catalog import ROWS, TASK_KINDS, LossRow, find_losses, narrowed
from equipoise.paragraphs import filled, indented


def losses(width: int) -> str:
    """All losses, each under the first of its kinds."""
    hint = "equipoise losses --task multilabel --imbalanced says which fit, why, and what to paste."
    parts = [filled(hint, width), ""]
    for kind, known in TASK_KINDS.items():
        rows = [row for row in ROWS if row.kinds[0] == kind]
        if rows:
            parts += [filled(f"{kind.upper()}: {known.words}", width), ""]
            parts += [_entry(row, width) for row in rows]
            parts.append("")
    return "\n".join(parts)


def loss(name: str, width: int) -> str:
    """All about the losses that the name means, as ``find_losses`` finds them."""
    rows = find_losses(name)
    several = [f"{len(rows)} losses match {name!r}:"] if len(rows) > 1 else []
    return "\n\n".join([*several, *(_full_loss(row, width) for row in rows)])


def _full_loss(row: LossRow, width: int) -> str:
    kinds = f"tasks: {', '.join(row.kinds)}"
    return "\n".join([row.name, f"    {row.code}", *(indented(line, width) for line in (kinds, *_lines(row)))])


def narrowed_losses(kind: str | None, conditions: Collection[str], width: int) -> str:
    """The losses that fit, the likeliest first, with reasons and code."""
    matches = narrowed(kind, conditions)
    asked = ", ".join([*([kind] if kind else []), *conditions])
    if not matches:
        return f"No loss for {asked}; equipoise losses lists them all."
    about = f" ({TASK_KINDS[kind].words})" if kind else ""
    parts = [filled(f"For {asked}{about}, the likeliest first; a plain loss is there to compare with.", width), ""]
    for match in matches:
        parts += [match.row.name, f"    {match.row.code}"]
        if match.reasons:
            parts.append(indented(f"why: {'; '.join(match.reasons)}", width))
        parts += [indented(line, width) for line in _lines(match.row)]
        parts.append("")
    closing = "eq.losses.suggest(targets=...) looks at your targets and computes weights and scales from them."
    parts.append(filled(closing, width))
    return "\n".join(parts)


def _entry(row: LossRow, width: int) -> str:
    text = f"{row.name}  {row.formula}. For: {row.use}. Beware: {row.pitfalls} ({row.paper or row.checked})."
    return filled(text, width, hang="    ")


def _lines(row: LossRow) -> tuple[str, ...]:
    source = f"paper: {row.paper}; checked against: {row.checked}" if row.paper else f"checked against: {row.checked}"
    return row.formula, f"for: {row.use}", f"beware: {row.pitfalls}", source
