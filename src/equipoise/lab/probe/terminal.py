"""A probe for a terminal of 80 columns."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from equipoise.lab.evaluation import show
from equipoise.lab.probe.look import Look, Pair
from equipoise.lab.probe.probe import Probe
from equipoise.lab.probe.words import give_conflict, give_cost, to_paste

MOST = 10  # pairs


def print_probe(console: Console, probe: Probe) -> None:
    """Print the tables, what they say, and the weights to begin with."""
    console.print()
    console.print(Text(probe.title, style="bold"))
    console.print(_tasks_table(probe))
    console.print(_pairs_table(probe))
    console.print(_layers_table(probe.looks[-1]))
    console.print(_kinds_table(probe))
    for line in (give_conflict(probe), give_cost(probe), probe.suggestion.reason):
        console.print(Text(f"\n{line}"))
    if code := to_paste(probe):
        console.print(Text(f"\nTo begin with:\n\n{code}\n", style="bold"), soft_wrap=True)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold", header_style="underline")
    return table


def _tasks_table(probe: Probe) -> Table:
    columns = ["loss", "norm", "own norm"]
    later = [f"{column} then" for column in columns] if len(probe.looks) > 1 else []
    table = _table(f"\nlosses, and lengths of gradients{_then(probe)}", "task", *columns, *later)
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
    table = _table(f"\ncosines of their gradients{_then(probe)}{rest}", "tasks", "cosine", "below 0", *then, "")
    for pair in shown:
        cells = [*_cosine(before[pair.tasks]), *(_cosine(pair) if then else ())]
        table.add_row(Text(" | ".join(pair.tasks)), *cells, "pull apart" if pair.opposed else "")
    return table


def _then(probe: Probe) -> str:
    return f" at the first weights, then after {probe.looks[-1].steps} steps" if len(probe.looks) > 1 else ""


def _cosine(pair: Pair) -> tuple[str, str]:
    spread = f" ± {pair.spread:.2f}" if pair.spread == pair.spread else ""
    return f"{pair.mean:+.2f}{spread}", f"{pair.negative}/{pair.batches}"


def _layers_table(look: Look) -> Table:
    when = f"after {look.steps} steps" if look.steps else "at the first weights"
    table = _table(f"\nlayer by layer, {when}", "layer", "of gradients", "lowest", "between", "below 0")
    for layer in look.layers:
        pair = layer.lowest
        cells = (f"{pair.mean:+.2f}", Text(" | ".join(pair.tasks)), f"{layer.negative:.0%}") if pair else ("", "", "")
        table.add_row(Text(layer.name), f"{layer.share:.0%}", *cells)
    return table


def _kinds_table(probe: Probe) -> Table:
    table = _table("\nwhat a training step takes", "kind", "as", "ms", "to sum")
    for kind in probe.kinds:
        table.add_row(kind.name, kind.method, f"{kind.milliseconds:.3g}", f"x{kind.ratio:.2f}")
    return table
