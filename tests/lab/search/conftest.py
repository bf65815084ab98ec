import dataclasses
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.data import Subset

from equipoise.lab.cases import CASES
from equipoise.lab.models.encoders import BagOfEmbeddings
from equipoise.lab.models.heads import SharedEncoder, scalar_head

pytest.importorskip("optuna")
sys.path.insert(0, str(Path(__file__).parent))  # workers import the planted case by its name


@pytest.fixture(scope="session")
def reviews_case():
    return CASES["reviews"]()


@pytest.fixture(scope="session")
def small_case(reviews_case):
    """The same data with 320 samples to train on and 200 to validate on, and a narrow network."""

    def make_model(names):
        encoder = BagOfEmbeddings(torch.full((8000,), 0.01), width=4, hidden=8, dropout=0.2)
        heads = {name: torch.nn.Linear(12, 6) if name == "department" else scalar_head(12) for name in names}
        return SharedEncoder(encoder, heads)

    sizes = {"train": 320, "validation": 200, "test": 100}
    splits = {name: Subset(reviews_case.data[name], range(size)) for name, size in sizes.items()}
    return dataclasses.replace(reviews_case, data=splits, model=make_model)
