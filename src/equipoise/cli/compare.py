"""``equipoise compare``."""

from collections.abc import Sequence

from equipoise.cli.parser import Parser
from equipoise.cli.study import add_study_options, run_study
from equipoise.cli.workbench import RUNS


def compare(words: Sequence[str]) -> int:
    """Compare methods on a case."""
    parser = Parser(
        prog="equipoise compare",
        description="Train a case under several balancings and against one network per task, with the same "
        "seeds and budget; end in a table with intervals, a verdict and a report. Repeat the command to go "
        "on after an interruption; with more methods or seeds only what is missing runs.",
    )
    parser.add_argument("case", metavar="CASE", help="what to train, for example: reviews")
    add_study_options(parser, seeds=5, epochs=None, out=RUNS / "CASE")
    arguments = parser.parse(words)
    return run_study(arguments.case, arguments)
