"""Rows of a study that are the plain sum with other losses than the case's own."""

from collections.abc import Sequence

from equipoise.lab.cases import Case, describe_loss, with_losses
from equipoise.lab.evaluation import losses_of


def one_at_a_time(case: Case) -> tuple[str, ...]:
    """A row for every loss that the case knows and does not have.

    Raises:
        ValueError: If there is none, or a task's name cannot be told from a choice of losses.
    """
    found = {f"{task}={name}": {task: name} for task, known in case.losses.items() for name in list(known)[1:]}
    for row, chosen in found.items():
        if losses_of(row) != chosen:
            raise ValueError(f"task {next(iter(chosen))!r} reads as a choice of losses: give it a name without =")
    rows = tuple(found)
    if not rows:
        raise ValueError(f"case {case.name} knows no losses but its own: write them into Case(losses=...)")
    return rows


def losses_by_row(case: Case, methods: Sequence[str]) -> dict[str, dict[str, str]]:
    """The losses of each row that has others, by task, with every argument, as ``describe_loss`` tells them.

    Raises:
        ValueError: If the case has no such task or loss, or a row has what the case has, or what another row has.
    """
    rows: dict[str, dict[str, str]] = {}
    for method in methods:
        chosen = losses_of(method)
        if not chosen:
            continue
        if method != "+".join(f"{task}={word}" for task, word in chosen.items()):
            raise ValueError(f"{method} gives a task two losses: leave one out")
        made = with_losses(case, chosen)
        described = {task: describe_loss(made, task) for task in chosen}
        for task, word in chosen.items():
            if task in case.losses and described[task] == describe_loss(case, task):
                raise ValueError(f"{method}: {word} is the case's own loss of {task!r}, which sum has: leave it out")
        if same := [other for other in rows if rows[other] == described]:
            raise ValueError(f"{method} and {same[0]} are the same losses: leave one out")
        rows[method] = described
    return rows
