"""What the method decides in one step: from its measured gradients, or before if it needs none."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from equipoise.balancer.config import Config
from equipoise.balancer.reach import Reach
from equipoise.balancer.state import State
from equipoise.chain import Parts
from equipoise.gradients.jacobian import Jacobian, to_host
from equipoise.plain_sum import Sum
from equipoise.torch_private.tensors import largest_of

WeightedRows = Callable[[Tensor], Tensor]
_FEW = 64  # numbers


@dataclass
class StepDecision:
    """Weights [K] for the rows, and the combined gradient by each measured tensor where it is not their sum."""

    weights: Tensor
    combined: list[Tensor] | None = None
    gramian: Tensor | None = None  # [K, K]
    skipped: bool = False  # a number was not finite: the method was not asked
    has_weights: bool = True  # else the method has no one weight per task


def decide_measured(
    state: State, reach: Reach, jacobian: Jacobian, others: list[Tensor], scales: Tensor, incoming: Tensor
) -> StepDecision:
    """Ask the method for weights, unless a number is not finite: then all gradients go through as they are.

    Args:
        state: Of the balancer.
        reach: K tasks.
        jacobian: Their gradients, each times ``incoming``.
        others: Gradients by all that is not measured.
        scales: The weighting's weights [K].
        incoming: [].
    """
    config, balanced, num_tasks = state.config, reach.balanced, len(reach.step.losses)
    parts, stacked = config.parts, reach.step.stacked
    extracted = extract_single_task(state, reach, jacobian)
    others = [*others, *(gradient for _, gradient in extracted.values())]
    largest = largest_of(others) if others else torch.zeros(())
    gramian, largest, losses, incoming_there, scales = jacobian.gramian(
        num_tasks, stacked, incoming, scales, own=[largest]
    )
    factor = float(incoming_there)
    gramian = gramian if factor == 1 else gramian / factor / factor
    skipped = factor == 0 or not all(map(_are_finite, (gramian, losses, largest)))
    weights, combined = torch.ones_like(scales), None
    if not skipped:
        rows = partial(_balanced_rows, jacobian, reach, factor)
        weights = checked_weights(config, reach, losses, scales, gramian, rows)
        if balanced and parts.coordinate is not None and parts.row is None:
            weighted = rows(weights)
            gradient = parts.coordinate(weighted, losses[balanced].to(weighted), reach.tasks)
            combined = jacobian.spread(gradient if factor == 1 else gradient * incoming.to(gradient))
        if balanced and parts.group is not None:
            combined = _by_group(config, reach, jacobian, weights, losses, factor)
    has_weights = combined is None
    if extracted:
        combined = jacobian.combine(weights) if combined is None else combined
        for place, (k, gradient) in extracted.items():
            combined[place] = gradient * float(weights[k]) if config.heads == "weighted" else gradient
    return StepDecision(weights, combined, gramian, skipped, has_weights)


def decide_unmeasured(state: State, reach: Reach, scales: Tensor, incoming: Tensor) -> StepDecision:
    """Ask a method that needs no gramian; what is not finite of losses alone is seen here."""
    losses, factor, scales = to_host((), [reach.step.stacked, incoming, scales], state.ranks)
    if float(factor) == 0 or not (_are_finite(factor) and _are_finite(losses)):
        return StepDecision(torch.ones_like(scales), skipped=True)
    unread = losses.new_full((len(losses),) * 2, torch.nan)
    no_rows = unread[reach.balanced, :0]
    return StepDecision(checked_weights(state.config, reach, losses, scales, unread, lambda _: no_rows))


def checked_weights(
    config: Config, reach: Reach, losses: Tensor, scales: Tensor, gramian: Tensor, rows: WeightedRows
) -> Tensor:
    """The weights [K] of a whole method; the arguments are those of ``weights_of``.

    Raises:
        ValueError: If the weighting gave weights that are not finite.
        RuntimeError: If what follows it did.
    """
    if not _are_finite(scales):
        raise ValueError(
            f"{config.parts.weighting} gave weights {scales.tolist()} for losses {losses.tolist()}: if it takes "
            "logarithms or ratios, add the task losses' lower bounds to them"
        )
    weights = weights_of(config.parts, scales, reach.balanced, reach.tasks, losses, gramian, rows)
    _require_finite(config, weights)
    return weights


def weights_of(
    parts: Parts,
    scales: Tensor,
    balanced: Sequence[int],
    tasks: Tensor,
    losses: Tensor,
    gramian: Tensor,
    rows: WeightedRows,
) -> Tensor:
    """The weights [K] of a method, in float64 on the CPU as are its arguments.

    Args:
        parts: The method.
        scales: The weights [K] of its weighting.
        balanced: The places of the B tasks that it balances.
        tasks: The numbers [B] of these among all tasks.
        losses: [K].
        gramian: [K, K]; of no effect where the method does not read it.
        rows: Gives the rows [B, P] of the balanced tasks, times the weights [K].
    """
    weights, are_all = scales.clone(), len(balanced) == len(losses)
    among, of_tasks = list(balanced), losses if are_all else losses[list(balanced)]
    if balanced and parts.aggregator is not None:
        weighted = gramian if isinstance(parts.weighting, Sum) else scales[:, None] * gramian * scales
        if are_all:
            weights = weights * parts.aggregator(weighted, of_tasks, tasks)
        else:
            weights[among] *= parts.aggregator(weighted[among][:, among], of_tasks, tasks)
    if balanced and parts.row is not None:
        weighted = rows(weights)
        weights[among] *= parts.row.decide(weighted, of_tasks.to(weighted), tasks).double().cpu()
    return weights


def extract_single_task(state: State, reach: Reach, jacobian: Jacobian) -> dict[int, tuple[int, Tensor]]:
    """Take from the jacobian what a compiled graph calls shared and one task alone has ever had a gradient by.

    Place among the shared tensors -> (task within the step, its gradient).
    """
    extracted: dict[int, tuple[int, Tensor]] = {}
    if reach.chosen is not None or not state.parameters.ambiguous:
        return extracted
    parameters, num_tasks, num_rows = state.parameters, len(state.config.names), len(reach.step.losses)
    for place, (name, leaf) in enumerate(zip(reach.roles.names, reach.roles.shared, strict=True)):
        if parameters.is_unsure(name, num_tasks):
            nonzero = jacobian.nonzero_rows(leaf, num_rows)
            among_all = sum((nonzero >> k & 1) << task for k, task in enumerate(reach.step.present))
            parameters.reached[name] = parameters.reached.get(name, 0) | among_all
            if parameters.is_unsure(name, num_tasks):
                extracted[place] = max(nonzero.bit_length() - 1, 0), jacobian.extract(leaf, num_rows)
    return extracted


def _balanced_rows(jacobian: Jacobian, reach: Reach, factor: float, weights: Tensor) -> Tensor:
    """The rows [K, P] of the balanced tasks, weighted and unscaled."""
    balanced, rows = reach.balanced, jacobian.rows(len(reach.step.losses))
    rows = rows if len(balanced) == len(rows) else rows[balanced]
    factors = weights[balanced] / factor  # on the host, so that no device is asked
    return rows if (factors == 1).all() else rows * factors.to(rows)[:, None]


def _by_group(
    config: Config, reach: Reach, jacobian: Jacobian, weights: Tensor, losses: Tensor, factor: float
) -> list[Tensor]:
    """The combined gradient of a method that sees a gramian [K, K] for each group of parameters."""
    groups, balanced = reach.groups, reach.balanced
    assert config.parts.group is not None
    gramians = weights[:, None] * (jacobian.gramians(len(losses), groups) / factor**2) * weights
    by_group = weights.repeat(len(groups), 1)
    of_balanced = gramians[:, balanced][:, :, balanced]
    by_group[:, balanced] *= config.parts.group(of_balanced, losses[balanced], reach.tasks)
    _require_finite(config, by_group)
    return jacobian.combine_in_groups(by_group, groups)


def _require_finite(config: Config, weights: Tensor) -> None:
    if not _are_finite(weights):
        raise RuntimeError(f"{config.method} gave weights {weights.tolist()} for finite gradients: a defect in it")


def _are_finite(numbers: Tensor) -> bool:
    """Of the host; of a few, plain numbers take less time."""
    if numbers.numel() > _FEW:
        return bool(np.isfinite(numbers.numpy()).all())
    return all(map(math.isfinite, numbers.flatten().tolist()))
