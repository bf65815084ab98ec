"""What a training loop tells a balancer beside losses: epochs, validation results, losses after a step."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from equipoise.arguments import short_repr
from equipoise.balancer.joint import joint_losses
from equipoise.balancer.state import State
from equipoise.gradients.ranks import ranks_of
from equipoise.method import FEEDBACK
from equipoise.step import counts_of, results_of, take_step


class FeedbackCalls(nn.Module):
    """The calls of ``FEEDBACK``, as a balancer has them: each is checked, noted and handed to the method."""

    _state: State

    @property
    def heard(self) -> frozenset[str]:
        """Which of ``end_epoch``, ``observe`` and ``after_step`` came so far; ``method.needs`` says which must."""
        return frozenset(self._state.heard)

    def expect(self, *calls: str) -> None:
        """Say that ``end_epoch``, ``observe`` or ``after_step`` will come, if later than after 100 steps or 2 epochs.

        Otherwise a call that the method needs and has not heard by then is warned of.

        Raises:
            ValueError: If there is no such call.
        """
        if strangers := [call for call in calls if call not in FEEDBACK]:
            raise ValueError(f"expect takes {', '.join(map(repr, FEEDBACK))}, got {short_repr(strangers[0])}")
        if self._state.monitor is not None:
            self._state.monitor.missing_calls.expected.update(calls)

    def end_epoch(self) -> None:
        """Tell the method that an epoch has ended; call it once per epoch."""
        self._state.note_call("end_epoch")
        self._state.config.method.end_epoch()

    def observe(self, results: Mapping[str, float], *, lower_is_better: Iterable[str] = ()) -> None:
        """Tell the method validation results by task name: higher is better, but for the tasks that you name.

        Args:
            results: One number per task, of all tasks or of some; call it once after each validation.
            lower_is_better: Tasks whose result is an error or a loss: it is negated.

        Raises:
            ValueError: If a name is unknown, or a result is no number.
        """
        values, tasks = results_of(self._state.config.names, results, lower_is_better)
        self._state.note_call("observe")
        self._state.config.method.observe(values, tasks)

    def after_step(self, losses: Mapping[str, Tensor], *, counts: Mapping[str, float] | None = None) -> None:
        """Tell the method the raw losses of the same batch after the optimiser's step; of many ranks, on every one.

        Args:
            losses: As in a call of the balancer.
            counts: The labels behind each mean, likewise.
        """
        state, config = self._state, self._state.config
        counts = counts_of(config.names, losses, counts)
        with torch.no_grad():
            step = take_step(state.weights.now, losses, None)
            ranks = ranks_of(config.ranks, state.parameters.source, state.steps)
            values, tasks = step.stacked, step.tasks
            if ranks.size > 1:
                values, tasks = joint_losses(step, counts, state.weights.now, ranks, state.parameters.device)
            state.note_call("after_step")
            if len(values):
                config.method.after_step(values, tasks)
