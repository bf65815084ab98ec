"""Small networks drawn at random: branches, skips, tied weights, norms, dropout, frozen parts, tasks in any number."""

from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

WIDTH = 4
SAMPLES = 4  # of a rank

BLOCKS = {
    "linear": lambda: nn.Linear(WIDTH, WIDTH),
    "skip": lambda: nn.Linear(WIDTH, WIDTH),
    "product": lambda: nn.Linear(WIDTH, WIDTH, bias=False),
    "tied": lambda: None,
    "twice": lambda: nn.Linear(WIDTH, WIDTH),
    "convolution": lambda: nn.Conv1d(1, 1, 3, padding=1),
    "embedding": lambda: nn.Embedding(3, WIDTH),
    "layer norm": lambda: nn.LayerNorm(WIDTH),
    "batch norm": lambda: nn.BatchNorm1d(WIDTH),
    "dropout": lambda: nn.Dropout(0.3),
    "tanh": lambda: nn.Tanh(),
    "relu": lambda: nn.ReLU(),
}


@dataclass(frozen=True)
class Drawn:
    """All that makes a network, its losses and its ranks' shares of them."""

    blocks: tuple[str, ...]
    frozen: frozenset[int]  # blocks
    taps: tuple[frozenset[int], ...]  # for each task the depths whose outputs its head sees the sum of
    heads: tuple[int, ...]  # for each task its head: two tasks may have one
    powers: tuple[int, ...]  # for each task the power of ten of its targets
    weights: tuple[float, ...]  # the users'
    steps: tuple[tuple[frozenset[int], ...], ...]  # for each step, for each rank, the tasks present
    counts: tuple[tuple[int, ...], ...]  # for each rank, the labels of each task
    dtype: torch.dtype
    seed: int


@st.composite
def networks(draw: st.DrawFn, ranks: int = 1, dtypes: tuple[torch.dtype, ...] = (torch.float32,)) -> Drawn:
    """Simplest first: one linear block, two tasks with heads of their own, all present, nothing frozen."""
    blocks = draw(st.lists(st.sampled_from(list(BLOCKS)), min_size=0, max_size=4))
    depths = range(len(blocks) + 1)
    tasks = draw(st.integers(1, 4))
    every = frozenset(range(tasks))
    some_tasks = st.one_of(st.just(every), st.frozensets(st.sampled_from(range(tasks))))
    taps = st.one_of(st.just(frozenset({len(blocks)})), st.frozensets(st.sampled_from(depths), min_size=1))

    def each(strategy: st.SearchStrategy, number: int = tasks) -> tuple:
        return tuple(draw(st.lists(strategy, min_size=number, max_size=number)))

    return Drawn(
        blocks=("linear", *blocks),
        frozen=draw(st.frozensets(st.sampled_from(range(len(blocks) + 1)), max_size=2)),
        taps=each(taps),
        heads=tuple(draw(st.sampled_from([k, 0])) for k in range(tasks)),
        powers=each(st.integers(-1, 1)),
        weights=each(st.sampled_from([1.0, 0.5, 3.0])),
        steps=tuple(each(some_tasks, ranks) for _ in range(2)),
        counts=tuple(each(st.integers(1, 9)) for _ in range(ranks)),
        dtype=draw(st.sampled_from(dtypes)),
        seed=draw(st.integers(0, 2**20)),
    )


class Network(nn.Module):
    """The network of a draw; ``forward`` gives each task's output."""

    def __init__(self, drawn: Drawn) -> None:
        super().__init__()
        torch.manual_seed(drawn.seed)
        self.drawn = drawn
        self.blocks = nn.ModuleList(BLOCKS[kind]() for kind in drawn.blocks)
        self.heads = nn.ModuleList(nn.Linear(WIDTH, 2) for _ in drawn.heads)
        for number in drawn.frozen:
            if self.blocks[number] is not None:
                self.blocks[number].requires_grad_(False)
        self.to(drawn.dtype)

    def forward(self, x: Tensor) -> list[Tensor]:
        outputs = []
        for kind, block in zip(self.drawn.blocks, self.blocks, strict=True):
            x = self._through(kind, block, x)
            outputs.append(x)
        return [
            self.heads[head](torch.stack([outputs[depth] for depth in sorted(taps)]).sum(dim=0))
            for head, taps in zip(self.drawn.heads, self.drawn.taps, strict=True)
        ]

    def _through(self, kind: str, block: nn.Module, x: Tensor) -> Tensor:
        if kind == "skip":
            return x + block(x).tanh()
        if kind == "product":
            return x * block(x).sigmoid()
        if kind == "tied":
            return F.linear(x, self.blocks[0].weight.mT)
        if kind == "twice":
            return block(block(x).tanh())
        if kind == "convolution":
            return block(x[:, None])[:, 0]
        if kind == "embedding":
            return x + block((x[:, 0] > 0).long() + (x[:, 1] > 0).long())
        return block(x)


def losses_of(net: nn.Module, drawn: Drawn, step: int, rank: int) -> dict[str, Tensor]:
    """The losses of one rank's share: always the same numbers, dropout's included, wherever they are computed."""
    lots = torch.Generator().manual_seed(drawn.seed + 10 * step + rank + 1)
    x = torch.randn(SAMPLES, WIDTH, generator=lots).to(drawn.dtype)
    targets = [10.0**power * torch.randn(SAMPLES, 2, generator=lots) for power in drawn.powers]
    torch.manual_seed(drawn.seed + 10 * step + rank + 1)
    wide = [output.to(torch.promote_types(output.dtype, torch.float32)) for output in net(x)]
    return {f"t{k}": F.mse_loss(wide[k], targets[k].to(wide[k])) for k in sorted(drawn.steps[step][rank])}
