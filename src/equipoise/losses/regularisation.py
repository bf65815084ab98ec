"""Penalties on complexity: of parameters, or of activations.

L1 and L2 are their definitions. Elastic net: Zou and Hastie, JRSS B 2005, in the proportions of Friedman, Hastie and
Tibshirani, JSS 2010, eq. (3). Group lasso: Yuan and Lin, JRSS B 2006, eq. (2.1) with K_j = p_j I. Nuclear norm: Recht,
Fazel, Parrilo, SIAM Review 2010. Spectral norm: Yoshida and Miyato, arXiv:1705.10941. Sparsity of activations: Ng,
Sparse Autoencoder, CS294A lecture notes, 2011.

L2 in the loss is not an optimiser's decoupled weight decay (Loshchilov and Hutter, ICLR 2019): ``l2`` says what it is.
"""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from equipoise.losses.checks import require_argument, require_dim, require_floating, wide
from equipoise.losses.module import LossModule

__all__ = [
    "ParameterPenalty",
    "activation_sparsity",
    "elastic_net",
    "group_lasso",
    "l1",
    "l2",
    "nuclear_norm",
    "spectral_norm",
    "weights_only",
]

_NORMS = (nn.LayerNorm, nn.RMSNorm)  # batch, group and instance norms have vectors only


def l1(tensors: Tensor | Iterable[Tensor]) -> Tensor:
    """Sum |w|; its slope at 0 is 0.

    Args:
        tensors: One, or several; of any shapes.

    Raises:
        ValueError: If there are none, or one is not floating point.

    >>> l1([torch.tensor([1.0, -2.0]), torch.tensor([[3.0]])])
    tensor(6.)
    """
    return _total(tensor.abs().sum() for tensor in _given(tensors))


def l2(tensors: Tensor | Iterable[Tensor]) -> Tensor:
    """Sum w² / 2, so that strength · l2 has the gradient strength · w.

    With plain SGD that is ``weight_decay=strength`` of the optimiser. With Adam it is not AdamW's weight decay: Adam
    divides this gradient by the size of all gradients, so weights with large gradients are held back least.

    Args:
        tensors: One, or several; of any shapes.

    Raises:
        ValueError: If there are none, or one is not floating point.

    >>> l2([torch.tensor([1.0, -2.0]), torch.tensor([[3.0]])])
    tensor(7.)
    """
    return _total(tensor.square().sum() / 2 for tensor in _given(tensors))


def elastic_net(tensors: Tensor | Iterable[Tensor], *, l1_ratio: float = 0.5) -> Tensor:
    """l1_ratio · sum |w| + (1 − l1_ratio) · sum w² / 2.

    Args:
        tensors: One, or several; of any shapes.
        l1_ratio: In [0, 1]; 1 is ``l1``, 0 is ``l2``.

    Raises:
        ValueError: If there are none, one is not floating point, or ``l1_ratio`` is out of its range.

    >>> elastic_net(torch.tensor([1.0, -2.0]), l1_ratio=0.5)  # (3 + 2.5) / 2
    tensor(2.7500)
    """
    require_argument("l1_ratio", l1_ratio, low=0.0, high=1.0)
    given = _given(tensors)
    return l1_ratio * l1(given) + (1 - l1_ratio) * l2(given)


def group_lasso(tensors: Tensor | Iterable[Tensor], *, dim: int = 0) -> Tensor:
    """Sum over groups of sqrt(p) ‖w_g‖₂, p the size of a group; whole groups go to 0 together.

    Args:
        tensors: One, or several, with at least two dimensions.
        dim: Every index of it is a group: 0, one per output of a linear or convolution layer; 1, one per input.

    Raises:
        ValueError: If there are none, or one is not floating point or has no such dimension.

    >>> group_lasso(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))  # sqrt(2) · (5 + 0)
    tensor(7.0711)
    """
    return _total(_group_norms(tensor, dim) for tensor in _given(tensors))


def nuclear_norm(tensors: Tensor | Iterable[Tensor]) -> Tensor:
    """Sum of the singular values of each [out, in · kernel] matrix: the convex stand-in for its rank.

    Exact, by a singular value decomposition at every call. A singular value of 0 has the slope 0.

    Args:
        tensors: One, or several, with at least two dimensions; those after the first are flattened.

    Raises:
        ValueError: If there are none, or one is not floating point or a matrix.

    >>> nuclear_norm(torch.tensor([[3.0, 0.0], [0.0, -4.0]]))
    tensor(7.)
    """
    return _total(_singular_values(tensor).sum() for tensor in _given(tensors))


def spectral_norm(tensors: Tensor | Iterable[Tensor]) -> Tensor:
    """Sum over the matrices [out, in · kernel] of their largest singular value.

    Exact, by a singular value decomposition at every call; of a convolution it is the norm of the flattened kernel, not
    that of the operation. The paper's penalty is half the sum of squares.

    Args:
        tensors: One, or several, with at least two dimensions; those after the first are flattened.

    Raises:
        ValueError: If there are none, or one is not floating point or a matrix.

    >>> spectral_norm(torch.tensor([[3.0, 0.0], [0.0, -4.0]]))
    tensor(4.)
    """
    return _total(_singular_values(tensor)[:1].sum() for tensor in _given(tensors))


