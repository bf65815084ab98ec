"""``equipoise compare``."""

from collections.abc import Sequence

from equipoise.cli.columns import add_column_options, recipe_of
from equipoise.cli.config import add_case, parse_with_config
from equipoise.cli.parser import Parser
from equipoise.cli.study import add_study_options, run_study
from equipoise.cli.training import add_training_options, training_of
from equipoise.lab.api.defaults import RUNS, SEEDS, TUNED_TRIALS


def compare(words: Sequence[str]) -> int:
    """Compare methods on a case."""
    arguments = parse_with_config(study_parser(), words)
    return run_study(recipe_of(arguments), arguments, training_of(arguments))


def study_parser() -> Parser:
    """What a study is made of, as options."""
    parser = Parser(
        prog="equipoise compare",
        description="Train a case under several balancings and against one network per task, with the same "
        "seeds and budget; end in a table with intervals, a verdict and a report. Repeat the command to go "
        "on after an interruption; with more methods or seeds only what is missing runs.",
    )
    add_case(
        parser,
        "what to train: a name, for example reviews; a table, data.csv (.tsv, .gz, .parquet) with --target and "
        "columns to predict from; or path/to/file.py:name, a Case or a function that makes one",
    )
    add_study_options(parser, seeds=SEEDS, epochs=None, tuned_trials=TUNED_TRIALS, out=RUNS / "CASE")
    parser.add_argument(
        "--question",
        default="",
        metavar="NAME",
        help="ask one thing, and test nothing else: sharing (does one network for all tasks help?), tuned (does any "
        "balancing beat tuned fixed weights?), freeze (does a method's schedule matter, or only where it ends?) or "
        "losses (does another loss do better than the case's own? without --methods all that the case knows)",
    )
    add_training_options(parser)
    add_column_options(parser)
    return parser
