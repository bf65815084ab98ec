"""A search as it goes: a live table on a terminal; elsewhere a line for each trial, and one after long silence."""

from collections.abc import Mapping
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from equipoise.lab.evaluation import show
from equipoise.lab.search.search import Search
from equipoise.lab.search.trial import Job
from equipoise.lab.training.workers import Event

MOST_LOSSES = 3  # that fit beside the bars
SILENCE = 60.0  # seconds after which a log hears of an epoch
BEST = 5  # trials in the live table
MOST_METRICS = 4  # that fit beside the rest


def losses_line(losses: Mapping[str, float]) -> str:
    """Validation losses by task, of the first tasks where there are many.

    >>> losses_line({"rating": 0.6712, "department": 1.25})
    'loss: rating 0.6712, department 1.2500'
    """
    more = ", …" if len(losses) > MOST_LOSSES else ""
    return "loss: " + ", ".join(f"{task} {show(losses[task])}" for task in list(losses)[:MOST_LOSSES]) + more


class WatchSearch:
    """Shows each event of a search as it comes; a context, because a terminal must be put right again."""

    def __init__(self, console: Console, search: Search) -> None:
        self._console = console
        self._search = search
        self._running: dict[int, str] = {}
        self._spoke = console.get_time()
        self._live = Live(console=console, transient=True, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> "WatchSearch":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, event: Event[Job]) -> None:
        """Draw or print what happened."""
        number = event.item.number
        if event.kind == "started":
            self._running[number] = "begins"
        elif event.kind == "progress":
            epoch, epochs, skill, losses = event.details
            self._running[number] = f"epoch {epoch}/{epochs}  skill {skill:.3f}  {losses_line(losses)}"
            if self._live is None and self._console.get_time() - self._spoke >= SILENCE:
                self._say(f"[{self._count}] trial {number}: {self._running[number]}")
        else:
            self._running.pop(number, None)
            if event.kind == "failed":
                self._say(f"trial {number} failed: {event.details[0]}")
            elif self._live is None:
                change = self._search.changes.get(number)
                told = "" if change is None else f", Δm {change:+.2f} %"
                self._say(f"[{self._count}] trial {number} done{told}")
        if self._live is not None:
            self._live.update(self._picture(), refresh=True)

    @property
    def _count(self) -> str:
        return f"{len(self._search.trials)}/{self._search.strategy.num_trials}"

    def _picture(self) -> Group:
        done = f"{len(self._search.trials)} of {self._search.strategy.num_trials} trials are finished"
        lines = [Text(f"  trial {number}: {what}", style="dim") for number, what in sorted(self._running.items())]
        return Group(trials_table(self._search, best(self._search, BEST)), Text(done), *lines)

    def _say(self, line: str) -> None:
        self._spoke = self._console.get_time()
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def best(search: Search, most: int) -> list[int]:
    """Numbers of the trials with the lowest Δm, those with the longest training first."""
    trials, changes = search.trials, search.changes
    well = [number for number in changes if trials[number].values is not None]
    return sorted(well, key=lambda number: (-trials[number].job.share, changes[number], number))[:most]


def trials_table(search: Search, numbers: list[int]) -> Table:
    """Some trials with their Δm, metrics, weights and settings; many tasks' metrics stay in trials.csv."""
    space, trials, changes = search.strategy.space, search.trials, search.changes
    measured = search.objectives if len(search.objectives) <= MOST_METRICS else ()
    staged = any(trials[number].job.share < 1 for number in numbers)
    heads = ["trial", *["share"] * staged, "Δm in %"]
    heads += [f"{o.task}\n{o.metric} {'↑' if o.higher_is_better else '↓'}" for o in measured]
    heads += ["weights"] * bool(space.tasks) + [axis.name for axis in space.axes]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for head in heads:
        table.add_column(Text(head), header_style="underline", overflow="fold")
    for number in numbers:
        trial = trials[number]
        weights = " ".join(f"{weight:.3g}" for weight in space.weights(trial.job.point).values())
        others = space.others(trial.job.point).values()
        cells = [
            f"{number} (default)" if number == trial.job.baseline else str(number),
            *[f"{trial.job.share:.0%}"] * staged,
            f"{changes[number]:+.2f}",
            *(show(value) for value in (trial.values or ())[: len(measured)]),
            *[weights] * bool(space.tasks),
            *(value if isinstance(value, str) else f"{value:.3g}" for value in others),
        ]
        table.add_row(*map(Text, cells))
    return table
