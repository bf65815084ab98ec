"""Penalties equal their definitions, have the subgradients they say, and read a model's weights as they are."""

import copy
import math
from functools import partial

import pytest
import torch
from laws import Case, laws_for
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

from equipoise.losses.mixed import Mixed
from equipoise.losses.penalised import Penalised
from equipoise.losses.regularisation import (
    ParameterPenalty,
    activation_sparsity,
    elastic_net,
    group_lasso,
    l1,
    l2,
    nuclear_norm,
    spectral_norm,
    weights_only,
)


def matrix(n, generator):
    return (torch.randn(n, 4, 2, generator=generator, dtype=torch.float64),)


PENALTIES = {
    "l1": l1,
    "l2": l2,
    "elastic net": partial(elastic_net, l1_ratio=0.3),
    "group lasso": group_lasso,
    "group lasso, inputs": partial(group_lasso, dim=1),
    "nuclear norm": nuclear_norm,
    "spectral norm": spectral_norm,
}
CASES = [Case(name, penalty, matrix, elementwise=False) for name, penalty in PENALTIES.items()]
CASES.append(Case("activation sparsity", activation_sparsity, matrix, elementwise=False))
test_laws, test_compiles = laws_for(CASES)
EACH = pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def rotation(size, seed):
    return torch.linalg.qr(random(size, size, seed=seed)).Q


@EACH
def test_several_tensors_add_up_and_one_is_a_list_of_one(penalty):
    first, second = random(3, 4), random(2, 5, 2, seed=1)
    assert_close(penalty([first, second]), penalty(first) + penalty(second))
    assert_close(penalty(iter([first])), penalty([first]))


@EACH
def test_at_0_it_is_0_with_a_slope_of_0(penalty):
    weight = torch.zeros(3, 4, requires_grad=True)
    value = penalty(weight)
    assert value == 0
    assert torch.equal(torch.autograd.grad(value, weight)[0], torch.zeros(3, 4))


@EACH
def test_it_is_of_the_degree_of_its_formula(penalty):
    """Norms double where weights double; a square is four times as large."""
    weight = random(3, 4)
    if penalty is l2:
        assert_close(penalty(2 * weight), 4 * penalty(weight))
    elif penalty is PENALTIES["elastic net"]:
        assert_close(penalty(2 * weight), 0.3 * 2 * l1(weight) + 0.7 * 4 * l2(weight))
    else:
        assert_close(penalty(2 * weight), 2 * penalty(weight))


def test_slopes_are_the_formulas():
    weight = random(3, 4).requires_grad_()
    slopes = {penalty: torch.autograd.grad(penalty(weight), weight)[0] for penalty in PENALTIES.values()}
    with torch.no_grad():
        assert_close(slopes[l1], weight.sign())
        assert_close(slopes[l2], weight)
        assert_close(slopes[PENALTIES["elastic net"]], 0.3 * weight.sign() + 0.7 * weight)
        assert_close(slopes[group_lasso], 2 * weight / weight.norm(dim=1, keepdim=True))
        assert_close(slopes[PENALTIES["group lasso, inputs"]], math.sqrt(3) * weight / weight.norm(dim=0))
        left, _, right = torch.linalg.svd(weight, full_matrices=False)
        assert_close(slopes[nuclear_norm], left @ right)
        assert_close(slopes[spectral_norm], left[:, :1] @ right[:1])


def test_groups():
    weight = random(3, 4, 2)
    expected = sum(math.sqrt(8) * weight[k].square().sum().sqrt() for k in range(3))
    assert_close(group_lasso(weight), expected)
    expected = sum(math.sqrt(6) * weight[:, k].square().sum().sqrt() for k in range(4))
    assert_close(group_lasso(weight, dim=1), expected)
    assert_close(group_lasso(weight, dim=-2), expected)
    assert_close(group_lasso(weight.reshape(24, 1)), l1(weight))
    flat = random(5, 4)
    assert_close(group_lasso(flat @ rotation(4, seed=2)), group_lasso(flat))


def test_a_group_of_zeros_beside_others_has_a_slope_of_0():
    weight = torch.tensor([[0.0, 0.0], [3.0, 4.0]], requires_grad=True)
    (slope,) = torch.autograd.grad(group_lasso(weight), weight)
    assert_close(slope, math.sqrt(2) * torch.tensor([[0.0, 0.0], [0.6, 0.8]]))


