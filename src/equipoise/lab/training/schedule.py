"""The learning rate and the weight decay of each step: functions of its number, so that resuming needs no state.

step: He et al., Deep Residual Learning for Image Recognition, CVPR 2016, section 4.2.
cosine: Loshchilov, Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, ICLR 2017, eq. (5), without restarts.
decay: Caron et al., Emerging Properties in Self-Supervised Vision Transformers, ICCV 2021, section 3.2.
"""

import math


def rate_factor(schedule: str, step: int, steps: int, warmup: int) -> float:
    """What the learning rate is multiplied by in a step, 0 to 1.

    (step + 1) / warmup while warming up; then, t being the share of the other steps that is done, 1 (constant), 1 - t
    (linear), (1 + cos(pi t)) / 2 (cosine), or a tenth of it after t = 1/2 and a hundredth after t = 3/4 (step).

    Args:
        schedule: ``constant``, ``linear``, ``cosine`` or ``step``.
        step: Counted from 0, below ``steps``.
        steps: Of the whole training.
        warmup: How many of them warm up, fewer than all.

    >>> [rate_factor("linear", step, steps=6, warmup=2) for step in range(6)]
    [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / (steps - warmup)
    if schedule == "linear":
        return 1 - done
    if schedule == "cosine":
        return (1 + math.cos(math.pi * done)) / 2
    if schedule == "step":
        return 1.0 if done < 1 / 2 else 0.1 if done < 3 / 4 else 0.01
    return 1.0


def decay_at(step: int, steps: int, first: float, last: float) -> float:
    """The weight decay of a step: last + (first - last) (1 + cos(pi step / steps)) / 2.

    >>> [round(decay_at(step, 4, first=0.0, last=1.0), 3) for step in range(4)]
    [0.0, 0.146, 0.5, 0.854]
    """
    return last + (first - last) * (1 + math.cos(math.pi * step / steps)) / 2
