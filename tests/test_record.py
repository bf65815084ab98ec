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


def test_its_text_is_one_line_of_what_is_read_first():
    rows = torch.tensor([[3.0, 0.0], [4.0, 4.0]], dtype=torch.float64)
    assert repr(record(rows @ rows.T)) == (
        "Record(step=3, total=4.5, losses={a: 0.5, b: 4}, weights={a: 1, b: 2}, norms={a: 3, b: 5.657})"
    )
    many = tuple(map(str, range(600)))
    text = repr(eq.Record(1, many, torch.ones(600), torch.tensor(600.0), None, None, "one backward", skipped=True))
    assert text == "Record(step=1, total=600, losses={0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1 and 594 more}, skipped)"


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
        "objective",
    }
    assert r.objective == 1.0 * 0.5 + 2.0 * 4.0
    assert record(None, weights=None).weights == {}


def test_a_zero_gradient_has_no_direction():
    r = record(torch.diag(torch.tensor([0.0, 1.0], dtype=torch.float64)))
    assert r.cosines[0, 1].isnan()
    assert r.condition_number == math.inf
    assert math.isnan(record(torch.full((2, 2), torch.nan, dtype=torch.float64)).condition_number)


def test_the_residual_is_the_largest_of_those_who_solved_something_in_this_step():
    model = torch.nn.Linear(2, 3, bias=False)
    x = torch.tensor([1.0, -2.0])

    def residual_of(method, scale=1.0):
        balancer = eq.Balancer(method, model, tasks=["a", "b", "c"])
        a, b, c = model(x) @ torch.tensor([[1.0, 2.0, -1.0], [0.5, -1.0, 2.0], [3.0, 1.0, 1.0]])
        balancer({"a": scale * a, "b": scale * b, "c": scale * c}).backward()
        again = model(x).square()
        found = balancer.record.residual, "residual" in balancer.record.to_dict()
        balancer({"a": again[0], "b": again[1], "c": again.sum()}).backward()
        return found, balancer.record.residual

    (first, shown), second = residual_of(eq.MGDA())
    assert 0 <= first <= 1e-14
    assert 0 <= second <= 1e-14
    assert shown
    assert residual_of(eq.UnitNorm()) == ((None, False), None)
    (first, _), second = residual_of(eq.Every(2, eq.Chain(eq.UnitNorm(), eq.FairGrad())))
    assert first <= 1e-12
    assert second is None  # the weights of the step before
    assert residual_of(eq.MGDA(), float("nan"))[0] == (None, False)  # not asked


def test_the_residual_of_equations_without_a_solution_is_infinite():
    model = torch.nn.Linear(1, 1, bias=False)
    balancer = eq.Balancer(eq.NashMTL(), model, tasks=["a", "b"])
    balancer({"a": model(torch.ones(1)).sum(), "b": -model(torch.ones(1)).sum()}).backward()
    assert balancer.record.residual == math.inf
    assert balancer.record.unsolved == 1
