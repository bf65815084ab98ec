"""Mixed is the weighted sum, value and gradient; learned proportions rest at one over the loss."""

import copy
import math
from functools import partial

import pytest
import torch
from laws import Case, laws_for
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

import equipoise as eq
from equipoise.losses import BinaryFocalLoss, FocalLoss
from equipoise.losses.mixed import LearnedProportion, Mixed
from equipoise.losses.schedules import LinearSchedule


def binary(n, generator):
    logits = 3 * torch.randn(n, 4, generator=generator, dtype=torch.float64)
    return logits, torch.randint(2, (n, 4), generator=generator).double()


def two(first, second):
    """A mixture of losses that compute in float32."""
    return Mixed({"focal": (first, BinaryFocalLoss()), "bce": (second, BinaryFocalLoss(gamma=0.0))})


CASES = [
    Case("mixed", two(0.3, 2.0), binary, elementwise=False),
    Case("mixed, learned", two(LearnedProportion(2.0), LearnedProportion()), binary, elementwise=False),
    Case("mixed, scheduled", two(LinearSchedule(0.5, 0.5, steps=9), 1.0), binary, elementwise=False),
]
test_laws, test_compiles = laws_for(CASES)


def test_it_is_the_weighted_sum_value_and_gradient():
    output = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    target = torch.randn(6, 3, dtype=torch.float64)
    mixed = Mixed({"l1": (0.3, nn.L1Loss()), "l2": (2, F.mse_loss), "zero": (0.0, nn.HuberLoss())})
    expected = 0.3 * F.l1_loss(output, target) + 2 * F.mse_loss(output, target)
    value = mixed(output, target)
    assert_close(value, expected)
    assert_close(torch.autograd.grad(value, output), torch.autograd.grad(expected, output))


def test_parts_are_the_losses_themselves():
    output, target = torch.randn(6, requires_grad=True), torch.randn(6)
    mixed = Mixed({"l1": (0.3, nn.L1Loss()), "l2": (LearnedProportion(5.0), nn.MSELoss())})
    assert mixed.parts == {}
    mixed(output, target)
    assert list(mixed.parts) == ["l1", "l2"]
    assert_close(mixed.parts["l1"], F.l1_loss(output, target).detach())
    assert_close(mixed.parts["l2"], F.mse_loss(output, target).detach())
    assert not any(part.requires_grad for part in mixed.parts.values())


def test_a_mixture_of_mixtures_is_one_and_shows_all_parts():
    output, target = torch.randn(6), torch.randn(6)
    inner = Mixed({"l1": (0.3, nn.L1Loss()), "l2": (2.0, nn.MSELoss())})
    nested = Mixed({"inner": (0.5, inner), "huber": (1.0, nn.HuberLoss())})
    flat = Mixed({"l1": (0.15, nn.L1Loss()), "l2": (1.0, nn.MSELoss()), "huber": (1.0, nn.HuberLoss())})
    assert_close(nested(output, target), flat(output, target))
    assert list(nested.parts) == ["inner", "inner/l1", "inner/l2", "huber"]
    assert_close(nested.parts["inner/l2"], flat.parts["l2"])


def test_one_output_without_a_target_and_several():
    assert Mixed({"mean": (2.0, torch.mean), "sum": (1.0, torch.sum)})(torch.tensor([1.0, 3.0])) == 8.0
    outputs = {"a": torch.tensor([1.0]), "b": torch.tensor([4.0])}
    consistency = Mixed({"gap": (0.1, lambda outputs: F.mse_loss(outputs["a"], outputs["b"]))})
    assert_close(consistency(outputs), torch.tensor(0.9))
    tasks = eq.Tasks([eq.Task("pair", consistency, target=None)])
    assert_close(tasks.losses({"pair": outputs})["pair"], torch.tensor(0.9))


def test_a_half_precision_part_is_added_in_float32():
    """In float16, 0.1 · 0.1 + 1000 would be 1000."""
    mixed = Mixed({"small": (0.1, lambda x: x[0]), "large": (1.0, lambda x: x[1])})
    value = mixed(torch.tensor([0.1, 1000.0], dtype=torch.float16))
    assert value.dtype == torch.float32
    assert_close(value, torch.tensor(1000.01))


@pytest.mark.parametrize("initial", [0.1, 1.0, 7.0])
def test_a_learned_proportion_rests_at_one_over_the_loss(initial):
    """d/ds (exp(s) L − s) = p L − 1: downhill from any start, 0 at p = 1 / L, where the second derivative is 1."""
    proportion = LearnedProportion(initial)
    assert_close(proportion().item(), initial)
    mixed = Mixed({"part": (proportion, torch.mean)})
    output = torch.tensor([4.0, 6.0], requires_grad=True)
    value = mixed(output)
    assert_close(value, torch.tensor(5 * initial - math.log(initial)))
    slope, by_output = torch.autograd.grad(value, [proportion.log_proportion, output])
    assert_close(slope, torch.tensor(5 * initial - 1))
    assert_close(by_output, torch.full((2,), initial / 2))
    optimiser = torch.optim.SGD(mixed.parameters(), lr=0.02 if initial > 1 else 0.5)
    for _ in range(400):
        optimiser.zero_grad()
        mixed(output.detach()).backward()
        optimiser.step()
    assert_close(proportion().item(), 1 / 5, rtol=1e-3, atol=0)


