"""All methods as text for a terminal of some width, and the page of methods."""

from functools import partial

from equipoise.chain import Composite
from equipoise.methods_page import markdown
from equipoise.paragraphs import indented
from equipoise.registry import MethodRow, find_methods, read_costs
from equipoise.registry import methods as method_rows
from equipoise.registry.limit import NOTHING, Limit

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
        parts += [indented(line, width) for line in lines]
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
        *([f"on convex losses: {_limit_words(row.limit)}"] if row.limit else []),
        f"when: {row.when}",
        f"source: {row.paper}",
        *([f"public code: {row.errata}"] if row.errata else []),
        f"use: balancer = eq.Balancer({row.example}, model, tasks=tasks)",
    )
    return "\n".join([f"{row.name}  ({row.cls.__name__})", *(indented(line, width) for line in lines)])


def _norm_words(row: MethodRow) -> str:
    if row.norm == "own":
        return f"its own: {row.cls.own_norm}"
    if row.norm == "1":
        return "the sum's, where all gradients are equal"
    return f"the sum's, where all gradients are equal; {row.norm} of that with scale='paper'"


def _limit_words(limit: Limit) -> str:
    ends = "anywhere" if limit.holds == NOTHING else f"at a {str(limit).replace('`', '')}"
    return f"training ends {ends}. {limit.why}"


def methods_page() -> str:
    """The page docs/methods.md; takes some seconds, in which every method runs."""
    from equipoise.testing import NUM_TASKS, invariances  # which a list does not wait for

    return markdown({row.name: invariances(partial(row.make, NUM_TASKS)) for row in method_rows()})
