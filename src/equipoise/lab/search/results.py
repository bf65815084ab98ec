"""The results of a search: the chosen trial, computed once, shown in many ways."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.text import Text

from equipoise.lab.evaluation import counted
from equipoise.lab.files import folder_within
from equipoise.lab.files.rows import to_frame
from equipoise.lab.reports.chart import Chart, Panel, Series
from equipoise.lab.reports.html import link_from, render, render_page, save_page
from equipoise.lab.reports.palette import looks
from equipoise.lab.reports.static import draw, draw_svg, save
from equipoise.lab.search.choice import RULES, choose, covered, front
from equipoise.lab.search.search import Search
from equipoise.lab.search.tables import best, to_paste, trial_rows, trials_table
from equipoise.lab.search.trial import Trial
from equipoise.lab.search.tune import Tuning

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 10  # trials in a terminal
MOST_PAIRS, MOST_ROWS = 6, 20  # of a page
KINDS = ("trial", "on the front", "the defaults", "chosen")


@dataclass(frozen=True, repr=False)
class SearchResults:
    """The results of a search of weights, settings and arguments, on validation data.

    Args:
        tuning: The search, with a trial that ended well.
        rule: Which of ``RULES`` chose.
        preference: Of the tasks, for the rule ``preference``.

    Raises:
        ValueError: No trial ended well, or the rule does not fit.
    """

    tuning: Tuning
    rule: str = "delta-m"
    preference: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        self.chosen  # noqa: B018  that there is one is known from the beginning

    @cached_property
    def chosen(self) -> int:
        """The number of the chosen trial."""
        search = self.tuning.search
        return choose(search.whole, search.baseline, search.objectives, self.rule, self.preference)

    @property
    def best(self) -> Trial:
        """The chosen trial, with its values on validation."""
        return self.trials[self.chosen]

    @property
    def trials(self) -> Mapping[int, Trial]:
        """The finished trials by number, those that failed included."""
        return self.tuning.search.trials

    @property
    def weights(self) -> dict[str, float]:
        """The chosen weights by task, their mean 1; empty if none were searched."""
        return self.tuning.search.strategy.space.weights(self.best.job.point)

    @property
    def arguments(self) -> dict[str, Any]:
        """What else was chosen, by its name in the search."""
        return self.tuning.search.strategy.space.others(self.best.job.point)

    @property
    def delta_m(self) -> float:
        """Δm of the chosen trial against the defaults, in percent; lower is better."""
        return self.tuning.search.changes[self.chosen]

    @property
    def failures(self) -> dict[int, str]:
        """Why a trial failed, by number."""
        return {number: trial.reason for number, trial in sorted(self.trials.items()) if trial.values is None}

    @property
    def complete(self) -> bool:
        """Whether nothing is still to be tried."""
        return self.tuning.search.complete

    @property
    def headline(self) -> str:
        """The result in one sentence."""
        search = self.tuning.search
        against = "equal weights" if search.strategy.space.tasks else "the defaults"
        if self.chosen == search.baseline.job.number:
            return f"None of {counted(len(search.whole), 'trial')} is chosen over {against} on validation."
        return f"Trial {self.chosen} of {len(search.whole)} is chosen: Δm {self.delta_m:+.2f} % against {against}."

    @property
    def details(self) -> tuple[str, ...]:
        """By which rule it was chosen, what it is worth, and what the trials are together."""
        search, whole = self.tuning.search, self.tuning.search.whole
        default, on_front = search.baseline, front(whole, search.objectives)
        equal = "equal weights, " if search.strategy.space.tasks else ""
        ended, numbers = len(self.trials) - len(self.failures), search.strategy.num_trials
        some = f"(of the search's {numbers} trials {ended} ended well) " if ended < numbers else ""
        return (
            f"Trial {self.chosen} is chosen: {RULES[self.rule]}.",
            f"Its Δm is {self.delta_m:+.2f} % against the defaults ({equal}trial {default.job.number}), lower is "
            f"better. It is the best of {len(whole)} {some}on the same validation data and of one seed, so expect less "
            "of it elsewhere: compare it with other methods on test data and several seeds before you believe it.",
            f"{len(on_front)} of {counted(len(whole), 'trial')} {'is' if len(on_front) == 1 else 'are'} on the front "
            f"(none beats {'it' if len(on_front) == 1 else 'them'} on every task); hypervolume "
            f"{covered(whole, default, search.objectives):.3g} against the defaults, each metric in units of theirs.",
        )

    @property
    def code(self) -> str:
        """Python that balances as the chosen trial did."""
        return to_paste(self.tuning.search, self.best, self.tuning.method, self.tuning.case)

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of the figures that ``plot`` can draw."""
        return ("tradeoff",)

    def table(self) -> RenderableType:
        """The best trials, for a terminal."""
        return trials_table(self.tuning.search, best(self.tuning.search, SHOWN))

    def to_frame(self) -> Any:
        """A pandas frame, one row for each finished trial, with the columns of ``trials.csv``.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        return to_frame(*trial_rows(self.tuning.search))

    def plot(self, name: str = "tradeoff") -> "Figure":
        """Every trial as a mark, one task's metric against another's, as a matplotlib figure.

        Raises:
            ValueError: There is no such figure.
        """
        if name not in self.figures:
            raise ValueError(f"no figure {name!r}: there are {', '.join(self.figures)}")
        return draw(self._tradeoff, looks(KINDS))

    def save_report(self, page: str | Path | None = None) -> Path:
        """Write the report, by default into the search's folder, and its figure there.

        Returns:
            The path of the page.
        """
        search = self.tuning.search
        where = search.folder / "report.html" if page is None else Path(page)
        save(self._tradeoff, looks(KINDS), folder_within(search.folder, "figures"))
        trials = link_from(where, search.folder / "trials.csv")
        shown = self._shown(self.details)
        save_page(where, render_page("search.html", title=self._title, trials_file=trials, **shown))
        return where

    @property
    def _title(self) -> str:
        return f"{self.tuning.case.title}: search of {self.tuning.method}"

    def __rich_console__(self, console: Any, options: Any) -> Iterator[RenderableType]:
        yield self.table()
        for line in self.details:
            yield Text(f"\n{line}")
        yield Text(f"\nTo paste:\n\n{self.code}\n", style="bold", no_wrap=True, overflow="ignore")
        for number, reason in self.failures.items():
            yield Text(f"Trial {number} failed: {reason}")
        for number, reason in self.tuning.search.unfinished.items():
            yield Text(f"Trial {number} is open, the same command tries it again: {reason}")

    def __repr__(self) -> str:
        return f"<SearchResults of {self._title}: {self.headline}>"

    def _repr_html_(self) -> str:
        return render("search_sections.html", **self._shown((self.headline, *self.details[1:])))

    @property
    def _tradeoff(self) -> Chart:
        return tradeoff(self.tuning.search, self.chosen)

    def _shown(self, words: Sequence[str]) -> dict[str, Any]:
        """What the templates show below these sentences."""
        search = self.tuning.search
        space = search.strategy.space
        heads = ["trial", "Δm in %", *(f"{o.task}: {o.metric}" for o in search.objectives)]
        return {
            "words": words,
            "code": self.code,
            "picture": draw_svg(self._tradeoff, looks(KINDS)),
            "heads": [*heads, *(f"weight of {task}" for task in space.tasks), *(axis.name for axis in space.axes)],
            "trials": [
                _row(search, number, self.chosen) for number in best(search, MOST_ROWS) if number in search.whole
            ],
        }


def tradeoff(search: Search, chosen: int) -> Chart:
    """One task's validation metric against another's, each whole trial a mark; one task alone: against the trial."""
    whole = search.whole
    marks = _kinds(search, chosen)
    names = [f"{objective.task}: {objective.metric}" for objective in search.objectives]
    signs = [1 if objective.higher_is_better else -1 for objective in search.objectives]
    values = {number: trial.values or () for number, trial in whole.items()}
    panels = [
        Panel(
            f"{search.objectives[i].task} and {search.objectives[k].task}",
            names[i],
            names[k],
            tuple(
                Series("points", kind, tuple(values[s][i] for s in numbers), tuple(values[s][k] for s in numbers))
                for kind, numbers in marks.items()
            ),
            better=(signs[i], signs[k]),
        )
        for i, k in list(combinations(range(len(names)), 2))[:MOST_PAIRS]
    ]
    panels.append(
        Panel(
            "Δm by trial",
            "trial",
            "Δm in % · lower is better",
            tuple(
                Series("points", kind, tuple(map(float, numbers)), tuple(search.changes[s] for s in numbers))
                for kind, numbers in marks.items()
            ),
            zero="y",
        )
    )
    return Chart("tradeoff", "All trials on validation", "Each mark is a trial.", tuple(panels))


def _kinds(search: Search, chosen: int) -> Mapping[str, list[int]]:
    """Trials by what they are; a trial that is several things is shown as the last of them."""
    best_ones, equal = front(search.whole, search.objectives), search.trials[chosen].job.baseline
    kinds: dict[str, list[int]] = {kind: [] for kind in KINDS}
    for number in sorted(search.whole):
        kind = 3 if number == chosen else 2 if number == equal else 1 if number in best_ones else 0
        kinds[KINDS[kind]].append(number)
    return {kind: numbers for kind, numbers in kinds.items() if numbers}


def _row(search: Search, number: int, chosen: int) -> dict[str, Any]:
    point = search.trials[number].job.point
    return {
        "number": number,
        "chosen": number == chosen,
        "change": search.changes[number],
        "metrics": search.trials[number].values or (),
        "weights": search.strategy.space.weights(point).values(),
        "others": search.strategy.space.others(point).values(),
    }