def activation_sparsity(logits: Tensor, *, target: float = 0.05) -> Tensor:
    """Sum over units of KL(target ‖ mean over the batch of sigmoid(logits)).

    The mean is that of the batch, so it wants many times 1 / target samples. For units without a sigmoid take ``l1`` of
    the activations.

    Args:
        logits: Before the sigmoid, [N, ...]; whatever follows the batch is units.
        target: How active a unit should be on average, in (0, 1).

    Raises:
        ValueError: If logits have no batch, or ``target`` is out of its range.

    >>> activation_sparsity(torch.zeros(8, 1), target=0.5)
    tensor(0.)
    """
    require_floating(logits=logits)
    require_dim("logits", logits, "[N, ...]", least=1)
    require_argument("target", target, low=0.0, high=1.0, open_low=True, open_high=True)
    logits = wide(logits)
    entropy = target * math.log(target) + (1 - target) * math.log(1 - target)
    log_on, log_off = _log_mean(F.logsigmoid(logits)), _log_mean(F.logsigmoid(-logits))
    return (entropy - target * log_on - (1 - target) * log_off).sum()


def weights_only(model: nn.Module) -> list[nn.Parameter]:
    """A model's parameters, each once, without biases, vectors and scalars, and what belongs to normalisation.

    >>> [tuple(weight.shape) for weight in weights_only(nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3)))]
    [(3, 2)]
    """
    weights = (
        parameter
        for module in model.modules()
        if not isinstance(module, _NORMS)
        for name, parameter in module.named_parameters(recurse=False)
        if parameter.dim() > 1 and not name.startswith("bias")
    )
    return list(dict.fromkeys(weights))


class ParameterPenalty(LossModule):
    """penalty(parameters of the model), read at every call, whatever it is called with.

    It stands where a penalty does: in ``Penalised``, or as a part of ``Mixed``. The model is held, but is no submodule:
    its parameters are not listed, moved or saved a second time. Copy a model and its loss in one ``deepcopy``.

    Args:
        penalty: Of a list of tensors, a scalar: ``l1``, ``l2``, ``nuclear_norm``, or ``partial(group_lasso, dim=1)``.
        model: Whose parameters.
        parameters: ``model -> those to penalise``; by default weights without biases and normalisation.

    Raises:
        ValueError: If an argument is not as above, or the model has nothing to penalise.

    >>> model = nn.Linear(2, 1)
    >>> _ = nn.init.constant_(model.weight, 3.0)
    >>> ParameterPenalty(l2, model)()  # (9 + 9) / 2, without the bias
    tensor(9., grad_fn=<DivBackward0>)
    """

    model: nn.Module

    def __init__(
        self,
        penalty: Callable[[list[Tensor]], Tensor],
        model: nn.Module,
        *,
        parameters: Callable[[nn.Module], Iterable[Tensor]] = weights_only,
    ) -> None:
        super().__init__()
        for name, value in (("penalty", penalty), ("parameters", parameters)):
            if not callable(value) or isinstance(value, type):
                raise ValueError(f"{name} must be a function, got {value!r}")
        if not isinstance(model, nn.Module):
            raise ValueError(f"model must be a module, got {type(model).__name__}")
        if not list(parameters(model)):
            raise ValueError(f"model {type(model).__name__} has no parameters to penalise: give others by parameters=")
        self.penalty, self.parameters_of = penalty, parameters
        object.__setattr__(self, "model", model)  # past torch's registration

    def forward(self, *_: object) -> Tensor:
        """Of the parameters as they are now."""
        return self.penalty(list(self.parameters_of(self.model)))

    def extra_repr(self) -> str:
        """Without the whole model."""
        return f"penalty={self.penalty!r}, model={type(self.model).__name__}"


def _given(tensors: Tensor | Iterable[Tensor]) -> list[Tensor]:
    given = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    if not given:
        raise ValueError("tensors is empty: give at least one")
    for place, tensor in enumerate(given):
        require_floating(**{f"tensors[{place}]": tensor})
    return [wide(tensor) for tensor in given]


def _total(penalties: Iterable[Tensor]) -> Tensor:
    first, *others = penalties
    total: Tensor = sum(others, first)
    return total


def _group_norms(tensor: Tensor, dim: int) -> Tensor:
    require_dim("tensors", tensor, "[out, in, ...]", least=2)
    if not -tensor.dim() <= dim < tensor.dim():
        raise ValueError(f"dim must be one of the {tensor.dim()} dimensions of tensors, got {dim!r}")
    groups = tensor.movedim(dim, 0).flatten(1)
    norms: Tensor = torch.linalg.vector_norm(groups, dim=1)  # its slope at 0 is 0
    return math.sqrt(groups.shape[1]) * norms.sum()


def _singular_values(tensor: Tensor) -> Tensor:
    require_dim("tensors", tensor, "[out, in, ...]", least=2)
    values: Tensor = torch.linalg.svdvals(tensor.flatten(1))
    return values.where(values > 0, 0.0)


def _log_mean(logs: Tensor) -> Tensor:
    """Log of the mean over the batch of exp(logs)."""
    return logs.logsumexp(dim=0) - logs.new_full((), len(logs)).log()
