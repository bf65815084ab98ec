"""What a method needs to hear from the loop: it says so, and what never comes is told once, with the line to write."""

import copy
import io
import warnings
from contextlib import contextmanager

import pytest
import torch
from torch import nn

import equipoise as eq
from equipoise.doctor import examine
from equipoise.method import FEEDBACK

NAMES = ["price", "kind"]
LINES = {
    "end_epoch": "balancer.end_epoch()  # after each epoch",
    "observe": 'balancer.observe({"price": r1, "kind": r2})  # higher is better, after each validation',
    "after_step": 'balancer.after_step({"price": l1, "kind": l2})  # raw losses of the same batch, after each',
}
LISTENING = [row for row in eq.methods() if row.make(2).needs]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(3, 4)
        self.heads = nn.ModuleDict({name: nn.Linear(4, 1) for name in NAMES})

    def losses(self, x=torch.linspace(-1, 1, 9).view(3, 3)):  # noqa: B008
        z = torch.tanh(self.trunk(x))
        return {name: (head(z) - len(name)).square().mean() for name, head in self.heads.items()}


def balancer_of(method, **options):
    torch.manual_seed(0)
    net = Net()
    return net, eq.Balancer(method, net, tasks=NAMES, **options)


def train(net, balancer, steps, told=()):
    """So many steps, the calls ``told`` after each."""
    for _ in range(steps):
        balancer(net.losses()).backward()
        for call in told:
            tell(net, balancer, call)


def tell(net, balancer, call):
    if call == "end_epoch":
        balancer.end_epoch()
    elif call == "observe":
        balancer.observe(dict.fromkeys(NAMES, 0.5))
    else:
        with torch.no_grad():
            balancer.after_step(net.losses())


@contextmanager
def warned():
    """What is warned of, in words."""
    said = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield said
    said += [str(one.message) for one in caught]


# What a method needs


@pytest.mark.parametrize("row", eq.methods(), ids=lambda row: row.name)
def test_a_row_names_each_call_that_its_method_needs_and_no_other(row):
    named = {call for call in FEEDBACK if f"{call}(" in row.needs}
    hooks = {call for call in FEEDBACK if getattr(row.cls, call) is not getattr(eq.Method, call)}
    assert row.make(2).needs <= named == hooks


def test_the_methods_that_listen():
    needs = {row.name: row.make(2).needs for row in LISTENING}
    assert needs == {
        **{name: {"end_epoch"} for name in ("dwa", "lbtw", "igb", "stch-mtl")},
        **{name: {"observe"} for name in ("dtp", "amtl", "coba", "plateau", "stop-and-go", "pivrg")},
        "famo": {"after_step"},
    }


def test_an_argument_decides():
    rows = [[1.0, 1.0]]
    assert eq.Scheduled(rows).needs == eq.Initial().needs == eq.Initial([1.0, 2.0]).needs == set()
    assert eq.Scheduled(rows, per="epoch").needs == eq.Initial("epoch").needs == {"end_epoch"}


class Listens(eq.Weighting):
    """A user's own method, which declares nothing."""

    def forward(self, losses, tasks):
        return losses.sum()

    def observe(self, results, tasks):
        pass

    def after_step(self, losses, tasks):
        pass


class Narrow(Listens):
    needs = frozenset({"observe"})


class Forgets(eq.Every):
    """A user's own wrapper, which listens itself."""

    def end_epoch(self):
        super().end_epoch()


def test_a_method_of_the_users_own():
    assert Listens().needs == {"observe", "after_step"}
    assert Narrow().needs == {"observe"}
    assert eq.Sum().needs == set()


def test_what_is_made_of_methods_needs_what_its_parts_need():
    assert eq.Chain(eq.DWA(), eq.UnitNorm(), eq.PIVRG([1.0, 1.0])).needs == {"end_epoch", "observe"}
    assert eq.Chain().needs == eq.Every(2, eq.MGDA()).needs == eq.Warmup(2, eq.UW()).needs == set()
    for wrap in (lambda m: eq.Every(2, m), lambda m: eq.Warmup(2, m), lambda m: eq.FreezeAfter(2, m)):
        assert wrap(eq.FAMO()).needs == {"after_step"}
    assert eq.PerGroup({"a": (Net(), eq.DWA())}, rest=eq.Plateau()).needs == {"end_epoch", "observe"}
    assert eq.Preconditioned(eq.DTP()).needs == {"observe"}
    assert Forgets(2, eq.MGDA()).needs == {"end_epoch"}
    assert Forgets(2, eq.FAMO()).needs == {"end_epoch", "after_step"}


