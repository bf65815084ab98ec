"""``equipoise compare``, and what it shares with ``equipoise demo``."""

import argparse
import math
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from equipoise.cli.columns import add_column_options, recipe_of
from equipoise.cli.config import add_case, parse_with_config
from equipoise.cli.parser import MOST, Listed, Parser, between_commas, fail, names, positive, whole
from equipoise.cli.parser import folder as path_of_folder
from equipoise.cli.training import add_training_options, training_of
from equipoise.cli.workbench import FAILED, need_the_lab, show, stopped_by
from equipoise.lab.settings import JOBS, MANY_TASKS, METHODS, MINUTES, RUNS, SEEDS, TUNED_TRIALS

MOST_SEEDS = 100_000
_SECOND_LOOK = (
    "To train what is left for later, a second look at the data (for a confirmation start anew in another folder, with "
    "other seeds and --minutes all):"
)


def compare(words: Sequence[str]) -> int:
    """Compare methods on a case."""
    arguments = parse_with_config(study_parser(), words)
    return run_study(recipe_of(arguments), arguments, training_of(arguments), ["compare", *words])


def study_parser() -> Parser:
    """What a study is made of, as options."""
    parser = Parser(
        prog="equipoise compare",
        description="Train a case with several methods and against single-task baselines, with the same seeds and "
        "budget; end in a table with intervals, a verdict and a report. The same command resumes an interrupted "
        "study; with more methods or seeds it trains only what is missing.",
    )
    add_case(
        parser,
        "what to train: a name, for example reviews; a table, data.csv (.tsv, .gz, .parquet, .xlsx) with --target and "
        "columns to predict from; or path/to/file.py:name, a Case or a function that makes one",
    )
    add_study_options(parser, seeds=SEEDS, tuned_trials=TUNED_TRIALS, out=RUNS / "CASE")
    parser.add_argument(
        "--question",
        default="",
        metavar="NAME",
        help="restrict the study to one question: sharing (does one network for all tasks help?), tuned (does any "
        "method beat tuned fixed weights?), freeze (does a method's schedule matter, or only where it ends?) or "
        "losses (does another loss do better than the case's own? without --methods all that the case knows)",
    )
    add_training_options(parser)
    add_column_options(parser)
    return parser


def add_study_options(parser: Parser, *, seeds: int, tuned_trials: int, out: Path) -> None:
    """Methods, tuned weights, seeds, epochs, jobs and the folder."""
    parser.add_argument(
        "--methods",
        type=Listed(_methods),
        metavar="A,B,…",
        help="balancing methods by name or as path/to/file.py:Name, or task=loss, the plain sum with another loss; "
        f"default {','.join(METHODS)}",
    )
    parser.add_argument(
        "--tuned-trials",
        type=whole,
        metavar="N",
        help=f"trials of tuned fixed weights, a further baseline; 0 leaves it out; default {tuned_trials}"
        f"{f' for 2 to {MANY_TASKS} tasks, else 0' * bool(tuned_trials)}",
    )
    parser.add_argument(
        "--seeds",
        type=Listed(_seeds, _seed_texts),
        metavar="N|A,B,…",
        help=f"number of seeds, or a list of seeds; default {seeds}",
    )
    parser.add_argument(
        "--single-task",
        type=whole,
        metavar="N",
        help=f"number of tasks with a single-task network, which the change of all tasks against them is of; default "
        f"all of up to {MANY_TASKS}, of more none",
    )
    parser.add_argument(
        "--minutes",
        type=_minutes,
        metavar="X|all",
        help="train only as much as fits into so many minutes, by a short timing: at least 3 of the seeds, and of what "
        "is not named (methods, tuned weights, single-task networks) the cheapest; later the same command with more, "
        f"or all, resumes; default {MINUTES:g} where neither methods nor seeds are named, else all",
    )
    parser.add_argument(
        "--looks",
        type=whole,
        default=0,
        metavar="N",
        help="test N times, after equal shares of the seeds, and stop at the first significant difference; the 5 %% "
        "level is divided among the tests (--looks 3 --seeds 20); default: once, after all seeds",
    )
    parser.add_argument(
        "--epochs",
        type=positive,
        metavar="N",
        help="maximum epochs of a run; default that of the case",
    )
    parser.add_argument(
        "--jobs", type=positive, default=JOBS, metavar="N", help=f"number of parallel runs; default {JOBS}"
    )
    add_executor(parser)
    parser.add_argument("--out", type=path_of_folder, metavar="DIR", help=f"folder of the study; default {out}")
    parser.add_argument(
        "--track",
        type=names,
        default=(),
        metavar="A,B",
        help="trackers for the curves of all runs: tensorboard, wandb, mlflow; offline, in DIR/trackers",
    )
    parser.add_argument(
        "--no-sklearn",
        dest="sklearn",
        action="store_false",
        help="leave out the linear model and gradient boosting of scikit-learn beside the networks",
    )
    parser.add_verbose()
    parser.set_defaults(question="")


