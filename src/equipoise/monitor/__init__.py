"""Misuse that shows only while training: each kind is warned of once, in words, with what to do.

unused        the balanced loss never goes backward, while the model moves
optimisers    parameters that no optimiser holds, learned weights under weight decay, updates that are scaled again
balance       a task without gradient, weights that collapsed on one task
looks         losses that dominate, are hardly trained, lastingly conflict or are one
heads         parameters that only look shared
weighted      losses that carry the user's weight already; weights of tasks that the balancer was not given
line_search   LBFGS, which calls its closure many times, around a balancer that is not frozen
missing_calls calls that the method needs to hear, and that never come
warning       the line of the user's loop that a warning points at

What needs numbers looks at those that a gradient method brings to the CPU anyway: no step waits for the device.
``Balancer(..., monitor="off")`` has no monitor, and then nothing here runs.
"""

from equipoise.monitor.heads import HEADS
from equipoise.monitor.missing_calls import line_for
from equipoise.monitor.monitor import Monitor
from equipoise.monitor.warning import warn
from equipoise.monitor.weighted import ends_in

__all__ = ["HEADS", "Monitor", "ends_in", "line_for", "warn"]
