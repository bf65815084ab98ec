"""The tiny case, whose training has its process killed, or the node of a Ray cluster it is on, where a file asks."""

import os
import signal
import threading
from dataclasses import replace
from pathlib import Path

from tiny_case import make_case as make_tiny_case
from torch import nn

from equipoise.lab.models.heads import SharedEncoder, scalar_head

KILL_WORKER, KILL_NODE = (
    Path("kill-worker"),
    Path("kill-node"),
)  # in the working folder; the first who sees one takes it
DOOMED = Path("doomed")  # a named pipe: who opens it is on the node that is to be killed, and waits for it


def taken(order):
    try:
        order.unlink()
    except FileNotFoundError:
        return False
    return True


def die_if_asked():
    if taken(KILL_WORKER):
        os.kill(os.getpid(), signal.SIGKILL)
    if KILL_NODE.exists():
        import ray

        if ray.get_runtime_context().get_node_id() == KILL_NODE.read_text() and taken(KILL_NODE):
            DOOMED.open("w").close()
            threading.Event().wait()


class Deadly(SharedEncoder):
    """Asks in the middle of a training, when it has a checkpoint."""

    steps = 0

    def forward(self, x):
        self.steps += self.training
        if self.training and self.steps % 15 == 0:
            die_if_asked()
        return super().forward(x)


def make_model(names):
    return Deadly(nn.Sequential(nn.Linear(3, 8), nn.ReLU()), {name: scalar_head(8) for name in names})


def make_case():
    return replace(make_tiny_case(), name="deadly", model=make_model)