def add_executor(parser: Parser) -> None:
    """What does the parallel runs or trials."""
    parser.add_argument(
        "--executor",
        metavar="ray[=HOST:PORT]",
        help="run on a Ray cluster, whose hosts share this folder; default processes of this machine",
    )


def run_study(case: Any, arguments: argparse.Namespace, training: Mapping[str, Any], words: Sequence[str]) -> int:
    """``lab.compare`` of a case, and its table and report.

    Args:
        case: By name or recipe.
        arguments: Those of ``add_study_options``.
        training: Other settings.
        words: Of the command line.
    """
    need_the_lab()
    from rich.console import Console

    from equipoise.lab.api.comparing import compare as run

    try:
        results = run(
            case,
            arguments.methods,
            arguments.seeds,
            folder=arguments.out,
            jobs=arguments.jobs,
            executor=arguments.executor,
            question=arguments.question,
            tuned_trials=arguments.tuned_trials,
            epochs=arguments.epochs,
            looks=arguments.looks,
            single_task=arguments.single_task,
            minutes=arguments.minutes,
            track=arguments.track,
            sklearn=arguments.sklearn,
            **training,
        )
        assert results.study is not None
        console = Console(highlight=False)
        show(console, results.study, renew=False, verbose=arguments.verbose)
        if results.study.settings.get("postponed"):  # what it is stands among the notes above
            console.print(f"\n{_SECOND_LOOK}\n{_without_limit(words)}", markup=False, soft_wrap=True)
    except ValueError as error:
        fail(str(error))
    except OSError as error:
        stopped_by(error, case)
    except RuntimeError as error:  # no run ended well
        print(f"equipoise: {error}", file=sys.stderr)
        return FAILED
    for name, reason in results.failures.items():
        print(f"equipoise: {name} failed: {reason}", file=sys.stderr)
    return FAILED if results.failures else 0


def _without_limit(words: Sequence[str]) -> str:
    """The command that trains what its minutes left for later."""
    kept = [
        word
        for before, word in zip(["", *words], words, strict=False)
        if "--minutes" not in (before, word.partition("=")[0])
    ]
    return shlex.join(["equipoise", *kept, "--minutes", "all"])


def _minutes(text: str) -> float:
    try:
        return math.inf if text == "all" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a number of minutes, or all; got {text!r}") from None


def _methods(given: Sequence[str]) -> tuple[str, ...]:
    if not all(given) or any(re.search(r"[\s;]", name) and not re.search(r"=|\.py:", name) for name in given):
        raise argparse.ArgumentTypeError(f"names with commas between them, like sum,uw; got {','.join(given)!r}")
    return tuple(given)


def _seed_texts(text: str) -> list[str]:
    """The seeds that a text lists, or as many as it says: 3 is how many, ``3,`` is which."""
    if "," in text or not text.isdecimal():
        return between_commas(text.removesuffix(","))
    if int(text[:20]) > MOST_SEEDS:
        raise argparse.ArgumentTypeError(f"at most {MOST_SEEDS} seeds, got {text[:40]!r}")
    return [str(seed) for seed in range(int(text))]


def _seeds(given: Sequence[str]) -> tuple[int, ...]:
    if negative := [seed for seed in given if seed.startswith("-") and seed[1:].isdecimal()]:
        raise argparse.ArgumentTypeError(f"seeds are 0 or more, got {negative[0]!r}")
    if not given or not all(seed.isdecimal() for seed in given):
        raise argparse.ArgumentTypeError(
            f"a number of at least 1, or a list like 0,3,7; got {','.join(given) or '0'!r}"
        )
    if wrong := [seed for seed in given if len(seed) > len(str(MOST)) or int(seed) > MOST]:
        raise argparse.ArgumentTypeError(f"at most {MOST_SEEDS} seeds of at most {MOST}, got {wrong[0][:40]!r}")
    return tuple(map(int, given))