def test_matrix_norms_are_of_the_flattened_kernel():
    kernel = random(5, 2, 3, 3)
    flat = kernel.flatten(1)
    assert_close(nuclear_norm(kernel), torch.linalg.matrix_norm(flat, "nuc"))
    assert_close(spectral_norm(kernel), torch.linalg.matrix_norm(flat, 2))
    turned = rotation(5, seed=1) @ flat @ rotation(18, seed=2)
    assert_close(nuclear_norm(turned), nuclear_norm(kernel))
    assert_close(spectral_norm(turned), spectral_norm(kernel))


def test_the_spectral_norm_bounds_every_stretch_and_is_reached():
    weight, vectors = random(4, 6), random(6, 500, seed=3)
    stretches = (weight @ vectors).norm(dim=0) / vectors.norm(dim=0)
    assert stretches.max() <= spectral_norm(weight)
    for _ in range(200):  # power iteration
        vectors = F.normalize(weight.T @ (weight @ vectors), dim=0)
    assert_close((weight @ vectors).norm(dim=0), spectral_norm(weight).expand(500))


def test_of_rank_1_both_matrix_norms_are_the_vectors_norms():
    """The other singular values of u vᵀ are 0 but for rounding; the value is ‖u‖ ‖v‖."""
    u, v = random(4, 1), random(1, 6, seed=1)
    assert_close(nuclear_norm(u @ v), u.norm() * v.norm())
    assert_close(spectral_norm(u @ v), u.norm() * v.norm())


def test_equal_singular_values_have_a_finite_slope():
    weight = torch.eye(3, dtype=torch.float64, requires_grad=True)
    assert_close(torch.autograd.grad(nuclear_norm(weight), weight)[0], torch.eye(3, dtype=torch.float64))
    (slope,) = torch.autograd.grad(spectral_norm(weight), weight)
    assert_close(torch.linalg.matrix_norm(slope, "nuc").item(), 1.0)  # u vᵀ for one of the pairs


def test_sparsity_is_the_divergence_of_two_coins():
    logits, target = 3 * random(7, 4, 2), 0.1
    rates = logits.sigmoid().mean(dim=0)
    coins = torch.stack([rates, 1 - rates]).log()
    wanted = torch.tensor([target, 1 - target], dtype=torch.float64)[:, None, None].expand_as(coins)
    assert_close(activation_sparsity(logits, target=target), F.kl_div(coins, wanted, reduction="sum"))


def test_sparsity_is_0_where_the_mean_is_the_target_and_nowhere_else():
    logits = torch.tensor([0.02, 0.08], dtype=torch.float64).logit()[:, None].requires_grad_()
    value = activation_sparsity(logits, target=0.05)
    assert_close(value.item(), 0.0)
    assert_close(torch.autograd.grad(value, logits)[0], torch.zeros(2, 1, dtype=torch.float64))
    assert activation_sparsity(logits + 0.1, target=0.05) > 1e-4
    assert activation_sparsity(logits - 0.1, target=0.05) > 1e-4


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_sparsity_of_saturated_units_pulls_them_back(sign):
    """All at a logit of ±200: log of the mean is −200, and its slope is not lost."""
    logits = torch.full((4, 1), 200.0 * sign, requires_grad=True)
    value = activation_sparsity(logits, target=0.25)
    share = 0.75 if sign > 0 else 0.25
    assert_close(value.item(), 200 * share + 0.25 * math.log(0.25) + 0.75 * math.log(0.75), rtol=1e-6, atol=0)
    (slope,) = torch.autograd.grad(value, logits)
    assert_close(slope, torch.full((4, 1), sign * share / 4))


def network():
    torch.manual_seed(0)
    twice, table, tied = nn.Linear(3, 3), nn.Embedding(5, 3), nn.Linear(3, 5)
    tied.weight = table.weight
    return nn.Sequential(
        nn.Conv1d(2, 3, 2), nn.BatchNorm1d(3), nn.LayerNorm((3, 3)), nn.MultiheadAttention(3, 1, add_bias_kv=True),
        nn.GRU(3, 2), table, tied, nn.PReLU(), twice, twice,
    )  # fmt: skip


def test_weights_are_without_biases_and_normalisation_and_each_once():
    model = network()
    names = {id(p): name for name, p in model.named_parameters()}
    chosen = [names[id(p)] for p in weights_only(model)]
    assert chosen == [
        "0.weight",
        "3.in_proj_weight",
        "3.out_proj.weight",
        "4.weight_ih_l0",
        "4.weight_hh_l0",
        "5.weight",
        "8.weight",
    ]


