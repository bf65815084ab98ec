"""Gradient diagnostics for a terminal of 80 columns."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from equipoise.lab.evaluation import show
from equipoise.lab.probing.look import GradientSummary, Pair
from equipoise.lab.probing.probe import Probe
from equipoise.lab.probing.words import give_conflict, give_cost, give_headline, to_paste

MOST = 10  # pairs


def probe_parts(probe: Probe) -> Iterator[RenderableType]:
    """The headline, the tables, what they mean, and the suggested starting point."""
    yield ""
    yield Text(probe.title, style="bold")
    yield Text(give_headline(probe), style="bold")
    yield _tasks_table(probe)
    yield _pairs_table(probe)
    yield _layers_table(probe.looks[-1])
    yield _kinds_table(probe)
    for line in (give_conflict(probe), give_cost(probe), probe.suggestion.reason):
        yield Text(f"\n{line}")
    if code := to_paste(probe):
        yield Text(f"\nSuggested starting point:\n\n{code}\n", style="bold", no_wrap=True, overflow="ignore")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold", header_style="underline")
    return table


def _tasks_table(probe: Probe) -> Table:
    columns = ["loss", "norm", "own norm"]
    later = [f"{column} then" for column in columns] if len(probe.looks) > 1 else []
    table = _table(f"\nlosses and gradient norms{_then(probe)}", "task", *columns, *later)
    for task in probe.looks[0].losses:
        cells = [show(of[task]) for look in probe.looks for of in (look.losses, look.norms, look.own_norms)]
        table.add_row(Text(task), *cells)
    return table


def _pairs_table(probe: Probe) -> Table:
    first, last = probe.looks[0], probe.looks[-1]
    shown = sorted((pair for pair in last.pairs if pair.batches), key=lambda pair: pair.mean)[:MOST]
    before = {pair.tasks: pair for pair in first.pairs}
    rest = f", the lowest {MOST} of {len(last.pairs)}" if len(last.pairs) > MOST else ""
    then = ["then", "below 0"] if last is not first else []
    table = _table(f"\ngradient cosines{_then(probe)}{rest}", "tasks", "cosine", "below 0", *then, "")
    for pair in shown:
        cells = [*_cosine(before[pair.tasks]), *(_cosine(pair) if then else ())]
        table.add_row(Text(" | ".join(pair.tasks)), *cells, "conflict" if pair.opposed else "")
    return table


def _then(probe: Probe) -> str:
    return f" at initialisation, then after {probe.looks[-1].steps} steps" if len(probe.looks) > 1 else ""


def _cosine(pair: Pair) -> tuple[str, str]:
    spread = f" ± {pair.spread:.2f}" if pair.spread == pair.spread else ""
    return f"{pair.mean:+.2f}{spread}", f"{pair.negative}/{pair.batches}"


def _layers_table(look: GradientSummary) -> Table:
    when = f"after {look.steps} steps" if look.steps else "at initialisation"
    table = _table(f"\nlayer by layer, {when}", "layer", "of gradients", "lowest", "between", "below 0")
    for layer in look.layers:
        pair = layer.lowest
        cells = (f"{pair.mean:+.2f}", Text(" | ".join(pair.tasks)), f"{layer.negative:.0%}") if pair else ("", "", "")
        table.add_row(Text(layer.name), f"{layer.share:.0%}", *cells)
    return table


def _kinds_table(probe: Probe) -> Table:
    table = _table("\ncost per step", "kind", "as", "ms", "to sum")
    for kind in probe.kinds:
        table.add_row(kind.name, kind.method, f"{kind.milliseconds:.3g}", f"x{kind.ratio:.2f}")
    return table
