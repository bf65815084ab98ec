"""The rows of a jacobian: one buffer per dtype and device, kept between steps."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

_CHUNK = 1024  # columns per float32 product: long float32 sums lose digits, so chunks are summed in float64
_BAND = 12  # rows per product, so that little more than the upper triangle is computed
_SAFE = (1e-30, 1e30)  # squared norms between which float32 products neither vanish nor overflow
_NEARLY_DEPENDENT = 1e-4  # smallest eigenvalue of the cosines below which float32 products may hide the optimum
_LARGEST = 1e30  # weights beyond this are applied in float64


class Rows:
    """Row k holds the gradient of loss k by some tensors, side by side; never wider than those tensors."""

    def __init__(self) -> None:
        self._layout: list[tuple[torch.Size, torch.dtype, torch.device]] = []
        self._num_rows = 0
        self._blocks: dict[tuple[torch.dtype, torch.device], _Block] = {}

    def prepare(self, tensors: Sequence[Tensor], num_rows: int) -> None:
        """Make room for ``num_rows`` gradients by these tensors; a room that fits is used again."""
        layout = [(t.shape, t.dtype, t.device) for t in tensors]
        if layout != self._layout or num_rows > self._num_rows:
            places: dict[tuple[torch.dtype, torch.device], list[int]] = {}
            for place, (_, dtype, device) in enumerate(layout):
                places.setdefault((dtype, device), []).append(place)
            self._layout, self._num_rows, self._blocks = [], 0, {}  # free the old room before taking the new
            self._blocks = {
                kind: _Block(where, [layout[i][0] for i in where], num_rows, *kind) for kind, where in places.items()
            }
            self._layout, self._num_rows = layout, num_rows

    def __reduce__(self) -> tuple[type["Rows"], tuple[()]]:
        return Rows, ()  # a copy of a balancer needs no copy of its scratch room

    def write(self, row: int, gradients: Sequence[Tensor | None]) -> None:
        """Fill a row; ``None`` is a zero."""
        for block in self._blocks.values():
            block.write(row, [gradients[place] for place in block.places])

    def gramian(self, num_rows: int, *extras: Tensor) -> tuple[Tensor, ...]:
        """G [K, K] = J Jᵀ in float64 on the CPU, and ``extras`` brought there by the same copy."""
        blocks = self._blocks.values()
        fast = _to_host([_sum([block.products(num_rows) for block in blocks], num_rows), *extras])
        if self._is_accurate(fast[0]):
            return fast
        exact = _sum([block.exact_products(num_rows) for block in blocks], num_rows)
        return (_to_host([exact])[0], *fast[1:])

    def _is_accurate(self, gramian: Tensor) -> bool:
        """Whether float32 products are good enough: in range, and not near a direction in which all cancels."""
        products = gramian.numpy()
        squared = products.diagonal()
        for row in np.flatnonzero(~((squared > _SAFE[0]) & (squared < _SAFE[1]))):
            if squared[row] != 0 or any(bool(block.rows[row].any()) for block in self._blocks.values()):
                return False
        if products.min(initial=0.0) >= 0:
            return True
        moving = squared > 0
        norms = np.sqrt(squared[moving])
        cosines = products[np.ix_(moving, moving)] / norms / norms[:, None]
        return bool(np.linalg.eigvalsh(cosines)[0] > _NEARLY_DEPENDENT)

    def lonely(self, num_rows: int) -> list[int]:
        """The tensors by which all rows but one are zero."""
        return sorted(place for block in self._blocks.values() for place in block.lonely(num_rows))

    def combine(self, weights: Tensor) -> list[Tensor]:
        """sum_k weights[k] · row k, for each tensor."""
        gradients: dict[int, Tensor] = {}
        for block in self._blocks.values():
            gradients.update(zip(block.places, block.combine(weights), strict=True))
        return [gradients[place] for place in range(len(self._layout))]

    def jacobian(self, num_rows: int) -> Tensor:
        """J [K, P] itself, not a copy.

        Raises:
            ValueError: If the tensors differ in dtype or device, so that there is no one matrix.
        """
        if len(self._blocks) != 1:
            raise ValueError("a coordinate method needs shared parameters of one dtype on one device")
        (block,) = self._blocks.values()
        return block.rows[:num_rows, : block.width]

    def spread(self, gradient: Tensor) -> list[Tensor]:
        """A gradient [P] cut into pieces of the tensors' shapes."""
        (block,) = self._blocks.values()
        return block.shaped(gradient)