def test_a_need_that_is_no_call_is_an_error():
    class Wrong(eq.Sum):
        needs = frozenset({"observ"})

    with pytest.raises(ValueError, match=r"needs of Wrong\(\) must be among 'end_epoch', 'observe', 'after_step', got"):
        balancer_of(Wrong())


# What never comes


@pytest.mark.parametrize("row", LISTENING, ids=lambda row: row.name)
def test_what_a_method_needs_and_never_hears_is_told_once(row):
    (call,) = row.make(2).needs
    net, balancer = balancer_of(row.make(2))
    others = [other for other in FEEDBACK if other not in (call, "end_epoch")]
    with warned() as said:
        train(net, balancer, 120, told=others)  # a call of another kind does not count
    (text,) = [words for words in said if "has not heard" in words]
    assert f"{row.cls.__name__}(" in text
    assert f"has not heard balancer.{call}() in 100 steps" in text
    assert LINES[call] in text
    assert "docs/trainers.md" in text


@pytest.mark.parametrize("row", LISTENING, ids=lambda row: row.name)
def test_a_method_that_hears_what_it_needs_is_left_in_peace(row):
    net, balancer = balancer_of(row.make(2))
    with warned() as said:
        train(net, balancer, 100)
        for call in balancer.method.needs:
            tell(net, balancer, call)  # the end of an epoch of a hundred steps
        train(net, balancer, 5)
    assert not [words for words in said if "has not heard" in words]


def test_each_missing_call_is_told_of_once():
    net, balancer = balancer_of(eq.Chain(eq.FAMO(), eq.DWA(), eq.Plateau()))
    with warned() as said:
        train(net, balancer, 150, told=["observe"])
    assert len(said) == 2
    assert "FAMO() has not heard balancer.after_step()" in "".join(said)
    assert "DWA() has not heard balancer.end_epoch()" in "".join(said)


def test_results_are_due_within_two_epochs():
    net, balancer = balancer_of(eq.Plateau())
    with warned() as said:
        for _ in range(4):
            train(net, balancer, 5)
            balancer.end_epoch()
    (text,) = said
    assert "Plateau() has not heard balancer.observe() in 2 epochs" in text
    net, balancer = balancer_of(eq.Plateau())
    with warned() as said:
        for _ in range(4):
            train(net, balancer, 5)
            balancer.end_epoch()
            balancer.observe({"price": 0.5})
    assert not said


def test_two_epochs_of_a_step_each_say_nothing_yet():
    net, balancer = balancer_of(eq.Plateau())
    with warned() as said:
        train(net, balancer, 8, told=["end_epoch"])
    assert not said


def test_long_epochs_may_be_announced():
    net, balancer = balancer_of(eq.Chain(eq.DWA(), eq.Plateau()))
    balancer.expect("end_epoch", "observe")
    with warned() as said:
        train(net, balancer, 110)
        balancer.end_epoch()
    assert not said
    with pytest.raises(ValueError, match=r"expect takes 'end_epoch', 'observe', 'after_step', got 'end'"):
        balancer.expect("end")


def test_the_warning_points_at_the_call_of_the_balancer():
    net, balancer = balancer_of(eq.DWA())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train(net, balancer, 101)
    assert [one.filename for one in caught] == [__file__]


def test_calls_without_a_backward_frozen_ones_and_micro_batches_are_no_steps():
    net, balancer = balancer_of(eq.DWA())
    with warned() as said:
        for _ in range(120):
            balancer(net.losses())
            with torch.no_grad():
                balancer(net.losses())
        train(net, balancer, 1)
        with balancer.frozen():
            train(net, balancer, 120)
    assert not said
    balancer.accumulate(3)
    with warned() as said:
        train(net, balancer, 3 * 99)
    assert not said
    with warned() as said:
        train(net, balancer, 3)
    assert len(said) == 1


