"""Gradient diagnostics as a value: in sentences, in a terminal of 80 columns, as figures and as a page."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from equipoise.lab.evaluation import counted, listing, show
from equipoise.lab.probing.look import GradientSummary, Pair, lowest
from equipoise.lab.probing.probe import Probe
from equipoise.lab.reports.chart import Chart, Panel, Series
from equipoise.lab.reports.html import render, render_page, save_page
from equipoise.lab.reports.palette import looks
from equipoise.lab.reports.static import draw
from equipoise.lab.reports.terminal import text_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEW = 3  # pairs and layers that a sentence names
CLEAR = -0.1  # a mean cosine below which chance is not the same as no conflict
MARK = "gradients"  # every mark has one look: rows name the tasks
MOST = 10  # pairs


@dataclass(frozen=True, repr=False)
class GradientDiagnostics:
    """Gradient norms, conflict, cost per step and a suggested starting point; what ``equipoise probe`` prints.

    Args:
        probe: All that was measured.
    """

    probe: Probe

    @property
    def headline(self) -> str:
        """Whether tasks conflict, in one sentence."""
        return give_headline(self.probe)

    @property
    def details(self) -> tuple[str, ...]:
        """What that means, the cost per step, and the reason for the weights."""
        return give_conflict(self.probe), give_cost(self.probe), self.probe.suggestion.reason

    @property
    def weights(self) -> dict[str, float]:
        """Suggested starting weights by task, their mean 1; empty where nothing is suggested."""
        return dict(self.probe.suggestion.weights)

    @property
    def code(self) -> str:
        """Python with these weights; empty where nothing is suggested."""
        return to_paste(self.probe)

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of the figures that ``plot`` can draw."""
        return tuple(FIGURES)

    def plot(self, name: str = "cosines") -> "Figure":
        """A matplotlib figure, a panel for each moment: ``norms`` or ``cosines``.

        Raises:
            ValueError: There is no such figure, or nothing to draw in it.
        """
        if name not in FIGURES:
            raise ValueError(f"no figure {name!r}: there are {', '.join(FIGURES)}")
        return draw(FIGURES[name](self.probe), looks((MARK,)))

    def save_report(self, page: str | Path = "probe.html") -> Path:
        """Write the same as one HTML file; its folder is made where there is none.

        Returns:
            The path of the page.
        """
        save_page(Path(page), render_page("probe.html", title=f"Probe: {self.probe.title}", **self._shown))
        return Path(page)

    @property
    def _shown(self) -> dict[str, Any]:
        """What the templates show."""
        return {
            "probe": self.probe,
            "sentences": (self.headline, *self.details),
            "code": self.code,
            "when_of": when_of,
        }

    def __rich__(self) -> Group:
        return Group(*_parts(self.probe))

    def __str__(self) -> str:
        return text_of(self)

    def __repr__(self) -> str:
        return f"<GradientDiagnostics of {self.probe.title}: {self.headline}>"

    def _repr_html_(self) -> str:
        return render("probe_sections.html", **self._shown)


def give_headline(probe: Probe) -> str:
    """Whether tasks conflict, in one sentence."""
    look, when = probe.looks[-1], when_of(probe.looks[-1])
    least, batches = lowest(look.pairs), f"{look.batches} batch{'es' * (look.batches > 1)}"
    if opposed := look.opposed:
        first, count = opposed[0], len(opposed)
        some = f"{count} of {len(look.pairs)} pairs of tasks conflict{'s' * (count == 1)}"
        worst = f"{', worst' * (count > 1)}: {first.tasks[0]} and {first.tasks[1]} ({first.mean:+.2f})"
        return f"{when}, {some} over {batches}{worst}."
    if least is None or all(pair.batches < 2 for pair in look.pairs):
        return f"{when}, conflict between tasks was not tested with {batches}."
    if least.mean < CLEAR:
        return f"{when}, no conflict is significant over {batches}, but one may be there."
    which = "the two tasks do not" if len(look.pairs) == 1 else f"none of the {len(look.pairs)} pairs of tasks"
    return f"{when}, {which} conflict{'s' * (len(look.pairs) > 1)} significantly over {batches}."


