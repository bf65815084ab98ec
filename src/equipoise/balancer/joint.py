"""One step of all ranks together: what each has of it becomes the same on all of them.

The losses of the joint batch are means over its labels: L_k = sum_r n_kr L_kr / sum_r n_kr, rank r having n_kr of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from equipoise.balancer.state import State
from equipoise.gradients.ranks import Ranks
from equipoise.gradients.surrogate import surrogate, with_gradient_of
from equipoise.step import Step, labels_of, on_one_device

_WORD_BITS = 20  # of a checksum whose square a sum in float64 holds exactly


def of_all_ranks(state: State, step: Step, counts: Mapping[str, float]) -> tuple[Step, Mapping[str, float]]:
    """The step of the joint batch, for a balancer, and the labels behind its losses.

    Raises:
        ValueError: If a count is negative or not finite, the ranks differ in what they train, or FSDP or SyncBatchNorm
            would wait for a task that some of them have not.
    """
    config, ranks, parameters = state.config, state.ranks, state.parameters
    where = "a representation" if step.representation is not None else "parameters"
    how = f"heads={config.heads!r}, scale={config.scale!r}, compared at {where}"
    word = f"{config.method} for tasks {state.weights.now}, {how}"
    news = parameters.learn(parameters.graph_of(step.losses), step.present, len(config.names), joint=True)
    joint = joint_step(step, counts, state.weights.now, ranks, parameters.device, word, news)
    if joint.partly and (waiting := _waiting_for_all(state, step)):
        raise ValueError(
            f"{', '.join(map(repr, joint.partly))} has a loss on some ranks only, where {waiting} waits for all: give "
            "the others a loss of zeros, such as 0 * outputs[name].sum(), with counts[name] = 0"
        )
    if joint.news:
        parameters.agree(len(config.names), ranks)
    return joint.step, joint.labels


def _waiting_for_all(state: State, step: Step) -> str:
    """What in the trunk talks to all ranks in each backward pass, of which a task that is absent here has none."""
    if state.parameters.is_sharded_by_fsdp():
        return "FSDP"
    passes_by_task = state.config.parts.takes_gradients and step.representation is None
    return "SyncBatchNorm" if passes_by_task and state.parameters.normalises_over_ranks() else ""


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


class Joint(NamedTuple):
    """What the ranks have agreed on."""

    step: Step
    labels: Mapping[str, float]  # behind its losses, by task name
    news: bool  # whether any rank has learned what the others must be told
    partly: list[str]  # tasks present on some ranks, but not on all


def joint_step(
    step: Step,
    counts: Mapping[str, float],
    weights: Mapping[str, float],
    ranks: Ranks,
    device: torch.device,
    word: str,
    news: bool,
) -> Joint:
    """The step of the joint batch.

    Its tasks are those present on any rank. Its losses' values are those of the joint batch; their gradients are this
    rank's, scaled so that the mean over ranks is the joint batch's. A task that is absent here brings none.

    Args:
        step: This rank's.
        counts: The labels behind each of its losses; a loss without one counts as one label. 0 labels have a gradient
            of zeros.
        weights: The users' weights of all tasks.
        ranks: Who takes part.
        device: Where a rank without a loss has its parameters.
        word: What must be equal on all ranks.
        news: Whether this rank has learned what the others must be told.

    Raises:
        ValueError: If a count is negative or not finite, or the ranks differ in ``word``.
    """
    here = {k: labels_of(counts, name) for k, name in zip(step.present, step.names, strict=True)}
    device = step.stacked.device if step.losses else device
    labels, sums, holders, checks = _summed(step, here, len(weights), ranks, device, word, news)
    if checks[0] ** 2 != ranks.size * checks[1]:
        raise ValueError("ranks differ in what they train: " + "; ".join(_differences(ranks, word)))
    raw, present = _means(labels, sums, checks, device)
    every = tuple(weights)
    names = tuple(every[k] for k in present)
    own = dict(zip(step.present, step.losses, strict=True))
    nothing = torch.zeros((), device=device)
    losses = [
        _scaled(own[k], here[k] * ranks.size / labels[k]) if k in own else nothing.clone().requires_grad_()
        for k in present
    ]
    values = raw * raw.new_tensor([weights[name] for name in names])
    stacked = with_gradient_of(values, on_one_device(losses), lambda _: None) if losses else values
    joint = replace(
        step,
        present=present,
        names=names,
        raw=list(raw),
        weights=tuple(weights[name] for name in names),
        losses=losses,
        stacked=stacked,
        total=values.sum(),
    )
    return Joint(
        joint,
        {every[k]: labels[k] for k in present},
        checks[2] > 0,
        [every[k] for k in present if holders[k] < ranks.size],
    )


def joint_losses(
    step: Step, counts: Mapping[str, float], weights: Mapping[str, float], ranks: Ranks, device: torch.device
) -> tuple[Tensor, Tensor]:
    """The values [K] of the joint batch's losses, users' weights in them, and their tasks [K] among all.

    The arguments are those of ``joint_step``.
    """
    here = {k: labels_of(counts, name) for k, name in zip(step.present, step.names, strict=True)}
    device = step.stacked.device if step.losses else device
    labels, sums, _, checks = _summed(step, here, len(weights), ranks, device, "", news=False)
    raw, present = _means(labels, sums, checks, device)
    factors = tuple(weights.values())
    return raw * raw.new_tensor([factors[k] for k in present]), torch.tensor(present, device=device)


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
    word: str,
    news: bool,
) -> tuple[list[float], list[float], list[float], list[float]]:
    """Over all ranks, by one sum: labels [K], losses times labels [K], ranks with a loss [K], and four checks."""
    checksum = float(sum(byte * (place + 1) for place, byte in enumerate(word.encode())) % 2**_WORD_BITS)
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


def _differences(ranks: Ranks, word: str) -> list[str]:
    """What each rank says, those that say the same together."""
    said: dict[str, list[int]] = {}
    for rank, its in enumerate(ranks.gathered(word)):
        said.setdefault(its, []).append(rank)
    return [f"rank {', '.join(map(str, numbers))} has {its}" for its, numbers in said.items()]
