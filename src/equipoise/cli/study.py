"""Running a study from a command's options: those that all such commands share, and what is shown meanwhile."""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from equipoise.cli.parser import MOST, Parser, fail, positive, whole
from equipoise.cli.parser import folder as path_of_folder
from equipoise.cli.workbench import need_the_lab, show, stopped_by
from equipoise.lab.api.defaults import JOBS, METHODS

MOST_SEEDS = 100_000
FAILED, STOPPED = 1, 130


def add_study_options(parser: Parser, *, seeds: int, epochs: int | None, tuned_trials: int, out: Path) -> None:
    """Methods, tuned weights, seeds, epochs, jobs and the folder."""
    parser.add_argument(
        "--methods",
        type=_names,
        metavar="A,B,…",
        help=f"balancings by name or as path/to/file.py:Name, or task=loss, the plain sum with another loss; default "
        f"{','.join(METHODS)}",
    )
    parser.add_argument(
        "--tuned-trials",
        type=whole,
        metavar="N",
        help=f"fixed weights tried for the method tuned, 0 leaves it out; default {tuned_trials}",
    )
    parser.add_argument(
        "--seeds",
        type=_seeds,
        default=tuple(range(seeds)),
        metavar="N|A,B,…",
        help=f"how many seeds, or which; default {seeds}",
    )
    parser.add_argument(
        "--looks",
        type=whole,
        default=0,
        metavar="N",
        help="look N times, at equal shares of the seeds, and stop at the first with a significant difference; the "
        "5 %% of verdicts is spent over the looks (--looks 3 --seeds 20); default: once, after all seeds",
    )
    parser.add_argument(
        "--epochs",
        type=positive,
        default=epochs,
        metavar="N",
        help=f"most epochs of a run; default {'that of the case' if epochs is None else epochs}",
    )
    parser.add_argument(
        "--jobs", type=positive, default=JOBS, metavar="N", help=f"runs at the same time; default {JOBS}"
    )
    parser.add_argument("--out", type=path_of_folder, metavar="DIR", help=f"the study's folder; default {out}")
    parser.add_argument(
        "--track",
        type=_names,
        default=(),
        metavar="A,B",
        help="trackers that take every run's curves: tensorboard, wandb, mlflow; all offline, in DIR/trackers",
    )
    parser.add_verbose()
    parser.set_defaults(default_out=out, default_tuned_trials=tuned_trials, question="")


def run_study(case: Any, arguments: argparse.Namespace, training: Mapping[str, Any]) -> int:
    """Run what is missing of a study of a case, by name or recipe, and show it all.

    ``training`` are settings that are not the case's own.
    """
    need_the_lab()
    from equipoise.lab.api.case_study import plan_study

    try:
        plan = plan_study(
            case,
            arguments.methods or (("sum",) if arguments.question in ("sharing", "losses") else METHODS),
            arguments.seeds,
            question=arguments.question,
            tuned_trials=arguments.tuned_trials,
            usual_trials=arguments.default_tuned_trials,
            epochs=arguments.epochs,
            looks=arguments.looks,
            **training,
        )
    except ValueError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename or case}: {error.strerror or error}")
    folder = arguments.out or arguments.default_out.with_name(
        arguments.default_out.name.replace("CASE", plan.case.name)
    )
    return _run_looks(plan, folder, arguments) if plan.planned_looks else _run_plan(plan, folder, arguments)


def _run_looks(plan: Any, folder: Path, arguments: argparse.Namespace) -> int:
    """Run until the first planned look at which a difference is significant; an earlier one with more seeds is past."""
    from equipoise.lab.evaluation import Summary

    status, last = 0, plan.planned_looks[-1]
    for count in plan.planned_looks:
        if count < last and _has_finished(plan, folder, plan.seeds[count:]):
            continue
        status = _run_plan(replace(plan, seeds=plan.seeds[:count]), folder, arguments)
        if status:
            return status
        if count < last and Summary.from_folder(folder).finds:
            print(f"A difference is significant at this look: {last - count} of {last} seeds are not needed.")
            return status
    return status


def _has_finished(plan: Any, folder: Path, seeds: Sequence[int]) -> bool:
    later = [run for run in plan.runs if run.seed in seeds]
    return any((folder / "runs" / run.folder_name / "result.json").is_file() for run in later)


def _run_plan(plan: Any, folder: Path, arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from equipoise.lab.studies import Study, run_shown

    try:
        study = Study(plan, folder)
    except ValueError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename or folder}: {error.strerror or error}")
    console = Console(highlight=False)
    try:
        run_shown(study, console, arguments.jobs, arguments.track)
        status = show(console, folder, renew=False, verbose=arguments.verbose) if study.results else 0
    except ValueError as error:  # a damaged file
        fail(str(error))
    except OSError as error:
        stopped_by(error, folder, f"{len(study.results)} of {len(study.plan.runs)} runs are finished and")
    except KeyboardInterrupt:
        console.print(
            f"Stopped: {len(study.results)} of {len(study.plan.runs)} runs are finished and kept in {folder}; "
            "the same command goes on.",
            markup=False,
            soft_wrap=True,
        )
        return STOPPED
    for run, reason in study.failures.items():
        print(f"equipoise: {run} failed: {reason}", file=sys.stderr)
    return FAILED if study.failures else status


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or any(re.search(r"[\s;]", name) and not re.search(r"=|\.py:", name) for name in names):
        raise argparse.ArgumentTypeError(f"names with commas between them, like sum,uw; got {text!r}")
    return names


def _seeds(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.removesuffix(",").split(",")]
    if not all(part.isdecimal() for part in parts) or text == "0":
        raise argparse.ArgumentTypeError(f"a number of at least 1, or a list like 0,3,7; got {text!r}")
    if any(len(part) > len(str(MOST)) or int(part) > MOST for part in parts) or (
        "," not in text and int(text) > MOST_SEEDS
    ):
        raise argparse.ArgumentTypeError(f"at most {MOST_SEEDS} seeds of at most {MOST}, got {text[:40]!r}")
    return tuple(map(int, parts)) if "," in text else tuple(range(int(text)))
