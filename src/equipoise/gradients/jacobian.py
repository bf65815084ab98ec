"""The jacobian [K, P], seldom formed: some tensors by rows, some layers by factors."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from equipoise.gradients.accuracy import is_accurate
from equipoise.gradients.layers.layer import Layer, Products
from equipoise.gradients.parts import part_of
from equipoise.gradients.products import Factors, divided, float32_is_exact
from equipoise.gradients.ranks import Ranks
from equipoise.gradients.rows import Rows
from equipoise.plain import PLAIN
from equipoise.torch_private.tensors import fill_zeros_

Spread = Literal["whole", "slices", "parts", "samples"]


class Jacobian:
    """Row k is the gradient of loss k by some tensors; what can be asked of it needs no row.

    Over several ranks it is the mean of theirs. Each rank then has all of it (``"whole"``), or its slice of all rows
    (``"slices"``), or rows by its parts of the tensors (``"parts"``), or rows by activations, which belong to its
    samples alone (``"samples"``).
    """

    def __init__(self, rows: Rows | None = None) -> None:
        self._ranks = Ranks()
        self._spread: Spread = "whole"
        self._tensors: list[Tensor] = []
        self._by_rows: list[Tensor] = []
        self._rows = Rows() if rows is None else rows
        self._layers: Sequence[Layer] = ()
        self._lengths: Sequence[int] = ()
        self._owned: list[Layer] | None = None

    def __reduce__(self) -> tuple[type["Jacobian"], tuple[()]]:
        return Jacobian, ()  # a copy of a balancer needs no copy of its scratch room

    def prepare(
        self,
        tensors: Sequence[Tensor],
        num_rows: int,
        layers: Sequence[Layer] = (),
        spread: Spread = "whole",
        lengths: Sequence[int] = (),
        ranks: Ranks | None = None,
    ) -> None:
        """Expect ``num_rows`` gradients by these tensors, and those of the layers by factors.

        Over several ranks the factors of a layer are at most of its length on every rank.
        """
        self._ranks = Ranks() if ranks is None else ranks
        self._spread, self._lengths, self._owned = spread, lengths, None
        factored = {leaf for layer in layers for leaf in layer.leaves}
        self._tensors, self._layers = list(tensors), layers
        self._by_rows = [tensor for tensor in tensors if tensor not in factored]
        self._rows.prepare(
            self._by_rows,
            num_rows,
            sliced_over=self._ranks if spread == "slices" else None,
            num_ranks=self._ranks.size if spread == "parts" else 1,
        )

    @property
    def points(self) -> list[Tensor | GradientEdge]:
        """What losses are differentiated by."""
        return [*self._by_rows, *(edge for layer in self._layers for edge in layer.edges)]

    def write(self, rows: range, gradients: Sequence[Tensor | None], is_single: bool = False) -> None:
        """Take gradients [rows, ...] by the points, or a single row [...]; ``None`` is a zero. Rows come in order."""
        first = len(self._by_rows)
        self._rows.write(rows, gradients[:first], is_single)
        if is_single and self._layers:
            gradients = [gradient if gradient is None else gradient.unsqueeze(0) for gradient in gradients]
        for layer in self._layers:
            layer.write(len(rows), gradients[first : first + len(layer.edges)])
            first += len(layer.edges)

    def average(self, num_rows: int) -> None:
        """Make whole rows those of all ranks, once all are written."""
        if self._spread == "whole" and self._ranks.size > 1:
            self._rows.average(num_rows, self._ranks)

    def gramian(self, num_rows: int, *extras: Tensor, own: Sequence[Tensor] = ()) -> tuple[Tensor, ...]:
        """G [K, K] = J Jᵀ in float64 on the CPU, and ``own`` and ``extras`` brought there by the same copy.

        ``own`` is what each rank has of its own: it comes back as the sum over ranks, before ``extras``.
        """
        layers = [layer.products(layer.dtype if float32_is_exact() else torch.float64) for layer in self._to_multiply()]
        products = [*self._rows.products(num_rows), *self._means(layers)]
        summed = self._over_ranks(products, num_rows)
        if not self._layers and self._ranks.size == 1 and self._rows.are_few(num_rows):  # of few all digits are there
            gramian, *others = to_host([summed, *own], extras, self._ranks)
            return (_symmetric(gramian), *others)
        terms = divided(_sum([found.terms for found in layers], num_rows), self._ranks.size**2)
        gramian, terms, *others = to_host([summed, terms, *own], extras, self._ranks)
        gramian = _symmetric(gramian)
        if not is_accurate(gramian, terms, self._is_nonzero):
            layers = [layer.products(torch.float64) for layer in self._to_multiply()]
            products = [*self._rows.exact_products(num_rows), *self._means(layers)]
            (gramian,) = to_host([self._over_ranks(products, num_rows)], (), self._ranks)
            gramian = _of_rows(_symmetric(gramian))
        return (gramian, *others)

    def _to_multiply(self) -> Sequence[Layer]:
        """The layers whose products this rank makes: its own share of them, with the samples of all ranks."""
        if self._ranks.size == 1 or not self._lengths:
            return self._layers
        if self._owned is None:
            joint = [
                layer.of_all_ranks(self._ranks, owner=number % self._ranks.size, length=length)
                for number, (layer, length) in enumerate(zip(self._layers, self._lengths, strict=True))
            ]
            self._owned = [layer for layer in joint if layer is not None]
        return self._owned

    def _means(self, found: Sequence[Products]) -> list[Tensor]:
        """Products of gradients that are means over ranks, where factors hold the sums."""
        number = self._ranks.size**2 if self._lengths else 1
        return [divided(products.products, number) for products in found]

    def _over_ranks(self, products: Sequence[Tensor], num_rows: int) -> Tensor:
        """This rank's share of J Jᵀ: the sum of all ranks' shares is J Jᵀ."""
        share = {"whole": self._ranks.size, "slices": 1, "parts": 1, "samples": self._ranks.size**2}[self._spread]
        return divided(_sum(products, num_rows, num_rows), share)

    def _is_nonzero(self, row: int) -> bool:
        """Whether a row has a number other than zero, on any rank."""
        here = self._rows.is_nonzero(row) or any(layer.is_nonzero(row) for layer in self._layers)
        if self._ranks.size == 1 or not self._tensors:  # which are the same on all ranks
            return here
        return bool(self._ranks.sum_(torch.tensor(float(here), device=self._tensors[0].device)))

    def gramians(self, num_rows: int, groups: Sequence[Sequence[Tensor]]) -> Tensor:
        """J Jᵀ [N, K, K] by each group of tensors, in float64 on the CPU; a layer lies within one group.

        Each rank has whole rows. From float64 products, as a group may be tiny beside the whole.
        """
        group_of = _numbered(groups)
        places = [group_of[tensor] for tensor in self._by_rows] + [group_of[layer.leaves[0]] for layer in self._layers]
        products = self._rows.products_of_each(num_rows)
        products += [layer.products(torch.float64).products for layer in self._layers]
        gramians = torch.zeros(len(groups), num_rows, num_rows, dtype=torch.float64, device="cpu")
        if not products:
            return gramians
        found = _symmetric(torch.stack([part.to(products[0].device) for part in products]).cpu())
        return _of_rows(gramians.index_add_(0, torch.tensor(places, device="cpu"), found))

    def single_task_tensors(self, num_rows: int) -> dict[Tensor, int]:
        """The tensors by which all rows but one are zero, with that row."""
        found = {self._by_rows[place]: row for place, row in self._rows.single_task_tensors(num_rows).items()}
        for layer in self._layers:
            nonzero = [row for row in range(num_rows) if layer.is_nonzero(row)]
            if len(nonzero) == 1:
                found.update(dict.fromkeys(layer.leaves, nonzero[0]))
        return found

    def nonzero_rows(self, tensor: Tensor, num_rows: int) -> int:
        """Bits of the rows that are not zero by a tensor, which is by rows."""
        pieces = self._pieces(tensor, num_rows)
        return sum(bool(piece.any()) << row for row, piece in enumerate(pieces))

    def extract(self, tensor: Tensor, num_rows: int) -> Tensor:
        """The sum of all rows by a tensor, which is by rows; they are zero from now on."""
        pieces = self._pieces(tensor, num_rows)
        total = torch.stack(pieces).sum(dim=0)
        fill_zeros_(pieces)
        return total

    def combine(self, weights: Tensor) -> list[Tensor]:
        """sum_k weights[k] · row k, for each tensor."""
        factors = Factors(weights)
        gradients = dict(zip(self._by_rows, self._rows.combine(factors), strict=True))
        for layer in self._layers:
            gradients.update(zip(layer.leaves, layer.combine(factors), strict=True))
        return [gradients[tensor] for tensor in self._tensors]

    def combine_in_groups(self, weights: Tensor, groups: Sequence[Sequence[Tensor]]) -> list[Tensor]:
        """sum_k weights[n, k] · row k, for each tensor, n its group."""
        group_of = _numbered(groups)
        places = [group_of[tensor] for tensor in self._by_rows]
        gradients = dict(zip(self._by_rows, self._rows.combine_each(weights[places]), strict=True))
        for layer in self._layers:
            factors = Factors(weights[group_of[layer.leaves[0]]])
            gradients.update(zip(layer.leaves, layer.combine(factors), strict=True))
        return [gradients[tensor] for tensor in self._tensors]

    def release(self) -> None:
        """Let go of the factors; the buffer of the rows is kept."""
        self._tensors, self._by_rows, self._layers, self._owned = [], [], (), None
        self._rows.release()

    def rows(self, num_rows: int) -> Tensor:
        """J [K, P] itself, not a copy; for a step that has no factors.

        Raises:
            ValueError: If the tensors differ in dtype or device, so that there is no one matrix.
        """
        return self._rows.jacobian(num_rows)

    def spread(self, gradient: Tensor) -> list[Tensor]:
        """A gradient [P] cut into pieces of the tensors' shapes."""
        return self._rows.spread(gradient)

    def _pieces(self, tensor: Tensor, num_rows: int) -> list[Tensor]:
        place = next(place for place, other in enumerate(self._by_rows) if other is tensor)
        return [self._rows.row(row)[place] for row in range(num_rows)]


