"""What the method decides in one step: from its measured gradients, or before if it needs none."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from equipoise.balancer.config import Config
from equipoise.balancer.reach import Reach
from equipoise.balancer.state import State
from equipoise.gradients.jacobian import Jacobian, to_host


@dataclass
class StepDecision:
    """Weights [K] for the rows, and the combined gradient by each measured tensor where it is not their sum."""

    weights: Tensor
    combined: list[Tensor] | None = None
    gramian: Tensor | None = None  # [K, K]
    skipped: bool = False  # a number was not finite: the method was not asked
    has_weights: bool = True  # else the method has no one weight per task


def decide(
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
    config, step, balanced = state.config, reach.step, reach.balanced
    parts, num_tasks = config.parts, len(step.losses)
    extracted = extract_single_task(state, reach, jacobian)
    others = [*others, *(gradient for _, gradient in extracted.values())]
    largest = torch.nn.utils.get_total_norm(others, float("inf")) if others else torch.zeros(())
    gramian, largest, losses, factor, scales = jacobian.gramian(
        num_tasks, step.stacked, incoming, scales, own=[largest]
    )
    gramian = gramian / factor**2
    numbers = float(gramian.sum() + losses.sum() + largest)  # finite if all of them are
    skipped = float(factor) == 0 or not math.isfinite(numbers)
    weights, combined = torch.ones_like(scales), None
    if not skipped:
        weights = weights_by_gramian(config, reach, gramian, losses, scales)
        if balanced and parts.row is not None:
            rows = _balanced_rows(jacobian, reach, weights, float(factor))
            weights[balanced] *= weights_by_rows(config, reach, rows, step.stacked.detach()[balanced])
        elif balanced and parts.coordinate is not None:
            rows = _balanced_rows(jacobian, reach, weights, float(factor))
            gradient = parts.coordinate(rows, step.stacked.detach()[balanced].to(rows), reach.tasks)
            combined = jacobian.spread(gradient if float(factor) == 1 else gradient * incoming.to(gradient))
        if balanced and parts.group is not None:
            combined = _by_group(config, reach, jacobian, weights, losses, float(factor))
    has_weights = combined is None
    if extracted:
        combined = jacobian.combine(weights) if combined is None else combined
        for place, (k, gradient) in extracted.items():
            combined[place] = gradient * float(weights[k]) if config.heads == "weighted" else gradient
    return StepDecision(weights, combined, gramian, skipped, has_weights)


def decide_unmeasured(state: State, reach: Reach, scales: Tensor, incoming: Tensor) -> StepDecision:
    """Ask a method that needs no gramian; what is not finite of losses alone is seen here."""
    config, parts, step = state.config, state.config.parts, reach.step
    losses, factor, scales = to_host((), [step.stacked, incoming, scales], state.ranks)
    if float(factor) == 0 or not math.isfinite(float(factor + losses.sum())):
        return StepDecision(torch.ones_like(scales), skipped=True)
    unread = losses.new_full((len(losses),) * 2, torch.nan)
    weights = weights_by_gramian(config, reach, unread, losses, scales)
    if parts.row is not None:
        balanced = reach.balanced
        weights[balanced] *= weights_by_rows(config, reach, unread[balanced, :0], losses[balanced])
    return StepDecision(weights)


def weights_by_gramian(config: Config, reach: Reach, gramian: Tensor, losses: Tensor, scales: Tensor) -> Tensor:
    """The weights [K] of the weighting, which are ``scales``, and of the aggregator for the balanced tasks.

    Raises:
        ValueError: If the weighting gave weights that are not finite.
        RuntimeError: If the aggregator did.
    """
    if not scales.isfinite().all():
        raise ValueError(
            f"{config.parts.weighting} gave weights {scales.tolist()} for losses {losses.tolist()}: if it takes "
            "logarithms or ratios, add the task losses' lower bounds to them"
        )
    weights, balanced = scales.clone(), reach.balanced
    if balanced and config.parts.aggregator is not None:
        scaled = (scales[:, None] * gramian * scales)[balanced][:, balanced]
        weights[balanced] *= config.parts.aggregator(scaled, losses[balanced], reach.tasks)
    _require_finite(config, weights)
    return weights


def weights_by_rows(config: Config, reach: Reach, rows: Tensor, losses: Tensor) -> Tensor:
    """The weights [K] of the balanced tasks that the part by rows decides, on the CPU.

    Raises:
        RuntimeError: If they are not finite.
    """
    assert config.parts.row is not None
    weights = config.parts.row.decide(rows, losses, reach.tasks).double().cpu()
    _require_finite(config, weights)
    return weights


def extract_single_task(state: State, reach: Reach, jacobian: Jacobian) -> dict[int, tuple[int, Tensor]]:
    """Take from the jacobian what a compiled graph calls shared and one task alone has ever had a gradient by.

    Place among the shared tensors -> (task within the step, its gradient).
    """
    extracted: dict[int, tuple[int, Tensor]] = {}
    if reach.points is not None or not state.parameters.ambiguous:
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


def _balanced_rows(jacobian: Jacobian, reach: Reach, weights: Tensor, factor: float) -> Tensor:
    """The rows [K, P] of the balanced tasks, weighted and unscaled."""
    balanced, rows = reach.balanced, jacobian.rows(len(reach.step.losses))
    rows = rows if len(balanced) == len(rows) else rows[balanced]
    factors = (weights[balanced] / factor).to(rows)
    return rows if (factors == 1).all() else rows * factors[:, None]


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
    if not math.isfinite(float(weights.sum())) and not weights.isfinite().all():
        raise RuntimeError(f"{config.method} gave weights {weights.tolist()} for finite gradients: a defect in it")
