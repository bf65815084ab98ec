"""Names meet tensors; missing labels leave before the loss is called."""

import math
import warnings
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

import equipoise as eq

NAN = torch.nan


def test_losses_are_each_task_s_own_in_order():
    tasks = eq.Tasks([eq.Task("a", nn.MSELoss()), eq.Task("b", nn.L1Loss(), target="other", weight=3.0)])
    x, y = torch.randn(4, 2), torch.randn(4, 2)
    losses = tasks.losses({"b": x, "a": x}, {"a": y, "other": y})
    assert list(losses) == ["a", "b"]
    assert torch.equal(losses["a"], nn.MSELoss()(x, y))
    assert torch.equal(losses["b"], nn.L1Loss()(x, y))  # raw: the balancer applies the weight
    assert losses.counts == {"a": 8, "b": 8}


def test_samples_without_a_label_leave_and_the_mean_is_over_the_rest():
    tasks = eq.Tasks([eq.Task("a", nn.MSELoss())])
    out, target = torch.randn(4, 2), torch.randn(4, 2)
    target[1] = target[3] = NAN
    losses = tasks.losses({"a": out}, {"a": target})
    assert_close(losses["a"], ((out - target)[[0, 2]] ** 2).mean())
    assert losses.counts == {"a": 4}


def test_ignored_classes_leave_by_the_loss_s_own_index():
    loss = nn.CrossEntropyLoss(ignore_index=7)
    tasks = eq.Tasks([eq.Task("a", loss)])
    out = torch.randn(3, 5)
    losses = tasks.losses({"a": out}, {"a": torch.tensor([7, 2, 4])})
    assert_close(losses["a"], nn.functional.cross_entropy(out[1:], torch.tensor([2, 4])))
    assert losses.counts == {"a": 2}


@pytest.mark.parametrize(
    "loss", [nn.functional.cross_entropy, partial(nn.functional.cross_entropy, label_smoothing=0.0)]
)
def test_a_function_s_own_index_counts_too(loss):
    tasks = eq.Tasks([eq.Task("a", loss)])
    out = torch.randn(3, 5)
    assert tasks.losses({"a": out}, {"a": torch.full((3,), -100)}) == {}
    assert tasks.losses({"a": out}, {"a": torch.tensor([1, -100, 2])}).counts == {"a": 2}
    ignoring = eq.Tasks([eq.Task("a", partial(loss, ignore_index=4))])
    assert ignoring.losses({"a": out}, {"a": torch.tensor([1, 4, 4])}).counts == {"a": 1}


def test_a_partly_ignored_mask_stays_whole_and_counts_its_pixels():
    tasks = eq.Tasks([eq.Task("mask", nn.CrossEntropyLoss())])
    target = torch.zeros(2, 2, 2, dtype=torch.long)
    target[0] = -100
    target[1, 0, 0] = -100
    out = torch.randn(2, 3, 2, 2)
    losses = tasks.losses({"mask": out}, {"mask": target})
    assert_close(losses["mask"], nn.functional.cross_entropy(out, target))
    assert losses.counts == {"mask": 3}


@pytest.mark.parametrize("target", [torch.full((3,), NAN), None, torch.zeros(0)])
def test_a_task_without_a_label_is_absent(target):
    tasks = eq.Tasks([eq.Task("a", nn.MSELoss()), eq.Task("b", nn.MSELoss())])
    losses = tasks.losses(
        {"a": torch.zeros(3)[: 3 if target is None else len(target)], "b": torch.zeros(3)},
        {"a": target, "b": torch.ones(3)},
    )
    assert list(losses) == ["b"]
    assert "a" not in losses.counts


@pytest.mark.parametrize("missing", ["rows", "loss"])
def test_a_task_whose_output_is_none_is_absent_though_it_has_labels(missing):
    tasks = eq.Tasks([eq.Task("a", nn.MSELoss(), missing=missing), eq.Task("b", nn.MSELoss())])
    assert list(tasks.losses({"a": None, "b": torch.zeros(3)}, {"a": torch.ones(3), "b": torch.ones(3)})) == ["b"]


def test_missing_loss_shows_the_loss_everything():
    seen = []
    tasks = eq.Tasks([eq.Task("a", lambda out, y: seen.append(y) or out.sum(), missing="loss")])
    target = torch.tensor([1.0, NAN])
    assert tasks.losses({"a": torch.ones(2)}, {"a": target}).counts == {"a": 1}
    assert seen[0] is target
    pair = (torch.ones(2), torch.ones(2))
    assert tasks.losses({"a": torch.ones(2)}, {"a": pair}).counts == {"a": 2}
    assert seen[1] is pair
    assert tasks.losses({"a": torch.ones(2)}, {"a": torch.full((2,), NAN)}) == {}