def test_a_parameter_penalty_reads_the_parameters_as_they_are():
    model = nn.Linear(2, 1)
    penalty = ParameterPenalty(l2, model)
    with torch.no_grad():
        model.weight.fill_(3.0)
    assert penalty() == penalty("whatever", "it is given") == 9.0
    model.weight = nn.Parameter(torch.ones(1, 2))
    assert penalty() == 1.0
    penalty().backward()
    assert_close(model.weight.grad, torch.ones(1, 2))
    assert model.bias.grad is None
    everything = ParameterPenalty(l1, model, parameters=nn.Module.parameters)
    assert_close(everything(), model.weight.abs().sum() + model.bias.abs().sum())


def test_the_model_is_not_registered_in_the_loss():
    model = network()
    penalty = ParameterPenalty(l1, model)
    loss = Penalised(nn.MSELoss(), penalty, 0.1)
    assert list(loss.parameters()) == []
    assert dict(loss.state_dict()) == {}
    loss.to("meta")
    assert model[0].weight.device.type == "cpu"
    loss.eval()
    assert model.training
    model.loss = loss  # as in a training module that holds both
    assert len(list(model.parameters())) == len(list(network().parameters()))
    assert repr(penalty).endswith("model=Sequential)")
    assert "Sequential" in repr(model)


def test_a_model_and_its_loss_are_copied_together():
    model = nn.Linear(2, 1)
    pair = copy.deepcopy(nn.ModuleDict({"model": model, "loss": ParameterPenalty(l2, model)}))
    with torch.no_grad():
        pair["model"].weight.fill_(5.0)
    assert pair["loss"]() == 25.0


def test_as_a_part_of_a_mixture():
    model = nn.Linear(2, 1)
    mixed = Mixed({"mse": (1.0, nn.MSELoss()), "l1": (0.1, ParameterPenalty(l1, model))})
    output, target = torch.randn(4), torch.randn(4)
    assert_close(mixed(output, target), F.mse_loss(output, target) + 0.1 * model.weight.abs().sum())


@pytest.mark.slow
@pytest.mark.parametrize("penalty", [l1, nuclear_norm])
def test_a_penalty_of_a_model_compiles(penalty):
    model = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3), nn.Conv1d(3, 2, 2))
    loss = Penalised(nn.MSELoss(), ParameterPenalty(penalty, model), 0.1)
    output, target = torch.randn(4), torch.randn(4)
    torch._dynamo.reset()
    compiled = torch.compile(loss, fullgraph=True)(output, target)
    plain = loss(output, target)
    assert_close(compiled, plain)
    weights = weights_only(model)
    assert_close(torch.autograd.grad(compiled, weights), torch.autograd.grad(plain, weights))


MISUSES = [
    (lambda: l1([]), r"tensors is empty: give at least one"),
    (lambda: l2([torch.ones(2), torch.ones(2).long()]), r"tensors\[1\] must be floating point.*\.float\(\)"),
    (lambda: l1([torch.ones(2), "w"]), r"tensors\[1\] must be a tensor, got str"),
    (lambda: elastic_net(torch.ones(2), l1_ratio=1.5), r"l1_ratio must lie in \[0, 1\], got 1.5"),
    (lambda: group_lasso(torch.ones(2)), r"tensors must have shape \[out, in, ...\], got \(2,\)"),
    (lambda: group_lasso(torch.ones(2, 3), dim=2), r"dim must be one of the 2 dimensions of tensors, got 2"),
    (lambda: nuclear_norm(torch.ones(2)), r"tensors must have shape \[out, in, ...\], got \(2,\)"),
    (lambda: spectral_norm([torch.ones(2, 2), torch.ones(2)]), r"tensors must have shape \[out, in, ...\]"),
    (lambda: activation_sparsity(torch.ones(2, 2), target=0.0), r"target must lie in \(0, 1\), got 0.0"),
    (lambda: activation_sparsity(torch.ones(2, 2), target=5), r"target must lie in \(0, 1\), got 5"),
    (lambda: activation_sparsity(torch.tensor(1.0)), r"logits must have shape \[N, ...\], got \(\)"),
    (lambda: ParameterPenalty(l1, nn.Linear(2, 1).parameters()), r"model must be a module, got generator"),
    (lambda: ParameterPenalty(l1, nn.ReLU()), r"model ReLU has no parameters to penalise: give others by parameters="),
    (lambda: ParameterPenalty(nn.L1Loss, nn.Linear(2, 1)), r"penalty must be a function, got <class"),
    (lambda: ParameterPenalty(l1, nn.Linear(2, 1), parameters=[]), r"parameters must be a function, got \[\]"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
