"""Gradient diagnostics before training: the tasks' gradients, and the cost per step of each kind of method.

look        the gradients of some batches at one moment: norms, cosines, layer by layer
kinds       the cost per step of each kind of method
probe       both, at initialisation and after some training, and a starting point for weights
results     what was found, as a value: sentences, tables, figures, a page
"""

from equipoise.lab import extra  # noqa: F401
from equipoise.lab.probing.kinds import Kind
from equipoise.lab.probing.look import GradientSummary, LayerGradients, Pair, look
from equipoise.lab.probing.probe import Probe, WeightSuggestion, probe
from equipoise.lab.probing.results import GradientDiagnostics

__all__ = [
    "GradientDiagnostics",
    "GradientSummary",
    "Kind",
    "LayerGradients",
    "Pair",
    "Probe",
    "WeightSuggestion",
    "look",
    "probe",
]
