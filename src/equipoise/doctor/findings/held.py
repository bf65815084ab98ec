"""What the optimiser holds, what it lacks, and what is saved."""

from equipoise.doctor.findings.seen import Seen
from equipoise.names import listed


def of_optimisers(seen: Seen) -> list[str]:
    """Parameters in none, learned weights under decay, a balancer that was not restored."""
    if not seen.optimizers:
        return []
    groups = [group for optimizer in seen.optimizers for group in optimizer.param_groups]
    held = {p for group in groups for p in group["params"]}
    found = []
    if not any(line.held for line in seen.reach):
        found.append(
            "the optimiser holds no parameter of this model: was the model made anew, or moved, after the optimiser?"
        )
    else:
        loose = [line.name for line in seen.reach if line.tasks and not line.held and not line.frozen]
        if loose:
            found.append(f"{listed(loose)} have a gradient and are in no optimiser: add them, or freeze them")
    learned = {name: p for name, p in seen.balancer.named_parameters() if p.requires_grad}
    missing = [name for name, p in learned.items() if p not in held]
    if missing:
        found.append(
            f"{listed(missing)} of the balancer are learned and in no optimiser: add balancer.parameters() to it"
        )
    decays = [
        group["weight_decay"]
        for group in groups
        if group.get("weight_decay")
        for p in group["params"]
        if any(p is one for one in learned.values())
    ]
    if decays:
        found.append(
            f"weight decay of {max(decays):g} pulls the learned weights to 0: give balancer.parameters() a group of "
            "their own with weight_decay 0"
        )
    taken = max((float(state.get("step", 0)) for one in seen.optimizers for state in one.state.values()), default=0.0)
    steps = seen.balancer.get_extra_state()["steps"]
    if steps == 0 and taken > 1 and seen.balancer.method.state_dict():
        found.append(
            f"the optimiser has taken {taken:.0f} steps and the balancer none: after a resume, load its state, too "
            "(balancer.load_state_dict)"
        )
    return found


def of_habits(seen: Seen) -> list[str]:
    """What is in order as a rule, and worth a thought."""
    found = []
    if any(leaf.grad is not None and bool(leaf.grad.any()) for leaf in seen.names if leaf.is_leaf):
        found.append(
            "there are gradients already, to which this step's are added: fine while accumulating, else call "
            "optimizer.zero_grad(), and no backward of the sum before the balanced one"
        )
    if seen.balancer.method.state_dict():
        found.append("the method has state: save balancer.state_dict() in every checkpoint, beside the optimiser's")
    return found
