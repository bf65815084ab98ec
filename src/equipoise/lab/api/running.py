"""A study at work: its fixed weights are tuned first, then every missing run is trained."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from rich.console import Console

from equipoise.lab.search import WeightSearch
from equipoise.lab.search.watch import WatchSearch
from equipoise.lab.studies import Plan, Study, Watch, Workers


class Running:
    """A plan in its folder, ready to run.

    Args:
        plan: What to run.
        folder: Where.
        jobs: Processes at a time, the same for the search and the runs.
        track: Trackers that take every run's curves.

    Raises:
        ValueError: ``Study`` or ``WeightSearch`` cannot be made of them.
    """

    def __init__(self, plan: Plan, folder: Path, jobs: int, track: Sequence[str] = ()) -> None:
        self.study = Study(plan, folder)
        self._jobs = jobs
        self._workers = Workers()
        self._runs = self.study.run(jobs, track, self._workers.run)  # occupies the folder, and settles the threads
        wanted = plan.tuned_trials and (self.study.missing or not self.study.tuned)
        self._search = WeightSearch(self.study) if wanted else None

    def run(self, console: Console) -> None:
        """Do what is missing, and show it as it goes."""
        study = self.study
        console.print(f"{_state(study)} in {study.folder}", markup=False, soft_wrap=True)
        if study.left_out:
            console.print(
                f"This table leaves out what the folder also holds: {', '.join(study.left_out)}. To leave out methods "
                "or seeds after looking at them changes what the verdicts mean.",
                markup=False,
                soft_wrap=True,
            )
        with closing(self._workers), closing(self._runs):
            if self._search is not None:
                console.print(f"Tuned weights: {study.plan.tuned_trials} trials", markup=False)
                trials = self._search.run(self._jobs, self._workers.run)
                with closing(trials), WatchSearch(console, self._search.search) as table:
                    for trial in trials:
                        table.show(trial)
            with Watch(console, study) as watch:
                for event in self._runs:
                    watch.show(event)


def _state(study: Study) -> str:
    done, total = len(study.results), len(study.plan.runs)
    if done == total:
        return f"Complete: all {total} runs are finished"
    return f"Going on: {done} of {total} runs are finished" if done else f"Starting: {total} runs"
