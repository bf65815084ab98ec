"""The rows of a jacobian: one buffer per dtype and device, kept between steps."""

from collections.abc import Sequence

import torch
from torch import Tensor

from equipoise.gradients.products import CHUNK, FLOAT32_RANGE, float32_is_exact, inner_products


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

    def write(self, rows: range, gradients: Sequence[Tensor | None]) -> None:
        """Fill some rows with as many gradients [rows, ...] by each tensor; ``None`` is a zero."""
        for block in self._blocks.values():
            block.write(rows, [gradients[place] for place in block.places])

    def products(self, num_rows: int) -> list[Tensor]:
        """J Jᵀ [K, K] in float64 for each block, from float32 products where the rows are float32."""
        return [block.products(num_rows) for block in self._blocks.values()]

    def exact_products(self, num_rows: int) -> list[Tensor]:
        """The same from float64 products."""
        return [block.exact_products(num_rows) for block in self._blocks.values()]

    def moves(self, row: int) -> bool:
        """Whether a row has a number other than zero."""
        return any(bool(block.rows[row].any()) for block in self._blocks.values())

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
        padded = -(-self.width // CHUNK) * CHUNK
        self.rows = torch.zeros(num_rows, padded, dtype=dtype, device=device)
        self.views = [self.shaped(row[: self.width]) for row in self.rows]

    def shaped(self, flat: Tensor) -> list[Tensor]:
        """Pieces of a vector [P], shaped like the tensors."""
        return [piece.view(shape) for piece, shape in zip(flat.split(self.sizes), self.shapes, strict=True)]

    def write(self, rows: range, gradients: list[Tensor | None]) -> None:
        filled: list[Tensor] = []
        sources: list[Tensor] = []
        for i, gradient in enumerate(gradients):
            views = [self.views[row][i] for row in rows]
            if gradient is None:
                torch._foreach_zero_(views)
            elif gradient.layout is not torch.strided:
                raise ValueError("a sparse gradient has no row: use route='auto', or sparse=False in the embedding")
            else:
                filled += views
                sources += gradient.unbind()
        if filled:
            torch._foreach_copy_(filled, sources)

    def products(self, num_rows: int) -> Tensor:
        """J Jᵀ, float32 products within a chunk and float64 sums over chunks."""
        if self.rows.dtype != torch.float32 or not float32_is_exact():
            return self.exact_products(num_rows)
        return inner_products(self.rows[:num_rows], self.rows[:num_rows])

    def exact_products(self, num_rows: int) -> Tensor:
        """J Jᵀ in float64 throughout."""
        total = torch.zeros(num_rows, num_rows, dtype=torch.float64, device=self.rows.device)
        for columns in self.rows[:num_rows].split(16 * CHUNK, dim=1):
            wide = columns.double()
            total.addmm_(wide, wide.mT)
        return total

    def combine(self, weights: Tensor) -> list[Tensor]:
        """wᵀ J, for each tensor in memory of its own, so that freeing one ``.grad`` frees it."""
        dtype = self.rows.dtype
        if dtype != torch.float64 and (dtype != torch.float32 or float(weights.abs().max()) >= FLOAT32_RANGE):
            dtype = torch.float64  # bfloat16 weights would have 3 digits, and float32 ones end at 1e38
        factors = weights.to(device=self.rows.device, dtype=dtype)
        parts = self.rows[: len(weights), : self.width].split(self.sizes, dim=1)
        products = [(part.to(dtype).mT @ factors).to(self.rows.dtype) for part in parts]
        return [product.view(shape) for product, shape in zip(products, self.shapes, strict=True)]

    def lonely(self, num_rows: int) -> list[int]:
        """Places of the tensors by which all rows but one are zero."""
        counts = [sum(bool(self.views[row][i].any()) for row in range(num_rows)) for i in range(len(self.places))]
        return [place for place, count in zip(self.places, counts, strict=True) if count == 1]
