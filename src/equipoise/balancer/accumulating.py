"""One step of several micro-batches: gradients wait until the last of them goes backward."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from equipoise.balancer.comparison import Comparison
from equipoise.balancer.decider import Decider
from equipoise.balancer.recorder import Recorder
from equipoise.balancer.setup import Setup
from equipoise.chain import linearise
from equipoise.gradients.accumulation import Accumulation, Micro
from equipoise.gradients.delivery import Delivery
from equipoise.gradients.freed import explained
from equipoise.gradients.graph import graph_of
from equipoise.gradients.parts import is_in_parts
from equipoise.gradients.roles import Roles
from equipoise.gradients.routes import seed
from equipoise.gradients.surrogate import surrogate
from equipoise.step import Step, labels_of, take_step


class Accumulating:
    """The micro-batches that wait, and how many make a step."""

    def __init__(self, setup: Setup, recorder: Recorder) -> None:
        self._setup, self._recorder = setup, recorder
        self.waits = Accumulation(len(setup.names))
        self.micro_batches = 1

    def take(self, micro_batches: int) -> None:
        """Make a step of so many micro-batches; see ``Balancer.accumulate``."""
        if not isinstance(micro_batches, int) or micro_batches < 1:
            raise ValueError(f"micro_batches must be a positive number, got {micro_batches!r}")
        if micro_batches > 1 and self._setup.chosen is not None:
            raise ValueError("accumulate(n) has no use with gramian_from: their graphs are gone when weights are known")
        if micro_batches <= self.waits.waiting:
            raise ValueError(
                f"micro_batches is {micro_batches} and {self.waits.waiting} wait already: end their step with "
                "balancer.finish().backward(), or forget it with balancer.drop()"
            )
        self.micro_batches = micro_batches

    def loss(self, step: Step, counts: Mapping[str, float], is_over: bool = False) -> Tensor:
        """A scalar that keeps its gradients, and delivers those of all micro-batches if it is the last."""
        if step.representation is not None:
            raise ValueError("representation has no use with accumulate(n): its graph is gone when weights are known")
        if any(map(is_in_parts, self._setup.given.named().values())):
            raise ValueError("accumulate(n) needs whole parameters: let the trainer accumulate where they are sharded")
        step.require_graph()
        setup, waits, roles = self._setup, self.waits, Roles()
        numbers = {
            k: labels_of(counts, name) for k, name in zip(step.present, step.names, strict=True) if name in counts
        }
        step = step.only([k for k in step.present if numbers.get(k) != 0])  # no labels: as if it were absent
        graph = setup.given.graph_of(step.losses)
        graph.require_visible()
        graph.require_several_passes()
        if step.losses:
            roles = setup.roles(step, graph)
            self._require_at_rest(roles)
        learned = [p for p in setup.parts.weighting.parameters() if p.requires_grad]
        leaves = list(dict.fromkeys([*roles.leaves, *waits.leaves, *learned]))
        parts = {k: step.parts[setup.names[k]] for k in step.present if setup.names[k] in step.parts}

        @setup.turn.taken()
        @explained(step.raw, setup.method)
        def backward(incoming: Tensor) -> list[Tensor | None]:
            if not is_over:
                try:
                    waits.add(Micro(step.present, step.losses, step.raw, parts, graph, roles, numbers), incoming)
                except BaseException:
                    waits.drop()  # a part of its gradients is in the sums
                    raise
            if waits.waiting < self.micro_batches and not is_over:
                gradients: Mapping[Tensor, Tensor | None] = waits.nothing()
            else:
                gradients = self._of_all(learned)
            if any(leaf not in kept for leaf in gradients):
                raise RuntimeError("call .backward() on each micro-batch before the balancer sees the next one")
            return [None, *(gradients.get(leaf) for leaf in leaves)]

        kept = set(leaves)
        # so that a micro-batch without losses goes backward too
        start = torch.zeros((), device=setup.given.device, requires_grad=True)
        return surrogate(step.total.to(setup.given.device), [start, *leaves], backward)

    def _require_at_rest(self, roles: Roles) -> None:
        renormed = self._setup.given.renormed()
        if moving := [renormed[leaf] for leaf in roles.shared if leaf in renormed]:
            raise ValueError(
                f"accumulate(n) has no use with the layer {moving[0]!r}, which scales its weights in each forward pass "
                "(max_norm), while gradients of earlier micro-batches wait: leave max_norm out, or accumulate in the "
                "training loop alone, which balances each micro-batch"
            )

    def finish(self) -> Tensor:
        """A zero whose backward delivers what waits."""
        if self._setup.is_joint:
            raise RuntimeError(
                "finish() has no forward pass of DDP, which averages heads only after one: say "
                "accumulate(balancer.waiting + 1) before the last micro-batch, or drop() what waits"
            )
        return self.loss(take_step(self._setup.user_weights, {}, None), {}, is_over=True)

    def _of_all(self, learned: Sequence[Tensor]) -> dict[Tensor, Tensor | None]:
        """Balance what waits: a gradient for every leaf."""
        setup, waits = self._setup, self.waits
        try:
            every = waits.close()
            if not every.tasks:
                return {}
            means = {setup.names[k]: loss for k, loss in every.losses.items()}
            parts = {setup.names[k]: of for k, of in every.parts.items()}
            step = setup.stated(replace(take_step(setup.user_weights, means, None), parts=parts))
            if setup.monitor is not None and not every.roles.shared and len(every.tasks) > 1:
                setup.monitor.nothing_shared()
            objective, scales = linearise(setup.parts.weighting, step.stacked, step.tasks)
            incoming = every.incoming.to(step.stacked)
            every.jacobian.ranks = setup.jacobian.ranks
            every.jacobian.average(len(every.tasks))
            comparison = Comparison(setup, step, graph_of([]), every.roles, setup.groups(every.roles))
            route = f"rows, of {waits.waiting} micro-batches"
            own = None if setup.parts.takes_gradients else objective.detach()
            decider = Decider(comparison, self._recorder, scales, incoming, route, own)
            heads, factors = setup.heads, [1.0] * len(scales)
            if not setup.parts.takes_gradients:  # an objective weighs everything, what one task alone reaches too
                heads, factors = "raw", scales.tolist()
            delivery = Delivery(step.losses, comparison.graph, every.roles, every.jacobian, heads, decider.decide)
            gradients = dict(zip(every.roles.leaves, delivery.of_filled(every.rest(factors)), strict=True))
            if learned:
                found = torch.autograd.grad(objective, learned, seed(objective, incoming), allow_unused=True)
                gradients.update(zip(learned, found, strict=True))
            if setup.monitor is not None:
                setup.monitor.went_backward()
            return gradients
        finally:
            waits.drop()