def test_a_task_without_target_is_present_whenever_its_output_is():
    tasks = eq.Tasks([eq.Task("kl", lambda out: out.mean(), target=None)])
    assert_close(tasks.losses({"kl": torch.ones(4)})["kl"], torch.tensor(1.0))
    assert tasks.losses({"kl": torch.ones(4)}).counts == {"kl": 4}
    assert tasks.losses({}) == {}
    assert tasks.losses({"kl": None}) == {}


def test_losses_with_parameters_are_the_module_s():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.alpha = nn.Parameter(torch.ones(()))

        def forward(self, out, target):
            return (self.alpha * (out - target) ** 2).mean()

    tasks = eq.Tasks([eq.Task("a", Scaled()), eq.Task("b", torch.nn.functional.mse_loss)])
    assert len(list(tasks.parameters())) == 1
    assert tasks.double()["a"].loss.alpha.dtype == torch.float64


def test_access_by_name():
    tasks = eq.Tasks([eq.Task("rating", nn.MSELoss())])
    assert tasks["rating"].target == "rating"
    assert len(tasks) == 1
    assert [task.name for task in tasks] == ["rating"]
    with pytest.raises(KeyError, match="did you mean 'rating'"):
        tasks["ratings"]


MSE = nn.MSELoss()
ONE = {"a": torch.zeros(3)}


def test_two_tasks_may_read_one_output_and_one_task_several():
    tasks = eq.Tasks(
        [
            eq.Task("size", MSE, output="a"),
            eq.Task("sign", nn.L1Loss(), output="a", target="size"),
            eq.Task("agree", lambda outputs: (outputs[0] - outputs[1]).square().mean(), output=("a", "b"), target=None),
        ]
    )
    outputs = {"a": torch.tensor([1.0, 3.0]), "b": torch.tensor([1.0, 2.0])}
    losses = tasks.losses(outputs, {"size": torch.tensor([1.0, 1.0])})
    assert losses == {"size": 2.0, "sign": 1.0, "agree": 0.5}
    assert losses.counts["agree"] == 2
    outputs["b"] = None
    assert "agree" not in tasks.losses(outputs, {"size": torch.tensor([1.0, 1.0])})


def test_schedules_of_losses_hear_that_an_epoch_has_ended():
    schedule = eq.losses.EpochSchedule([1.0, 0.5])
    loss = eq.losses.Mixed({"square": (schedule, MSE)})
    model = nn.Linear(2, 1)
    tasks = eq.Tasks([eq.Task("a", loss), eq.Task("b", MSE)])
    criterion = eq.MultiTaskLoss(tasks, eq.Balancer(eq.DWA(), model, tasks=tasks))
    output, target = torch.zeros(3, 1), torch.ones(3, 1)
    assert tasks.losses({"a": output, "b": output}, {"a": target, "b": target})["a"] == 1.0
    criterion.end_epoch()
    assert tasks.losses({"a": output, "b": output}, {"a": target, "b": target})["a"] == 0.5


def test_the_method_hears_that_an_epoch_of_the_criterion_has_ended():
    class Counting(eq.Sum):
        epochs = 0

        def end_epoch(self):
            self.epochs += 1

    tasks = eq.Tasks([eq.Task("a", MSE), eq.Task("b", MSE)])
    criterion = eq.MultiTaskLoss(tasks, eq.Balancer(Counting(), nn.Linear(2, 1), tasks=tasks))
    criterion.end_epoch()
    criterion.end_epoch()
    assert criterion.balancer.method.epochs == 2


def test_a_schedule_deep_inside_a_loss_of_the_users_hears_it_once():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = eq.losses.Mixed({"square": (eq.losses.EpochSchedule([1.0, 0.5, 0.0]), MSE)})

        def forward(self, output, target):
            return self.inner(output, target)

    loss = Own()
    eq.Tasks([eq.Task("a", loss), eq.Task("b", loss)]).end_epoch()
    assert loss(torch.zeros(2), torch.ones(2)) == 0.5


