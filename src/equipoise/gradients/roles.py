"""Which parameters are shared, which belong to one task, which nobody gave us."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn


@dataclass
class Roles:
    """The leaves of one step, in a fixed order; tasks are numbered within the step."""

    shared: list[Tensor] = field(default_factory=list)  # given, and reached by two tasks now or before
    names: list[str] = field(default_factory=list)  # of the shared ones
    private: list[tuple[Tensor, int]] = field(default_factory=list)  # given; the one task that reaches it
    outside: list[tuple[Tensor, int]] = field(default_factory=list)  # not given; bits of the tasks that do
    sharing: int = 0  # bits of the tasks that reach something shared: those that can be balanced

    @property
    def leaves(self) -> list[Tensor]:
        """All of them: shared, private, outside."""
        return [*self.shared, *(leaf for leaf, _ in self.private), *(leaf for leaf, _ in self.outside)]

    def wanted(self, num_tasks: int) -> list[list[Tensor]]:
        """For each task the private and outside leaves that it reaches."""
        wanted: list[list[Tensor]] = [[] for _ in range(num_tasks)]
        for leaf, task in self.private:
            wanted[task].append(leaf)
        for leaf, mask in self.outside:
            for task in range(num_tasks):
                if mask >> task & 1:
                    wanted[task].append(leaf)
        return wanted


class Parameters:
    """The parameters to balance, and which tasks have reached them so far.

    A module is read anew each time, so what is unfrozen, adapted or sharded later is seen.
    """

    def __init__(self, source: nn.Module | Iterable[Tensor]) -> None:
        if isinstance(source, nn.Module):
            self._source: nn.Module | dict[str, Tensor] = source
        else:
            given = list(dict.fromkeys([source] if isinstance(source, Tensor) else source))
            strangers = [p for p in given if not isinstance(p, Tensor) or not p.is_leaf]
            if strangers:
                raise ValueError(f"parameters must be a module or leaf tensors, got {strangers[0]!r:.80}")
            self._source = {str(i): p for i, p in enumerate(given)}
        self.reached: dict[str, int] = {}  # parameter -> bits of the tasks, among all, that ever reached it
        if not self.named():
            raise ValueError("parameters is empty: give the model, or the parameters to balance")

    def named(self) -> dict[str, Tensor]:
        """All given parameters by name, each once."""
        return dict(self._source.named_parameters()) if isinstance(self._source, nn.Module) else self._source

    @property
    def device(self) -> torch.device:
        """Where the first of them is."""
        source = self._source
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

    def roles(self, leaves: Mapping[Tensor, int], tasks: Sequence[int], num_tasks: int) -> Roles:
        """Sort the leaves of a step, and remember who reached what.

        Args:
            leaves: Leaf -> bits of the present tasks that reach it.
            tasks: The present tasks among all.
            num_tasks: How many tasks there are in all.

        Raises:
            ValueError: If every given parameter is frozen, or no loss reaches any of them.
        """
        roles, left = Roles(), dict(leaves)
        enough = min(2, num_tasks)
        for name, parameter in self.named().items():
            mask = left.pop(parameter, 0)
            if not mask:
                continue
            among_all = mask if len(tasks) == num_tasks else _spread(mask, tasks)
            self.reached[name] = ever = self.reached.get(name, 0) | among_all
            if ever.bit_count() >= enough:
                roles.shared.append(parameter)
                roles.names.append(name)
                roles.sharing |= mask
            else:
                roles.private.append((parameter, mask.bit_length() - 1))
        roles.outside = list(left.items())
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


def _spread(mask: int, tasks: Sequence[int]) -> int:
    """Bits of tasks numbered within the step -> bits of the same tasks among all."""
    return sum((mask >> bit & 1) << task for bit, task in enumerate(tasks))
