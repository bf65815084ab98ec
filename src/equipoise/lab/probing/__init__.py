"""Gradient diagnostics before training: the tasks' gradients, and the cost per step of each kind of method.

look        the gradients of some batches at one moment: norms, cosines, layer by layer
kinds       the cost per step of each kind of method
suggestion  a starting point for weights, and why
probe       all of it, at initialisation and after some training
terminal    the result for a terminal; ``page`` the same as an HTML file, ``charts`` as figures
"""

from equipoise.lab.probing.kinds import Kind
from equipoise.lab.probing.look import GradientSummary, LayerGradients, Pair, look
from equipoise.lab.probing.page import render_sections, write_page
from equipoise.lab.probing.probe import Probe, probe
from equipoise.lab.probing.suggestion import WeightSuggestion
from equipoise.lab.probing.terminal import probe_parts

__all__ = [
    "GradientSummary",
    "Kind",
    "LayerGradients",
    "Pair",
    "Probe",
    "WeightSuggestion",
    "look",
    "probe",
    "probe_parts",
    "render_sections",
    "write_page",
]