def saved(balancer):
    file = io.BytesIO()
    torch.save(balancer.state_dict(), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def test_a_resumed_run_that_heard_is_not_warned():
    net, balancer = balancer_of(eq.DWA())
    train(net, balancer, 60)
    balancer.end_epoch()
    state = saved(balancer)
    other, resumed = balancer_of(eq.DWA())
    resumed.load_state_dict(state)
    older = {name: value for name, value in state["_extra_state"].items() if name != "heard"}
    net, old = balancer_of(eq.DWA())
    old.load_state_dict(state | {"_extra_state": older})  # of a version that did not note it
    with warned() as said:
        train(other, resumed, 110)
        train(net, old, 110)
    assert not said


def test_a_resumed_run_that_did_not_hear_is():
    net, balancer = balancer_of(eq.DWA())
    train(net, balancer, 60)
    net, resumed = balancer_of(eq.DWA())
    resumed.load_state_dict(saved(balancer))
    with warned() as said:
        train(net, resumed, 101)
    assert len(said) == 1


def test_a_copy_counts_for_itself():
    net, balancer = balancer_of(eq.DWA())
    train(net, balancer, 60)
    twin = copy.deepcopy(balancer)
    twin.end_epoch()
    with warned() as said:
        train(net, balancer, 50)
    assert len(said) == 1


# The doctor


@pytest.mark.parametrize("row", LISTENING, ids=lambda row: row.name)
def test_the_doctor_says_what_a_method_needs_to_hear(row):
    (call,) = row.make(2).needs
    net, balancer = balancer_of(row.make(2))
    train(net, balancer, 2)
    (found,) = [words for words in examine(net, balancer, net.losses()).findings if f"balancer.{call}()" in words]
    assert "not heard so far" in found
    assert LINES[call] in found
    tell(net, balancer, call)
    (found,) = [words for words in examine(net, balancer, net.losses()).findings if f"balancer.{call}()" in words]
    assert "heard so far: yes" in found


def test_the_doctor_has_nothing_to_say_of_a_method_that_listens_to_nothing():
    net, balancer = balancer_of(eq.MGDA())
    assert not [words for words in examine(net, balancer, net.losses()).findings if "heard" in words]


# Which way is better


class Notes(eq.Sum):
    def observe(self, results, tasks):
        self.results, self.tasks = results, tasks


def test_results_of_which_less_is_better_are_negated():
    _, balancer = balancer_of(Notes())
    balancer.observe({"kind": 0.25, "price": 2.0}, lower_is_better=["price"])
    assert balancer.method.results.tolist() == [-2.0, 0.25]
    assert balancer.method.tasks.tolist() == [0, 1]
    balancer.observe({"kind": 0.25}, lower_is_better=["price"])  # the same list in every call
    assert balancer.method.results.tolist() == [0.25]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["prise"], "no task 'prise' in lower_is_better; did you mean 'price'?"),
        ("price", r"lower_is_better must be a list of names, got 'price': write \['price'\]"),
        (True, r"lower_is_better must be a list of names, got True: list them, of \['price', 'kind'\]"),
        (3, "lower_is_better must be a list of names, got 3"),
        ([3], "no task 3 in lower_is_better; there are 'price', 'kind'"),
    ],
)
def test_unknown_names_in_lower_is_better(names, message):
    _, balancer = balancer_of(Notes())
    with pytest.raises(ValueError, match=message):
        balancer.observe({"price": 1.0}, lower_is_better=names)


@pytest.mark.parametrize("row", [row for row in LISTENING if row.make(2).needs == {"observe"}], ids=lambda r: r.name)
def test_a_method_that_observes_says_which_way_is_better(row):
    assert "higher is better" in " ".join(row.cls.__doc__.lower().split())


# A textbook's rule, in a plain loop


def test_a_task_that_stops_improving_gets_a_lower_weight():
    net, balancer = balancer_of(eq.Plateau(patience=2))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    weights = []
    for epoch in range(8):
        for _ in range(3):
            optimizer.zero_grad()
            balancer(net.losses()).backward()
            optimizer.step()
        weights.append(balancer.record.weights)
        validation = {"price": max(1.0 - 0.2 * epoch, 0.6), "kind": 0.1 * epoch}  # an error, and an accuracy
        balancer.observe(validation, lower_is_better=["price"])
        balancer.end_epoch()
    assert weights[0] == {"price": 1.0, "kind": 1.0}
    assert weights[-1]["price"] < 0.6
    assert weights[-1]["kind"] >= 1.0
