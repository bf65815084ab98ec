"""What every kind of layer with factors has in common."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge
from typing_extensions import Self

from equipoise.gradients.products import Factors, inner_products
from equipoise.gradients.ranks import Ranks
from equipoise.torch_private.autograd import output_metadata

MOVED = 40.0  # multiply-adds in the time that one number takes to be written, copied and read again
SET_UP = 4e6  # multiply-adds in the time that the dozen small operations of one layer take
_MANY = 2**21  # numbers of a layer's factors from which on copies of all of them are not made
_BLOCK = 2**20  # numbers that are multiplied at a time beyond that
_NARROWEST = 64  # columns below which matrix products lose much of their speed
_VANISHING = 1e-12  # squared norm of inputs below which float32 products may vanish though the gradients do not


class Use(NamedTuple):
    """One operation that a parameter, perhaps transposed or cast, is an operand of."""

    node: Any
    name: str  # of the node's type
    operand: int
    transposed: bool


class Products(NamedTuple):
    """Inner products of the tasks' gradients, and how large the terms were that they are sums of."""

    products: Tensor  # [K, K] in float64
    # [K]; float32 rounds relative to these, so products far below them have lost their digits, as all have below inf
    terms: Tensor


class Layer(ABC):
    """Shared tensors whose task gradients g_k are never formed: what came in, and what comes back at the outputs.

    Autograd is asked for the gradients B_k at ``edges``; the K gradients by ``leaves`` are products of these with what
    the layer saved of its inputs.
    """

    kind: str
    is_sparse = False  # whether autograd's gradients by the leaves are sparse, so that they have no rows

    def __init__(self, leaves: Sequence[Tensor], edges: Sequence[GradientEdge]) -> None:
        self.leaves = tuple(leaves)
        self.edges = list(edges)
        # what the factors are multiplied in: float64 where the layer itself is
        is_exact = torch.float64 in [output_metadata(edge).dtype for edge in edges]
        self.dtype = torch.float64 if is_exact else torch.float32
        self._received: list[list[Tensor]] = [[] for _ in edges]

    @abstractmethod
    def operations(self, num_tasks: int) -> float:
        """Multiply-adds of the products and of the combined gradient, from factors."""

    @abstractmethod
    def row_operations(self, num_tasks: int) -> float:
        """The same from rows, the forming of the rows included."""

    @abstractmethod
    def products(self, dtype: torch.dtype) -> Products:
        """⟨g_i, g_j⟩ from factors in ``dtype``."""

    @abstractmethod
    def combine(self, weights: Factors) -> list[Tensor]:
        """sum_k weights[k] · g_k for each leaf."""

    @property
    def length(self) -> int:
        """Rows of the longest of its factors; 0 where factors of several ranks cannot be put end to end."""
        return 0

    def gathered(self, num_tasks: int) -> int:
        """Numbers of its factors, but for inputs that lie in the graph as they are needed."""
        return num_tasks * sum(size(edge).numel() for edge in self.edges)

    def of_all_ranks(self, ranks: Ranks, owner: int, length: int) -> "Layer | None":
        """The layer over the samples of all ranks, for its products, on the owner; factors are padded to ``length``."""
        raise NotImplementedError

    def write(self, num_tasks: int, gradients: Sequence[Tensor | None]) -> None:
        """Take the next tasks' gradients [tasks, ...] at the edges; ``None`` is a zero for each."""
        for received, edge, gradient in zip(self._received, self.edges, gradients, strict=True):
            if gradient is None:
                like = output_metadata(edge)
                gradient = torch.zeros(num_tasks, *like.shape, dtype=like.dtype, device=like.device)
            received.append(gradient)

    def forget(self) -> None:
        """Let go of all that was written."""
        self._received = [[] for _ in self.edges]

    def with_gradients(self, gradients: Sequence[Tensor]) -> Self:
        """A copy that was given all tasks' gradients [K, ...] at the edges."""
        twin = copy.copy(self)
        twin._received = [[gradient] for gradient in gradients]
        return twin

    def at_outputs(self, dtype: torch.dtype) -> list[Tensor]:
        """B [K, ...] for each edge."""
        for received in self._received:
            if len(received) > 1:
                received[:] = [torch.cat(received)]
        return [received[0].to(dtype) for received in self._received]

    def in_pieces(self, dtype: torch.dtype) -> list[list[Tensor]]:
        """The same for some consecutive tasks at a time: many numbers are not copied to lie end to end."""
        if sum(piece.numel() for received in self._received for piece in received) <= _MANY:
            return [self.at_outputs(dtype)]
        return [[piece.to(dtype) for piece in pieces] for pieces in zip(*self._received, strict=True)]

    def combined_at_outputs(self, weights: Factors) -> list[Tensor]:
        """sum_k weights[k] · B_k for each edge."""
        combined: list[Tensor] = []
        for received in self._received:
            factors = weights.on(received[0].device, self.dtype)
            first, *others = [piece.to(factors.dtype).flatten(1) for piece in received]
            total, done = torch.mv(first.mT, factors[: len(first)]), len(first)
            for piece in others:
                total.addmv_(piece.mT, factors[done : done + len(piece)])
                done += len(piece)
            combined.append(total.view(received[0].shape[1:]))
        return combined

    def is_nonzero(self, row: int) -> bool:
        """Whether task ``row`` has a gradient other than zero here."""
        return any(bool(gradients[row].any()) for gradients in self.at_outputs(self.dtype))


