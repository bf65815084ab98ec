"""What a study costs beside its trainings: how busy it keeps the cores, and where the rest of the time goes.

Eight methods, five seeds and the single-task networks on the reviews, two runs at a time. A quiet machine tells
wall-clock; on a busy one only the share of time in which each worker had a run, and processor times, mean something.

    python benchmarks/study_cost.py [--methods A,B --seeds 5 --epochs 8 --jobs 2 --tuned-trials 0]
"""

import argparse
import resource
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from equipoise.lab.studies import Study, make_plan

METHODS = "sum,uw,dwa,rlw,pcgrad,mgda,cagrad,nash-mtl"


class Clock:
    """When each worker's items began and ended, from the study's events, and what the workers' processors did."""

    def __init__(self):
        self.began = time.perf_counter()
        self.open, self.spans, self.first = {}, [], {}

    def see(self, event):
        now = time.perf_counter() - self.began
        if event.kind == "started":
            self.open[str(event.item)] = now
        elif event.kind == "progress":
            self.first.setdefault(str(event.item), now)
        else:
            self.spans.append((self.open.pop(str(event.item)), now, event.item))


def processor_seconds(who):
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def measure(plan, folder, jobs):
    """Run the study; its clock, wall-clock seconds, processor seconds of the workers and of the parent."""
    study = Study(plan, folder)
    before = processor_seconds(resource.RUSAGE_CHILDREN), processor_seconds(resource.RUSAGE_SELF)
    clock = Clock()
    for event in study.run(jobs):
        clock.see(event)
    wall = time.perf_counter() - clock.began
    assert not study.missing, study.failures
    workers = processor_seconds(resource.RUSAGE_CHILDREN) - before[0]
    parent = processor_seconds(resource.RUSAGE_SELF) - before[1]
    return study, clock, wall, workers, parent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", default="reviews")
    parser.add_argument("--methods", default=METHODS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--tuned-trials", type=int, default=0)
    asked = parser.parse_args()
    began = time.perf_counter()
    plan = make_plan(
        asked.case, asked.methods.split(","), range(asked.seeds), epochs=asked.epochs, tuned_trials=asked.tuned_trials
    )
    planned = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        study, clock, wall, workers, parent = measure(plan, Path(folder), asked.jobs)
    jobs = asked.jobs
    busy = sum(end - start for start, end, _ in clock.spans)
    own = sum(result.seconds for result in study.results.values())
    ends = sorted(end for _, end, _ in clock.spans)
    by_method = defaultdict(float)
    for run, result in study.results.items():
        by_method[str(run.arm)] += result.seconds
    print(
        f"{len(clock.spans)} trainings, {jobs} at a time: {wall:.1f} s (and {planned:.1f} s to read the case before)\n"
    )
    print("| | |\n|---|---|")
    print(f"| processor time of the workers / ({jobs} x wall-clock) | {workers / jobs / wall:.1%} |")
    print(f"| time in which workers had a run / ({jobs} x wall-clock) | {busy / jobs / wall:.1%} |")
    print(f"| wall-clock / (sum of the runs, from start to end, / {jobs}) | {wall * jobs / busy:.3f} |")
    print(
        f"| wall-clock / (sum of the runs' epochs / {jobs}) | {wall * jobs / own:.3f} |"
        if not plan.tuned_trials
        else ""
    )
    print(f"| processor time of the parent | {parent:.1f} s |")
    print(f"| waiting at the end for the last run | {ends[-1] - ends[-min(jobs, len(ends))]:.1f} s |")
    print(f"| a worker's time in runs that is no epoch: start, data, first and last evaluation | {busy - own:.1f} s |")
    print("\nSeconds of epochs by method: " + ", ".join(f"{name} {total:.1f}" for name, total in by_method.items()))


if __name__ == "__main__":
    main()
