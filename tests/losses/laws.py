"""What holds for every loss, each law a function of a case."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close


@dataclass
class Case:
    """A loss, and arguments for it.

    ``arguments(n, generator)`` makes n samples in float64, as a tuple of tensors with the batch first. ``learned`` are
    the places of those that are differentiated by; ``elementwise``: whether ``reduction="none"`` gives a value per
    sample at least.
    """

    name: str
    loss: Callable[..., Tensor]
    arguments: Callable[[int, torch.Generator], tuple[Any, ...]]
    learned: tuple[int, ...] = (0,)
    keywords: dict[str, Any] = field(default_factory=dict)
    elementwise: bool = True
    permutes: bool = True  # the mean over the batch does not depend on the samples' order
    empty: bool = True  # a batch of 0 is allowed
    compiles: bool = True

    def __call__(self, *arguments: Any, **keywords: Any) -> Tensor:
        return self.loss(*arguments, **{**self.keywords, **keywords})

    def make(self, n: int = 6, seed: int = 0) -> tuple[Any, ...]:
        return self.arguments(n, torch.Generator().manual_seed(seed))

    def __str__(self) -> str:
        return self.name


def converted(case: Case, arguments: tuple[Any, ...], dtype: torch.dtype) -> tuple[Any, ...]:
    """The arguments in another floating dtype."""
    return tuple(a.to(dtype) if isinstance(a, Tensor) and a.is_floating_point() else a for a in arguments)


def gradient_is_the_derivative(case: Case) -> None:
    arguments = case.make()
    learned = [arguments[place].requires_grad_() for place in case.learned]

    def value(*values: Tensor) -> Tensor:
        filled = list(arguments)
        for place, v in zip(case.learned, values, strict=True):
            filled[place] = v
        return case(*filled)

    assert torch.autograd.gradcheck(value, learned)


def order_of_samples_does_not_matter(case: Case) -> None:
    if not case.permutes:
        return
    arguments = case.make()
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    shuffled = [a[order] if isinstance(a, Tensor) and a.dim() and len(a) == 6 else a for a in arguments]
    assert_close(case(*shuffled), case(*arguments))


def mean_and_sum_are_of_the_elements(case: Case) -> None:
    """The mean of equally weighted elements; a case with other weights says so by ``elementwise=False``."""
    if not case.elementwise:
        return
    arguments = case.make()
    elements = case(*arguments, reduction="none")
    assert elements.dim() > 0
    assert_close(case(*arguments, reduction="mean"), elements.mean())
    assert_close(case(*arguments, reduction="sum"), elements.sum())


def half_precision_is_finite(case: Case) -> None:
    """As the same numbers are in float32, value and gradient; the value in float32."""
    for dtype in (torch.float16, torch.bfloat16):
        short = converted(case, case.make(), dtype)
        for place in case.learned:
            short[place].requires_grad_()
        loss = case(*short)
        assert loss.dtype == torch.float32
        assert loss.isfinite().all()
        assert_close(loss, case(*converted(case, short, torch.float32)))
        for gradient in torch.autograd.grad(loss, [short[place] for place in case.learned]):
            assert gradient.isfinite().all()


def an_empty_batch_is_no_surprise(case: Case) -> None:
    """NaN for a mean, as torch's own, or 0 where the loss defines it; never an exception."""
    if not case.empty:
        return
    arguments = case.make(0)
    loss = case(*arguments)
    assert loss.shape == ()
    assert loss.isnan() or loss == 0


def one_sample_is_enough(case: Case) -> None:
    assert case(*case.make(1)).isfinite()


def arguments_are_left_alone(case: Case) -> None:
    arguments = case.make()
    before = [a.clone() if isinstance(a, Tensor) else a for a in arguments]
    case(*arguments)
    for a, b in zip(arguments, before, strict=True):
        assert torch.equal(a.nan_to_num(), b.nan_to_num()) if isinstance(a, Tensor) else a is b


def autocast_changes_nothing(case: Case) -> None:
    """A loss is computed in float32 whatever surrounds it."""
    arguments = converted(case, case.make(), torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = case(*arguments)
    assert_close(loss, case(*arguments), rtol=2e-2, atol=1e-3)


LAWS = [
    gradient_is_the_derivative,
    order_of_samples_does_not_matter,
    mean_and_sum_are_of_the_elements,
    half_precision_is_finite,
    an_empty_batch_is_no_surprise,
    one_sample_is_enough,
    arguments_are_left_alone,
    autocast_changes_nothing,
]


def check_it_compiles_to_the_same(case: Case, backend: str = "aot_eager") -> None:
    """In one graph, value and gradient; without PyTorch's code generator, which takes twenty times as long."""
    arguments = converted(case, case.make(), torch.float32)
    for place in case.learned:
        arguments[place].requires_grad_()
    learned = [arguments[place] for place in case.learned]
    torch._dynamo.reset()
    compiled = torch.compile(case.loss, fullgraph=True, backend=backend)(*arguments, **case.keywords)
    plain = case(*arguments)
    assert_close(compiled, plain, rtol=1e-4, atol=1e-5)
    for one, other in zip(torch.autograd.grad(compiled, learned), torch.autograd.grad(plain, learned), strict=True):
        assert_close(one, other, rtol=1e-4, atol=1e-5)


def backends_for(cases: list[Case]) -> list[Any]:
    """Cases with a backend each.

    Each loss is traced into one graph, which is what its own code decides; the first one's backward is traced, too.
    The slow tests trace each with other arguments and every backward, and generate code for the first.
    """
    compiled = [case for case in cases if case.compiles]
    of_each = {case.loss: case for case in reversed(compiled)}
    quick = [(case, "aot_eager" if case is compiled[0] else "eager") for case in of_each.values()]
    slow = [(case, "aot_eager") for case in compiled[1:]] + [(case, "inductor") for case in compiled[:1]]
    return [*quick, *(pytest.param(*case, marks=pytest.mark.slow) for case in slow)]


def laws_for(cases: list[Case]) -> tuple[Any, Any]:
    """Two tests to be bound in a module: every law on every case, and that each compiles."""

    @pytest.mark.parametrize("case", cases, ids=str)
    @pytest.mark.parametrize("check", LAWS, ids=lambda law: law.__name__)
    def test_laws(check, case):
        check(case)

    @pytest.mark.needs("whole_graphs")
    @pytest.mark.parametrize(("case", "backend"), backends_for(cases), ids=str)
    def test_compiles(case, backend):
        check_it_compiles_to_the_same(case, backend)

    return test_laws, test_compiles
