"""Had every method the same budget? If not, the study says so wherever it says anything."""

from collections.abc import Mapping

from equipoise.lab.evaluation.costs import MethodCost
from equipoise.lab.evaluation.metric import SINGLE_TASK

ALIKE = 1.25  # times the least training time: what a busy machine does to equal work
MOST_NAMED = 2  # methods of one budget
WORDS = {
    "epochs": "epochs allowed",
    "batch_size": "batch size",
    "trials": "search trials",
    "trainings": "trainings for one run",
}

Budgets = Mapping[str, Mapping[str, int]]  # [method][a key of WORDS], as study.json holds them


def unequal(budgets: Budgets, costs: Mapping[str, MethodCost]) -> tuple[str, ...]:
    """What differs between the methods, in words; empty for an equal study.

    Epochs are those a run was allowed: to stop early by the same rule is equal. Training times count as equal up to a
    factor of 1.25. The single-task networks have a budget like the others, each for itself; their time, that of several
    networks, stands in the table of costs.

    >>> unequal({"sum": {"trials": 20}, "uw": {"trials": 1}}, {})
    ('search trials (uw 1, sum 20)',)
    """
    found = []
    for key, words in WORDS.items():
        given = {method: budget[key] for method, budget in budgets.items() if key in budget}
        if len(set(given.values())) > 1:
            found.append(f"{words} ({_by_size(given)})")
    seconds = {name: cost.seconds for name, cost in costs.items() if name != SINGLE_TASK and cost.seconds > 0}
    if seconds and max(seconds.values()) > ALIKE * min(seconds.values()):
        least, most = min(seconds, key=lambda name: seconds[name]), max(seconds, key=lambda name: seconds[name])
        found.append(f"wall-clock ({least} {seconds[least]:.3g} s, {most} {seconds[most]:.3g} s of training)")
    return tuple(found)


def _by_size(given: Mapping[str, int]) -> str:
    """Every value with the methods that have it, the smallest first; of many methods the largest group unnamed."""
    sizes = sorted(set(given.values()))
    groups = {size: [name for name in given if given[name] == size] for size in sizes}
    most = max(sizes, key=lambda size: len(groups[size]))
    if len(groups[most]) > MOST_NAMED:
        groups[most] = ["the others"]
    return ", ".join(f"{' and '.join(names)} {size}" for size, names in groups.items())
