"""A search or a study as it goes: bars on a terminal, and in a notebook that has ipywidgets; elsewhere lines.

Lines are for what has ended; a log that has been silent for long hears of an epoch, too.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from types import TracebackType
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from equipoise.lab.evaluation import all_of, counted, show
from equipoise.lab.training.workers import Event
from equipoise.notes import add_note

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


@contextmanager
def keeping(kept: Callable[[], str]) -> Iterator[None]:
    """Let what ends a search or a study too early say what is kept of it.

    Raises:
        OSError: A file cannot be written; a note says it.
        KeyboardInterrupt: The message says it.
    """
    try:
        yield
    except OSError as error:
        add_note(error, kept())
        raise
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"Stopped: {kept()}; the same command resumes it.") from None


def state_of(done: int, total: int, what: str) -> str:
    """The line that a search or a study begins with.

    >>> state_of(0, 1, "run"), state_of(2, 3, "run"), state_of(3, 3, "run")
    ('Starting: 1 run', 'Resuming: 2 of 3 runs are finished', 'Complete: all 3 runs are finished')
    """
    if done == total:
        return f"Complete: {all_of(total, what)} {'is' if total == 1 else 'are'} finished"
    return f"Resuming: {finished(done, total, what)}" if done else f"Starting: {counted(total, what)}"


def finished(done: int, total: int, what: str) -> str:
    """How many of all are finished.

    >>> finished(0, 1, "run")
    '0 of 1 run is finished'
    """
    return f"{done} of {counted(total, what)} {'is' if total == 1 else 'are'} finished"


@dataclass(frozen=True)
class Items:
    """Trainings of one kind: what they are called, how many there are, and how many of them have ended by now."""

    name: str
    total: int
    ended: Callable[[], int]
    visible: bool = True  # from the beginning; else once one starts

    def __str__(self) -> str:
        return f"{self.ended()}/{self.total}"


class Watch:
    """Shows each event as it comes; a context, because a terminal must be put right again.

    Args:
        console: Where.
        items: By the type of an event's item, the first those whose time left is told.
        epochs: Of each training.
        about: What a line about an end says beside it, such as ``, Δm -1.20 %``.
        above: What a terminal shows above the bars, asked for when something begins or ends.
    """

    def __init__(
        self,
        console: Console,
        items: Mapping[type, Items],
        epochs: int,
        *,
        about: Callable[[Event[Any]], str] = lambda event: "",
        above: Callable[[], RenderableType] | None = None,
    ) -> None:
        self._console, self._items, self._epochs, self._about = console, items, epochs, about
        self._live = console.is_terminal or (console.is_jupyter and find_spec("ipywidgets") is not None)
        self._bars = _Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[note]}", markup=False),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            speed_estimate_period=SPEED_OVER,
            expand=True,
            disable=not self._live,
        )
        self._bars.above = above if self._live else None
        self._whole = {
            kind: self._bars.add_task(
                of.name,
                total=of.total * epochs,
                completed=of.ended() * epochs,
                note=str(of),
                visible=of.visible,
            )
            for kind, of in items.items()
        }
        self._current: dict[str, TaskID] = {}
        self._epoch: dict[str, int] = {}
        self._spoke = console.get_time()

    def __enter__(self) -> "Watch":
        if self._live:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._bars.stop()

    def show(self, event: Event[Any]) -> None:
        """Draw or print what happened."""
        kind, name = type(event.item), str(event.item)
        if event.kind != "progress":
            self._bars.update(self._whole[kind], visible=True, note=str(self._items[kind]))
            self._bars.look()
        if event.kind == "started":
            self._current[name] = self._bars.add_task(f"  {name}", total=self._epochs, note="")
            self._epoch[name] = 0
        elif event.kind == "progress":
            epoch, epochs, skill, losses = event.details
            self._bars.update(
                self._current[name],
                completed=epoch,
                total=epochs,
                description=f"  {name}\n    {losses_line(losses)}",
                note=f"epoch {epoch}/{epochs}  skill {skill:.3f}",
            )
            self._reach(name, kind, epoch)
            if not self._live and self._console.get_time() - self._spoke >= SILENCE:
                self.say(
                    f"[{self._items[kind]}] {name}: epoch {epoch}/{epochs}, {losses_line(losses)}{self._left(kind)}"
                )
        else:
            self._bars.remove_task(self._current.pop(name))
            self._reach(name, kind, self._epochs)  # also where it stopped early
            if event.kind == "failed":
                self.say(f"[{self._items[kind]}] {name}: FAILED, {event.details[0]}")
            elif not self._live:
                self.say(f"[{self._items[kind]}] {name}: done{self._about(event)}")

    def say(self, line: str) -> None:
        """Print a line, above the bars."""
        self._spoke = self._console.get_time()
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _reach(self, name: str, kind: type, epoch: int) -> None:
        self._bars.advance(self._whole[kind], epoch - self._epoch[name])
        self._epoch[name] = epoch

    def _left(self, kind: type) -> str:
        """The time left, once it can be told."""
        seconds = self._bars.tasks[0].time_remaining if kind is next(iter(self._items)) else None
        return "" if seconds is None else f"; about {timedelta(seconds=seconds)} left"


class _Bars(Progress):
    """Bars below what ``above`` gives, which is asked only by ``look``: it may be long to make."""

    above: Callable[[], RenderableType] | None = None
    _seen: RenderableType | None = None

    def look(self) -> None:
        if self.above is not None:
            self._seen = self.above()

    def start(self) -> None:
        self.look()
        super().start()

    def get_renderables(self) -> Iterable[RenderableType]:
        if self._seen is not None:
            yield self._seen
        yield from super().get_renderables()
