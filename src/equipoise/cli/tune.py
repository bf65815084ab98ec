"""``equipoise tune``."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from equipoise.cli.columns import add_column_options, recipe_of
from equipoise.cli.compare import add_executor, study_parser
from equipoise.cli.config import add_case, parse_with_config
from equipoise.cli.parser import Parser, fail, names, positive, whole
from equipoise.cli.training import add_training_options, training_of
from equipoise.cli.workbench import FAILED, stopped_by
from equipoise.lab.settings import JOBS, RUNS

ARGUMENTS = (  # of equipoise.lab.tune, under their own names
    *("trials", "method", "search", "sampler", "epochs", "seed"),
    *("choose", "prefer", "jobs", "executor", "storage", "stale_after"),
)


def tune(words: Sequence[str]) -> int:
    """Search the weights of a case's tasks, and what else is asked for; returns the exit status."""
    parser = Parser(
        prog="equipoise tune",
        description="Search the tasks' weights, the learning rate, the weight decay, a method's or a loss's arguments "
        "by the tasks' validation metrics; end in the weights to paste, a table and a report. The same command resumes "
        "an interrupted search; start it several times, or on several hosts with one folder, and they share the work.",
    )
    add_case(parser, "what to train, as for compare: a name, a table, or path/to/file.py:name")
    parser.add_argument("--method", default="fixed", metavar="NAME", help="a balancing method; default fixed")
    parser.add_argument(
        "--search",
        type=names,
        default=("weights",),
        metavar="A,B,…",
        help="weights, lr, wd, lr=1e-4:1e-2, or arguments of the method, alpha=0.5:2 or mode=a|b, or of a task's loss, "
        "emotions.proportion=0.1:0.9; default weights",
    )
    parser.add_argument(
        "--sampler",
        default="tpe",
        metavar="NAME",
        help="tpe, grid, random, front (TPE for every task's metric), halving or population; default tpe",
    )
    parser.add_argument("--trials", type=positive, default=30, metavar="N", help="number of trials; default 30")
    parser.add_argument("--epochs", type=positive, metavar="N", help="maximum epochs of a trial; default the case's")
    parser.add_argument(
        "--seed", type=whole, default=0, metavar="N", help="seed of the search and of each training; default 0"
    )
    parser.add_argument(
        "--choose",
        default="delta-m",
        metavar="RULE",
        help="rule for the best trial: delta-m, knee or preference; default delta-m",
    )
    parser.add_argument(
        "--prefer", type=_preference, metavar="TASK=X,…", help="preference weight of each task, for --choose preference"
    )
    parser.add_argument(
        "--jobs", type=positive, default=JOBS, metavar="N", help=f"number of parallel trials; default {JOBS}"
    )
    add_executor(parser)
    parser.add_argument("--storage", metavar="URL", help="storage of Optuna; default a journal in the folder")
    parser.add_argument(
        "--stale-after",
        type=positive,
        metavar="MIN",
        help="minutes until a trial of a host without this folder counts as lost; default never",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help=f"folder of the search; default {RUNS / 'CASE-tune'}")
    add_training_options(parser)
    add_column_options(parser)
    arguments = parse_with_config(parser, words, study_parser())
    recipe = recipe_of(arguments)
    from rich.console import Console

    from equipoise.lab.api.tuning import tune as run

    folder = arguments.out
    try:
        given = {name: getattr(arguments, name) for name in ARGUMENTS}
        folder = folder or _earlier(arguments.case, recipe)
        results = run(recipe, folder=folder, **given, **training_of(arguments))
        page = results.save_report()
    except ValueError as error:
        fail(str(error))
    except OSError as error:
        stopped_by(error, folder or arguments.case)
    console = Console(highlight=False)
    console.print()
    console.print(results, crop=False)  # code stays whole lines
    console.print(f"Report: {page}", markup=False, soft_wrap=True)
    return 0 if results.complete and not results.failures else FAILED


def _earlier(given: str, recipe: Any) -> Path | None:
    """The folder by the file's name, as earlier versions chose it, if it holds a search of this case."""
    from equipoise.lab.api.given import case_of
    from equipoise.lab.files import read_json

    folder = RUNS / f"{Path(given.partition('.py:')[0]).stem}-tune"
    file = folder / "search.json"
    return folder if file.is_file() and read_json(file)["case"] == case_of(recipe).name else None


def _preference(text: str) -> dict[str, float]:
    """The preference weight of each task in ``TASK=X,…``."""
    try:
        pairs = [(name.strip(), float(value)) for name, value in (part.split("=") for part in text.split(","))]
    except ValueError:
        raise argparse.ArgumentTypeError(f"tasks with numbers, like rating=2,recommended=1; got {text!r}") from None
    tasks = [name for name, _ in pairs]
    if twice := [name for name in tasks if tasks.count(name) > 1]:
        raise argparse.ArgumentTypeError(f"each task once, got {twice[0]!r} twice in {text!r}")
    return dict(pairs)
