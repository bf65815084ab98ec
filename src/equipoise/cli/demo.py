"""``equipoise demo``."""

from collections.abc import Sequence

from equipoise.cli.compare import add_study_options, run_study
from equipoise.cli.parser import Parser
from equipoise.lab.settings import RUNS


def demo(words: Sequence[str]) -> int:
    """Compare all first methods on the reviews, without tuned weights."""
    parser = Parser(
        prog="equipoise demo",
        description="A fair comparison on real clothing reviews, in minutes: three tasks on one network with several "
        "methods, against single-task baselines. The same command resumes an interrupted study.",
    )
    add_study_options(parser, seeds=5, tuned_trials=0, out=RUNS / "demo")
    parser.set_defaults(tuned_trials=0, out=RUNS / "demo")
    return run_study("reviews", parser.parse(words), {}, ["demo", *words])
