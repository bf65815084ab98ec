"""Which parameters are shared, which belong to one task, which nobody gave us."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from equipoise.arguments import short_repr
from equipoise.gradients.graph import Graph, graph_of
from equipoise.gradients.products import scaled
from equipoise.gradients.ranks import Ranks
from equipoise.plain import zeros_like
from equipoise.torch_private.processes import flattened_by_fsdp, gathered_by_fsdp


@dataclass
class Roles:
    """The leaves of one step, in a fixed order; tasks are numbered within the step."""

    # given, and reached by two tasks now or before
    shared: list[Tensor] = field(default_factory=list)
    # of the shared ones
    names: list[str] = field(default_factory=list)
    # given, and the one task that reaches it
    private: list[tuple[Tensor, int]] = field(default_factory=list)
    # not given, with bits of the tasks that reach it; or given, with no bits: its gradients are zeros
    outside: list[tuple[Tensor, int]] = field(default_factory=list)
    # given and not reached, but other ranks wait for them
    idle: list[Tensor] = field(default_factory=list)
    # names of shared ones that DDP has closed: the forward pass of this rank did not use them
    unused_parameters: list[str] = field(default_factory=list)
    # bits of the tasks that reach something shared: those that can be balanced
    sharing: int = 0

    @property
    def leaves(self) -> list[Tensor]:
        """All of them: shared, private, outside, idle."""
        own = [leaf for leaf, _ in [*self.private, *self.outside]]
        return [*self.shared, *own, *self.idle]

    def own(self, num_tasks: int) -> list[list[Tensor]]:
        """For each task the private and outside leaves that it reaches."""
        own: list[list[Tensor]] = [[] for _ in range(num_tasks)]
        for leaf, task in self.private:
            own[task].append(leaf)
        for leaf, mask in self.outside:
            for task in range(num_tasks):
                if mask >> task & 1:
                    own[task].append(leaf)
        return own

    def in_order(
        self,
        shared: Sequence[Tensor | None],
        by_leaf: Mapping[Tensor, Tensor | None],
        heads: Literal["raw", "weighted"],
        factors: Sequence[float],
    ) -> list[Tensor | None]:
        """The gradient of every leaf, in the order of ``leaves``.

        ``shared`` are those of shared parameters, ``by_leaf`` those of others; private ones take their task's factor if
        heads are weighted.
        """
        private: list[Tensor | None] = []
        for leaf, k in self.private:
            gradient = by_leaf.get(leaf)
            private.append(gradient if gradient is None or heads == "raw" else scaled(gradient, factors[k]))
        outside = [by_leaf.get(leaf) if mask else zeros_like(leaf) for leaf, mask in self.outside]
        return [*shared, *private, *outside, *(None for _ in self.idle)]


class Parameters:
    """The parameters to balance, and which tasks have reached them so far.

    A module is read anew each time, so what is unfrozen, adapted or sharded later is seen.
    """

    def __init__(self, source: nn.Module | Iterable[Tensor], argument: str = "parameters") -> None:
        if isinstance(source, type):
            raise ValueError(f"{argument} is the class {source.__name__}: give the model itself")
        if isinstance(source, nn.Module):
            self.source: nn.Module | dict[str, Tensor] = source
        else:
            if not isinstance(source, Iterable):
                raise ValueError(f"{argument} must be a module or leaf tensors, got {_stranger(source)}")
            given = [source] if isinstance(source, Tensor) else list(source)
            strangers = [p for p in given if not isinstance(p, Tensor) or not p.is_leaf]
            if strangers:
                raise ValueError(
                    f"{argument} must be a module or leaf tensors, got among them {_stranger(strangers[0])}"
                )
            self.source = {str(i): p for i, p in enumerate(dict.fromkeys(given))}
        self.reached: dict[str, int] = {}  # parameter -> bits of the tasks, among all, that ever reached it
        self.ambiguous: dict[str, int] = {}  # the same where compiled graphs let every task seem to reach it
        if not self.named():
            raise ValueError(f"{argument} is empty: give a module, or parameters of the model")

    def twin(self) -> "Parameters":
        """A copy that remembers on its own; the parameters are the same."""
        twin = copy.copy(self)
        twin.reached, twin.ambiguous = dict(self.reached), dict(self.ambiguous)
        return twin

    def named(self) -> dict[str, Tensor]:
        """All given parameters by name, each once."""
        if not isinstance(self.source, nn.Module):
            return self.source
        # without the words that DDP and torch.compile put into names: a state fits with and without them
        inner = self.source.module if isinstance(self.source, DistributedDataParallel) else self.source
        named = {name.replace("_orig_mod.", ""): parameter for name, parameter in inner.named_parameters()}
        if gathered := gathered_by_fsdp(self.source):
            return {name: gathered.get(p, p) for name, p in named.items()}
        if flattened := flattened_by_fsdp(self.source):
            names = {flattened.get(p, p): name for name, p in named.items()}
            return {name: p for p, name in names.items()}
        return named

    def graph_of(self, losses: Sequence[Tensor]) -> Graph:
        """The graph of some losses, in which the given parameters are known by name."""
        graph = graph_of(losses)
        graph.named = self.named()
        if isinstance(self.source, nn.Module) and (gathered := gathered_by_fsdp(self.source)):
            graph.leaves = {gathered.get(leaf, leaf): mask for leaf, mask in graph.leaves.items()}
            graph.is_gathered = True
        return graph

    def is_sharded_by_fsdp(self) -> bool:
        """Whether the given module is."""
        return isinstance(self.source, nn.Module) and bool(gathered_by_fsdp(self.source))

    def normalises_over_ranks(self) -> bool:
        """Whether the given module has a layer in whose backward all ranks talk to each other."""
        modules = self.source.modules() if isinstance(self.source, nn.Module) else ()
        return any(isinstance(module, nn.SyncBatchNorm) and module.training for module in modules)

    def renormed(self) -> dict[Tensor, str]:
        """The tables that a layer of the given module changes in its forward pass (``max_norm``), with its name."""
        modules = self.source.named_modules() if isinstance(self.source, nn.Module) else ()
        kinds = (nn.Embedding, nn.EmbeddingBag)
        return {
            layer.weight: name for name, layer in modules if isinstance(layer, kinds) and layer.max_norm is not None
        }

    @property
    def device(self) -> torch.device:
        """Where the first of them is."""
        source = self.source
        parameters = source.parameters() if isinstance(source, nn.Module) else source.values()
        return next(iter(parameters)).device

    def trainable(self) -> list[Tensor]:
        """Those that require grad.

        Raises:
            ValueError: If none does.
        """
        trainable = [parameter for parameter in self.named().values() if parameter.requires_grad]
        if not trainable:
            raise ValueError("parameters are all frozen (requires_grad is False): unfreeze what is to be trained")
        return trainable

    def is_unsure(self, name: str, num_tasks: int) -> bool:
        """Whether a compiled graph is all that says that several tasks reach a parameter."""
        return name in self.ambiguous and self.reached.get(name, 0).bit_count() < min(2, num_tasks)

    def learn(self, graph: Graph, tasks: Sequence[int], num_tasks: int, joint: bool = False) -> bool:
        """Remember who reached what; whether that was news. The arguments are those of ``roles``.

        Where a compiled graph says so, and no other rank has to agree, it is remembered as unsure.
        """
        news, ambiguous = False, graph.ambiguous
        for name, parameter in graph.named.items():
            if mask := graph.leaves.get(parameter, 0):
                is_unsure = ambiguous and not joint and parameter in ambiguous
                known = self.ambiguous if is_unsure else self.reached
                before = known.get(name, 0)
                known[name] = before | (mask if len(tasks) == num_tasks else _spread(mask, tasks))
                news |= known[name] != before
        return news

    def agree(self, num_tasks: int, ranks: Ranks) -> None:
        """Remember what was reached on any rank."""
        named = self.named()
        bits = [[self.reached.get(name, 0) >> task & 1 for task in range(num_tasks)] for name in named]
        found = ranks.sum_(torch.tensor(bits, dtype=torch.float32, device=self.device)) > 0
        for name, row in zip(named, found.tolist(), strict=True):
            if any(row):
                self.reached[name] = sum(1 << task for task, reaches in enumerate(row) if reaches)

    def roles(
        self, graph: Graph, tasks: Sequence[int], num_tasks: int, joint: bool = False, steady: bool = False
    ) -> Roles:
        """Sort the leaves of a step, after ``learn``.

        Args:
            graph: Of the present tasks' losses, by ``graph_of``.
            tasks: The present tasks among all.
            num_tasks: How many tasks there are in all.
            joint: Whether other ranks take part. What one of them reaches must be sorted alike on all, so who reached a
                parameter before counts as reaching it now, and what nobody reaches is idle.
            steady: Whether all that was ever shared is so in this step, if anything is, reached or not.

        Raises:
            ValueError: If every given parameter is frozen, or no loss reaches any of them.
        """
        roles, left = Roles(), dict(graph.leaves)
        awaited = graph.awaited() if joint else None
        enough, ambiguous = min(2, num_tasks), graph.ambiguous
        for name, parameter in graph.named.items():
            mask, ever = left.pop(parameter, 0), self.reached.get(name, 0)
            if ambiguous and parameter in ambiguous:
                ever |= self.ambiguous.get(name, 0)
            stays = steady and parameter.requires_grad and ever.bit_count() >= enough
            if joint and parameter.requires_grad:
                mask = ever if len(tasks) == num_tasks else _within(ever, tasks)
                is_closed = awaited is not None and parameter not in awaited and parameter not in graph.leaves
                if not (mask or stays or is_closed):
                    roles.idle.append(parameter)
                if (mask or stays) and is_closed:
                    if ever.bit_count() < enough:
                        continue  # a head that did not run here: its own rank sends its gradient
                    roles.unused_parameters.append(name)
            if not (mask or stays):
                if parameter in graph.leaves and not joint:  # below a part of joined outputs that no loss takes
                    roles.outside.append((parameter, 0))
                continue
            if ever.bit_count() >= enough:
                roles.shared.append(parameter)
                roles.names.append(name)
                roles.sharing |= mask
            else:
                roles.private.append((parameter, mask.bit_length() - 1))
        if not roles.sharing:
            if joint:
                roles.idle += [
                    p for name, p in zip(roles.names, roles.shared, strict=True) if name not in roles.unused_parameters
                ]
            roles.shared, roles.names, roles.unused_parameters = [], [], []
        roles.outside += left.items()
        if not roles.shared and not roles.private:
            self.trainable()
            raise ValueError(
                "no loss reaches any of the parameters: were they replaced, or the outputs detached? "
                "Give the balancer the model that made these losses"
            )
        for leaf in roles.leaves:
            if leaf.is_complex():
                raise ValueError(f"complex parameters are not supported, got one of shape {tuple(leaf.shape)}")
        return roles


def _stranger(given: object) -> str:
    """What was given for a parameter."""
    if isinstance(given, Tensor):
        return f"a tensor of shape {tuple(given.shape)} that was computed from others"
    is_parameters = getattr(given, "__func__", None) is nn.Module.parameters
    return "a method: write model.parameters()" if is_parameters else short_repr(given)


def _spread(mask: int, tasks: Sequence[int]) -> int:
    """Bits of tasks numbered within the step -> bits of the same tasks among all."""
    return sum((mask >> bit & 1) << task for bit, task in enumerate(tasks))


def _within(mask: int, tasks: Sequence[int]) -> int:
    """Bits of tasks among all -> bits of those numbered within the step."""
    return sum((mask >> task & 1) << bit for bit, task in enumerate(tasks))
