"""Had every method the same budget? If not, the study says so wherever it says anything."""

from collections.abc import Mapping

from equipoise.lab.evaluation.costs import MethodCost
from equipoise.lab.evaluation.metric import SINGLE_TASK

ALIKE = 1.25  # times the fewest backward passes of a run
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

    Epochs are those a run was allowed: to stop early by the same rule is equal. The computation of a run is counted, in
    backward passes, and not timed, as a busy machine would change the answer; runs count as equal up to a factor of
    1.25. The single-task networks have a budget like the others, each for itself; what several networks take together
    stands in the table of costs.

    >>> unequal({"sum": {"trials": 20}, "uw": {"trials": 1}}, {})
    ('search trials (uw 1, sum 20)',)
    """
    found = []
    for key, words in WORDS.items():
        given = {method: budget[key] for method, budget in budgets.items() if key in budget}
        if len(set(given.values())) > 1:
            found.append(f"{words} ({_by_size(given)})")
    passes = {name: cost.passes for name, cost in costs.items() if name != SINGLE_TASK and cost.passes > 0}
    if passes and max(passes.values()) > ALIKE * min(passes.values()):
        least, most = min(passes, key=lambda name: passes[name]), max(passes, key=lambda name: passes[name])
        found.append(f"backward passes of a run ({least} {passes[least]:,.0f}, {most} {passes[most]:,.0f})")
    return tuple(found)


def _by_size(given: Mapping[str, int]) -> str:
    """Every value with the methods that have it, the smallest first; of many methods the largest group unnamed."""
    sizes = sorted(set(given.values()))
    groups = {size: [name for name in given if given[name] == size] for size in sizes}
    most = max(sizes, key=lambda size: len(groups[size]))
    if len(groups[most]) > MOST_NAMED:
        groups[most] = ["the others"]
    return ", ".join(f"{' and '.join(names)} {size}" for size, names in groups.items())