def test_it_is_kendalls_objective_doubled():
    """Eq. (7): L_1 / (2 σ_1²) + L_2 / (2 σ_2²) + log σ_1 σ_2."""
    sigmas, losses = torch.tensor([0.5, 3.0]), torch.tensor([1.3, 0.2])
    expected = (losses / (2 * sigmas**2)).sum() + sigmas.log().sum()
    terms = {str(k): (LearnedProportion(1 / float(sigma) ** 2), lambda x, k=k: x[k]) for k, sigma in enumerate(sigmas)}
    assert_close(Mixed(terms)(losses), 2 * expected)


def test_parts_are_moved_listed_and_saved():
    def make():
        torch.manual_seed(0)
        return Mixed(
            {
                "ce": (1.0, nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0]))),
                "learned": (LearnedProportion(3.0), nn.CrossEntropyLoss()),
                "ramp": (LinearSchedule(0.0, 1.0, steps=5), nn.CrossEntropyLoss()),
            }
        )

    mixed, fresh = make(), make()
    assert len(list(mixed.parameters())) == 1
    logits, targets = torch.randn(4, 2), torch.tensor([0, 1, 1, 0])
    with torch.no_grad():
        next(mixed.parameters()).fill_(0.7)
    for _ in range(3):
        mixed(logits, targets)
    fresh.load_state_dict(mixed.state_dict())
    assert_close(fresh(logits, targets), mixed(logits, targets))
    assert_close(copy.deepcopy(fresh)(logits, targets), fresh(logits, targets))
    moved = make().to("meta")
    assert {tensor.device.type for tensor in [*moved.buffers(), *moved.parameters()]} == {"meta"}


def test_the_class_that_its_parts_ignore_is_its_own():
    assert Mixed({"a": (1.0, FocalLoss(ignore_index=255)), "b": (1.0, torch.mean)}).ignore_index == 255
    assert Mixed({"a": (1.0, F.cross_entropy)}).ignore_index == -100
    assert Mixed({"a": (1.0, nn.L1Loss())}).ignore_index is None
    mixed = Mixed({"focal": (0.5, FocalLoss()), "ce": (0.5, nn.CrossEntropyLoss())})
    task = eq.Tasks([eq.Task("labels", mixed)])
    logits, targets = torch.randn(4, 3), torch.tensor([0, -100, 2, 1])
    losses = task.losses({"labels": logits}, {"labels": targets})
    assert losses.counts == {"labels": 3}
    kept = targets != -100
    assert_close(losses["labels"], mixed(logits[kept], targets[kept]))
    regression = eq.Tasks([eq.Task("x", Mixed({"l1": (1.0, nn.L1Loss())}))])
    losses = regression.losses({"x": torch.tensor([1.0, 9.0])}, {"x": torch.tensor([3.0, torch.nan])})
    assert losses["x"] == 2.0


def test_it_shows_its_terms():
    mixed = Mixed({"l1": (0.3, nn.L1Loss()), "l2": (LearnedProportion(2.0), nn.MSELoss())})
    assert repr(mixed) == "Mixed({'l1': (0.3, L1Loss()), 'l2': (LearnedProportion(initial=2.0), MSELoss())})"


def one(proportion, loss=None):
    return lambda: Mixed({"bce": (proportion, nn.L1Loss() if loss is None else loss)})


MISUSES = [
    (lambda: Mixed({}), r"terms must map names to \(proportion, loss\), at least one, got \{\}"),
    (lambda: Mixed([(1.0, nn.L1Loss())]), r"terms must map names to \(proportion, loss\)"),
    (lambda: Mixed({"": (1.0, nn.L1Loss())}), r"names of terms must be non-empty strings, got ''"),
    (lambda: Mixed({"bce": nn.L1Loss()}), r"part 'bce' must be \(proportion, loss\), got L1Loss\(\)"),
    (one(-0.5), r"proportion of part 'bce' must be a finite number from 0, a Schedule or a LearnedP.*got -0.5"),
    (one(math.nan), r"proportion of part 'bce' must be a finite number from 0.*got nan"),
    (one(True), r"proportion of part 'bce' must be a finite number from 0.*got True"),
    (one(LearnedProportion), r"proportion of part 'bce' is a class: write LearnedProportion\(...\)"),
    (lambda: Mixed({"bce": (nn.L1Loss(), 0.5)}), r"proportion of part 'bce' must be .* got L1Loss\(\)"),
    (one(1.0, nn.MSELoss), r"part 'bce' is a class: write MSELoss\(...\)"),
    (one(1.0, "mse"), r"part 'bce' must be callable, got 'mse'"),
    (
        lambda: Mixed({"a": (1.0, FocalLoss(ignore_index=255)), "b": (1.0, nn.CrossEntropyLoss())}),
        r"parts must ignore the same class, got ignore_index \{'a': 255, 'b': -100\}: give all of them the same one",
    ),
    (
        lambda: one(1.0, nn.L1Loss(reduction="none"))()(torch.ones(3), torch.ones(3)),
        r"part 'bce' must return a scalar tensor, got shape \(3,\): give it reduction='mean'",
    ),
    (lambda: one(1.0, lambda x: 1.0)()(torch.ones(3)), r"part 'bce' must return a scalar tensor, got float"),
    (lambda: LearnedProportion(0.0), r"initial must be a positive finite number, got 0.0"),
    (lambda: LearnedProportion(math.inf), r"initial must be a positive finite number, got inf"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_partial_functions_are_parts():
    loss = partial(F.huber_loss, delta=0.5)
    assert_close(Mixed({"h": (2.0, loss)})(torch.ones(2), torch.zeros(2)), torch.tensor(2 * 0.375))