def test_bytes_are_no_class_to_be_ignored():
    """256 - 100 = 156 is a class of its own."""
    tasks = eq.Tasks([eq.Task("a", nn.CrossEntropyLoss())])
    losses = tasks.losses({"a": torch.zeros(2, 200)}, {"a": torch.tensor([156, 3], dtype=torch.uint8)})
    assert losses.counts == {"a": 2}


def test_what_a_loss_consists_of_reaches_the_record():
    class Sum(nn.Module):
        def forward(self, output, target):
            self.parts = {"square": (output - target).square().mean(), "size": output.abs().mean()}
            return self.parts["square"] + self.parts["size"]

    model = nn.Linear(2, 1)
    tasks = eq.Tasks([eq.Task("a", Sum()), eq.Task("b", MSE)])
    balancer = eq.Balancer(eq.Sum(), model, tasks=tasks)
    x = torch.ones(3, 2)
    losses = tasks.losses({"a": model(x), "b": model(x)}, {"a": torch.zeros(3, 1), "b": torch.ones(3, 1)})
    balancer(losses).backward()
    parts = balancer.record.parts
    assert parts.keys() == {"a"}
    assert sum(parts["a"].values()) == pytest.approx(balancer.record.losses["a"])
    assert balancer.record.to_dict()["parts/a/size"] == parts["a"]["size"]


def test_a_loss_that_divides_by_something_else_says_so_and_is_weighed_by_it():
    """A mean weighted by its targets, of the rows that have one: sum of target · output² over sum of targets."""

    class Weighted(nn.Module):
        def forward(self, output, target):
            return (target * output.square()).sum() / self.divisor(output, target)

        def divisor(self, output, target):
            return target.sum().item()

    x, target = torch.arange(1.0, 7.0).double(), torch.tensor([1.0, 0.5, torch.nan, 7.0, 2.0, torch.nan]).double()
    scale = torch.ones(1, dtype=torch.float64, requires_grad=True)
    tasks = eq.Tasks([eq.Task("a", Weighted()), eq.Task("b", Weighted())])
    balancer = eq.Balancer(eq.Sum(), [scale], tasks=tasks)
    balancer.accumulate(2)
    for part in (slice(0, 4), slice(4, 6)):
        losses = tasks.losses({"a": scale * x[part], "b": 1 - scale * x[part]}, {"a": target[part], "b": target[part]})
        assert losses.counts["a"] == target[part].nansum()
        (balancer(losses) / 2).backward()
    there = ~target.isnan()
    whole = torch.stack([(scale * x) ** 2, (1 - scale * x) ** 2])[:, there] @ target[there] / target[there].sum()
    torch.testing.assert_close(balancer.record.losses, dict(zip("ab", whole.tolist(), strict=True)))
    torch.testing.assert_close(scale.grad, torch.autograd.grad(whole.sum(), scale)[0])

    halved = nn.MSELoss()
    halved.divisor = 2  # a number of the user's own is no such method
    assert eq.Tasks([eq.Task("a", halved)]).losses({"a": x}, {"a": x}).counts == {"a": 6}


WEIGHT = torch.tensor([0.2, 3.0, 1.0], dtype=torch.float64)


class OwnFocal(nn.Module):
    """Class weights within, but a mean over labels: as many write it."""

    weight, ignore_index, reduction = WEIGHT, -100, "mean"

    def forward(self, output, target):
        return (
            nn.functional.cross_entropy(output, target, weight=self.weight, reduction="none").sum()
            / (target != self.ignore_index).sum()
        )


def levels_of(output, target):
    return output[:, :2], target.clamp(min=0)


def pixels_of(output, target):
    return output.view(3, 4, 3).movedim(2, 1), target.view(3, 4)


def bytes_of(output, target):
    return output, target.clamp(min=0).byte()


def probabilities_of(output, target):
    return output, output.flip(0).softmax(dim=1)


def sequences_of(output, target):
    return output.view(3, 4, 3), target.view(3, 4)


