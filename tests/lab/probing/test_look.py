"""The statistics of a look are those of plain autograd's gradients."""

from itertools import combinations
from math import atan, isnan, nan, pi, sqrt, tan
from statistics import fmean, stdev

import numpy as np
import pytest
import torch
from scipy.stats import t as student_t
from torch import nn

import equipoise as eq
from equipoise.lab.probing.look import LayerGradients, Pair, judged, look


@pytest.fixture
def seen(toy):
    torch.manual_seed(0)
    model = toy.model(toy.tasks.names)
    batches = [toy.collate([toy.data["train"][i] for i in range(k, k + 10)]) for k in (0, 10, 20)]
    return model, batches, look(model, toy.tasks, batches)


def gradients(model, batches, task, parameters):
    """Of one task by some parameters, a row for each batch that has the task."""
    rows = []
    for x, targets in batches:
        if not targets[task].isnan().any():
            loss = nn.functional.mse_loss(model(x)[task], targets[task])
            rows.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)]))
    return torch.stack(rows).double()


def test_norms_are_root_mean_squares_over_the_batches_that_have_the_task(seen):
    model, batches, found = seen
    for task in "abc":
        rows = gradients(model, batches, task, list(model.encoder.parameters()))
        assert len(rows) == (2 if task == "c" else 3)
        assert found.norms[task] == pytest.approx(float(rows.square().sum(1).mean().sqrt()), rel=1e-5)
        own = gradients(model, batches, task, list(model.heads[task].parameters()))
        assert found.own_norms[task] == pytest.approx(float(own.square().sum(1).mean().sqrt()), rel=1e-5)


def test_cosines_of_the_whole_and_of_each_layer(seen):
    model, batches, found = seen
    parts = {"encoder.0": model.encoder[0], "encoder.2": model.encoder[2]}
    assert [layer.name for layer in found.layers] == list(parts)
    squares = {}
    for place, pairs in [("", found.pairs), *((layer.name, layer.pairs) for layer in found.layers)]:
        parameters = list((parts[place] if place else model.encoder).parameters())
        rows = {task: gradients(model, batches, task, parameters) for task in "abc"}
        squares[place] = sum(float(row.square().sum()) for row in rows.values())
        for pair in pairs:
            one, other = (rows[task] for task in pair.tasks)
            n = min(len(one), len(other))
            cosines = torch.cosine_similarity(one[:n], other[:n]).tolist()
            assert (pair.batches, pair.negative) == (n, sum(c < 0 for c in cosines))
            assert pair.mean == pytest.approx(fmean(cosines), abs=1e-5)
            assert pair.spread == pytest.approx(stdev(cosines), abs=1e-5)
    for layer in found.layers:
        assert layer.share == pytest.approx(squares[layer.name] / squares[""], rel=1e-5)


def test_the_users_weight_is_in_the_gradient_and_not_in_the_loss(seen, toy):
    model, batches, found = seen
    heavy = eq.Tasks([eq.Task(name, nn.MSELoss(), weight=3.0 if name == "a" else 1.0) for name in "abc"])
    weighted = look(model, heavy, batches)
    assert weighted.norms["a"] == pytest.approx(3 * found.norms["a"], rel=1e-5)
    assert weighted.losses == found.losses


def test_a_look_changes_nothing(seen, toy):
    model, batches, _ = seen
    before = {name: value.clone() for name, value in model.state_dict().items()}
    look(model, toy.tasks, batches)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("t", [-6.0, -1.5, 0.0, 2.0])
def test_the_p_value_is_that_of_students_t_with_one_degree_less_than_batches(t):
    # its distribution with 1 and with 2 degrees of freedom in closed form
    assert Pair(("a", "b"), t / 2, 1.0, 4, 0).p_value == pytest.approx(float(student_t.cdf(t, 3)))
    assert Pair(("a", "b"), t / sqrt(2), 1.0, 2, 0).p_value == pytest.approx(0.5 + atan(t) / pi)
    assert Pair(("a", "b"), t / sqrt(3), 1.0, 3, 0).p_value == pytest.approx(0.5 + t / (2 * sqrt(2 + t * t)))


def test_equal_cosines_one_batch_or_none_are_not_tested():
    for mean, spread in ((-1.0, 0.0), (-1e-9, 0.0), (0.0, 0.0), (-0.3, 1e-12)):
        pair = Pair(("a", "b"), mean, spread, 2, 2)
        assert isnan(pair.p_value)
        assert not judged([pair])[0].opposed
    assert isnan(Pair(("a", "b"), -0.9, nan, 1, 1).p_value)
    assert isnan(Pair(("a", "b"), nan, nan, 0, 0).p_value)


def test_a_pair_is_opposed_after_holms_correction_for_all_that_have_two_batches():
    # t with 1 degree of freedom: p = 1/2 + atan(t) / pi
    p_values = (0.03, 0.012, 0.5, None, 0.9)
    pairs = [
        Pair(("a", str(k)), nan if p is None else tan(pi * (p - 0.5)) / sqrt(2), 1.0, 1 if p is None else 2, 0)
        for k, p in enumerate(p_values)
    ]
    assert [pair.opposed for pair in judged(pairs)] == [False, True, False, False, False]  # 0.03 of 3 that remain
    assert [pair.opposed for pair in judged(pairs[:2])] == [True, True]


def test_independent_gradients_pull_apart_in_no_more_than_the_stated_share_of_probes():
    tasks, batches, size = 12, 8, 60
    draw = np.random.default_rng(0)
    called = 0
    for _ in range(500):
        rows = draw.standard_normal((batches, tasks, size))
        rows /= np.linalg.norm(rows, axis=2, keepdims=True)
        cosines = rows @ rows.transpose(0, 2, 1)
        pairs = [
            Pair((str(i), str(j)), cosines[:, i, j].mean(), cosines[:, i, j].std(ddof=1), batches, 0)
            for i, j in combinations(range(tasks), 2)
        ]
        called += any(pair.opposed for pair in judged(pairs))
    assert called <= 0.06 * 500


def test_what_truly_pulls_apart_is_found(seen):
    _, _, found = seen
    assert [pair.tasks for pair in found.opposed] == [("a", "b")]
    assert any(pair.opposed for layer in found.layers for pair in layer.pairs)


def test_a_layer_counts_pairs_and_batches_below_0():
    pairs = (Pair(("a", "b"), 0.1, 0.1, 4, 1), Pair(("a", "c"), -0.1, 0.1, 4, 2))
    layer = LayerGradients("x", 1.0, pairs)
    assert layer.negative == 3 / 8
    assert layer.lowest is pairs[1]


def test_nothing_to_look_at(toy):
    model = toy.model(toy.tasks.names)
    with pytest.raises(ValueError, match="no batch has a label"):
        look(model, toy.tasks, [])

    class Apart(nn.Module):
        def __init__(self):
            super().__init__()
            self.nets = nn.ModuleList(nn.Linear(4, 1) for _ in "abc")

        def forward(self, x):
            return {name: net(x).squeeze(1) for name, net in zip("abc", self.nets, strict=True)}

    batch = toy.collate([toy.data["train"][i] for i in range(10)])
    with pytest.raises(ValueError, match="no parameter is reached by two tasks"):
        look(Apart(), toy.tasks, [batch])
