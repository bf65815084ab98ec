"""One step of all ranks together: what each has of it becomes the same on all of them.

The losses of the joint batch are means over its labels: L_k = sum_r n_kr L_kr / sum_r n_kr, rank r having n_kr of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from equipoise.balancer.state import State
from equipoise.gradients.ranks import Ranks
from equipoise.gradients.surrogate import surrogate, with_gradient_of
from equipoise.step import Step, labels_of, on_one_device

_CHECKSUM_BITS = 20  # of a checksum whose square a sum in float64 holds exactly


def of_all_ranks(state: State, step: Step, counts: Mapping[str, float]) -> tuple[Step, Mapping[str, float]]:
    """The step of the joint batch, and the labels behind its losses.

    Its tasks are those present on any rank. Its losses' values are those of the joint batch; their gradients are this
    rank's, scaled so that the mean over ranks is the joint batch's. A task that is absent here brings none.

    Args:
        state: Of the balancer.
        step: This rank's.
        counts: The labels behind each of its losses; a loss without one counts as one label. 0 labels have a gradient
            of zeros.

    Raises:
        ValueError: If a count is negative or not finite, the ranks differ in what they train, or FSDP or SyncBatchNorm
            would wait for a task that some of them have not.
    """
    config, ranks, parameters, weights = state.config, state.ranks, state.parameters, state.weights.now
    names, where = config.names, "a representation" if step.representation is not None else "parameters"
    setup = f"{config.method} for tasks {weights}, heads={config.heads!r}, scale={config.scale!r}, compared at {where}"
    news = parameters.learn(parameters.graph_of(step.losses), step.present, len(names), joint=True)
    here = _labels_here(step, counts)
    device = step.stacked.device if step.losses else parameters.device
    labels, sums, holders, checks = _summed(step, here, len(names), ranks, device, setup, news)
    if checks[0] ** 2 != ranks.size * checks[1]:
        raise ValueError("ranks differ in what they train: " + "; ".join(_differences(ranks, setup)))
    raw, present = _means(labels, sums, checks, device)
    partly = [names[k] for k in present if holders[k] < ranks.size]
    if partly and (waiting := _waiting_for_all(state, step)):
        raise ValueError(
            f"{', '.join(map(repr, partly))} has a loss on some ranks only, where {waiting} waits for all: give "
            "the others a loss of zeros, such as 0 * outputs[name].sum(), with counts[name] = 0"
        )
    if checks[2] > 0:
        parameters.agree(len(names), ranks)
    own, absent = dict(zip(step.present, step.losses, strict=True)), torch.zeros((), device=device)
    losses = [
        _scaled(own[k], here[k] * ranks.size / labels[k]) if k in own else absent.clone().requires_grad_()
        for k in present
    ]
    factors = tuple(weights[names[k]] for k in present)
    values = raw * raw.new_tensor(factors)
    joint = replace(
        step,
        present=present,
        names=tuple(names[k] for k in present),
        raw=list(raw),
        weights=factors,
        losses=losses,
        stacked=with_gradient_of(values, on_one_device(losses), lambda _: None) if losses else values,
        total=values.sum(),
    )
    return joint, {names[k]: labels[k] for k in present}


def joint_losses(
    step: Step, counts: Mapping[str, float], weights: Mapping[str, float], ranks: Ranks, device: torch.device
) -> tuple[Tensor, Tensor]:
    """The values [K] of the joint batch's losses, users' weights in them, and their tasks [K] among all.

    Args:
        step: This rank's.
        counts: The labels behind each of its losses.
        weights: The users' weights of all tasks.
        ranks: Who takes part.
        device: Where a rank without a loss has its parameters.
    """
    device = step.stacked.device if step.losses else device
    labels, sums, _, checks = _summed(step, _labels_here(step, counts), len(weights), ranks, device, "", news=False)
    raw, present = _means(labels, sums, checks, device)
    factors = tuple(weights.values())
    return raw * raw.new_tensor([factors[k] for k in present]), torch.tensor(present, device=device)


def reaching_idle(state: State, step: Step, loss: Tensor) -> Tensor:
    """The loss; over several ranks one that reaches also what no loss of this rank does: the others wait for that."""
    if state.ranks.size == 1:
        return loss
    graph = state.parameters.graph_of([loss])
    roles = state.parameters.roles(graph, step.present, len(state.config.names), joint=True)
    closed = {leaf for name, leaf in zip(roles.names, roles.shared, strict=True) if name in roles.unused_parameters}
    idle = [leaf for leaf in roles.leaves if leaf not in graph.leaves and leaf not in closed]
    return loss + surrogate(torch.zeros_like(loss), idle, lambda _: [None] * len(idle)) if idle else loss


def nothing(state: State, step: Step) -> Tensor:
    """A loss for a step with nothing to learn from: its backward does nothing but tell other ranks so."""
    leaf = step.total.to(state.parameters.device).requires_grad_()
    waited_for = state.parameters.trainable() if state.ranks.size > 1 else []
    return surrogate(leaf, waited_for, lambda _: [None] * len(waited_for))


def _labels_here(step: Step, counts: Mapping[str, float]) -> dict[int, float]:
    """The labels of this rank behind each of its losses, by task."""
    return {k: labels_of(counts, name) for k, name in zip(step.present, step.names, strict=True)}


def _waiting_for_all(state: State, step: Step) -> str:
    """What in the trunk talks to all ranks in each backward pass, of which a task that is absent here has none."""
    if state.parameters.is_sharded_by_fsdp():
        return "FSDP"
    passes_by_task = state.config.parts.takes_gradients and step.representation is None
    return "SyncBatchNorm" if passes_by_task and state.parameters.normalises_over_ranks() else ""


def _means(
    labels: Sequence[float], sums: Sequence[float], checks: Sequence[float], device: torch.device
) -> tuple[Tensor, list[int]]:
    """The losses [K] over all labels, and their tasks."""
    present = [k for k, count in enumerate(labels) if count > 0]
    dtype = torch.float64 if checks[3] else torch.float32  # not this rank's own: it may have no loss at all
    return torch.tensor([sums[k] / labels[k] for k in present], device=device, dtype=dtype), present


def _summed(
    step: Step,
    here: Mapping[int, float],
    num_tasks: int,
    ranks: Ranks,
    device: torch.device,
    setup: str,
    news: bool,
) -> tuple[list[float], list[float], list[float], list[float]]:
    """Over all ranks, by one sum: labels [K], losses times labels [K], ranks with a loss [K], and four checks."""
    checksum = float(sum(byte * (place + 1) for place, byte in enumerate(setup.encode())) % 2**_CHECKSUM_BITS)
    counts = [here.get(k, 0.0) for k in range(num_tasks)]
    holds = [float(k in here) for k in range(num_tasks)]
    is_wide = float(step.stacked.dtype == torch.float64)
    mine = [*counts, *[0.0] * num_tasks, *holds, checksum, checksum**2, float(news), is_wide]
    numbers = torch.tensor(mine, dtype=torch.float64, device=device)
    taking = [k for k in step.present if here[k]]  # 0 times inf would be NaN
    if taking:
        raw = on_one_device([loss.detach() for k, loss in zip(step.present, step.raw, strict=True) if here[k]])
        numbers[[num_tasks + k for k in taking]] = raw.double() * numbers[taking]
    summed = ranks.sum_(numbers).tolist()
    return summed[:num_tasks], summed[num_tasks : 2 * num_tasks], summed[2 * num_tasks : -4], summed[-4:]


def _scaled(loss: Tensor, share: float) -> Tensor:
    return loss if share == 1.0 else loss * share


def _differences(ranks: Ranks, setup: str) -> list[str]:
    """What each rank trains, those that train the same together."""
    holders: dict[str, list[int]] = {}
    for rank, its in enumerate(ranks.gathered(setup)):
        holders.setdefault(its, []).append(rank)
    return [f"rank {', '.join(map(str, numbers))} has {its}" for its, numbers in holders.items()]
