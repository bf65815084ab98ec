"""The tiny case with something to show: a table, and a picture."""

import dataclasses

import torch
from tiny_case import make_case as make_tiny

from equipoise.lab.diagnostics import Card, Diagnostic, Gallery, Picture, ScoreTable


def table(seen):
    return ScoreTable(("mean",), ((float(seen.outputs["a"].mean()),),))


def gallery(seen):
    return Gallery((Card(("one",), (Picture.of(torch.zeros(4, 4, dtype=torch.uint8), "black"),)),))


def make_case():
    shown = (Diagnostic("outputs", "Outputs", ("a",), table), Diagnostic("pictures", "Pictures", ("a", "b"), gallery))
    return dataclasses.replace(make_tiny(), diagnostics=shown)
