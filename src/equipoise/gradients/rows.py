"""The rows of a jacobian: one buffer per dtype and device, kept between steps."""

from collections.abc import Sequence

import torch
from torch import Tensor

from equipoise.gradients.parts import copies_of, is_in_parts, part_of, whole_of
from equipoise.gradients.products import (
    CHUNK,
    FEW,
    Factors,
    divided,
    exact_products,
    exact_products_with,
    float32_is_exact,
    inner_products,
)
from equipoise.gradients.ranks import Ranks
from equipoise.plain import PLAIN
from equipoise.torch_private.tensors import add_each_, copy_each_, shaped_like


class Rows:
    """Row k holds the gradient of loss k by some tensors, side by side; never wider than those tensors.

    Over several ranks it may hold this rank's slice of the mean of their gradients instead, and of tensors that lie
    in parts over the ranks it holds this rank's.
    """

    def __init__(self) -> None:
        self._layout: list[tuple[torch.Size, torch.dtype, torch.device, int]] = []
        self._num_rows = 0
        self._ranks: Ranks | None = None
        self._blocks: dict[tuple[torch.dtype, torch.device, int], _Block] = {}
        self._tensors: Sequence[Tensor] = ()
        self._are_whole = True

    def prepare(
        self, tensors: Sequence[Tensor], num_rows: int, sliced_over: Ranks | None = None, num_ranks: int = 1
    ) -> None:
        """Make room for ``num_rows`` gradients by these tensors; a buffer that fits is used again.

        Args:
            tensors: What is differentiated by.
            num_rows: How many losses.
            sliced_over: Ranks that have whole tensors and each keep a slice of every row.
            num_ranks: Ranks that have parts of the tensors; what several of them have counts once in ``products``.
        """
        self._tensors = tensors
        self._are_whole = PLAIN.issuperset(map(type, tensors)) or not any(map(is_in_parts, tensors))
        parts = tensors if self._are_whole else [part_of(tensor, like=tensor) for tensor in tensors]
        copies = [num_ranks if self._are_whole else copies_of(tensor, num_ranks) for tensor in tensors]
        layout = [(t.shape, t.dtype, t.device, c) for t, c in zip(parts, copies, strict=True)]
        if layout != self._layout or num_rows > self._num_rows or sliced_over != self._ranks:
            places: dict[tuple[torch.dtype, torch.device, int], list[int]] = {}
            for place, (_, dtype, device, held) in enumerate(layout):
                places.setdefault((dtype, device, held), []).append(place)
            self._layout, self._num_rows, self._blocks = [], 0, {}  # free the old room before taking the new
            self._ranks = sliced_over
            for (dtype, device, held), where in places.items():
                shapes = [layout[i][0] for i in where]
                self._blocks[dtype, device, held] = (
                    _Block(where, shapes, num_rows, dtype, device)
                    if sliced_over is None
                    else _SlicedBlock(where, shapes, num_rows, dtype, device, sliced_over)
                )
            self._layout, self._num_rows = layout, num_rows
        if sliced_over is not None:
            for block in self._blocks.values():
                block.ranks = sliced_over  # of this step

    def release(self) -> None:
        """Let go of the tensors; their buffer is kept."""
        self._tensors = ()

    def write(self, rows: range, gradients: Sequence[Tensor | None], is_single: bool = False) -> None:
        """Fill some rows with as many gradients [rows, ...], or a single one with [...]; ``None`` is a zero."""
        for block in self._blocks.values():
            block.write(rows, [gradients[place] for place in block.places], is_single)

    def average(self, num_rows: int, ranks: Ranks) -> None:
        """Replace whole rows by their mean over ranks."""
        for block in self._blocks.values():
            ranks.sum_(block.rows[:num_rows].div_(ranks.size))

    def clear(self) -> None:
        """Set all rows to zero."""
        for block in self._blocks.values():
            block.rows.zero_()

    def row(self, row: int) -> list[Tensor]:
        """One row, as pieces of the tensors' shapes; not a copy."""
        pieces = {
            place: view for b in self._blocks.values() for place, view in zip(b.places, b.views[row], strict=True)
        }
        return [pieces[place] for place in range(len(self._layout))]

    def add(self, row: int, gradients: Sequence[Tensor | None], factor: float) -> None:
        """Add a gradient by each tensor, times a factor, to one row; ``None`` is a zero."""
        for block in self._blocks.values():
            block.add(row, [gradients[place] for place in block.places], factor)

    def keep(self, rows: Sequence[int], factors: Sequence[float]) -> None:
        """Move these rows, of increasing number, to the front, each times its factor."""
        for block in self._blocks.values():
            for place, (row, factor) in enumerate(zip(rows, factors, strict=True)):
                if place != row:
                    block.rows[place].copy_(block.rows[row])
                if factor != 1.0:
                    block.rows[place].mul_(factor)

    def products(self, num_rows: int) -> list[Tensor]:
        """J Jᵀ [K, K] in float64 for each block, from float32 products where the rows are float32."""
        return [divided(block.products(num_rows), copies) for (_, _, copies), block in self._blocks.items()]

    def are_few(self, num_rows: int) -> bool:
        """Whether ``products`` are those of ``exact_products``, since there are few numbers to multiply."""
        return all(block.are_few(num_rows) for block in self._blocks.values())

    def exact_products(self, num_rows: int) -> list[Tensor]:
        """The same from float64 products."""
        return [divided(block.exact_products(num_rows), copies) for (_, _, copies), block in self._blocks.items()]

    def products_with(self, num_rows: int, gradients: Sequence[Tensor | None]) -> list[Tensor]:
        """Float64 products [K] of the rows with a gradient by each tensor, for each block; ``None`` is a zero."""
        return [
            block.products_with(num_rows, [gradients[place] for place in block.places])
            for block in self._blocks.values()
        ]

    def products_of_each(self, num_rows: int) -> list[Tensor]:
        """J Jᵀ [K, K] by each tensor on its own, from float64 products."""
        products: dict[int, Tensor] = {}
        for block in self._blocks.values():
            products.update(zip(block.places, block.products_of_each(num_rows), strict=True))
        return [products[place] for place in range(len(self._layout))]

    def is_nonzero(self, row: int) -> bool:
        """Whether a row has a number other than zero."""
        return any(bool(block.rows[row].any()) for block in self._blocks.values())

    def single_task_tensors(self, num_rows: int) -> dict[int, int]:
        """The tensors by which all rows but one are zero, with that row."""
        found: dict[int, int] = {}
        for block in self._blocks.values():
            found.update(block.single_task_tensors(num_rows))
        return dict(sorted(found.items()))

    def combine(self, weights: Factors) -> list[Tensor]:
        """sum_k weights[k] · row k, for each tensor."""
        gradients: dict[int, Tensor] = {}
        for block in self._blocks.values():
            gradients.update(zip(block.places, block.combine(weights), strict=True))
        pieces = [gradients[place] for place in range(len(self._layout))]
        if self._are_whole:
            return pieces
        return [whole_of(piece, like=tensor) for piece, tensor in zip(pieces, self._tensors, strict=True)]

    def combine_each(self, weights: Tensor) -> list[Tensor]:
        """sum_k weights[t, k] · row k, for each tensor t; for rows that are not sliced."""
        gradients: dict[int, Tensor] = {}
        for block in self._blocks.values():
            gradients.update(zip(block.places, block.combine_each(Factors(weights[block.places])), strict=True))
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
        return num_rows * self.width <= FEW

    def exact_products(self, num_rows: int) -> Tensor:
        """J Jᵀ in float64 throughout."""
        return exact_products(self.rows[:num_rows])

    def products_with(self, num_rows: int, gradients: list[Tensor | None]) -> Tensor:
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
            return [*shaped_like(self.weighted(rows, factors), self.views[0])]
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


class _SlicedBlock(_Block):
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