class UnsharedGradients:
    """Gradients by the leaves that are not measured, summed over the tasks that reach them."""

    def __init__(self, own: Sequence[Sequence[Tensor]], are_weighted: bool = False) -> None:
        self._own = own  # the leaves of each task
        self.are_weighted = are_weighted  # whether each task's have its weight in them
        self.by_leaf: dict[Tensor, Tensor] = {}

    def add(self, task: int, gradients: Sequence[Tensor | None]) -> None:
        for leaf, gradient in zip(self._own[task], gradients, strict=True):
            if gradient is not None:
                before = self.by_leaf.get(leaf)
                self.by_leaf[leaf] = gradient if before is None else before + gradient

    def numbers(self) -> list[Tensor]:
        """The numbers of all of them."""
        values = [g.coalesce().values() if g.is_sparse else g for g in self.by_leaf.values()]
        parts = values if PLAIN.issuperset(map(type, values)) else [part_of(value, like=value) for value in values]
        return [part for part in parts if part.numel()]


def _numbered(groups: Sequence[Sequence[Tensor]]) -> dict[Tensor, int]:
    """For each tensor the number of its group."""
    return {tensor: number for number, group in enumerate(groups) for tensor in group}


def _sum(parts: Sequence[Tensor], *shape: int) -> Tensor:
    """The sum of the parts, on the first part's device; zeros of that shape where there is no part."""
    if not parts:
        return torch.zeros(shape, dtype=torch.float64, device="cpu")
    if len(parts) == 1:
        return parts[0]
    return torch.stack([part.to(parts[0].device) for part in parts]).sum(dim=0)


