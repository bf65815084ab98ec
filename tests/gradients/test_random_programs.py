"""Random small networks, in float64: what is delivered is sum_k w_k g_k of K gradients that plain autograd takes."""

import random
from collections import Counter
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint

import equipoise as eq

WIDTH, VOCABULARY, STEPS = 6, 11, 4
METHODS = {"mgda": eq.MGDA, "upgrad": eq.UPGrad, "pcgrad": lambda: eq.PCGrad(seed=3), "unit": eq.UnitNorm, "uw": eq.UW}


@pytest.fixture(autouse=True)
def in_float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def overwritten(z: Tensor) -> Tensor:
    """Some of it set to a constant, some changed through a view."""
    z = z.clone()
    z[:, 0] = 1.0
    z.view(-1)[3:9].mul_(2.0)
    return z


class Program(nn.Module):
    """A random trunk; heads that read it at random depths, through layers of their own or of others."""

    def __init__(self, draw: random.Random, num_tasks: int) -> None:
        super().__init__()
        self.layers, self.vectors = nn.ModuleList(), nn.ParameterList()
        self.table = nn.Embedding(VOCABULARY, WIDTH)
        self.given_to_nobody = torch.randn(WIDTH, requires_grad=True)
        self.trunk = [self._operation(draw) for _ in range(draw.randint(2, 6))]
        self.heads = nn.ModuleList(nn.Linear(WIDTH, 2) for _ in range(num_tasks))
        self.between, self.joint_head, self.penalised = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 2), nn.Linear(2, 2)
        self.ways = [draw.choice(["own", "own", "between", "twice", "joint", "early", "penalty"]) for _ in self.heads]
        self.looks_up, self.is_unbound = draw.random() < 0.5, draw.random() < 0.3
        self.left_out: list[int] = []  # operations that the next step does without

    def losses(self, x: Tensor, tokens: Tensor, present: list[int]) -> dict[str, Tensor]:
        early = z = x + self.table(tokens) if self.looks_up else x * self.vectors[0]
        for place, operation in enumerate(self.trunk):
            z = z if place in self.left_out else operation(z)
        found = []
        for task in present:
            way, seen = self.ways[task], early if self.ways[task] == "early" else z
            if way in ("between", "twice"):
                seen = self.between(torch.tanh(self.between(seen) if way == "twice" else seen))
            outputs = (self.joint_head if way == "joint" else self.heads[task])(seen)
            loss = 10.0 ** (task % 3) * (outputs - task).square().mean()
            found.append(loss + self.penalised.weight.norm() if way == "penalty" else loss)
        self.apart = dict(zip(present, found, strict=True))
        found = list(torch.stack(found).unbind()) if self.is_unbound else found
        return {f"t{task}": loss for task, loss in zip(present, found, strict=True)}

    def _operation(self, draw: random.Random) -> Callable[[Tensor], Tensor]:
        layer, again = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH, bias=False)
        across, norm, small = nn.Conv1d(2, 2, 3, padding=1), nn.LayerNorm(WIDTH), nn.Linear(WIDTH // 2, WIDTH // 2)
        vector, number = nn.Parameter(torch.randn(WIDTH)), nn.Parameter(torch.randn(()))
        attention = nn.MultiheadAttention(WIDTH, 2, batch_first=True)
        choices: list[tuple[list[nn.Module], Callable[[Tensor], Tensor]]] = [
            ([layer], layer),
            ([again], again),
            ([layer], lambda z: torch.tanh(layer(torch.tanh(layer(z))))),
            ([layer], lambda z: F.linear(torch.tanh(F.linear(z, layer.weight.T)), layer.weight, layer.bias)),
            ([layer], lambda z: checkpoint(lambda y: torch.tanh(layer(y)), z, use_reentrant=False)),
            ([layer], lambda z: z + layer(z).view(-1).view(z.shape)[:, :: WIDTH - 1].mean(1, keepdim=True)),
            ([layer.requires_grad_(draw.random() < 0.7)], lambda z: F.leaky_relu_(layer(z), 0.2)),
            ([across], lambda z: z + across(z.view(-1, 2, WIDTH // 2)).reshape(z.shape)),
            ([small], lambda z: small(z.view(-1, 2, WIDTH // 2)).reshape(z.shape)),
            ([norm], norm),
            ([attention], lambda z: z + attention(z, z, z, need_weights=False)[0]),
            ([], lambda z: z * vector + number),
            ([], lambda z: z * (1 + self.given_to_nobody)),
            ([layer], lambda z: torch.addmm(layer.bias, z, layer.weight, beta=0.5)),
            ([layer], lambda z: torch.addmm(layer.bias, z, layer.weight, alpha=0.5)),
            (
                [],
                lambda z: torch.fft.irfft(torch.fft.rfft(z) * torch.view_as_complex(vector.view(3, 2)).sum(), n=WIDTH),
            ),
            ([], overwritten),
        ]
        modules, operation = draw.choice(choices)
        self.layers.extend(modules)
        self.vectors.extend([vector, number])
        return operation


class Definition:
    """K gradients by plain autograd, the method's own weights, one sum; remembers who ever reached what."""

    def __init__(self, make: Callable[[], eq.Aggregator | eq.Weighting], num_tasks: int) -> None:
        self.method = make()
        self.method.bind(num_tasks)
        self.method.match_sum()
        self.reached: dict[Tensor, set[int]] = {}
        self.enough = min(2, num_tasks)

    def gradients(self, net: Program, losses: dict[str, Tensor], present: list[int]) -> dict[Tensor, Tensor]:
        given = [p for p in net.parameters() if p.requires_grad]
        leaves = [*given, net.given_to_nobody]
        rows = [torch.autograd.grad(net.apart[k], leaves, retain_graph=True, allow_unused=True) for k in present]
        for task, row in zip(present, rows, strict=True):
            for leaf, gradient in zip(given, row, strict=False):
                if gradient is not None:
                    self.reached.setdefault(leaf, set()).add(task)
        shared = [i for i, leaf in enumerate(given) if len(self.reached.get(leaf, ())) >= self.enough]
        values, tasks = torch.stack([loss.detach() for loss in losses.values()]), torch.tensor(present)
        if isinstance(self.method, eq.Weighting):
            objective = self.method(values.requires_grad_(), tasks)
            (weights,) = torch.autograd.grad(objective, values)
            shared = list(range(len(leaves)))  # an objective weighs everything
        else:
            weights, balanced = (
                torch.ones(len(rows)),
                [k for k, r in enumerate(rows) if any(r[i] is not None for i in shared)],
            )
            if balanced:
                jacobian = torch.stack(
                    [
                        torch.cat([(torch.zeros_like(leaves[i]) if r[i] is None else r[i]).flatten() for i in shared])
                        for r in (rows[k] for k in balanced)
                    ]
                )
                weights[balanced] = self.method(jacobian @ jacobian.T, values[balanced], tasks[balanced])
        delivered = {}
        for i, leaf in enumerate(leaves):
            factors = weights if i in shared else torch.ones(len(rows))
            terms = [w * row[i] for w, row in zip(factors, rows, strict=True) if row[i] is not None]
            if terms:
                delivered[leaf] = sum(terms)
        return delivered


@pytest.mark.parametrize("seed", range(30))
def test_a_random_program_gets_its_definition(seed):
    """Tasks, operations and what is frozen change from step to step; every hook runs once, on what is delivered."""
    draw = random.Random(seed)
    torch.manual_seed(seed)
    num_tasks, name, scale = draw.randint(1, 5), draw.choice(list(METHODS)), draw.choice([1.0, 1024.0])
    net, definition = Program(draw, num_tasks), Definition(METHODS[name], num_tasks)
    route = draw.choice(["auto", "rows", "factored", "factored", "low-memory"])
    balancer = eq.Balancer(METHODS[name](), net, tasks=[f"t{k}" for k in range(num_tasks)], route=route)
    heard: Counter[Tensor] = Counter()
    leaves = [*(p for p in net.parameters() if p.requires_grad), net.given_to_nobody]
    for leaf in leaves:
        leaf.register_hook(lambda gradient, leaf=leaf: heard.update([leaf]))
    for _ in range(STEPS):
        present = [k for k in range(num_tasks) if draw.random() < 0.7] or [num_tasks - 1]
        rows = draw.choice([1, 2, 7])
        net.left_out = [place for place in range(len(net.trunk)) if draw.random() < 0.2]
        for leaf in leaves[:-1]:
            leaf.requires_grad_(draw.random() < 0.9)
        losses = net.losses(torch.randn(rows, WIDTH), torch.randint(VOCABULARY, (rows,)), present)
        expected = definition.gradients(net, losses, present)
        for leaf in leaves:
            leaf.grad = None
        heard.clear()
        (balancer(losses) * scale).backward()
        largest = max(float(gradient.abs().max()) for gradient in expected.values())
        for leaf in leaves:
            if leaf in expected and (leaf.grad is not None or expected[leaf].any()):
                assert heard[leaf] == 1
                assert_close(leaf.grad / scale, expected[leaf], rtol=1e-7, atol=1e-8 * largest)
            else:
                assert leaf.grad is None or not leaf.grad.any()
