"""Inner products of long float32 rows, without the digits that long float32 sums lose."""

import torch
from torch import Tensor

FLOAT32_RANGE = 1e30  # factors beyond this are applied in float64
CHUNK = 1024  # columns per float32 product; chunks are summed in float64
_BAND, _BANDS = 12, 8  # at least so many rows, and of more an eighth, per product: hardly more than the upper triangle


def inner_products(left: Tensor, right: Tensor) -> Tensor:
    """The products [K, K] in float64 of two [K, P] for which they are symmetric."""
    num_rows, width = left.shape
    if left.dtype == torch.float64:
        products = left @ right.mT
        return (products + products.mT) / 2
    whole = width // CHUNK * CHUNK
    lefts, rights = _chunks(left, whole), _chunks(right, whole)
    products = torch.zeros(num_rows, num_rows, dtype=torch.float64, device=left.device)
    height = max(_BAND, num_rows // _BANDS)
    for i in range(0, num_rows, height):
        band = torch.bmm(lefts[:, i : i + height], rights[:, i:].mT).sum(dim=0, dtype=torch.float64)
        if whole < width:
            band += left[i : i + height, whole:].double() @ right[i:, whole:].double().mT
        products[i : i + height, i:] = band
        products[i:, i : i + height] = band.mT
    return (products + products.mT) / 2  # on the diagonal both halves were computed, and rounded


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


def exact_products(rows: Tensor) -> Tensor:
    """The products [K, K] of the rows of [K, P], in float64 throughout."""
    total = torch.zeros(len(rows), len(rows), dtype=torch.float64, device=rows.device)
    for columns in rows.split(16 * CHUNK, dim=1):
        wide = columns.double()
        total.addmm_(wide, wide.mT)
    return total


def float32_is_exact() -> bool:
    """Whether float32 products are made in float32, and not in a shorter format that the user has allowed."""
    return bool(torch.get_float32_matmul_precision() == "highest")


def _chunks(rows: Tensor, whole: int) -> Tensor:
    """[chunks, K, columns]."""
    chunks: Tensor = rows[:, :whole].unflatten(1, (whole // CHUNK, CHUNK)).transpose(0, 1)
    return chunks
