"""Who reaches what, and with which factor."""

from equipoise.doctor.findings.seen import Seen
from equipoise.monitor import HEADS, ends_in
from equipoise.names import listed


def of_reach(seen: Seen) -> list[str]:
    """Parts that no loss reaches, tasks that share nothing, heads that only look shared."""
    found = []
    if not any(line.tasks for line in seen.reach if not line.name.startswith("(")):
        found.append("no loss reaches a parameter of this model: give the model that made these losses")
    spare = [line.name for line in seen.reach if not line.tasks and not line.frozen]
    if spare:
        found.append(f"{listed(spare)} are reached by no loss of this batch: absent tasks, or parts without use")
    strange = [line.name for line in seen.reach if line.tasks and not line.given and not line.frozen]
    if strange:
        found.append(
            f"{listed(strange)} are reached and were not given to the balancer: they get the gradient of the total"
        )
    names = seen.step.names
    shared = {task for line in seen.reach if len(line.tasks) > 1 and line.given for task in line.tasks}
    apart = [name for name in names if name not in shared]
    if len(names) > 1 and not shared:
        found.append("no parameter is shared by two tasks: there is nothing to balance")
    elif len(names) > 1 and apart:
        found.append(
            f"{listed(apart)} share no parameter with another task: if that is not meant, look for a detach() or "
            "no_grad() between the trunk and their losses"
        )
    if seen.single_task_tensors:
        found.append(
            f"{listed(seen.single_task_tensors)} are reached by several losses, of which one alone has a gradient "
            f"there: {HEADS}"
        )
    return found


def of_factors(seen: Seen) -> list[str]:
    """Losses that may carry their weight already."""
    weights, step = seen.balancer.user_weights, seen.step
    twice = [n for n, loss in zip(step.names, step.raw, strict=True) if weights[n] != 1.0 and ends_in(loss, weights[n])]
    if twice:
        return [
            f"the last operation of the loss of {listed(twice)} multiplies by the very weight that the balancer "
            "applies: if that is the same weight, pass the raw loss"
        ]
    return []
