"""The multi-task models of torch-rechub return ``cat`` of their towers: they are balanced like towers called apart."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

import equipoise as eq

features = pytest.importorskip("torch_rechub.basic.features")
models = pytest.importorskip("torch_rechub.models.multi_task")

KINDS = ["classification", "classification", "regression"]
TOWERS = [{"dims": [8]}] * 3
MODELS = {
    "PLE": lambda given: models.PLE(given, KINDS, 2, 2, 1, {"dims": [16]}, TOWERS),
    "MMOE": lambda given: models.MMOE(given, KINDS, 4, {"dims": [16]}, TOWERS),
    "SharedBottom": lambda given: models.SharedBottom(given, KINDS, {"dims": [16]}, TOWERS),
}


@pytest.fixture(autouse=True)
def in_float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def delivered(name, method, route, is_joined):
    """All gradients of the fifth step."""
    torch.manual_seed(3)
    model = MODELS[name]([features.SparseFeature(column, 30, embed_dim=8) for column in ("user", "item")])
    apart = []
    for layer in model.predict_layers:
        layer.register_forward_hook(lambda module, inputs, output: apart.append(output.flatten()))
    balancer = eq.Balancer(eq.method(method), model, tasks=["a", "b", "c"], route=route)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(5):
        x, y = {column: torch.randint(30, (32,)) for column in ("user", "item")}, torch.rand(3, 32).round()
        apart.clear()
        joined = model(x)
        parts = list(joined.T) if is_joined else apart
        losses = {
            task: F.mse_loss(part, target) if task == "c" else F.binary_cross_entropy(part, target)
            for task, part, target in zip("abc", parts, y, strict=True)
        }
        optimizer.zero_grad()
        balancer(losses).backward()
        optimizer.step()
    return [parameter.grad for parameter in model.parameters()]


@pytest.mark.parametrize("route", ["auto", "factored"])
@pytest.mark.parametrize("method", ["mgda", "cagrad"])
@pytest.mark.parametrize("name", MODELS)
def test_joined_towers_equal_towers_apart(name, method, route):
    joined, apart = (delivered(name, method, route, is_joined) for is_joined in (True, False))
    largest = max(float(gradient.abs().max()) for gradient in apart)
    assert_close(joined, apart, rtol=1e-9, atol=1e-9 * largest)
