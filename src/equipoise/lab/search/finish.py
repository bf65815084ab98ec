"""The end of a search: its best trials, the chosen one, what to paste, and the page."""

from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

from equipoise.lab.search.choice import RULES, choose, covered, front
from equipoise.lab.search.page import write_page
from equipoise.lab.search.search import Search
from equipoise.lab.search.tables import to_paste, write_trials
from equipoise.lab.search.tune import Tuning
from equipoise.lab.search.watch import best, trials_table

SHOWN = 10  # trials


def finish(console: Console, tuning: Tuning, rule: str, preference: Mapping[str, float] | None) -> None:
    """Print the result of a search that has a whole trial, and write trials.csv and report.html.

    Raises:
        ValueError: No trial ended well, or the rule does not fit.
    """
    search = tuning.search
    write_trials(search)
    default = search.baseline
    whole = search.whole
    chosen = choose(whole, default, search.objectives, rule, preference)
    code = to_paste(search, search.trials[chosen], tuning.method, tuning.case)
    on_front = front(whole, search.objectives)
    equal = "equal weights, " if search.strategy.space.tasks else ""
    words = [
        f"Trial {chosen} is chosen: {RULES[rule]}.",
        f"Its Δm is {search.changes[chosen]:+.2f} % against the defaults ({equal}trial {default.job.slot}), lower is "
        f"better. It is the best of {len(whole)} {_of_all(search)}on the same validation data and of one seed, so "
        "expect less of it elsewhere: compare it with other methods on test data and several seeds before you believe "
        "it.",
        f"{len(on_front)} of {len(whole)} trials are on the front (none beats them on every task); hypervolume "
        f"{covered(whole, default, search.objectives):.3g} against the defaults, each metric in units of theirs.",
    ]
    console.print()
    console.print(trials_table(search, best(search, SHOWN)))
    for line in words:
        console.print(Text(f"\n{line}"))
    console.print(Text(f"\nTo paste:\n\n{code}\n", style="bold"), soft_wrap=True)
    for slot, trial in sorted(search.trials.items()):
        if trial.values is None:
            console.print(Text(f"Trial {slot} failed: {trial.reason}"), soft_wrap=True)
    for slot, reason in search.unfinished.items():
        console.print(Text(f"Trial {slot} is open, the same command tries it again: {reason}"), soft_wrap=True)
    page = write_page(search, f"{tuning.case.title}: search of {tuning.method}", chosen, words, code)
    console.print(f"Report: {page}", markup=False, soft_wrap=True)


def _of_all(search: Search) -> str:
    """How many ended well, where not all did."""
    slots = search.strategy.slots
    ended = sum(trial.values is not None for trial in search.trials.values())
    return f"(of the search's {slots} trials {ended} ended well) " if ended < slots else ""
