"""Inner products of long float32 rows, without the digits that long float32 sums lose; and factors of rows."""

import torch
from torch import Tensor

FLOAT32_RANGE = 1e30  # factors beyond this are applied in float64
FEW = 2**16  # numbers up to which operations, and not numbers, take the time
CHUNK = 1024  # columns per float32 product; chunks are summed in float64
_BAND, _BANDS = 12, 8  # at least so many rows, and of more an eighth, per product: hardly more than the upper triangle


class Factors:
    """Weights [..., K] on the host; a device is sent them once in each precision."""

    def __init__(self, weights: Tensor) -> None:
        self.weights = weights
        # in plain numbers, as is much that a step does but once: its first call of any function of NumPy takes longer
        self._is_large = max(map(abs, weights.flatten().tolist()), default=0.0) >= FLOAT32_RANGE
        self._sent: dict[tuple[torch.device, torch.dtype], Tensor] = {}

    def on(self, device: torch.device, dtype: torch.dtype) -> Tensor:
        """There, in the precision in which numbers of this dtype are multiplied by them."""
        if dtype != torch.float32 or self._is_large:
            dtype = torch.float64  # bfloat16 weights would have 3 digits, and float32 ones end at 1e38
        if (device, dtype) not in self._sent:
            self._sent[device, dtype] = self.weights.to(device=device, dtype=dtype)
        return self._sent[device, dtype]


def inner_products(left: Tensor, right: Tensor) -> Tensor:
    """The products [K, K] in float64 of two [K, P] for which they are symmetric, as these are but for rounding."""
    num_rows = len(left)
    height = max(_BAND, num_rows // _BANDS)
    if left.dtype == torch.float64 or num_rows <= height:
        return _products(left, right)
    products = torch.zeros(num_rows, num_rows, dtype=torch.float64, device=left.device)
    for i in range(0, num_rows, height):
        band = _products(left[i : i + height], right[i:])
        products[i : i + height, i:] = band
        products[i:, i : i + height] = band.mT
    return products


def _products(left: Tensor, right: Tensor) -> Tensor:
    """Left @ right.mT in float64: float32 products of chunks, whose sum is."""
    width = left.shape[1]
    whole = 0 if left.dtype == torch.float64 else width // CHUNK * CHUNK
    if not whole:
        return left.double() @ right.double().mT
    products = torch.bmm(_chunks(left, whole), _chunks(right, whole).mT).sum(dim=0, dtype=torch.float64)
    if whole < width:
        products += left[:, whole:].double() @ right[:, whole:].double().mT
    return products


def symmetric_products(left: Tensor, right: Tensor) -> Tensor:
    """⟨left_i, right_j⟩ + ⟨left_j, right_i⟩ [K, K] in float64 for any two [K, P]."""
    return inner_products(torch.cat([left, right], dim=1), torch.cat([right, left], dim=1))


def scaled(gradient: Tensor, factor: float) -> Tensor:
    """The gradient times a factor that its own dtype may not hold."""
    if factor == 1.0:
        return gradient
    if abs(factor) < FLOAT32_RANGE:
        return gradient * factor
    return (gradient.double() * factor).to(gradient.dtype)


def divided(tensor: Tensor, number: int) -> Tensor:
    """The tensor over a number, itself if that is 1."""
    return tensor if number == 1 else tensor / number


def exact_products(rows: Tensor) -> Tensor:
    """The products [K, K] of the rows of [K, P], in float64 throughout."""
    if rows.numel() <= FEW:
        wide = rows.double()
        return wide @ wide.mT
    first, *others = rows.split(16 * CHUNK, dim=1)
    wide = first.double()
    total: Tensor = wide @ wide.mT
    for columns in others:
        del wide  # the next columns need its room
        wide = columns.double()
        total.addmm_(wide, wide.mT)
    return total


def exact_products_with(rows: Tensor, gradient: Tensor) -> Tensor:
    """The products [K] of the rows of [K, P] with a gradient of P numbers, in float64, and without a copy of it."""
    total, done = rows.new_zeros(len(rows), dtype=torch.float64), 0
    lines = torch.atleast_1d(gradient)
    piece = max(4 * CHUNK, gradient.numel() // 64)  # numbers, which are few beside those of the gradient
    for some in lines.split(max(piece * len(lines) // max(gradient.numel(), 1), 1)):
        columns = rows[:, done : done + some.numel()]
        total.addmv_(columns.double(), some.flatten().double())
        done += some.numel()
    return total


def float32_is_exact() -> bool:
    """Whether float32 products are made in float32, and not in a shorter format that the user has allowed."""
    return bool(torch.get_float32_matmul_precision() == "highest")


def _chunks(rows: Tensor, whole: int) -> Tensor:
    """[chunks, K, columns]."""
    return rows[:, :whole].view(len(rows), whole // CHUNK, CHUNK).transpose(0, 1)
