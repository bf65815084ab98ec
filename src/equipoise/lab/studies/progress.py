"""The progress of a study: bars on a terminal; elsewhere a line for each finished run, and one after long silence."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from equipoise.lab.evaluation import show
from equipoise.lab.studies.pool import Event
from equipoise.lab.studies.run import Run
from equipoise.lab.studies.study import Study

MOST_LOSSES = 3  # that fit beside the bars
SILENCE = 60.0  # seconds after which a log hears of an epoch
SPEED_OVER = 1800.0  # seconds back that the time left is told from: some epochs, also where one takes minutes


def losses_line(losses: Mapping[str, float]) -> str:
    """Validation losses by task, of the first tasks where there are many.

    >>> losses_line({"rating": 0.6712, "department": 1.25})
    'loss: rating 0.6712, department 1.2500'
    """
    more = ", …" if len(losses) > MOST_LOSSES else ""
    return "loss: " + ", ".join(f"{task} {show(losses[task])}" for task in list(losses)[:MOST_LOSSES]) + more


class Watch:
    """Shows each event of a study as it comes; a context, because a terminal must be put right again."""

    def __init__(self, console: Console, study: Study) -> None:
        self._console = console
        self._epochs = study.plan.settings.epochs
        self._total = len(study.plan.runs)
        self._ended = len(study.results)
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[note]}", markup=False),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            speed_estimate_period=SPEED_OVER,
            expand=True,
            disable=not console.is_terminal,
        )
        self._whole = self._bars.add_task("runs", total=len(study.missing) * self._epochs, note=self._count)
        self._current: dict[Run, TaskID] = {}
        self._epoch: dict[Run, int] = {}
        self._warned: set[str] = set()
        self._spoke = self._console.get_time()

    def __enter__(self) -> "Watch":
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    @property
    def _count(self) -> str:
        return f"{self._ended}/{self._total}"

    @property
    def _left(self) -> str:
        """The time left of the study, once it can be told."""
        seconds = self._bars.tasks[0].time_remaining  # the first are the runs together
        return "" if seconds is None else f"; about {timedelta(seconds=seconds)} left"

    def show(self, event: Event[Run]) -> None:
        """Draw or print what happened."""
        run = event.item
        if event.kind == "started":
            self._current[run] = self._bars.add_task(f"  {run}", total=self._epochs, note="")
            self._epoch[run] = 0
        elif event.kind == "progress":
            epoch, epochs, skill, losses = event.details
            self._bars.update(
                self._current[run],
                completed=epoch,
                description=f"  {run}\n    {losses_line(losses)}",
                note=f"epoch {epoch}/{epochs}  skill {skill:.3f}",
            )
            self._reach(run, epoch)
            if not self._console.is_terminal and self._console.get_time() - self._spoke >= SILENCE:
                self._say(f"[{self._count}] {run}: epoch {epoch}/{epochs}, {losses_line(losses)}{self._left}")
        else:
            self._bars.remove_task(self._current.pop(run))
            self._reach(run, self._epochs)  # also where it stopped early
            self._ended += 1
            self._bars.update(self._whole, note=self._count)
            if event.kind == "failed":
                self._say(f"[{self._count}] {run}: FAILED, {event.details[0]}")
            else:
                self._end(run, *event.details)

    def _end(self, run: Run, warnings: Sequence[str]) -> None:
        """Say what a person does not see otherwise; a warning once, however many runs give it."""
        if not self._console.is_terminal:
            self._say(f"[{self._count}] {run}: done")
        for warning in warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                self._say(f"Warning from {run}: {warning}")

    def _reach(self, run: Run, epoch: int) -> None:
        self._bars.advance(self._whole, epoch - self._epoch[run])
        self._epoch[run] = epoch

    def _say(self, line: str) -> None:
        self._spoke = self._console.get_time()
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