def _symmetric(products: Tensor) -> Tensor:
    """The products [..., K, K] on the host where those of i with j and of j with i were rounded apart."""
    return (products + products.mT) / 2


def _of_rows(products: Tensor) -> Tensor:
    """The products [..., K, K], those of a row whose square was rounded below zero as of one that is zero."""
    cancelled = products.diagonal(dim1=-2, dim2=-1) < 0
    if not bool(cancelled.any()):
        return products
    return products.masked_fill(cancelled[..., None] | cancelled[..., None, :], 0.0)


def to_host(summed: Sequence[Tensor], others: Sequence[Tensor], ranks: Ranks) -> tuple[Tensor, ...]:
    """All tensors in float64 on the CPU, by one copy, the first of them summed over ranks."""
    tensors = [*summed, *others]
    if ranks.size == 1 and all(tensor.is_cpu for tensor in tensors):  # to put them end to end would take longer
        return tuple([tensor.detach().to(torch.float64, copy=True) for tensor in tensors])
    device = tensors[-1].device
    flat = torch.cat([t.detach().to(device).flatten() for t in tensors])  # in the dtype of most digits
    if summed and ranks.size > 1:
        ranks.sum_(flat[: sum(t.numel() for t in summed)])
    pieces = flat.cpu().double().split([t.numel() for t in tensors])
    return tuple(piece.view(t.shape) for piece, t in zip(pieces, tensors, strict=True))
