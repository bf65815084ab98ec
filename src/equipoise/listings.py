"""All methods and losses as text for a terminal of some width; and the page of methods."""

import textwrap
from collections.abc import Collection
from functools import partial

from equipoise.chain import Composite
from equipoise.losses.catalog import ROWS, TASK_KINDS, LossRow, find_losses, narrowed
from equipoise.methods_page import markdown
from equipoise.registry import MethodRow, find_methods, read_costs
from equipoise.registry import methods as method_rows

WEIGHT_WORDS = {
    "scales": "scales the task's loss",
    "preference": "becomes a preference",
    "inverts": "scales the task's loss, and lowers its share",
    "ignored": "has no effect",
}


def methods(width: int) -> str:
    """All methods, with papers, costs and arguments."""
    parts = []
    for row in method_rows():
        lines = (
            row.idea,
            row.paper,
            f"cost: {row.cost}; a user's weight: {WEIGHT_WORDS[row.user_weight]}",
            f"arguments: {row.signature}" if row.signature else "no arguments",
        )
        parts.append(f"{row.name}  ({row.cls.__name__})")
        parts += [_indented(line, width) for line in lines]
    return "\n".join(parts)


def method(name: str, width: int) -> str:
    """All about the methods that the name means, as ``find_methods`` finds them."""
    rows = find_methods(name)
    several = [f"{len(rows)} methods match {name!r}:"] if len(rows) > 1 else []
    return "\n\n".join([*several, *(_full_method(row, width) for row in rows)])


def _full_method(row: MethodRow, width: int) -> str:
    around = issubclass(row.cls, Composite)
    cost = row.cost
    if measured := read_costs().get(row.name):
        cost += f"; a step takes x{measured.three:.1f} of the plain sum's with 3 tasks, x{measured.ten:.1f} with 10"
    lines = (
        row.idea,
        f"formula: {row.formula.replace('`', '')}",
        f"arguments: {row.signature}" if row.signature else "no arguments",
        f"needs: {row.needs}",
        f"cost: {cost}",
        f"a user's weight: {'as the method has it' if around else WEIGHT_WORDS[row.user_weight]}",
        *([] if around else [f"norm of a step: {_norm_words(row)}"]),
        f"when: {row.when}",
        f"source: {row.paper}",
        *([f"public code: {row.errata}"] if row.errata else []),
        f"use: balancer = eq.Balancer({row.example}, model, tasks=tasks)",
    )
    return "\n".join([f"{row.name}  ({row.cls.__name__})", *(_indented(line, width) for line in lines)])


def _norm_words(row: MethodRow) -> str:
    if row.norm == "own":
        return f"its own: {row.cls.own_norm}"
    if row.norm == "1":
        return "the sum's, where all gradients are equal"
    return f"the sum's, where all gradients are equal; {row.norm} of that with scale='paper'"


def methods_page() -> str:
    """The page docs/methods.md; takes some seconds, in which every method runs."""
    from equipoise.testing import NUM_TASKS, invariances  # which a list does not wait for

    return markdown({row.name: invariances(partial(row.make, NUM_TASKS)) for row in method_rows()})


def losses(width: int) -> str:
    """All losses, each under the first of its kinds."""
    hint = "equipoise losses --task multilabel --imbalanced says which fit, why, and what to paste."
    parts = [_filled(hint, width), ""]
    for kind, known in TASK_KINDS.items():
        rows = [row for row in ROWS if row.kinds[0] == kind]
        if rows:
            parts += [_filled(f"{kind.upper()}: {known.words}", width), ""]
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
    return "\n".join([row.name, f"    {row.code}", *(_indented(line, width) for line in (kinds, *_lines(row)))])


def narrowed_losses(kind: str | None, conditions: Collection[str], width: int) -> str:
    """The losses that fit, the likeliest first, with reasons and code."""
    matches = narrowed(kind, conditions)
    asked = ", ".join([*([kind] if kind else []), *conditions])
    if not matches:
        return f"No loss for {asked}; equipoise losses lists them all."
    about = f" ({TASK_KINDS[kind].words})" if kind else ""
    parts = [_filled(f"For {asked}{about}, the likeliest first; a plain loss is there to compare with.", width), ""]
    for match in matches:
        parts += [match.row.name, f"    {match.row.code}"]
        if match.reasons:
            parts.append(_indented(f"why: {'; '.join(match.reasons)}", width))
        parts += [_indented(line, width) for line in _lines(match.row)]
        parts.append("")
    closing = "eq.losses.suggest(targets=...) looks at your targets and computes weights and scales from them."
    parts.append(_filled(closing, width))
    return "\n".join(parts)


def _entry(row: LossRow, width: int) -> str:
    text = f"{row.name}  {row.formula}. For: {row.use}. Beware: {row.pitfalls} ({row.paper or row.checked})."
    return _filled(text, width, hang="    ")


def _lines(row: LossRow) -> tuple[str, ...]:
    source = f"paper: {row.paper}; checked against: {row.checked}" if row.paper else f"checked against: {row.checked}"
    return row.formula, f"for: {row.use}", f"beware: {row.pitfalls}", source


def _indented(line: str, width: int) -> str:
    return _filled(line, width, indent="    ", hang="      ")


def _filled(text: str, width: int, *, indent: str = "", hang: str = "") -> str:
    return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=hang, break_on_hyphens=False)