def give_conflict(probe: Probe) -> str:
    """Between whom and where tasks conflict, and what that does not mean."""
    look = probe.looks[-1]
    opposed, least = look.opposed, lowest(look.pairs)
    at = (
        f"The lowest mean cosine is that of {least.tasks[0]} and {least.tasks[1]}, {least.mean:+.2f}. " if least else ""
    )
    if opposed:
        named = [f"{pair.tasks[0]} and {pair.tasks[1]} ({pair.mean:+.2f})" for pair in opposed[:FEW]]
        more = f" and {len(opposed) - FEW} more pairs" if len(opposed) > FEW else ""
        who = {pair.tasks for pair in opposed}
        layers = [
            layer.name for layer in look.layers if any(pair.opposed and pair.tasks in who for pair in layer.pairs)
        ]
        where = listing(layers) if len(layers) <= FEW else f"{len(layers)} of {len(look.layers)} layers"
        return (
            f"Significant conflict: {listing(named)}{more}{f', in {where}' if layers else ''}. That is a reason to try "
            "a gradient method, not a sign that it will help: only a comparison tells."
        )
    if least is None or all(pair.batches < 2 for pair in look.pairs):
        return f"{at}A test takes at least 2 batches that have labels of both tasks."
    if least.mean < CLEAR:
        return f"{at}More batches would tell it from chance."
    return f"{at}Removing conflict between gradients has little to work on here."


def when_of(look: GradientSummary) -> str:
    """The moment of a look, at the start of a sentence or as a title."""
    return f"After {counted(look.steps, 'step')} of the plain sum" if look.steps else "At initialisation"


def give_cost(probe: Probe) -> str:
    """The cost of each kind of method in steps of the plain sum."""
    parts = [f"{kind.name} ({kind.method}) {kind.ratio:.2f}" for kind in probe.kinds[1:]]
    whole = " This network has no one tensor that all heads read, at which gradients could be compared more cheaply."
    cut = any(kind.name == "at the representation" for kind in probe.kinds)
    found = f"A step takes, in steps of the plain sum: {listing(parts)}.{'' if cut else whole}"
    doubtful = [kind.name for kind in probe.kinds if kind.is_doubtful]
    busy = "no method costs less than the plain sum, so the machine was busy or the step too short to time"
    return f"{found} Below 1: {listing(doubtful)}; {busy}." if doubtful else found


def to_paste(probe: Probe) -> str:
    """Python with the suggested weights, empty where none are."""
    weights = {name: float(f"{weight:.2g}") for name, weight in probe.suggestion.weights.items()}
    return f"balancer = eq.Balancer(eq.Sum(), model, tasks={weights})" if weights else ""


def _norms(probe: Probe) -> Chart:
    """The norm of each task's gradient on the shared parameters."""
    panels = [
        Panel(
            when_of(look),
            "gradient norm, root mean square over the batches",
            "",
            tuple(Series("bar", MARK, (norm,), (place,)) for place, norm in enumerate(look.norms.values())),
            rows=tuple(look.norms),
        )
        for look in probe.looks
    ]
    return Chart("norms", "Gradient norms", "With the users' weights, on the shared parameters.", tuple(panels))


def _cosine_chart(probe: Probe) -> Chart:
    """The mean cosine of each two tasks' gradients with its standard deviation; filled where they conflict."""
    panels = [_cosines(look, [pair for pair in look.pairs if pair.batches]) for look in probe.looks]
    return Chart(
        "cosines",
        "Gradient cosines",
        "Means over the batches, lines are standard deviations. Filled: significantly below 0 after Holm's correction.",
        tuple(panel for panel in panels if panel.series),
        missing="No cosines: no batch has labels of two tasks.",
    )


def _cosines(look: GradientSummary, pairs: list[Pair]) -> Panel:
    spreads = [pair.spread if pair.spread == pair.spread else 0.0 for pair in pairs]
    series = tuple(
        Series(
            "interval",
            MARK,
            (pair.mean,),
            (place,),
            hollow=not pair.opposed,
            low=(pair.mean - spread,),
            high=(pair.mean + spread,),
        )
        for place, (pair, spread) in enumerate(zip(pairs, spreads, strict=True))
    )
    return Panel(when_of(look), "cosine", "", series, rows=tuple(" | ".join(pair.tasks) for pair in pairs), zero="x")


def _parts(probe: Probe) -> Iterator[RenderableType]:
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
    return f" at initialisation, then after {counted(probe.looks[-1].steps, 'step')}" if len(probe.looks) > 1 else ""


def _cosine(pair: Pair) -> tuple[str, str]:
    spread = f" ± {pair.spread:.2f}" if pair.spread == pair.spread else ""
    return f"{pair.mean:+.2f}{spread}", f"{pair.negative}/{pair.batches}"


def _layers_table(look: GradientSummary) -> Table:
    when = f"after {counted(look.steps, 'step')}" if look.steps else "at initialisation"
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


FIGURES: Mapping[str, Callable[[Probe], Chart]] = {"norms": _norms, "cosines": _cosine_chart}
