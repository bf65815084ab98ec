"""The rows of a jacobian: one buffer per dtype and device, kept between steps."""

from collections.abc import Sequence

import torch
from torch import Tensor

from equipoise.gradients.blocks import Block, SlicedBlock
from equipoise.gradients.parts import copies_of, is_in_parts, part_of, whole_of
from equipoise.gradients.products import Factors, divided
from equipoise.gradients.ranks import Ranks
from equipoise.plain import PLAIN


class Rows:
    """Row k holds the gradient of loss k by some tensors, side by side; never wider than those tensors.

    Over several ranks it may hold this rank's slice of the mean of their gradients instead, and of tensors that lie
    in parts over the ranks it holds this rank's.
    """

    def __init__(self) -> None:
        self._layout: list[tuple[torch.Size, torch.dtype, torch.device, int]] = []
        self._num_rows = 0
        self._ranks: Ranks | None = None
        self._blocks: dict[tuple[torch.dtype, torch.device, int], Block] = {}
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
                    Block(where, shapes, num_rows, dtype, device)
                    if sliced_over is None
                    else SlicedBlock(where, shapes, num_rows, dtype, device, sliced_over)
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
