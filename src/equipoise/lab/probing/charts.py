"""Gradient diagnostics as figures: norms and cosines, a panel for each moment."""

from equipoise.lab.probing.look import GradientSummary, Pair
from equipoise.lab.probing.probe import Probe
from equipoise.lab.probing.words import when_of
from equipoise.lab.reports.chart import Chart, Panel, Series

MARK = "gradients"  # every mark has one look: rows name the tasks


def norms(probe: Probe) -> Chart:
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


def cosines(probe: Probe) -> Chart:
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
