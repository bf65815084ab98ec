"""Encoders of one vector per sample: of numbers, of a table's columns, of text, and of a table's rows with both."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

Stage = Callable[[Any], Any]
Part = tuple[nn.Module, int]  # makes a vector of this many numbers of one of a row's inputs


def stages_of(encoder: nn.Module) -> tuple[Stage, ...]:
    """What the encoder names as its ``stages``, which one after another are the whole; else the whole as one stage."""
    return tuple(getattr(encoder, "stages", (encoder,)))


@torch.no_grad()
def widths_of(encoder: nn.Module, inputs: Any) -> tuple[int, ...]:
    """How many numbers per sample come out of each stage, found on a batch; the encoder is left in training mode.

    Raises:
        ValueError: If a stage gives anything but [N, D].
    """
    encoder.eval()
    widths, features = [], inputs
    for stage in stages_of(encoder):
        features = stage(features)
        if not isinstance(features, Tensor) or features.ndim != 2:
            got = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
            raise ValueError(
                f"{type(encoder).__name__} gives {got}, where one vector per sample [N, D] is needed: pool it, or "
                "share it as it is"
            )
        widths.append(features.shape[1])
    encoder.train()
    return tuple(widths)


class MLP(nn.Module):
    """z = dropout(relu(W z + b)), once for each width.

    Args:
        features: Numbers per sample that go in.
        widths: Numbers per sample after each layer.
        dropout: Share of numbers dropped after each layer while training, 0 to 1.
    """

    def __init__(self, features: int, widths: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(
                layer
                for before, after in pairwise([features, *widths])
                for layer in (nn.Linear(before, after), nn.ReLU(), nn.Dropout(dropout))
            )
        )

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Each width's layer, the first of which takes inputs of any type."""
        first, *others = (self.layers[place : place + 3] for place in range(0, len(self.layers), 3))
        return (lambda inputs: first(inputs.float()), *others)

    def forward(self, inputs: Tensor) -> Tensor:
        """From [N, features], of any type, to [N, widths[-1]]."""
        representation: Tensor = self.layers(inputs.float())
        return representation


