"""What every loss asks of its arguments, before anything broadcasts.

Shapes and dtypes are always checked. Values are looked at on the CPU, in eager mode: elsewhere looking would make the
host wait for the device, or break the compiled graph.
"""

import math
from numbers import Real

import torch
from torch import Tensor

_SEVERAL = 4  # samples; the sum of a single one may be 1 by chance


def require_alike(**tensors: Tensor) -> None:
    """Raise unless all are real floating-point tensors of one shape."""
    require_floating(**tensors)
    require_same_shape(**tensors)


def require_same_shape(**tensors: Tensor) -> None:
    """Raise unless all tensors have one shape: nothing broadcasts."""
    require_tensors(**tensors)
    (name, tensor), *others = tensors.items()
    for other_name, other in others:
        if tensor.shape != other.shape:
            raise ValueError(
                f"{name} and {other_name} must have the same shape, got {tuple(tensor.shape)} and {tuple(other.shape)}"
                f"{_remedy(name, tensor.shape, other_name, other.shape)}"
            )


def require_tensors(**values: object) -> None:
    """Raise unless all are tensors."""
    for name, value in values.items():
        if not isinstance(value, Tensor):
            raise ValueError(f"{name} must be a tensor, got {type(value).__name__}")


def require_floating(**tensors: Tensor) -> None:
    """Raise unless all are real floating-point tensors."""
    require_tensors(**tensors)
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            raise ValueError(f"{name} must be floating point, got {tensor.dtype}: convert with .float()")


def require_integers(name: str, tensor: Tensor, what: str = "") -> None:
    """Raise unless a tensor is of an integer dtype; ``what`` says what it holds, with a space behind."""
    require_tensors(**{name: tensor})
    if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool:
        raise ValueError(f"{name} must be {what}of an integer dtype, got {tensor.dtype}: convert with .long()")


def require_dim(name: str, tensor: Tensor, shape: str, *, least: int, most: int | None = None) -> None:
    """Raise unless a tensor has ``least`` to ``most`` dimensions (``None``: or more); ``shape`` says it in words."""
    require_tensors(**{name: tensor})
    if tensor.dim() < least or (most is not None and tensor.dim() > most):
        raise ValueError(f"{name} must have shape {shape}, got {tuple(tensor.shape)}")


def require_classes(logits: Tensor, targets: Tensor, *, ignore_index: int) -> None:
    """Raise unless [N, C, ...] are logits and targets [N, ...] are classes 0 to C - 1, or ``ignore_index``."""
    require_floating(logits=logits)
    require_tensors(targets=targets)
    require_dim("logits", logits, "[N, C, ...]", least=2)
    if targets.dtype != torch.int64:
        remedy = "write targets.argmax(dim=1)" if targets.shape == logits.shape else "convert with .long()"
        raise ValueError(f"targets must be class indices in int64, got {targets.dtype}: {remedy}")
    expected = (logits.shape[0], *logits.shape[2:])
    if targets.shape == logits.shape and targets.shape != expected:
        shape = tuple(targets.shape)
        raise ValueError(f"targets must be class indices, got one per logit, {shape}: write targets.argmax(dim=1)")
    if targets.shape != expected:
        raise ValueError(
            f"targets must have shape [N, ...] = {tuple(expected)} beside logits [N, C, ...] = {tuple(logits.shape)}, "
            f"got {tuple(targets.shape)}{_remedy('targets', targets.shape, 'logits', torch.Size(expected))}"
        )
    if sees_values(targets):
        classes = targets[targets != ignore_index]
        if classes.numel():
            least, most = (int(value) for value in classes.aminmax())
            if least < 0 or most >= logits.shape[1]:
                wrong = least if least < 0 else most
                raise ValueError(
                    f"targets must be classes 0 to {logits.shape[1] - 1}, got {wrong}: logits have C there"
                )
    require_logits(logits)


def require_logits(logits: Tensor, dim: int = 1) -> None:
    """Raise where these are certainly probabilities: several samples, unlike, none negative, all with sums of 1."""
    if len(logits) >= _SEVERAL and logits.numel() and logits.shape[dim] > 1 and sees_values(logits):
        with torch.no_grad():
            first = logits.select(0, 0).unsqueeze(0)  # one sample acquits nearly all logits
            if _sums_to_one(first, dim) and _sums_to_one(logits, dim) and _differ(logits):
                raise ValueError("logits are probabilities (none negative, sums of 1): pass what comes before softmax")


def require_within(name: str, tensor: Tensor, low: float, high: float, remedy: str) -> None:
    """Raise where a value lies outside [low, high] or is NaN."""
    if tensor.numel() and sees_values(tensor):
        least, most = (value.item() for value in tensor.detach().aminmax())
        if not (low <= least and most <= high):
            wrong = least if not low <= least else most
            raise ValueError(f"{name} must lie in [{low:g}, {high:g}], got {wrong:g}: {remedy}")


def require_mask(mask: Tensor, **tensor: Tensor) -> None:
    """Raise unless a mask is bool and of the tensor's shape."""
    require_same_shape(mask=mask, **tensor)
    if mask.dtype != torch.bool:
        raise ValueError(f"mask must be boolean, True where a value counts, got {mask.dtype}: convert with .bool()")


def require_argument(
    name: str,
    value: float,
    *,
    low: float,
    high: float = math.inf,
    open_low: bool = False,
    open_high: bool = False,
    infinite: bool = False,
) -> None:
    """Raise unless a number lies in [low, high], without the ends that are open; infinite only with ``infinite``."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if (
        not is_number
        or not low <= value <= high
        or (open_low and value == low)
        or (open_high and value == high)
        or (math.isinf(value) and not infinite)
    ):
        is_closed = (high < math.inf or infinite) and not open_high
        interval = f"{'(' if open_low else '['}{low:g}, {high:g}{']' if is_closed else ')'}"
        raise ValueError(f"{name} must lie in {interval}, got {value!r}")


def require_temperature(temperature: float) -> None:
    """Raise unless a temperature is positive."""
    require_argument("temperature", temperature, low=0.0, open_low=True)


def require_weight(weight: Tensor | None, num_classes: int) -> None:
    """Raise unless a weight, where there is one, is of each class [C], from 0."""
    if weight is None:
        return
    require_floating(weight=weight)
    if weight.shape != (num_classes,):
        raise ValueError(f"weight must have shape [C] = ({num_classes},), got {tuple(weight.shape)}")
    require_within("weight", weight, 0.0, math.inf, "a class may count less, not against")


def sees_values(tensor: Tensor) -> bool:
    """Whether values may be looked at here."""
    return not torch.compiler.is_compiling() and tensor.device.type == "cpu"


def wide(tensor: Tensor) -> Tensor:
    """In float32 at least: what a half-precision loss is computed and returned in, as autocast does for torch's."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def _differ(logits: Tensor) -> bool:
    """Whether samples differ, and are not all of zeros and ones: a new head's may be equal, and cosines one-hot."""
    return bool((logits != logits[:1]).any()) and bool(((logits != 0) & (logits != 1)).any())


def _sums_to_one(logits: Tensor, dim: int) -> bool:
    return bool((logits >= 0).all()) and bool(((logits.sum(dim=dim) - 1).abs() < 1e-3).all())


def _remedy(name: str, shape: torch.Size, other_name: str, other: torch.Size) -> str:
    """What to do about shapes of which one has a last dimension of one too many."""
    for longer, longer_name, shorter in ((shape, name, other), (other, other_name, shape)):
        if longer == (*shorter, 1):
            return f": write {longer_name}.squeeze(-1)"
    return ""
