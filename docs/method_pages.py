"""A page for each method: what the registry, its tests and docs/errata.md say of it, and what running it shows."""

import re
from functools import partial
from pathlib import Path

import plane
from drawings import FIRST, GREY, INK, ROW, SECOND, Frame
from torch import Tensor
from written.paper_table import file_of, link, tests_of

from equipoise.names import key_of
from equipoise.registry import AROUND, methods, read_costs
from equipoise.registry.row import MethodRow
from equipoise.testing import NUM_TASKS, Invariances, invariances

DOCS = Path(__file__).parent
SHOWN = 10  # of the last steps at the point that is held
ALONE = f"""\
Two tasks. First picture, one step: where gradient descent leads on the <span style="color:{FIRST}">first loss</span>
alone, on the <span style="color:{SECOND}">second loss</span> alone and on their sum (dashed), and **where {{name}}
leads** after {plane.HELD} steps at this point; {SHOWN} are drawn, which coincide unless it draws random numbers. In the
shaded cone both losses fall. Second picture, training: from two starts over the rings of both losses; on the grey curve
no step lowers both. Every method has the same losses, gradients and learning rate.
"""
TOO_FEW = "<p>No picture: the pictures have two tasks ({reason}).</p>\n"
INSIDE = "<p>No picture: what a step does depends on the method inside.</p>\n"


def numbers(seen: plane.Seen) -> str:
    """What the first picture measures."""
    step, plain = seen.steps[-1], plane.DOWN.sum(dim=0)
    falls = ["falls" if rate > 1e-9 else "rises" if rate < -1e-9 else "stays" for rate in plane.DOWN @ step]
    weights = [f"{name} {float(weight):.2f}" for name, weight in seen.weights.items()]
    told = [f"weights: {', '.join(weights)}"] if weights else []
    told += [f"{float(step.norm() / plain.norm()):.2f} of the sum's norm"]
    told += [f"the first loss {falls[0]}, the second {falls[1]}"]
    return "; ".join(told)


def arrows(name: str, seen: plane.Seen) -> Frame:
    """One step."""
    frame = Frame((-3.4, 1.6), (-0.5, 3.5), 256, f"One step with {name}: {numbers(seen)}")
    # perpendicular to both gradients: the borders of the cone in which both losses fall
    (a, b), (c, d) = plane.DOWN.tolist()
    frame.area([(0, 0), (6 * b, -6 * a), (-6 * d, 6 * c)], GREY, 0.14)
    frame.arrow((a, b), FIRST)
    frame.arrow((c, d), SECOND)
    frame.arrow((a + c, b + d), GREY, 1.5, 'stroke-dasharray="5 4"')
    frame.word((a + c - 0.1, b + d + 0.1), "sum", GREY, "end")
    for step in seen.steps[-SHOWN:-1].tolist():
        frame.arrow(tuple(step), INK, 1.2, 'opacity="0.35"')
    frame.arrow(tuple(seen.steps[-1].tolist()), INK, 3)
    return frame


def paths(name: str, seen: plane.Seen) -> Frame:
    """Training."""
    ends = ", ".join(f"({x:.1f}, {y:.1f})" for x, y in (path[-1].tolist() for path in seen.paths))
    frame = Frame((-2.0, 2.0), (-0.9, 2.3), 256, f"Training with {name} from two starts ends at {ends}")
    for colour, optimum, curvature in zip((FIRST, SECOND), plane.OPTIMA, plane.CURVATURES, strict=True):
        for value in (0.15, 0.6, 1.4, 2.6):
            frame.ring(tuple(optimum.tolist()), tuple((2 * value / curvature).sqrt().tolist()), colour)
        frame.dot(tuple(optimum.tolist()), colour)
    frame.line(points(plane.best()), GREY, 5, 'stroke-opacity="0.6"')
    for path in seen.paths:
        frame.line(points(path), INK, 2)
        frame.dot(tuple(path[0].tolist()), GREY, 5)
        frame.dot(tuple(path[-1].tolist()), INK, 4)
    return frame


def points(path: Tensor) -> list[tuple[float, float]]:
    """As numbers."""
    return [(x, y) for x, y in path.tolist()]


def picture(row: MethodRow) -> str:
    """Both pictures of a method as HTML, and what they measure; a sentence alone where there is none."""
    if row in AROUND:
        return INSIDE
    try:
        seen = plane.seen(lambda: row.make(len(plane.TASKS)))
    except ValueError as error:
        return TOO_FEW.format(reason=str(error).partition(":")[0])
    both = ROW.format("\n".join([arrows(row.name, seen).svg(), paths(row.name, seen).svg()]))
    return f"{both}<p>First picture: {numbers(seen)}.</p>\n"


def rows_of(page: str) -> list[list[str]]:
    """The cells of every table row of a page, its links as they lead from a folder below."""
    text = (DOCS / page).read_text(encoding="utf-8").replace("](../", "](../../")
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def errata_of(*names: str) -> list[str]:
    """Elsewhere and here, of the rows of docs/errata.md whose first cell has one of the names."""
    keys = {key_of(name) for name in names}
    found = [cells for cells in rows_of("errata.md") if keys & {key_of(name) for name in cells[0].split(",")}]
    return [f"Elsewhere: {elsewhere} Here: {here}" for _, elsewhere, here in found]


