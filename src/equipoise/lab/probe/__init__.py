"""A look at a case before any choice: what its tasks' gradients are like, and what each kind of method would cost.

look        the gradients of some batches at one moment: lengths, cosines, layer by layer
kinds       what a training step takes with each kind of method
suggestion  weights to begin with, and why
probe       all of it, at the first weights and after some training
terminal    the result for a terminal; ``page`` the same as an HTML file
"""

from equipoise.lab.probe.kinds import Kind
from equipoise.lab.probe.look import Layer, Look, Pair, look
from equipoise.lab.probe.page import write_page
from equipoise.lab.probe.probe import Probe, probe
from equipoise.lab.probe.suggestion import Suggestion
from equipoise.lab.probe.terminal import print_probe

__all__ = [
    "Kind",
    "Layer",
    "Look",
    "Pair",
    "Probe",
    "Suggestion",
    "look",
    "print_probe",
    "probe",
    "write_page",
]