@pytest.mark.parametrize(
    ("loss", "of"),
    [
        (nn.CrossEntropyLoss(), None),
        (nn.CrossEntropyLoss(weight=WEIGHT), None),
        (nn.CrossEntropyLoss(weight=WEIGHT, label_smoothing=0.1, ignore_index=1), None),
        (nn.CrossEntropyLoss(weight=WEIGHT), pixels_of),
        (nn.CrossEntropyLoss(weight=WEIGHT), bytes_of),
        (nn.CrossEntropyLoss(weight=WEIGHT), probabilities_of),
        (nn.NLLLoss(weight=WEIGHT), None),
        (eq.losses.FocalLoss(weight=WEIGHT), None),
        (eq.losses.FocalLoss(), pixels_of),
        (eq.losses.LDAMLoss(torch.tensor([5, 2, 9]), weight=WEIGHT), None),
        (eq.losses.CornLoss(), levels_of),
        (eq.losses.SequenceCrossEntropyLoss(), sequences_of),
        (eq.losses.SequenceCrossEntropyLoss(per="sequence"), sequences_of),
        (OwnFocal(), None),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_batches_weighed_by_counts_are_the_whole_batch(loss, of):
    torch.manual_seed(0)
    output, missing = torch.randn(12, 3, dtype=torch.float64), getattr(loss, "ignore_index", -100)
    target = torch.tensor([0, 0, 0, 1, missing, 2, 1, 1, 2, 2, missing, 0])
    output, target = (output, target) if of is None else of(output, target)
    tasks = eq.Tasks([eq.Task("kind", loss)])

    def sum_of(rows):
        losses = tasks.losses({"kind": output[rows]}, {"kind": target[rows]})
        return losses["kind"] * losses.counts["kind"]

    some = len(target) // 3
    torch.testing.assert_close(sum_of(slice(some)) + sum_of(slice(some, None)), sum_of(slice(None)))


def test_a_task_whose_labels_have_no_weight_in_all_is_absent():
    weightless = nn.CrossEntropyLoss(weight=torch.tensor([0.0, 1.0]))
    assert not eq.Tasks([eq.Task("kind", weightless)]).losses(
        {"kind": torch.ones(3, 2)}, {"kind": torch.zeros(3).long()}
    )


def test_a_label_that_is_no_class_is_an_error_of_the_loss_with_class_weights_too():
    tasks = eq.Tasks([eq.Task("kind", nn.CrossEntropyLoss(weight=torch.ones(2)))])
    with pytest.raises(IndexError, match="Target -1 is out of bounds"):
        tasks.losses({"kind": torch.ones(2, 2)}, {"kind": torch.tensor([0, -1])})


@pytest.mark.parametrize("divisor", [0, 0.25])
def test_a_divisor_counts_as_labels_and_at_zero_the_task_is_absent(divisor):
    loss = nn.MSELoss()
    loss.divisor = lambda output, target: divisor
    losses = eq.Tasks([eq.Task("a", loss)]).losses({"a": torch.ones(2)}, {"a": torch.ones(2)})
    assert losses.counts == ({"a": divisor} if divisor else {})


@pytest.mark.parametrize("divisor", [-1.0, float("nan"), "two", None])
def test_a_divisor_that_is_none_is_an_error(divisor):
    loss = nn.MSELoss()
    loss.divisor = lambda output, target: divisor
    with pytest.raises(ValueError, match="divisor of the loss of task 'a' must be"):
        eq.Tasks([eq.Task("a", loss)]).losses({"a": torch.ones(2)}, {"a": torch.ones(2)})


def test_what_a_loss_raises_says_whose_loss_it_was():
    with pytest.raises(RuntimeError) as raised:
        eq.Tasks([eq.Task("seg", nn.CrossEntropyLoss())]).losses(
            {"seg": torch.ones(2, 3)}, {"seg": torch.ones(2, 2).long()}
        )
    assert raised.value.__notes__ == ["in the loss of task 'seg'"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: eq.Tasks([]), "tasks is empty"),
        (lambda: eq.Tasks(["a"]), r"must hold Task objects, Task\(name, loss\), got 'a'"),
        (lambda: eq.Tasks([eq.Task("a", MSE), eq.Task("a", MSE)]), "must be unique, got 'a'"),
        (lambda: eq.Tasks(eq.Task("a", MSE)), r"tasks must be a list of Task objects, got Task\(name='a'"),
        (lambda: eq.Task("a", MSE, weight="2"), "weight of task 'a' must be a number, got '2'"),
        (lambda: eq.Task("a", MSE, weight=torch.ones(2)), r"weight of task 'a' must be a number, got tensor"),
        (lambda: eq.Task("", MSE), "name must be a non-empty string, got ''"),
        (lambda: eq.Task("a", "mse"), "loss of task 'a' must be callable, got 'mse'"),
        (lambda: eq.Task("a", MSE, weight=0.0), "weight of task 'a' must be positive and finite, got 0.0"),
        (lambda: eq.Task("a", MSE, weight=NAN), "weight of task 'a' must be positive"),
        (
            lambda: eq.Tasks([eq.Task("a", torch.sum, output="b", target=None)]).losses(ONE),
            "no output 'b' for task 'a'; there are 'a'",
        ),
        (lambda: eq.Task("a", MSE, output=()), r"output of task 'a' must be a name or a tuple of names, got \(\)"),
        (lambda: eq.Task("a", MSE, output=("a", 1)), r"must be a name or a tuple of names, got \('a', 1\)"),
        (lambda: eq.Tasks([eq.Task("a", MSE, output=("a", "c"))]).losses(ONE, ONE), "no output 'c' for task 'a'"),
        (lambda: eq.Task("a", MSE, missing="row"), "missing of task 'a' must be 'rows' or 'loss', got 'row'"),
        (
            lambda: eq.Tasks([eq.Task("a", MSE)]).losses({"A": ONE["a"]}, ONE),
            "no output 'a' for task 'a'; did you mean 'A'",
        ),
        (lambda: eq.Tasks([eq.Task("a", MSE, target="rating")]).losses(ONE, {"ratings": 1}), "did you mean 'ratings'"),
        (lambda: eq.Tasks([eq.Task("a", MSE)]).losses(ONE), "no target 'a' for task 'a'; there are none"),
        (lambda: eq.Tasks([eq.Task("a", MSE)]).losses(ONE["a"], ONE), "outputs must map names to tensors, got Tensor"),
        (
            lambda: eq.Tasks([eq.Task("a", MSE), eq.Task("b", MSE)]).losses(torch.ones(3, 2), ONE),
            r"outputs must map .*: split it, \{'a': outputs\[:, k\], \.\.\.\}",
        ),
        (
            lambda: eq.Tasks([eq.Task("a", MSE)]).losses(ONE, torch.ones(3)),
            r"targets must map .*: split it, \{'a': targets\[:, k\], \.\.\.\}",
        ),
        (lambda: eq.Tasks([eq.Task("a", MSE)]).losses(ONE, [1]), "targets must map names to tensors, got list"),
        (
            lambda: eq.Tasks([eq.Task("a", nn.MSELoss(reduction="none"))]).losses(ONE, ONE),
            r"loss of task 'a' must return a scalar tensor, got shape \(3,\)",
        ),
        (lambda: eq.Tasks([eq.Task("a", lambda o, t: 1.0)]).losses(ONE, ONE), "scalar tensor, got float"),
        (lambda: eq.Tasks([eq.Task("a", MSE)]).losses(ONE, {"a": [1, 2]}), "must be a tensor, got list"),
        (
            lambda: eq.Tasks([eq.Task("a", MSE)]).losses(
                {"a": torch.zeros(2, 2)}, {"a": torch.tensor([[1, NAN], [1, 1]])}
            ),
            "NaN in a part of a sample's label",
        ),
        (
            lambda: eq.Tasks([eq.Task("a", MSE)]).losses({"a": (1, 2)}, {"a": torch.tensor([1, NAN])}),
            "must have the batch first, got output tuple",
        ),
    ],
)
def test_errors_name_the_argument_and_show_the_value(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_hidden_cross_entropy_of_ignored_targets_alone_is_absent_and_warned_of():
    tasks = eq.Tasks(
        [eq.Task("hidden", lambda output, target: F.cross_entropy(output, target)), eq.Task("a", nn.MSELoss())]
    )
    outputs = {"hidden": torch.zeros(2, 3, requires_grad=True), "a": torch.zeros(2)}
    targets = {"hidden": torch.full((2,), -100), "a": torch.ones(2)}
    with pytest.warns(UserWarning, match="'hidden' is absent from this batch.*give your function an argument ignore_i"):
        assert set(tasks.losses(outputs, targets)) == {"a"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        some = tasks.losses(outputs, targets | {"hidden": torch.tensor([1, -100])})
        nan = tasks.losses(outputs | {"hidden": torch.full((2, 3), NAN)}, targets | {"hidden": torch.arange(2)})
        zero_of_its_own = eq.Tasks([eq.Task("a", lambda output, target: output.sum() * target.ne(-100).any())])
        zero = zero_of_its_own.losses({"a": torch.ones(2)}, {"a": torch.full((2,), -100)})
    assert some["hidden"].item() == pytest.approx(math.log(3))
    assert nan["hidden"].isnan()  # a loss of labels that are there stays as it is
    assert zero == {"a": 0}  # and so does one that sees to it