def when_not(row: MethodRow, found: Invariances | None) -> list[str]:
    """What follows from what it reads, from its class, and from its measured invariances."""
    one, copy, rotation = (found.one_loss, found.copy, found.rotation) if found else (None, None, None)
    reasons = {
        "The sum or tuned fixed weights do as well on your validation metric.": row.name not in ("sum", "fixed"),
        "A loss may be zero or negative.": "positive losses" in row.needs,
        "There is time for one backward pass per step: it needs up to one for each task.": row.cost == "K backwards",
        "You want to weigh tasks yourself: a user's weights change nothing.": row.user_weight == "ignored",
        "You want to weigh tasks yourself: a heavier task counts less.": row.user_weight == "inverts",
        "Losses differ in scale by accident, as by their units: its direction depends on each scale.": one is False,
        "The scale of a loss says how much it matters: its direction does not depend on it.": one is True,
        "Tasks may be near copies of each other: one that is there twice changes the direction.": copy is False,
        "Single coordinates mean nothing: it looks at each of them.": rotation is False,
    }
    told = [reason for reason, holds in reasons.items() if holds]
    if row not in AROUND and row.norm == "own":
        told.append(f"The learning rate of the sum has to stay: the norm of its steps is its own, {row.cls.own_norm}.")
    return told


def properties(row: MethodRow, found: Invariances | None) -> list[tuple[str, str]]:
    """The lines of the table."""
    lines = [("reads", row.needs), ("backward passes", row.cost)]
    if found is not None:
        cost = read_costs()[row.name]
        lines.append(("time of a step, of the sum's", f"{cost.three:.1f} with 3 tasks, {cost.ten:.1f} with 10"))
        one, degree, copy, rotation = found.cells
        power = "no power of c" if degree == "neither" else f"c^{degree}"
        lines += [("norm of a step, of the sum's", row.norm), ("a user's weight", row.user_weight)]
        lines += [("direction stays when one loss is multiplied", one), ("step when all losses are times c", power)]
        lines += [("direction stays when a task is copied", copy), ("step turns with the parameters", rotation)]
    if row.limit is not None:
        lines.append(("limit of training, on convex losses", f"{row.limit}: {row.limit.why}"))
    return lines


def page(row: MethodRow, drawn: bool, found: Invariances | None) -> str:
    """The page in Markdown; it includes NAME.html, the pictures."""
    file, *tests = (link(path).replace("](../", "](../../") for path in (file_of(row), *tests_of(row)))
    errata = [*([row.errata] if row.errata else []), *errata_of(row.name, row.cls.__name__)]
    parts = [
        f"---\norphan: true\n---\n# {row.name}\n\n{row.idea}\n\n```python\n{row.example}\n```\n",
        f"`{row.formula}`\n" if "`" not in row.formula else f"{row.formula}\n",
        "## Picture\n",
        *([ALONE.format(name=row.name) + "[All methods on one page](pictures.md).\n"] if drawn else []),
        include(row.name),
        f"## When\n\n{row.when}\n",
        "## When not\n",
        bullets(when_not(row, found)),
        "## Properties\n\n| property | value |\n|---|---|",
        "\n".join(f"| {name} | {value} |" for name, value in properties(row, found)),
        "\n[How they are measured](../methods.md#how-to-read-it).\n",
        "## Source\n",
        bullets(
            [
                f"Paper: {row.paper}",
                f"Class: {{py:class}}`equipoise.{row.cls.__name__}`, `eq.{row.cls.__name__}({row.signature})`",
                f"File: {file}. Tests: {', '.join(tests)}.",
                *([f"Not verified against the text of the paper: {row.unverified}"] if row.unverified else []),
                f"Among the others: [methods](../methods.md#{row.name}).",
            ]
        ),
    ]
    if errata:
        parts += ["## Errata\n", bullets(errata)]
    return "\n".join(parts)


def bullets(lines: list[str]) -> str:
    """As a list."""
    return "".join(f"- {line}\n" for line in lines)


def include(name: str) -> str:
    """What puts the pictures into a page."""
    return f"```{{raw}} html\n:file: {name}.html\n```\n"


def gallery(names: list[str]) -> str:
    """One page of the pictures of these methods."""
    parts = ["---\norphan: true\n---\n# Pictures of all methods\n", ALONE.format(name="the method")]
    return "\n".join([*parts, *(f"## [{name}]({name}.md)\n\n{include(name)}" for name in names)])


def names() -> list[str]:
    """The pages, in the order of the sidebar."""
    return ["pictures", *(row.name for row in (*methods(), *AROUND))]


def pages(folder: Path, changed: float) -> dict[str, str]:
    """{name of a file: its text}: a page for every method, its pictures, and one page of all.

    Args:
        folder: Where pictures of an earlier build lie.
        changed: When the newest of the files was written from which pictures are made.
    """
    texts, drawn = {}, []
    for row in (*methods(), *AROUND):
        old = folder / f"{row.name}.html"
        fresh = old.exists() and old.stat().st_mtime > changed
        html = old.read_text(encoding="utf-8") if fresh else picture(row)
        found = None if row in AROUND else invariances(partial(row.make, NUM_TASKS))
        drawn += [row.name] if "<svg" in html else []
        texts[old.name] = html
        texts[f"{row.name}.md"] = page(row, "<svg" in html, found)
    return texts | {"pictures.md": gallery(drawn)}
