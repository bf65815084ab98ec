"""Sequences: each token of a batch is a sample of any loss over samples."""

from collections.abc import Callable

from torch import Tensor

from equipoise.losses.checks import require_dim, require_tensors, sees_values, wide
from equipoise.losses.mixed import require_loss, require_scalar
from equipoise.losses.module import LossModule
from equipoise.missing import MISSING, divisor_of, ignored_class, labelled, labelled_samples
from equipoise.remedies import require_no_broadcast

__all__ = ["PerToken"]


class PerToken(LossModule):
    """The loss of all tokens of a batch that have a label, each token a sample; 0, with a graph, where none has.

    Outputs [B, T, ...] and targets [B, T, ...] become [tokens, ...]. For tagging these are logits [B, T, V] and classes
    [B, T], ``ignore_index`` where a sequence is padded: no transposing, and any loss of logits [N, C] and classes [N]
    will do. In a task: ``Task("slots", PerToken(FocalLoss()))``; the task's metrics then read the same layout.

    Args:
        loss: ``(output, target) -> scalar`` over samples. Its ``ignore_index`` is that of the padding; a loss that has
            none gets -100. Padding of float targets is NaN.

    Raises:
        ValueError: If the loss does not reduce, output and target differ in B or T, one of torch's losses would
            broadcast them, or a token's label is NaN in part.

    >>> import torch
    >>> tokens = PerToken(torch.nn.CrossEntropyLoss())
    >>> tokens(torch.zeros(1, 3, 4), torch.tensor([[0, 1, -100]]))  # log 4
    tensor(1.3863)
    """

    takes_padding = True  # a task hands on samples of which some tokens have no label

    def __init__(self, loss: Callable[..., Tensor]) -> None:
        super().__init__()
        require_loss("loss", loss)
        ignored = ignored_class(loss)
        self.loss, self.ignore_index = loss, MISSING if ignored is None else ignored

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Of output [B, T, ...] and target [B, T, ...]."""
        output, target = self._tokens(output, target)
        require_no_broadcast("output and target of all tokens", self.loss, (output, target))
        return require_scalar("loss", self.loss(output, target)) if len(target) else output.sum()

    def divisor(self, output: Tensor, target: Tensor) -> float:
        """What the sum is divided by: as the loss says of the tokens, or how many labels they have."""
        output, target = self._tokens(output, target)
        count = int(labelled(target, self.ignore_index).sum())
        return divisor_of(self.loss, (output, target), count, self.ignore_index) if count else 0

    def _tokens(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Of those tokens that have a label, one after another."""
        require_tensors(output=output, target=target)
        require_dim("target", target, "[B, T, ...]", least=2)
        if output.shape[:2] != target.shape[:2]:
            transposed = (output.shape[0], *output.shape[2:]) == target.shape
            raise ValueError(
                f"output [B, T, ...] and target [B, T, ...] must have the same B and T, got {tuple(output.shape)} and "
                f"{tuple(target.shape)}{': write output.transpose(1, 2)' if transposed else ''}"
            )
        output, target = output.flatten(0, 1), target.flatten(0, 1)
        present = labelled_samples(target, self.ignore_index)
        output, target = wide(output[present]), wide(target[present])
        if target.dim() > 1 and target.is_floating_point() and sees_values(target) and target.isnan().any():
            raise ValueError("target is NaN in a part of a token's label: it must be there whole, or all of it NaN")
        return output, target
