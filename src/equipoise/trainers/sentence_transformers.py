"""sentence-transformers: the parts of one loss, or the losses of several data sets, balanced by any method."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.balancer import Balancer
from equipoise.method import Method

try:
    import sentence_transformers  # noqa: F401

    from equipoise.trainers.hugging_face import attach
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f'{error.name} is missing: pip install "equipoise[sentence-transformers]"', name=error.name
    ) from None

_MARK = "balanced_by_equipoise"  # of a loss with a hook of ours


def balance(
    trainer: Any,
    method: Method,
    *,
    tasks: Iterable[str] | Mapping[str, float],
    observe: Mapping[str, str] | None = None,
    lower_is_better: Iterable[str] = (),
    **options: Any,
) -> Balancer:
    """Balance the parts of a trainer's loss, or its data sets, while it trains; call it once, before ``train``.

    The trainer sums what a loss returns as a dict. From here on, a hook of that loss gives it the balanced loss of the
    parts in training; an evaluation sees the parts as before. Logs keep each part under its name, and logs and
    checkpoints gain what ``equipoise.trainers.hugging_face.attach`` adds. What a method learns is trained with the
    loss's own parameters.

    With a dict of losses, one for each data set, the tasks are the data sets. No batch holds two of them, so a gradient
    method is wrapped, ``eq.InTurn(method)``, or collects a micro-batch of each (``balancer.accumulate(n)`` and as many
    ``gradient_accumulation_steps``).

    Args:
        trainer: A ``SentenceTransformerTrainer``, or that of a sparse or multi-vector encoder.
        method: How to balance.
        tasks: The names of the parts, or of the data sets, or {name: weight}.
        observe: As of ``attach``.
        lower_is_better: As of ``attach``.
        options: More of ``Balancer``.

    Raises:
        ValueError: If a loss is balanced already, ``tasks`` does not name the data sets that the trainer has losses
            for, or an argument of ``Balancer`` or ``attach`` is out of its range; from ``train``, if a single loss
            returns no dict, or a part that ``tasks`` does not name.
    """
    balancer = Balancer(method, trainer.model, tasks=tasks, **options)
    several = isinstance(trainer.loss, Mapping)
    losses = dict(trainer.loss) if several else {"": trainer.loss}
    if several and {*losses} != {*balancer.names}:
        raise ValueError(f"tasks must be the data sets, {', '.join(losses)}, got {', '.join(balancer.names)}")
    if len({*map(id, losses.values())}) < len(losses):
        raise ValueError("two data sets have one loss object, which cannot tell whose batch it sees: make one for each")
    if any(hasattr(loss, _MARK) for loss in losses.values()):
        raise ValueError("a loss of the trainer is balanced already by an earlier call: make loss and trainer anew")
    attach(trainer, balancer, observe=observe, lower_is_better=lower_is_better)

    def balanced(name: str, found: Any) -> Tensor | None:
        if not (trainer.model.training and torch.is_grad_enabled()):
            return None
        if isinstance(found, dict):
            trainer.track_loss_components(found)
        if several:
            return balancer({name: torch.stack(list(found.values())).sum() if isinstance(found, dict) else found})
        if not isinstance(found, dict):
            raise ValueError(f"the loss must return a dict of its parts, {', '.join(balancer.names)}, got one number")
        return balancer(found)

    for name, loss in losses.items():
        setattr(loss, _MARK, True)
        loss.register_forward_hook(lambda _, __, found, name=name: balanced(name, found))
    if learned := list(balancer.parameters()):
        next(iter(losses.values())).learned_by_the_method = nn.ParameterList(learned)  # its optimizer takes these
    return balancer
