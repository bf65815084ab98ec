"""DeepXDE on PyTorch: a model whose losses are balanced by any method."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from equipoise.balancer import Balancer
from equipoise.method import Method

try:
    import deepxde
    from deepxde.backend import backend_name
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(f'{error.name} is missing: pip install "equipoise[deepxde]"', name=error.name) from None

_LINE_SEARCHES = ("L-BFGS", "L-BFGS-B")


class BalancedModel(deepxde.Model):  # type: ignore[misc]  # DeepXDE has no types
    """A ``deepxde.Model`` whose training step balances the losses; all else is DeepXDE's.

    Later calls of ``compile`` keep the balancer. What a method learns is trained by the
    optimizer of ``compile``. Under L-BFGS each call of the optimizer decides weights once and holds them, so that its
    line search compares values of one function. ``save`` and ``restore`` hold the balancer's state beside the model's.

    Args:
        data: As for ``deepxde.Model``.
        net: As for ``deepxde.Model``.
        method: How to balance; one object serves one model.
        tasks: The names of the losses, or {name: weight}, in the order in which DeepXDE prints them: the equations,
            then the conditions in the order of ``data``, then the penalty of an L1 regularizer.
        options: More of ``Balancer``.

    Raises:
        RuntimeError: If DeepXDE runs on another backend.
        ValueError: From ``compile``, if there are ``loss_weights``, whose place is ``tasks``, or the optimizer is NNCG;
            from ``train``, if there are more or fewer losses than tasks.
        KeyError: From ``restore``, if the file holds no balancer.

    >>> model = BalancedModel(data, net, ConFIG(), tasks=["equation", "ends"])  # doctest: +SKIP
    >>> model.compile("adam", lr=1e-3)  # doctest: +SKIP
    """

    balancer: Balancer  # from the first compile on

    def __init__(
        self, data: Any, net: Any, method: Method, *, tasks: Iterable[str] | Mapping[str, float], **options: Any
    ) -> None:
        if backend_name != "pytorch":
            raise RuntimeError(f"DeepXDE runs on {backend_name}: set the environment variable DDE_BACKEND=pytorch")
        super().__init__(data, net)
        self._arguments = {"method": method, "tasks": tasks, **options}

    def compile(self, optimizer: Any, *arguments: Any, **options: Any) -> None:
        """As of ``deepxde.Model``."""
        if optimizer == "NNCG":
            raise ValueError("NNCG differentiates the gradient once more, which no balancer's has: use L-BFGS")
        known = options.pop("external_trainable_variables", None) or []
        external = list(known) if isinstance(known, (list, tuple)) else [known]
        if not hasattr(self, "balancer"):
            self.balancer = Balancer(parameters=[*self.net.parameters(), *external], **self._arguments)
        learned = list(self.balancer.parameters())
        super().compile(optimizer, *arguments, external_trainable_variables=[*external, *learned], **options)
        if self.loss_weights is not None:
            raise ValueError("loss_weights would multiply with the method's: give them as tasks={name: weight}")
        self.train_step = self._balanced_step

    def _balanced(self, *batch: Any) -> Tensor:
        """The closure of DeepXDE's ``train_step``, but for its sum."""
        losses, names = self.outputs_losses_train(*batch)[1], self.balancer.names
        if len(losses) != len(names):
            raise ValueError(f"tasks has {len(names)} names, {', '.join(names)}, and the model {len(losses)} losses")
        loss: Tensor = self.balancer(dict(zip(names, losses.unbind(), strict=True)))
        self.opt.zero_grad()
        loss.backward()
        return loss

    def _balanced_step(self, *batch: Any) -> None:
        half = torch.autocast(torch.get_default_device().type, torch.float16, enabled=deepxde.config.mixed)
        with half:
            if self.opt_name in _LINE_SEARCHES:
                self._balanced(*batch)
                with self.balancer.frozen():
                    self.opt.step(lambda: self._balanced(*batch))
            else:
                self.opt.step(lambda: self._balanced(*batch))
        if self.lr_scheduler is not None:
            self.lr_scheduler.step()

    def save(self, *arguments: Any, **options: Any) -> str:
        """As of ``deepxde.Model``; a file of the backend's protocol also holds the balancer's state."""
        path: str = super().save(*arguments, **options)
        if path.endswith(".pt"):
            torch.save({**torch.load(path, weights_only=True), "balancer": self.balancer.state_dict()}, path)
        return path

    def restore(self, save_path: str, device: Any = None, verbose: int = 0) -> None:
        """As of ``deepxde.Model``, with the balancer's state."""
        super().restore(save_path, device=device, verbose=verbose)
        self.balancer.load_state_dict(torch.load(save_path, map_location=device, weights_only=True)["balancer"])
