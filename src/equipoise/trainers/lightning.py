"""Lightning's Trainer: a callback that tells the balancer of epochs, validation results and the losses after a step."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from equipoise.arguments import short_repr
from equipoise.balancer import Balancer
from equipoise.tasks import Tasks
from equipoise.trainers.reported import Reported

try:
    from lightning.pytorch import Callback
except ImportError:  # the same under its older name
    try:
        from pytorch_lightning import Callback  # type: ignore[no-redef]
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError('lightning is missing: pip install "equipoise[trainers]"', name=error.name) from None


class BalancerCallback(Callback):
    """Makes the calls that a method may need: ``end_epoch`` always, ``observe`` and ``after_step`` where told how.

    - ``balancer.end_epoch()`` after each epoch of training, whose validation comes before it; also that of every
      ``Tasks`` which the module holds, for losses with an ``EpochSchedule``.
    - ``balancer.observe(...)`` after each validation within ``fit``, from what the module logged; not after the sanity
      check, which is no result of training.
    - ``balancer.after_step(...)`` after each optimizer step, on its last micro-batch, at the price of a forward pass.

    Do not make these calls in the module as well.

    Args:
        balancer: An attribute of the module, so that checkpoints hold it.
        observe: {task: the key under which the module logs its result}: higher is better, but for the tasks that you
            name in ``lower_is_better``.
        lower_is_better: Tasks whose result is an error or a loss.
        losses_again: ``batch -> losses``, as ``training_step`` computes them; for FAMO. It runs without gradients, in
            the trainer's precision; dropout draws anew.

    Raises:
        ValueError: If an argument is not as above; from ``fit``, if the module does not hold the balancer, nothing is
            validated, or a key was not logged, with those that were.
    """

    def __init__(
        self,
        balancer: Balancer,
        *,
        observe: Mapping[str, str] | None = None,
        lower_is_better: Iterable[str] = (),
        losses_again: Callable[[Any], Mapping[str, Tensor]] | None = None,
    ) -> None:
        if not isinstance(balancer, Balancer):
            raise ValueError(f"balancer must be a Balancer, got {short_repr(balancer)}")
        self.balancer, self.losses_again = balancer, losses_again
        self.reported = Reported(balancer, observe or {}, lower_is_better)
        self.steps = 0

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Look whether what was asked for can come."""
        if not any(module is self.balancer for module in pl_module.modules()):
            raise ValueError("the module does not hold this balancer: make it an attribute, or checkpoints lack it")
        self.balancer.expect("end_epoch")
        if self.reported.keys:
            if not trainer.enable_validation:
                raise ValueError("observe needs a validation: give fit() validation data and the module a step for it")
            self.balancer.expect("observe")

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Note how many steps there were."""
        self.steps = trainer.global_step

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """After an optimizer step, tell the losses of the same batch."""
        if self.losses_again is None or trainer.global_step == self.steps:
            return
        with torch.no_grad(), trainer.precision_plugin.forward_context():
            losses = self.losses_again(batch)
        self.balancer.after_step(losses)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Tell what was validated."""
        if self.reported.keys and trainer.state.fn == "fit" and not trainer.sanity_checking:
            self.reported.tell(trainer.callback_metrics)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Tell of the epoch's end."""
        for part in pl_module.modules():
            if isinstance(part, Tasks):
                part.end_epoch()
        self.balancer.end_epoch()
