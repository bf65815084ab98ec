"""The critical-difference diagram: mean ranks over the seeds, and which of them do not differ significantly."""

from collections.abc import Mapping

from equipoise.lab.evaluation import Summary, listing
from equipoise.lab.reports.chart import Chart, Panel, Series
from equipoise.lab.reports.palette import Look


def critical_differences(summary: Summary, look: Mapping[str, Look]) -> Chart:
    """Each method at its mean rank, best on top, with half a critical difference to either side."""
    return Chart(
        "ranks",
        "Ranks and their critical difference",
        "Within each seed the methods are ranked by their mean rank over the tasks, 1 is best; a mark is the mean "
        "of these ranks, its line Nemenyi's critical difference at 5 %, half to either side. Where Friedman's test "
        "finds a difference (filled marks), two methods whose lines do not overlap differ significantly; where it "
        "does not (hollow marks), none do. Its blocks are the seeds: the tasks of one network share their chance.",
        _panels(summary, look),
        missing="No ranks: they need at least 3 methods with 2 seeds in common.",
        notes=_notes(summary),
    )


def _panels(summary: Summary, look: Mapping[str, Look]) -> tuple[Panel, ...]:
    ranks = summary.ranks
    if ranks is None:
        return ()
    reach = ranks.critical_difference / 2
    order = sorted(zip(ranks.mean_ranks, ranks.names, strict=True))
    series = tuple(
        Series(
            "interval",
            name,
            (rank,),
            (place,),
            hollow=not ranks.differs,
            low=(rank - reach,),
            high=(rank + reach,),
            what=look[name].label,
            hover=(f"mean rank {rank:.2f}\ncritical difference {ranks.critical_difference:.2f}, {ranks.blocks} seeds",),
        )
        for place, (rank, name) in enumerate(order)
    )
    x_title = f"mean rank over {ranks.blocks} seeds · ← better"
    return (Panel("All tasks", x_title, "", series, rows=tuple(look[name].label for _, name in order)),)


def _notes(summary: Summary) -> tuple[str, ...]:
    ranks = summary.ranks
    if ranks is None:
        return ()
    test = f"Friedman's test: p = {ranks.p_value:.2g}, {ranks.p_adjusted:.2g} among the {summary.tested} comparisons of"
    test += f" the study; critical difference {ranks.critical_difference:.2f}."
    same = "; ".join(listing(group) for group in ranks.groups if len(group) > 1)
    return (test, f"No significant difference by rank: {same}." if same else "All differ significantly by rank.")
