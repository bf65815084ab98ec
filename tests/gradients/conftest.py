"""Every test that asks for a case runs on every architecture."""

import pytest
import torch
from architectures import ARCHITECTURES, Case


@pytest.fixture(params=ARCHITECTURES, ids=lambda make: make.__name__)
def case(request: pytest.FixtureRequest) -> Case:
    torch.manual_seed(3)
    return request.param()
