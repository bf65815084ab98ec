"""The rows [K, P] of a jacobian by the tensors of one dtype on one device."""

from collections.abc import Sequence

import torch
from torch import Tensor

from equipoise.gradients.products import (
    CHUNK,
    FEW,
    Factors,
    exact_products,
    exact_products_with,
    float32_is_exact,
    inner_products,
)
from equipoise.gradients.ranks import Ranks
from equipoise.torch_private.tensors import add_each_, copy_each_, shaped_like


class Block:
    """Rows [K, P] of one dtype on one device, P padded with zeros to whole chunks."""

    ranks = Ranks()

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

    def write(self, rows: range, gradients: list[Tensor | None], is_single: bool) -> None:
        """Fill some rows with gradients [rows, ...], or a single one with [...]; ``None`` is a zero."""
        nonzero = [gradient for gradient in gradients if gradient is not None]
        if not is_single or len(nonzero) < len(gradients):
            self.put(self.rows[rows.start : rows.stop, : self.width], gradients)
        elif nonzero:
            _require_dense(nonzero)
            copy_each_(self.views[rows.start], nonzero)

    def put(self, rows: Tensor, gradients: list[Tensor | None]) -> None:
        """Fill rows [rows, P] with gradients [rows, ...]; ``None`` is a zero."""
        _require_dense(gradients)
        flat = [
            rows.new_zeros(()).expand(len(rows), size) if gradient is None else gradient.reshape(len(rows), size)
            for gradient, size in zip(gradients, self.sizes, strict=True)
        ]
        torch.cat(flat, dim=1, out=rows)

    def add(self, row: int, gradients: list[Tensor | None], factor: float) -> None:
        """Add gradients, times a factor, to one row."""
        _require_dense(gradients)
        views = [view for view, gradient in zip(self.views[row], gradients, strict=True) if gradient is not None]
        if views:
            add_each_(views, [gradient for gradient in gradients if gradient is not None], factor)

    def products(self, num_rows: int) -> Tensor:
        """J Jᵀ, float32 products within a chunk and float64 sums over chunks; of few numbers float64 throughout."""
        if self.rows.dtype != torch.float32 or not float32_is_exact() or self.are_few(num_rows):
            return self.exact_products(num_rows)
        return inner_products(self.rows[:num_rows], self.rows[:num_rows])

    def are_few(self, num_rows: int) -> bool:
        """Whether operations, and not numbers, take the time of a product."""
        return num_rows * self.width <= FEW

    def exact_products(self, num_rows: int) -> Tensor:
        """J Jᵀ in float64 throughout."""
        return exact_products(self.rows[:num_rows])

    def products_with(self, num_rows: int, gradients: list[Tensor | None]) -> Tensor:
        """Float64 products [K] of the rows with a gradient by each tensor."""
        _require_dense(gradients)
        parts = self.rows[:num_rows, : self.width].split(self.sizes, dim=1)
        total = self.rows.new_zeros(num_rows, dtype=torch.float64)
        for part, gradient in zip(parts, gradients, strict=True):
            if gradient is not None:
                total += exact_products_with(part, gradient)
        return total

    def products_of_each(self, num_rows: int) -> list[Tensor]:
        """The same by each tensor on its own."""
        parts = self.rows[:num_rows, : self.width].split(self.sizes, dim=1)
        return [exact_products(part) for part in parts]

    def combine(self, weights: Factors) -> list[Tensor]:
        """wᵀ J, for each tensor, if they are not few numbers in memory of its own: freeing one ``.grad`` frees it."""
        factors = weights.on(self.rows.device, self.rows.dtype)
        rows = self.rows[: len(factors), : self.width].mT
        if self.width <= FEW and all(self.sizes):  # up to PyTorch 2.8 an empty tensor loses its shape there
            pieces = shaped_like(self.weighted(rows, factors), self.views[0])
            return [piece.data for piece in pieces]  # each with a version of its own: one may be changed without others
        parts = rows.split(self.sizes)
        return [self.weighted(part, factors).view(shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def combine_each(self, weights: Factors) -> list[Tensor]:
        """w_tᵀ J by tensor t, for weights [T, K]."""
        every = weights.on(self.rows.device, self.rows.dtype)
        parts = self.rows[: every.shape[1], : self.width].mT.split(self.sizes)
        return [self.weighted(part, w).view(shape) for part, w, shape in zip(parts, every, self.shapes, strict=True)]

    def weighted(self, part: Tensor, factors: Tensor) -> Tensor:
        """W times some rows of Jᵀ."""
        if part.dtype == factors.dtype:
            return torch.mv(part, factors)
        return torch.mv(part.to(factors.dtype), factors).to(part.dtype)

    def single_task_tensors(self, num_rows: int) -> dict[int, int]:
        """Places of the tensors by which all rows but one are zero, with that row."""
        nonzero = [[row for row in range(num_rows) if self.views[row][i].any()] for i in range(len(self.places))]
        return {place: rows[0] for place, rows in zip(self.places, nonzero, strict=True) if len(rows) == 1}


class SlicedBlock(Block):
    """Row k is this rank's slice of the mean over ranks: K·P/N numbers, and one whole gradient on its way there."""

    def __init__(
        self,
        places: list[int],
        shapes: list[torch.Size],
        num_rows: int,
        dtype: torch.dtype,
        device: torch.device,
        ranks: Ranks,
    ) -> None:
        super().__init__(places, shapes, 1, dtype, device)
        self.ranks = ranks
        self.staged = self.rows.new_zeros(-(-self.rows.shape[1] // ranks.size) * ranks.size)
        self.rows = self.rows.new_zeros(num_rows, len(self.staged) // ranks.size)

    def write(self, rows: range, gradients: list[Tensor | None], is_single: bool) -> None:
        for number, row in enumerate(rows):
            own = gradients if is_single else [None if gradient is None else gradient[number] for gradient in gradients]
            self.put(self.staged[None, : self.width], own)
            self.rows[row] = self.ranks.mean_slice(self.staged)

    def combine(self, weights: Factors) -> list[Tensor]:
        factors = weights.on(self.rows.device, self.rows.dtype)
        whole = self.ranks.joined(self.weighted(self.rows[: len(factors)].mT, factors))
        return [piece.clone() for piece in self.shaped(whole[: self.width])]

    def single_task_tensors(self, num_rows: int) -> dict[int, int]:
        return {}  # a slice does not tell


def _require_dense(gradients: Sequence[Tensor | None]) -> None:
    if not {gradient.layout for gradient in gradients if gradient is not None} <= {torch.strided}:
        raise ValueError(
            "a sparse gradient has no row: use sparse=False in the embedding, or route='auto' without accumulate(n) "
            "and a PyTorch after 2.8"
        )