class _Block:
    """Rows [K, P] of one dtype on one device, P padded with zeros to whole chunks."""

    def __init__(
        self,
        places: list[int],
        shapes: list[torch.Size],
        num_rows: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.places = places
        self.shapes = shapes
        self.sizes = [shape.numel() for shape in shapes]
        self.width = sum(self.sizes)
        padded = -(-self.width // _CHUNK) * _CHUNK
        self.rows = torch.zeros(num_rows, padded, dtype=dtype, device=device)
        self.views = [self.shaped(row[: self.width]) for row in self.rows]

    def shaped(self, flat: Tensor) -> list[Tensor]:
        """Pieces of a vector [P], shaped like the tensors."""
        return [piece.view(shape) for piece, shape in zip(flat.split(self.sizes), self.shapes, strict=True)]

    def write(self, row: int, gradients: list[Tensor | None]) -> None:
        for view, gradient in zip(self.views[row], gradients, strict=True):
            if gradient is None:
                view.zero_()
            elif gradient.layout is not torch.strided:
                raise ValueError("sparse gradients are not supported: use sparse=False in the embedding")
            else:
                view.copy_(gradient)

    def products(self, num_rows: int) -> Tensor:
        """J Jᵀ, float32 products within a chunk and float64 sums over chunks."""
        if self.rows.dtype != torch.float32 or torch.get_float32_matmul_precision() != "highest":
            return self.exact_products(num_rows)
        chunks = self.rows[:num_rows].unflatten(1, (-1, _CHUNK)).transpose(0, 1)  # [chunks, K, columns]
        gramian = torch.empty(num_rows, num_rows, dtype=torch.float64, device=self.rows.device)
        for i in range(0, num_rows, _BAND):
            band = torch.bmm(chunks[:, i : i + _BAND], chunks[:, i:].mT).sum(dim=0, dtype=torch.float64)
            gramian[i : i + _BAND, i:] = band
            gramian[i:, i : i + _BAND] = band.mT
        return gramian

    def exact_products(self, num_rows: int) -> Tensor:
        """J Jᵀ in float64 throughout."""
        total = torch.zeros(num_rows, num_rows, dtype=torch.float64, device=self.rows.device)
        for columns in self.rows[:num_rows].split(16 * _CHUNK, dim=1):
            wide = columns.double()
            total.addmm_(wide, wide.mT)
        return total

    def combine(self, weights: Tensor) -> list[Tensor]:
        """wᵀ J, for each tensor in memory of its own, so that freeing one ``.grad`` frees it."""
        dtype = self.rows.dtype
        if dtype != torch.float64 and (dtype != torch.float32 or float(weights.abs().max()) >= _LARGEST):
            dtype = torch.float64  # bfloat16 weights would have 3 digits, and float32 ones end at 1e38
        factors = weights.to(device=self.rows.device, dtype=dtype)
        parts = self.rows[: len(weights), : self.width].split(self.sizes, dim=1)
        products = [(part.to(dtype).mT @ factors).to(self.rows.dtype) for part in parts]
        return [product.view(shape) for product, shape in zip(products, self.shapes, strict=True)]

    def lonely(self, num_rows: int) -> list[int]:
        """Places of the tensors by which all rows but one are zero."""
        counts = [sum(bool(self.views[row][i].any()) for row in range(num_rows)) for i in range(len(self.places))]
        return [place for place, count in zip(self.places, counts, strict=True) if count == 1]


def _sum(products: Sequence[Tensor], num_rows: int) -> Tensor:
    """The sum of the blocks' products [K, K], on the first block's device; zeros where there is no block."""
    if not products:
        return torch.zeros(num_rows, num_rows, dtype=torch.float64)
    return torch.stack([p.to(products[0].device) for p in products]).sum(dim=0)


def _to_host(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """All tensors in float64 on the CPU, by one copy."""
    device = tensors[0].device
    flat = torch.cat([t.detach().to(device=device, dtype=torch.float64).flatten() for t in tensors]).cpu()
    pieces = flat.split([t.numel() for t in tensors])
    return tuple(piece.view(t.shape) for piece, t in zip(pieces, tensors, strict=True))
