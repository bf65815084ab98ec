"""``equipoise demo``."""

from collections.abc import Sequence

from equipoise.cli.parser import Parser
from equipoise.cli.study import add_study_options, run_study
from equipoise.lab.api.defaults import RUNS


def demo(words: Sequence[str]) -> int:
    """Compare all first methods on the reviews with a small budget."""
    parser = Parser(
        prog="equipoise demo",
        description="A fair comparison on real clothing reviews, in minutes: three tasks on one network "
        "under several balancings, against one network per task. Repeat the command to go on after an "
        "interruption.",
    )
    add_study_options(parser, seeds=5, epochs=5, tuned_trials=0, out=RUNS / "demo")
    return run_study("reviews", parser.parse(words), {})
