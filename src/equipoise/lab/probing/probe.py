"""Gradient diagnostics of a case before training, and the weights that they suggest."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count, islice

import torch
from accelerate.utils import send_to_device, set_seed
from torch import nn
from torch.utils.data import DataLoader

import equipoise as eq
from equipoise.lab.cases import Case
from equipoise.lab.evaluation import counted
from equipoise.lab.probing.kinds import Kind, measure_kinds
from equipoise.lab.probing.look import Batch, GradientSummary, look
from equipoise.lab.training.device import make_accelerator
from equipoise.lab.training.order import EpochOrder

ALIKE = 2.0  # the largest weight over the smallest below which equal weights are as good a start


@dataclass(frozen=True)
class WeightSuggestion:
    """Weights of the tasks with mean 1, empty where there is nothing to go by; the reason in words."""

    weights: Mapping[str, float]
    reason: str


def suggest(look: GradientSummary, user_weights: Mapping[str, float]) -> WeightSuggestion:
    """weight_k ∝ 1 / ‖gradient of the raw loss k by the shared parameters‖: every task then moves them equally far."""
    raw = {name: norm / user_weights[name] for name, norm in look.norms.items() if user_weights[name] > 0}
    still = [name for name, norm in raw.items() if not 0 < norm < float("inf")]
    if still or len(raw) < 2:
        why = f"the gradient of {', '.join(still)} is zero or not finite" if still else "only one task has a weight"
        return WeightSuggestion({}, f"No weights are suggested: {why}.")
    inverse = {name: 1.0 / norm for name, norm in raw.items()}
    scale = len(inverse) / sum(inverse.values())
    weights = {name: value * scale for name, value in inverse.items()}
    long, short = max(raw, key=lambda name: raw[name]), min(raw, key=lambda name: raw[name])
    ratio = raw[long] / raw[short]
    found = (
        f"One over the norm of each task's gradient by the shared parameters ({_moment(look)}, {look.batches} "
        f"batches): every task then moves what is shared equally far, where in a plain sum {long} moves it "
        f"{ratio:.3g} times as far as {short}."
    )
    if ratio < ALIKE:
        found += " That is less than a factor of 2: equal weights are as good a start."
    return WeightSuggestion(
        weights,
        f"{found} This is a start for a search, not its result: gradients of one norm say nothing about which task "
        "matters, nor about what does best on validation, and Adam undoes a scale that all tasks have in common.",
    )


def _moment(look: GradientSummary) -> str:
    return f"after {counted(look.steps, 'step')} of the plain sum" if look.steps else "at initialisation"


@dataclass(frozen=True)
class Probe:
    """Gradient diagnostics of a case.

    Args:
        title: One line about the case.
        tasks: Their names.
        seed: Of the initialisation and the order of the batches.
        looks: At initialisation and, if there was training, after it; the same batches.
        kinds: Costs, the plain sum first.
        suggestion: From the last look.
    """

    title: str
    tasks: tuple[str, ...]
    seed: int
    looks: tuple[GradientSummary, ...]
    kinds: tuple[Kind, ...]
    suggestion: WeightSuggestion


def probe(case: Case, *, batches: int = 8, steps: int = 100, seed: int = 0) -> Probe:
    """Look at batches of the training split at initialisation, and again after training by the plain sum.

    Args:
        case: What to look at; validation and test are not read.
        batches: How many; a cosine of one batch is mostly chance.
        steps: Of training between the looks, with the case's optimiser; 0: one look only.
        seed: As for training.

    Raises:
        ValueError: If an argument is out of its range, the case has one task, or nothing is shared.
    """
    for name, value, least in (("batches", batches, 1), ("steps", steps, 0), ("seed", seed, 0)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    if len(case.tasks) < 2:
        raise ValueError(f"case {case.name} has one task: there is nothing to balance")
    device = make_accelerator().device
    set_seed(seed)
    tasks, model = copy.deepcopy(case.tasks).to(device), case.model(case.tasks.names).to(device)
    stream = _stream(case, seed, device)
    seen = list(islice(stream, min(batches, _batches_of(case))))
    looks = [look(model, tasks, seen)]
    if steps:
        _train(case, model, tasks, islice(stream, steps))
        looks.append(look(model, tasks, seen, steps))
    user_weights = {task.name: task.weight for task in tasks}
    fullest = max(seen, key=lambda batch: len(tasks.losses(model(batch[0]), batch[1])))
    kinds = measure_kinds(model, tasks, fullest)
    return Probe(case.title, tuple(tasks.names), seed, tuple(looks), kinds, suggest(looks[-1], user_weights))


def _batches_of(case: Case) -> int:
    return -(-len(case.splits["train"]) // case.batch_size)  # type: ignore[arg-type]


def _stream(case: Case, seed: int, device: torch.device) -> Iterator[Batch]:
    """Batches as training has them, epoch after epoch."""
    order = EpochOrder(case.splits["train"], seed)  # type: ignore[arg-type]
    loader = DataLoader(case.splits["train"], case.batch_size, sampler=order, collate_fn=case.collate)
    for epoch in count():
        order.set_epoch(epoch)
        for batch in loader:
            yield send_to_device(batch, device)


def _train(case: Case, model: nn.Module, tasks: eq.Tasks, batches: Iterator[Batch]) -> None:
    balancer = eq.Balancer(eq.Sum(), model, tasks=tasks)
    optimizer = torch.optim.AdamW(model.parameters(), lr=case.learning_rate, weight_decay=case.weight_decay)
    for inputs, targets in batches:
        losses = tasks.losses(model(inputs), targets)
        optimizer.zero_grad()
        if losses:
            balancer(losses).backward()
            optimizer.step()
