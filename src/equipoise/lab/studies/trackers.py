"""The runs of a study in trackers, each run once in each."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from equipoise.lab.studies.run import Run
from equipoise.lab.training import Moment
from equipoise.lab.training.tracking import RunTracker


@dataclass(frozen=True)
class Trackers:
    """Those that take a study's curves; pickled into its workers.

    Args:
        kinds: Of ``equipoise.lab.training.tracking.TRACKERS``.
        folder: Where they keep them.
    """

    kinds: tuple[str, ...]
    folder: Path

    @contextmanager
    def of_run(self, case: str, run: Run) -> Iterator[Callable[[Sequence[Moment]], None]]:
        """What takes the history of a run as it grows; where it ends well, the run counts as taken."""
        with ExitStack() as ending:
            opened = []
            for kind in self.kinds:
                settings = {"method": str(run.arm), "seed": run.seed, "task": run.task}
                opened.append(RunTracker(kind, self.folder, case, run.folder_name, settings))
                ending.callback(opened[-1].finish)

            def track(moments: Sequence[Moment]) -> None:
                for tracker in opened:
                    tracker.log(moments)

            yield track
        for kind in self.kinds:
            self._mark(kind, run).touch()

    def take_in(self, case: str, run: Run, history: Sequence[Moment]) -> None:
        """The history of a finished run, where a tracker does not have it yet."""
        missing = tuple(kind for kind in self.kinds if not self._mark(kind, run).exists())
        if missing:
            with Trackers(missing, self.folder).of_run(case, run) as track:
                track(history)

    def _mark(self, kind: str, run: Run) -> Path:
        """A file that is there once a tracker has all of a run."""
        return self.folder / kind / f"{run.folder_name}.whole"
