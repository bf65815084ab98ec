"""sentence-transformers: the parts of one loss, which its trainer sums, balanced by any method."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.arguments import short_repr
from equipoise.balancer import Balancer
from equipoise.method import Method

try:
    import sentence_transformers  # noqa: F401

    from equipoise.trainers.hugging_face import attach
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f'{error.name} is missing: pip install "equipoise[sentence-transformers]"', name=error.name
    ) from None


def balance(
    trainer: Any,
    method: Method,
    *,
    tasks: Iterable[str] | Mapping[str, float],
    observe: Mapping[str, str] | None = None,
    lower_is_better: Iterable[str] = (),
    **options: Any,
) -> Balancer:
    """Balance the parts of a trainer's loss while it trains; call it once, before ``train``.

    The trainer sums what a loss returns as a dict. From here on, a hook of that loss gives it the balanced loss of the
    parts in training; an evaluation sees the parts as before. Logs keep each part under its name, and logs and
    checkpoints gain what ``equipoise.trainers.hugging_face.attach`` adds. What a method learns is trained with the
    loss's own parameters.

    Args:
        trainer: A ``SentenceTransformerTrainer``, or that of a sparse or multi-vector encoder.
        method: How to balance.
        tasks: The names of the parts, or {name: weight}.
        observe: As of ``attach``.
        lower_is_better: As of ``attach``.
        options: More of ``Balancer``.

    Raises:
        ValueError: If the trainer has a loss for each of several data sets, of which no batch has two, or an argument
            of ``Balancer`` or ``attach`` is out of its range; from ``train``, if the loss returns no dict, or a part
            that ``tasks`` does not name.
    """
    loss = trainer.loss
    if not isinstance(loss, nn.Module):
        raise ValueError(f"one loss whose parts share each batch can be balanced, got {short_repr(loss)}")
    balancer = Balancer(method, trainer.model, tasks=tasks, **options)
    attach(trainer, balancer, observe=observe, lower_is_better=lower_is_better)

    def balanced(_: nn.Module, __: Any, parts: Any) -> Tensor | None:
        if not (trainer.model.training and torch.is_grad_enabled()):
            return None
        if not isinstance(parts, dict):
            raise ValueError(f"the loss must return a dict of its parts, {', '.join(balancer.names)}, got one number")
        trainer.track_loss_components(parts)
        return balancer(parts)

    loss.register_forward_hook(balanced)
    if learned := list(balancer.parameters()):
        loss.learned_by_the_method = nn.ParameterList(learned)  # the trainer's optimizer takes those of the loss
    return balancer
