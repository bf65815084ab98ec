"""What a record derives from a gramian."""

import math

import torch
from torch.testing import assert_close

import equipoise as eq


def record(gramian, weights=(1.0, 2.0)):
    return eq.Record(
        step=3,
        names=("a", "b"),
        losses_tensor=torch.tensor([0.5, 4.0]),
        total_tensor=torch.tensor(4.5),
        weights_tensor=None if weights is None else torch.tensor(weights),
        gramian=gramian,
        route="rows",
    )


def test_diagnostics_of_two_rows():
    rows = torch.tensor([[3.0, 0.0], [4.0, 4.0]], dtype=torch.float64)
    r = record(rows @ rows.T)
    assert r.losses == {"a": 0.5, "b": 4.0}
    assert r.weights == {"a": 1.0, "b": 2.0}
    assert_close(list(r.norms.values()), [3.0, math.sqrt(32)])
    assert_close(r.cosines[0, 1].item(), math.sqrt(0.5))
    assert_close(r.magnitude_similarity[0, 1].item(), 2 * 3 * math.sqrt(32) / (9 + 32))
    assert_close(r.condition_number, float(torch.linalg.cond(rows)))


def test_flat_floats_for_any_logger():
    rows = torch.tensor([[3.0, 0.0], [4.0, 4.0]], dtype=torch.float64)
    flat = record(rows @ rows.T).to_dict()
    assert flat["losses/b"] == 4.0
    assert flat["weights/b"] == 2.0
    assert flat["norms/a"] == 3.0
    assert_close(flat["cosines/a/b"], math.sqrt(0.5))
    assert {"total", "step", "skipped", "unsolved", "condition_number", "magnitude_similarity/a/b"} < flat.keys()
    assert all(type(value) is float for value in flat.values())


def test_without_a_gramian_nothing_is_invented():
    r = record(None)
    assert r.norms == {}
    assert r.cosines is r.magnitude_similarity is r.condition_number is None
    assert set(r.to_dict()) == {
        "total",
        "step",
        "skipped",
        "unsolved",
        "losses/a",
        "losses/b",
        "weights/a",
        "weights/b",
    }
    assert record(None, weights=None).weights == {}


def test_a_zero_gradient_has_no_direction():
    r = record(torch.diag(torch.tensor([0.0, 1.0], dtype=torch.float64)))
    assert r.cosines[0, 1].isnan()
    assert r.condition_number == math.inf
    assert math.isnan(record(torch.full((2, 2), torch.nan, dtype=torch.float64)).condition_number)
