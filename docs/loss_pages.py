"""A page for each loss: what the catalogue and docs/errata.md say of it, where its tests are, and its curve."""

import inspect
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from drawings import FIRST, INK, ROW, SECOND, Frame
from method_pages import bullets, errata_of, include
from torch import Tensor, nn

import equipoise as eq
from equipoise.losses.catalog import CONDITIONS, ROWS, TASK_KINDS, LossRow

ROOT = Path(__file__).parents[1]
GRID = torch.linspace(-4, 4, 65)
GIVEN = {"class_counts": torch.tensor([90, 10]), "label_counts": torch.tensor([20]), "n": 100}  # of lines to paste
NO_LOGIT = ("NLLLoss",)  # of those that take a number: this one is a log-probability
ONE, ZERO = torch.ones(1, 1), torch.zeros(1, 1)
Arguments = Callable[[Tensor], tuple[Tensor, ...]]  # what a loss is called with for a number [1, 1]
BINARY: dict[str, Arguments] = {"a positive": lambda z: (z, ONE), "a negative": lambda z: (z, ZERO)}
ERROR: dict[str, Arguments] = {"error": lambda z: (z, ZERO)}
LINES: dict[str, dict[str, Arguments]] = {  # by the first kind of task of a loss
    "binary": BINARY,
    "multilabel": BINARY,
    "multiclass": {"logit": lambda z: (torch.cat([z, ZERO], dim=1), torch.tensor([0]))},
    "regression": ERROR,
    "depth": ERROR,
    "gan": {"logit": lambda z: (z,)},
}
SAYS = {
    "binary": f"""over the logit of a <span style="color:{FIRST}">positive</span> and of a
<span style="color:{SECOND}">negative</span>, which is the only one""",
    "multiclass": "over the logit of the true one of two classes; the other's is 0",
    "regression": "over the prediction's error",
    "gan": "over the discriminator's logit of a fake",
}
SAYS |= {"multilabel": SAYS["binary"], "depth": SAYS["regression"]}
Curve = tuple[list[float], list[float]]  # the loss and its gradient on the grid


def curves(row: LossRow) -> dict[str, Curve]:
    """Of each line; empty for a loss that does not take a single number."""
    if row.kinds[0] not in LINES or row.name in NO_LOGIT:
        return {}
    try:
        loss = eval(row.code.partition("#")[0], {"eq": eq, "nn": nn, "torch": torch, "partial": partial, **GIVEN})
        return {name: curve(loss, arguments) for name, arguments in LINES[row.kinds[0]].items()}
    except (NameError, TypeError, ValueError, RuntimeError):  # tests/test_site_pages.py names them all
        return {}


def curve(loss: Callable[..., Tensor], arguments: Arguments) -> Curve:
    """On the grid."""
    values, gradients = [], []
    for number in GRID:
        leaf = number.view(1, 1).clone().requires_grad_()
        value = loss(*arguments(leaf)).sum()
        (gradient,) = torch.autograd.grad(value, leaf)
        values.append(value.item())
        gradients.append(gradient.item())
    return values, gradients


def picture(row: LossRow) -> str:
    """Its loss and its gradient, side by side; a sentence where there is none."""
    lines = curves(row)
    if not lines:
        return "<p>No picture: it takes more than one number, or no logit.</p>\n"
    frames = []
    for place, what in enumerate(("Loss", "Gradient")):
        low = min(0.0, *(min(line[place]) for line in lines.values()))
        high = max(0.0, *(max(line[place]) for line in lines.values()))
        gap = 0.1 * (high - low)
        says = f"{what} of {row.name} from −4 to 4: between {low:.2g} and {high:.2g}"
        frame = Frame((-4, 4), (low - gap, high + gap), 200, says)
        frame.axes((-2, 0, 2), sorted({low, 0.0, high}))
        for colour, line in zip((INK,) if len(lines) == 1 else (FIRST, SECOND), lines.values(), strict=True):
            frame.line(zip(GRID.tolist(), line[place], strict=True), colour, 2.5)
        frames.append(frame.svg())
    return f"{ROW.format(chr(10).join(frames))}<p>First the loss, then its gradient, {SAYS[row.kinds[0]]}.</p>\n"


def source(row: LossRow) -> list[str]:
    """Its paper, its names in the API reference, its file and its tests."""
    lines = [f"Paper: {row.paper}."] if row.paper else []
    if row.code.startswith("nn."):
        return [*lines, f"PyTorch: `torch.{row.code.partition('(')[0]}`."]
    names = dict.fromkeys([row.name, *re.findall(r"eq\.losses\.(\w+)", row.code)])
    own = getattr(eq.losses, row.name)
    file = Path(inspect.getsourcefile(own) or "").relative_to(ROOT).as_posix()
    word = re.compile("|".join(rf"\b{name}\b" for name in names))
    every = sorted((ROOT / "tests" / "losses").rglob("test_*.py"))
    known = [path for path in every if word.search(path.read_text(encoding="utf-8"))]
    tests = [path for path in known if path.stem.startswith(f"test_{Path(file).stem}")] or known  # of its file, if any
    shown = ", ".join(f"[{path.name}](../../{path.relative_to(ROOT).as_posix()})" for path in tests)
    return [
        *lines,
        f"API: {', '.join(f'{{py:obj}}`equipoise.losses.{name}`' for name in names)}",
        f"File: [{Path(file).name}](../../{file}). Tests: {shown}.",
    ]


def page(row: LossRow) -> str:
    """The page in Markdown; it includes NAME.html, the picture."""
    kinds = ", ".join(f"[{kind}](../losses.md#{kind})" for kind in row.kinds)
    suits = [f"It helps when {CONDITIONS[condition]}." for condition in row.suits]
    plain = TASK_KINDS[row.kinds[0]].plain
    beside = [f"Compare with the plain loss of the kind, [{plain}]({plain}.md)."] if plain not in ("", row.name) else []
    parts = [
        f"---\norphan: true\n---\n# {row.name}\n\nA loss for {kinds}.\n",
        f"```python\n{row.code}\n```\n",
        f"`{row.formula}`\n" if row.formula else "",
        f"## Picture\n\n{include(row.name)}",
        f"## When\n\n{bullets([f'{row.use[0].upper()}{row.use[1:]}.', *suits, *beside])}",
        f"## When not, and pitfalls\n\n{row.pitfalls[0].upper()}{row.pitfalls[1:]}.\n",
        f"## Source\n\n{bullets([*source(row), f'Checked against: {row.checked}.'])}",
    ]
    if errata := errata_of(row.name):
        parts.append(f"## Errata\n\n{bullets(errata)}")
    return "\n".join(parts)


def names() -> list[str]:
    """The pages, in the order of the sidebar."""
    return [row.name for row in ROWS]


def pages(folder: Path, changed: float) -> dict[str, str]:
    """{name of a file: its text}: a page for every loss and its picture, as ``method_pages.pages``."""
    texts = {}
    for row in ROWS:
        old = folder / f"{row.name}.html"
        fresh = old.exists() and old.stat().st_mtime > changed
        texts[old.name] = old.read_text(encoding="utf-8") if fresh else picture(row)
        texts[f"{row.name}.md"] = page(row)
    return texts