class TableEncoder(nn.Module):
    """An MLP of [a vector for each category, each number as it is].

    Args:
        sizes: How many categories each column of categories has; category 0 is one that was not seen in training,
            and its vector is 0.
        numbers: How many columns of numbers there are.
        width: Numbers per category.
        widths: Those of the MLP.
        dropout: Share of numbers dropped after each layer while training, 0 to 1.
    """

    starts: Tensor

    def __init__(self, sizes: Sequence[int], numbers: int, width: int, widths: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sum(sizes), width, padding_idx=0)
        self.register_buffer("starts", torch.tensor([0, *sizes[:-1]]).cumsum(dim=0))
        self.mlp = MLP(len(sizes) * width + numbers, widths, dropout)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The layers of the MLP, the first after the vectors."""
        first, *others = self.mlp.stages
        return (lambda inputs: first(self._row(inputs)), *others)

    def forward(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        """From categories [N, columns], integers from 0, and numbers [N, columns] to [N, widths[-1]]."""
        representation: Tensor = self.mlp(self._row(inputs))
        return representation

    def _row(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        categories, numbers = inputs
        rows = (categories + self.starts).masked_fill(categories == 0, 0)
        return torch.cat([self.embedding(rows).flatten(1), numbers], dim=1)


class WeightedBag(nn.Module):
    """u = sum_i w_i e_i / |w|, w_i = 1 - ln f_i: the vectors of a text's n-grams, by how telling each is.

    f_i is the share of texts with the n-gram, w_i its inverse document frequency (Sparck Jones, A Statistical
    Interpretation of Term Specificity and Its Application in Retrieval, Journal of Documentation 28, 1972). Adam would
    move the vector of a rare n-gram as far as that of a frequent one, and after a small error as far as after a large
    one: the workbench gives all vectors one second moment (``lab.training.learner``).

    Args:
        frequencies: f [V] of each n-gram in the training texts, above 0 to 1.
        width: Numbers per n-gram.
        dropout: Share of n-grams dropped from a text while training, 0 to 1.
    """

    importance: Tensor

    def __init__(self, frequencies: Tensor, width: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.EmbeddingBag(len(frequencies), width, mode="sum")
        nn.init.normal_(self.embedding.weight, std=0.01)
        self.register_buffer("importance", 1 - frequencies.log())
        self.dropout = nn.Dropout(dropout)

    def forward(self, bags: tuple[Tensor, Tensor]) -> Tensor:
        """From bags end to end, as ``join_bags`` makes them, to [N, width]; 0 for a text without n-grams."""
        numbers, begins = bags
        weights = self.importance[numbers]
        squares = F.embedding_bag(numbers, self.importance.square().unsqueeze(1), begins, mode="sum")
        summed: Tensor = self.embedding(numbers, begins, per_sample_weights=self.dropout(weights))
        return summed / squares.sqrt().clamp(min=torch.finfo(squares.dtype).tiny)


class BagOfEmbeddings(nn.Module):
    """z = [silu(W_2 silu(W_1 u + b_1) + b_2), u], dropout between: the sum u of a text's vectors, also through layers.

    Joulin, Grave, Bojanowski, Mikolov, Bag of Tricks for Efficient Text Classification, EACL 2017, where z = u. Heads
    alone train u, so that it is what it would be without the layers, which overfit where few texts are labelled.

    Args:
        frequencies: Of each n-gram in the training texts [V], above 0 to 1.
        width: Numbers per n-gram.
        hidden: Numbers of each layer.
        dropout: Share of numbers dropped between the layers while training, 0 to 1.
        ngram_dropout: Share of n-grams dropped from a text while training, 0 to 1.
    """

    def __init__(
        self, frequencies: Tensor, width: int, hidden: int, dropout: float, ngram_dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.bag = WeightedBag(frequencies, width, ngram_dropout)
        self.width = hidden + width  # numbers per text that come out
        self.layers = nn.Sequential(
            nn.Linear(width, hidden), nn.SiLU(), nn.Dropout(dropout), nn.Linear(hidden, hidden), nn.SiLU()
        )

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The sum, then the layers beside it."""
        return self.bag, lambda summed: torch.cat([self.layers(summed.detach()), summed], dim=1)

    def forward(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        """From bags end to end, as ``join_bags`` makes them, to [N, hidden + width]."""
        bag, layers = self.stages
        representation: Tensor = layers(bag(inputs))
        return representation


def category_part(categories: int, columns: int, *, width: int = 8, dropout: float = 0.1) -> Part:
    """From numbers of categories [N, columns], of which there are so many, to a vector of ``width`` for each."""
    vectors = nn.Sequential(nn.Embedding(categories, width), nn.Flatten(), nn.Dropout(dropout))
    return vectors, width * columns


def text_part(frequencies: Tensor, *, width: int = 48, ngram_dropout: float = 0.5) -> Part:
    """From bags end to end, as ``join_bags`` makes them, to a ``WeightedBag`` of ``width``."""
    return WeightedBag(frequencies, width, ngram_dropout), width


def bits_part(bits: int, *, width: int = 256, dropout: float = 0.5) -> Part:
    """From bits [N, columns, bits / columns], 0 or 1, to an ``MLP`` of one layer on all of them."""
    return nn.Sequential(nn.Flatten(), MLP(bits, [width], dropout)), width


class RowEncoder(nn.Module):
    """z = [silu(W_2 silu(W_1 (r_m * p) + b_1) + b_2), p_w], dropout between; p = [p_1, p_2, ...] is what parts make.

    r_m, initially signs, is all that M members do not share. While training, row n of a batch is seen by member
    n mod M; in evaluation each row by all, one after another, and a ``MemberHead`` has the mean of what its head makes
    of them. Gorishniy, Kotelnikov, Babenko, TabM: Advancing Tabular Deep Learning with Parameter-Efficient Ensembling,
    ICLR 2025, "mini", where a member has heads of its own, too, and sees every row.

    p_w is of the wide parts, on which a linear head is a linear model of these inputs, too, as in Cheng et al., Wide &
    Deep Learning for Recommender Systems, DLRS 2016. Heads alone train them: the layers' gradient does not reach them.

    Args:
        parts: By the name of their input.
        wide: The names of some of them.
        hidden: Numbers per row that come out of the layers.
        dropout: Share of numbers dropped before the second layer while training, 0 to 1.
        members: M; of a single one r is 1.
    """

    def __init__(
        self,
        parts: Mapping[str, Part],
        *,
        wide: Sequence[str] = (),
        hidden: int = 256,
        dropout: float = 0.1,
        members: int = 1,
    ) -> None:
        super().__init__()
        self.parts = nn.ModuleDict({name: module for name, (module, _) in parts.items()})
        self.wide, self.hidden, self.members = tuple(wide), hidden, members
        self.width = hidden + sum(parts[name][1] for name in wide)  # numbers per row that come out
        size = sum(width for _, width in parts.values())
        self.layers = nn.Sequential(
            nn.Linear(size, hidden), nn.SiLU(), nn.Dropout(dropout), nn.Linear(hidden, hidden), nn.SiLU()
        )
        signs = torch.randn(members, size).sign() if members > 1 else None
        self.signs = None if signs is None else nn.Embedding.from_pretrained(signs, freeze=False)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The two layers, the first after the parts, each beside the wide parts."""
        return self._first, self._second

    def forward(self, inputs: Mapping[str, Any]) -> Tensor:
        """From each part's input, by name, to [N, width]; in evaluation of M members [N * M, width]."""
        return self._second(self._first(inputs))

    def _first(self, inputs: Mapping[str, Any]) -> Tensor:
        made = {name: part(inputs[name]) for name, part in self.parts.items()}
        if not self.training:
            made = {name: rows.repeat_interleave(self.members, dim=0) for name, rows in made.items()}
        row = torch.cat([rows.detach() if name in self.wide else rows for name, rows in made.items()], dim=1)
        if self.signs is not None:
            row = row * self.signs(torch.arange(len(row), device=row.device) % self.members)
        return torch.cat([self.layers[:2](row), *(made[name] for name in self.wide)], dim=1)

    def _second(self, features: Tensor) -> Tensor:
        layer, wide = features.split([self.hidden, self.width - self.hidden], dim=1)
        return torch.cat([self.layers[2:](layer), wide], dim=1)
