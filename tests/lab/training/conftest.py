import dataclasses

import pytest
import torch
from torch.utils.data import Subset

from equipoise.lab.cases import CASES, with_losses
from equipoise.lab.models.encoders import BagOfEmbeddings
from equipoise.lab.models.heads import SharedEncoder, scalar_head


def small(case, make_model):
    sizes = {"train": 320, "validation": 200, "test": 100}
    splits = {name: Subset(case.data[name], range(size)) for name, size in sizes.items()}
    return dataclasses.replace(case, data=splits, model=make_model)


def calm(network):
    for layer in network.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    return network.double()


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

    tasks = with_losses(reviews_case, {"department": "cross-entropy"}).tasks  # no loss has a tensor of its own
    return dataclasses.replace(small(reviews_case, make_model), tasks=tasks)


@pytest.fixture(scope="session")
def calm_case(small_case):
    """The same without dropout, in float64, so that trainings that mean the same can be compared."""

    def make_model(names):
        return calm(small_case.model(names))

    def collate(samples):
        inputs, targets = small_case.collate(samples)
        return inputs, {name: t.double() if t.is_floating_point() else t for name, t in targets.items()}

    return dataclasses.replace(small_case, model=make_model, collate=collate)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
