"""Losses that dominate, are hardly trained, conflict or are one: what the gradients show at all steps of a window."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from equipoise.method import Method
from equipoise.monitor.warning import warn
from equipoise.names import listed
from equipoise.thresholds import COMPARABLE, MOST, OPPOSED, PARALLEL, PLANE

_AFTER = (10, 90)  # steps from one look of a window to the next, at least
_APART = 1000  # from the last one to the next window
_SMALL = 0.01  # of the largest norm
_MEANT = 0.1  # of the user's weight of another: a task with less is meant to be small
_NAMED = 3  # tasks or pairs that a warning names
_WEIGH = "try the weights that eq.doctor suggests, tasks={name: weight}"


class Looks:
    """Keeps the gradients of three steps of a window; of what holds at each of them, each kind is warned of once."""

    def __init__(self, method: Method) -> None:
        self._method = str(method)
        self._steps: list[int] = []
        self._names: list[tuple[str, ...]] = []
        self._gramians: list[Tensor] = []
        self._said: set[str] = set()
        self.next = 1  # the step from which on a look is due

    def look(
        self,
        step: int,
        names: Sequence[str],
        user_weights: Sequence[float],
        gramian: Tensor,
        weights: Tensor,
        shared_numbers: int,
    ) -> None:
        """Look at K tasks of one step.

        Args:
            step: Its number.
            names: [K].
            user_weights: [K], of the balancer and stated in the method; the gramian has the former in it.
            gramian: [K, K] of the gradients by the shared parameters, on the CPU.
            weights: [K], the method's.
            shared_numbers: How many numbers of parameters these are.
        """
        self._steps.append(step)
        self._names.append(tuple(names))
        self._gramians.append(weights[:, None] * gramian * weights)
        if len(self._steps) <= len(_AFTER):
            self.next = step + _AFTER[len(self._steps) - 1]
            return
        self.next = step + _APART
        common = [name for name in names if all(name in seen for seen in self._names)]
        if len(common) > 1:
            own = dict(zip(names, user_weights, strict=True))
            self._judge(common, torch.tensor([own[name] for name in common]), shared_numbers)
        self._steps, self._names, self._gramians = [], [], []

    def _judge(self, names: list[str], own: Tensor, shared_numbers: int) -> None:
        gramians, shares = [], []
        for seen, gramian in zip(self._names, self._gramians, strict=True):
            at = {name: place for place, name in enumerate(seen)}
            places = [at[name] for name in names]
            gramians.append(gramian[places][:, places])
            shares.append(gramian.sum(dim=1)[places])
        at_all = torch.stack(gramians).double()  # [3, K, K]
        steps = listed(self._steps)
        opposed = (torch.stack(shares) < 0).all(dim=0)  # by the whole gradient
        norms = at_all.diagonal(dim1=1, dim2=2).clamp(min=0).sqrt()  # rounding may leave a square below 0
        for kind, what in (
            *self._of_size(names, norms, own.double()),
            *_of_pairs(names, at_all, norms, opposed, shared_numbers),
        ):
            if kind not in self._said:
                self._said.add(kind)
                warn(f"in the gradients that {self._method} gave at steps {steps}, {what}")

    def _of_size(self, names: list[str], norms: Tensor, own: Tensor) -> Iterator[tuple[str, str]]:
        """Of norms [3, K]: what is so with the user's weights [K] and without them."""
        both = torch.cat([norms, norms / own])
        is_there = (norms > 0).all(dim=0)
        portions = both / both.sum(dim=1, keepdim=True)
        largest = int(norms[-1].argmax())
        beside = is_there & (own >= _MEANT * own[largest])
        beside[largest] = False
        if not beside.any():
            return
        least = float(portions[:, largest].min())
        if least > MOST:
            yield (
                "dominates",
                f"{names[largest]!r} has {min(99, int(100 * least))} % or more of the gradients by the shared "
                f"parameters: the others hardly train them; {_WEIGH}",
            )
        elif self._steps[0] <= _APART:  # later, a task that is learned has a small gradient
            small = beside & (both < _SMALL * both[:, largest, None]).all(dim=0)
            if small.any():
                yield (
                    "is hardly trained",
                    f"the gradients of {_listed(names, small)} are below {100 * _SMALL:g} % of that of "
                    f"{names[largest]!r}: hardly trained; {_WEIGH}",
                )


def _of_pairs(
    names: list[str], gramians: Tensor, norms: Tensor, opposed: Tensor, shared_numbers: int
) -> Iterator[tuple[str, str]]:
    """Of gramians [3, K, K] and norms [3, K], and which tasks [K] the whole gradient opposes."""
    sizes = norms[:, :, None] * norms[:, None, :]
    cosines = gramians / sizes  # NaN where a gradient is zero, which no comparison holds for
    once = torch.ones_like(cosines[0], dtype=torch.bool).triu(1)
    ratios = norms[:, :, None] / norms[:, None, :]
    comparable = ((ratios >= COMPARABLE) & (ratios <= 1 / COMPARABLE)).all(dim=0)
    chance = 2 / math.sqrt(max(1, shared_numbers))  # two standard deviations of random directions
    conflict = (cosines < min(OPPOSED, -chance)).all(dim=0) & comparable & (opposed[:, None] | opposed) & once
    if conflict.any():
        yield (
            "conflicts",
            f"{_paired(names, conflict)} conflict at every step seen ({_cosines(cosines, conflict)}): a gradient "
            "method that removes conflicts may help; only a comparison tells; eq.doctor shows in which modules",
        )
    twins = (cosines > PARALLEL).all(dim=0) & once
    if shared_numbers >= PLANE and twins.any():
        yield (
            "is there twice",
            f"{_paired(names, twins)} have parallel gradients: are they one loss under two names? eq.doctor shows who "
            "reaches what",
        )


def _listed(names: list[str], are: Tensor) -> str:
    return listed([repr(names[k]) for k in are.nonzero().flatten().tolist()], _NAMED)


def _paired(names: list[str], are: Tensor) -> str:
    pairs: list[list[int]] = are.nonzero().tolist()
    return listed([f"{names[j]!r} and {names[k]!r}" for j, k in pairs], _NAMED) + " pairs" * (len(pairs) > _NAMED)


def _cosines(cosines: Tensor, are: Tensor) -> str:
    first, *others = are.nonzero().tolist()
    values: list[float] = cosines[:, first[0], first[1]].tolist()
    return f"cosines {'of the first ' if others else ''}{', '.join(f'{value:.2f}' for value in values)}"