def product_operations(num_inputs: int, width_out: int, num_tasks: int) -> float:
    """Multiply-adds of ``products_of``."""
    return num_tasks * num_inputs * width_out * (num_inputs + num_tasks)


def matrix_row_operations(num_inputs: int, width_in: int, width_out: int, num_tasks: int) -> float:
    """Multiply-adds of K rows B_kᵀ A, from their forming to their weighted sum."""
    return num_tasks * width_in * width_out * (num_inputs + num_tasks + 1 + MOVED)


def products_of_inputs(inputs: Tensor, has_bias: bool) -> Tensor:
    """A Aᵀ [N, N]; a bias is one more input, of ones."""
    products = inputs @ inputs.mT
    return products.add_(1) if has_bias else products


def products_of(input_products: Tensor, pieces: Sequence[Tensor]) -> Products:
    """⟨B_i, S B_j⟩ from S = A Aᵀ [N, N] and pieces [tasks, N, D] of B [K, N, D]."""
    if sum(piece.numel() for piece in pieces) <= _MANY:
        return _products_of(input_products, end_to_end(pieces, dim=0))
    width = max(_BLOCK // sum(len(piece) * piece.shape[1] for piece in pieces), _NARROWEST)
    columns = zip(*(piece.split(width, dim=2) for piece in pieces), strict=True)
    found = [_products_of(input_products, torch.cat(some)) for some in columns]
    return Products(*(torch.stack(parts).sum(dim=0) for parts in zip(*found, strict=True)))


def _products_of(input_products: Tensor, outputs: Tensor) -> Products:
    met = torch.bmm(input_products.expand(len(outputs), -1, -1), outputs)
    products = inner_products(outputs.flatten(1), met.flatten(1))
    squares = input_products.diagonal()
    if squares.dtype == torch.float64 or not squares.numel():
        return Products(products, products.diagonal())  # float64 has digits to lose
    terms = torch.mv(torch.linalg.vector_norm(outputs, dim=2).square(), squares)
    return Products(products, terms / (squares.amax() > _VANISHING))  # inf, or NaN, if not


def products_of_rows(rows: Tensor) -> Products:
    """Products of [K, P] themselves."""
    products = inner_products(rows, rows)
    return Products(products, products.diagonal())


def padded(tensor: Tensor, length: int, dim: int) -> Tensor:
    """With zeros behind, up to that length."""
    missing = length - tensor.shape[dim]
    if not missing:
        return tensor
    shape = [missing if place == dim else size for place, size in enumerate(tensor.shape)]
    return torch.cat([tensor, tensor.new_zeros(shape)], dim=dim)


def like(gradient: Tensor, leaf: Tensor) -> Tensor:
    """In the leaf's dtype, on its device."""
    return gradient.to(device=leaf.device, dtype=leaf.dtype)


def end_to_end(tensors: Sequence[Tensor], dim: int) -> Tensor:
    """Concatenated; one alone is not copied."""
    return tensors[0] if len(tensors) == 1 else torch.cat(list(tensors), dim=dim)


def size(edge: GradientEdge | tuple[Any, int]) -> torch.Size:
    """The shape of the output that an edge stands for."""
    return torch.Size(output_metadata(edge).shape)
