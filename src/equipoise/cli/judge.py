"""``equipoise judge``."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from equipoise.cli.columns import add_delimiter
from equipoise.cli.parser import Parser, fail
from equipoise.cli.workbench import need_the_lab
from equipoise.lab.data.table import require_table

SHOWN = 5  # open comparisons


def judge(words: Sequence[str]) -> int:
    """Judge results from anywhere; the exit status is 0 whatever the verdict is."""
    parser = Parser(
        prog="equipoise judge",
        description="Judge results from anywhere by the statistics of a study: each method against a reference and "
        "against single-task, paired by seed, corrected for all comparisons together.",
    )
    parser.add_argument(
        "results",
        metavar="FILE",
        type=Path,
        help="a table (.csv, .tsv, .gz, .parquet, .xlsx) with columns method, seed, task, metric and value; optional: "
        "better (higher or lower) and split (only test is read)",
    )
    for option, metavar, what in (
        ("--better", "TASK=WAY", "higher or lower, again for each task; known for metrics such as rmse or auroc"),
        ("--metric", "TASK=NAME", "the metric to judge of a task that has several, again for each"),
    ):
        parser.add_argument(option, type=_pair, action="append", default=[], metavar=metavar, help=what)
    parser.add_argument(
        "--reference", default="sum", metavar="METHOD", help="what the others are compared with; default sum"
    )
    parser.add_argument(
        "--single-task",
        default="single-task",
        metavar="METHOD",
        help="name of the single-task baseline; default single-task",
    )
    add_delimiter(parser)
    parser.add_argument("--report", type=Path, metavar="FILE", help="write a report with table and figures")
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON and nothing else")
    parser.add_verbose()
    arguments = parser.parse(words)
    need_the_lab()
    try:
        require_table(arguments.results)
    except ValueError as error:
        fail(str(error))
    from equipoise.lab.api.judging import judge as judged

    try:
        results = judged(
            arguments.results,
            better=dict(arguments.better),
            metrics=dict(arguments.metric),
            reference=arguments.reference,
            single_task=arguments.single_task,
            title=arguments.results.name,
            delimiter=arguments.delimiter,
        )
        page = None if arguments.report is None else results.save_report(arguments.report)
    except ValueError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename or arguments.results}: {error.strerror or error}")
    if arguments.json:
        print(json.dumps(results.verdict.to_dict(), indent=1, allow_nan=False))
        return 0
    from rich.console import Console

    from equipoise.lab.reports import print_summary

    console = Console(highlight=False)
    print_summary(console, results.summary, verbose=arguments.verbose)
    if needed := list(results.verdict.seeds_still_needed.items()):
        listed = ", ".join(f"{method} on {task} {seeds}" for (method, task), seeds in needed[:SHOWN])
        more = f" and {len(needed) - SHOWN} more, see --json" if len(needed) > SHOWN else ""
        console.print(f"\nSeeds still needed to show a difference of this size: {listed}{more}", markup=False)
    if page is not None:
        console.print(f"\nReport: {page}", markup=False, soft_wrap=True)
    return 0


def _pair(text: str) -> tuple[str, str]:
    """A task and its value; a name may hold =.

    >>> _pair("a=b=higher")
    ('a=b', 'higher')
    """
    task, _, word = text.rpartition("=")
    if not task or not word:
        raise argparse.ArgumentTypeError(f"TASK=WORD, such as rating=lower; got {text!r}")
    return task, word
