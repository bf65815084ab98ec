"""Each misuse is told once, with what to do; its innocent neighbour is left in peace."""

import copy
import pickle
import warnings
from contextlib import contextmanager

import pytest
import torch
from torch import nn
from torch.optim import optimizer as torch_optimizer

import equipoise as eq
from equipoise.gradients.roles import Parameters
from equipoise.monitor.balance import Balance
from equipoise.monitor.looks import Looks

NAMES = ["a", "b"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(3, 4)
        self.heads = nn.ModuleDict({name: nn.Linear(4, 1) for name in NAMES})

    def forward(self, x):
        z = torch.tanh(self.trunk(x))
        return {name: head(z) for name, head in self.heads.items()}


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


X = torch.linspace(-1, 1, 18).view(6, 3)


def losses_of(net, names=NAMES):
    return {name: (out - len(name)).square().mean() for name, out in net(X).items() if name in names}


@contextmanager
def expect_silence():
    """No warning at all."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@contextmanager
def expect_one_warning(match):
    """One warning of the package's own, and it says this."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    assert len(caught) == 1, [str(one.message) for one in caught]
    assert match in str(caught[0].message)


def train(net, balancer, optimizer, steps, losses=losses_of):
    for _ in range(steps):
        optimizer.zero_grad()
        balancer(losses(net)).backward()
        optimizer.step()


def sgd(*modules, lr=0.01, **options):
    return torch.optim.SGD([p for module in modules for p in module.parameters()], lr=lr, **options)


# The plain sum goes backward instead of the balanced loss


@pytest.mark.parametrize("method", [eq.MGDA, eq.UW])
@pytest.mark.parametrize("fused", [False, True])
def test_a_sum_that_goes_backward_instead_is_told(net, method, fused):
    balancer = eq.Balancer(method(), net, tasks=NAMES)
    optimizer = torch.optim.Adam(net.parameters(), fused=fused)
    with expect_one_warning("did not go backward in 21 calls, and yet the model trains: call .backward() on what"):
        for _ in range(60):
            optimizer.zero_grad()
            losses = losses_of(net)
            balancer(losses)
            sum(losses.values()).backward()
            optimizer.step()


def test_the_warning_points_at_the_call(net):
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(21):
            balancer(losses_of(net))
            with torch.no_grad():
                net.trunk.weight.mul_(0.99)
                net.trunk.bias.add_(0.01)
    assert caught[0].filename == __file__


def test_values_without_a_backward_are_no_misuse(net):
    """Validation with gradients on, after each epoch, by a balancer of its own."""
    trained, shown = (eq.Balancer(eq.MGDA(), net, tasks=NAMES) for _ in range(2))
    optimizer = sgd(net)
    with expect_silence():
        for _ in range(30):
            train(net, trained, optimizer, 1)
            for _ in range(2):
                shown(losses_of(net))


@pytest.mark.parametrize("method", [eq.MGDA, eq.Sum])
def test_gradients_taken_by_autograd_count_as_backward(net, method):
    balancer = eq.Balancer(method(), net, tasks=NAMES)
    parameters = list(net.parameters())
    with expect_silence():
        for _ in range(30):
            gradients = torch.autograd.grad(balancer(losses_of(net)), parameters)
            with torch.no_grad():
                torch._foreach_sub_(parameters, gradients, alpha=0.01)


# Weights applied twice


def test_losses_that_carry_their_weights_are_told(net):
    weights = {"a": 0.3, "b": 2.0}
    balancer = eq.Balancer(eq.Sum(), net, tasks=weights)
    with expect_one_warning("losses 'a', 'b' are already multiplied by the weights"):
        for _ in range(3):
            balancer({name: loss * weights[name] for name, loss in losses_of(net).items()}).backward()


@pytest.mark.parametrize("factors", [{"a": 0.3}, {"a": 2.0, "b": 0.3}, {}])
def test_other_factors_are_not(net, factors):
    balancer = eq.Balancer(eq.Sum(), net, tasks={"a": 0.3, "b": 2.0})
    with expect_silence():
        balancer({name: loss * factors[name] if name in factors else loss for name, loss in losses_of(net).items()})


def test_half_a_square_with_weight_one_half_may_be_meant(net):
    balancer = eq.Balancer(eq.Sum(), net, tasks={"a": 0.5, "b": 1.0})
    with expect_silence():
        balancer({name: 0.5 * loss for name, loss in losses_of(net).items()}).backward()


def test_a_learned_factor_is_not_a_weight(net):
    scale = nn.Parameter(torch.tensor(0.3))
    balancer = eq.Balancer(eq.Sum(), net, tasks={"a": 0.3, "b": 2.0})
    with expect_silence():
        balancer({"a": scale * losses_of(net)["a"], "b": losses_of(net)["b"] * 2.0}).backward()


# Optimisers


@pytest.mark.parametrize("method", [eq.MGDA, eq.UW, lambda: eq.Chain(eq.UW(), eq.MGDA())])
@pytest.mark.parametrize("fused", [False, True])
def test_a_head_in_no_optimiser_is_told(net, method, fused):
    balancer = eq.Balancer(method(), net, tasks=NAMES)
    held = [*net.trunk.parameters(), *net.heads["a"].parameters(), *balancer.parameters()]
    optimizer = torch.optim.Adam(held, fused=fused)
    with expect_one_warning("heads.b.weight, heads.b.bias: no optimiser that stepped holds this"):
        train(net, balancer, optimizer, 70)


@pytest.mark.parametrize("method", [eq.UW, lambda: eq.Chain(eq.UW(), eq.MGDA())])
def test_learned_weights_in_no_optimiser_are_told(net, method):
    balancer = eq.Balancer(method(), net, tasks=NAMES)
    with expect_one_warning("log_variance of"):
        train(net, balancer, sgd(net), 70)


@pytest.mark.parametrize(
    "make",
    [
        lambda p: [torch.optim.SGD(p, lr=0.01)],
        lambda p: [torch.optim.Adam(p, fused=True)],
        lambda p: [torch.optim.Adam(p[:3]), torch.optim.SGD(p[3:], lr=0.01)],
        lambda p: [torch.optim.SGD([one], lr=0.01) for one in p],
        lambda p: [torch.optim.SGD(p, lr=0.0)],
    ],
    ids=["one", "fused", "two", "one each", "rate 0"],
)
@pytest.mark.parametrize("method", [eq.MGDA, eq.UW])
def test_parameters_in_some_optimiser_are_not(net, make, method):
    balancer = eq.Balancer(method(), net, tasks=NAMES)
    optimizers = make([*net.parameters(), *balancer.parameters()])
    with expect_silence():
        for _ in range(70):
            net.zero_grad()
            balancer(losses_of(net)).backward()
            for optimizer in optimizers:
                optimizer.step()


def test_an_optimiser_that_steps_without_gradients_is_told(net):
    balancer = eq.Balancer(eq.UW(), net, tasks=NAMES)
    optimizer = torch.optim.Adam([*net.parameters(), *balancer.parameters()])
    with expect_one_warning("call zero_grad() before backward() or after step(), not between them"):
        for _ in range(70):
            balancer(losses_of(net)).backward()
            optimizer.zero_grad()
            optimizer.step()


def test_an_optimiser_beside_updates_by_hand_is_not(net):
    balancer = eq.Balancer(eq.Sum(), net, tasks=NAMES)
    optimizer = sgd(net)
    with expect_silence():
        for _ in range(70):
            balancer(losses_of(net)).backward()
            with torch.no_grad():
                for p in net.parameters():
                    p -= 0.01 * p.grad
            optimizer.zero_grad()
            optimizer.step()


def test_an_optimiser_that_steps_seldom_is_waited_for(net):
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    optimizers = [sgd(net.trunk), sgd(net.heads)]
    with expect_silence():
        for step in range(60):
            balancer(losses_of(net)).backward()
            optimizers[0].step()
            if step % 40 == 39:
                optimizers[1].step()


def test_parameters_that_own_code_moves_are_not(net):
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    optimizer = sgd(net.trunk)
    with expect_silence():
        for _ in range(70):
            net.zero_grad()
            balancer(losses_of(net)).backward()
            optimizer.step()
            with torch.no_grad():
                for p in net.heads.parameters():
                    p -= 0.01 * p.grad


@pytest.mark.parametrize("innocent", ["frozen", "unused", "absent"])
def test_what_has_no_gradient_needs_no_optimiser(net, innocent):
    net.spare = nn.Linear(2, 2)
    held = [net.trunk, net.heads["a"], net.heads["b"]]
    losses = losses_of
    if innocent == "frozen":
        held = held[1:]
        net.trunk.requires_grad_(False)
    if innocent == "absent":
        held = held[:2]
        losses = lambda net: losses_of(net, ["a"])  # noqa: E731
    balancer = eq.Balancer(eq.UW(), net, tasks=NAMES)
    with expect_silence():
        train(net, balancer, sgd(*held, balancer), 120, losses)


def test_a_layer_unfrozen_later_and_forgotten_is_told(net):
    net.trunk.requires_grad_(False)
    balancer = eq.Balancer(eq.Sum(), net, tasks=NAMES)
    optimizer = sgd(net.heads)
    with expect_silence():
        train(net, balancer, optimizer, 52)
        balancer.set_extra_state({**balancer.get_extra_state(), "steps": 998})
    net.trunk.requires_grad_(True)
    with expect_one_warning("trunk.weight, trunk.bias: no optimiser"):
        train(net, balancer, optimizer, 70)


@pytest.mark.parametrize("steps", [10, 50, 51])
def test_learned_weights_wait_for_a_warmup_to_end(net, steps):
    balancer = eq.Balancer(eq.Warmup(steps, eq.UW()), net, tasks=NAMES)
    with expect_silence():
        train(net, balancer, sgd(net, balancer), 110)


SCALE_AGAIN = {
    "Adam": lambda p: torch.optim.Adam(p, lr=1e-3),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=1e-3),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=1e-3),
    "SGD with momentum 0.9": lambda p: torch.optim.SGD(p, lr=1e-3, momentum=0.9),
}


@pytest.mark.parametrize("name", SCALE_AGAIN)
@pytest.mark.parametrize("make", [eq.AdaTask, lambda: eq.Chain(eq.DWA(), eq.AdaTask())])
def test_an_optimiser_that_scales_updates_again_is_told(net, name, make):
    balancer = eq.Balancer(make(), net, tasks=NAMES)
    with expect_one_warning(f"AdaTask() returns updates, and {name} scales those of trunk.weight, trunk.bias again"):
        train(net, balancer, SCALE_AGAIN[name](net.parameters()), 60)


def test_an_optimiser_that_takes_updates_as_they_are_is_not(net):
    balancer = eq.Balancer(eq.AdaTask(), net, tasks=NAMES)
    optimizers = sgd(net.trunk), torch.optim.Adam(net.heads.parameters())
    with expect_silence():
        for _ in range(60):
            net.zero_grad()
            balancer(losses_of(net)).backward()
            for optimizer in optimizers:
                optimizer.step()


@pytest.mark.parametrize("make", [eq.MGDA, eq.GradDrop, eq.Sum])
def test_a_gradient_may_go_to_any_optimiser(net, make):
    balancer = eq.Balancer(make(), net, tasks=NAMES)
    with expect_silence():
        train(net, balancer, torch.optim.Adam(net.parameters()), 60)


def test_weight_decay_of_learned_weights_is_told(net):
    balancer = eq.Balancer(eq.UW(), net, tasks=NAMES)
    optimizer = torch.optim.AdamW([*net.parameters(), *balancer.parameters()], weight_decay=0.02)
    with expect_one_warning("weight decay of 0.02 pulls log_variance of UW() to 0"):
        train(net, balancer, optimizer, 70)


def test_weight_decay_of_the_model_is_not(net):
    balancer = eq.Balancer(eq.UW(), net, tasks=NAMES)
    groups = [{"params": net.parameters()}, {"params": balancer.parameters(), "weight_decay": 0.0}]
    with expect_silence():
        train(net, balancer, torch.optim.AdamW(groups), 70)


def hooks():
    return len(torch_optimizer._global_optimizer_pre_hooks)


def test_the_hook_for_all_optimisers_goes_with_the_window_and_with_the_balancer(net):
    before = hooks()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    assert hooks() == before
    train(net, balancer, sgd(net), 2)
    assert hooks() == before + 1
    twin = copy.deepcopy((net, balancer))
    saved = pickle.loads(pickle.dumps((net, balancer)))
    assert hooks() == before + 1
    train(net, balancer, sgd(net), 60)
    assert hooks() == before
    with expect_silence():
        for copied, with_it in (twin, saved):
            train(copied, with_it, sgd(copied), 110)
    assert hooks() == before
    dropped = eq.Balancer(eq.Sum(), net, tasks=NAMES)
    train(net, dropped, sgd(net), 2)
    assert hooks() > before
    del dropped
    assert hooks() == before


def test_a_model_without_torchs_optimisers_is_left_after_a_while(net):
    before = hooks()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    with expect_silence():
        for _ in range(210):
            balancer(losses_of(net)).backward()
    assert hooks() == before


# Sharing


def test_nothing_shared_is_told_once():
    net = nn.ModuleDict({name: nn.Linear(3, 1) for name in NAMES})
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    with expect_one_warning("no parameter is shared by two tasks"):
        for _ in range(3):
            balancer({name: net[name](X).mean() for name in NAMES}).backward()


# A gradient that is always zero, and weights that collapsed


def test_a_task_without_gradient_is_told(net):
    balancer = eq.Balancer(eq.NashMTL(), net, tasks=NAMES)
    with expect_one_warning("the gradient of task 'b' by the shared parameters was zero in all of its 50 steps"):
        for _ in range(70):
            losses = losses_of(net)
            balancer({"a": losses["a"], "b": losses["b"] * 0.0}).backward()


@pytest.mark.parametrize("when", ["sometimes", "unshared"])
def test_a_task_with_a_gradient_now_and_then_is_not(net, when):
    balancer = eq.Balancer(eq.PCGrad(), net, tasks=["a", "b", "c"])
    with expect_silence():
        for step in range(60):
            losses = losses_of(net)
            if when == "sometimes":
                losses["b"] = losses["b"] * float(step == 20)
            else:
                losses["c"] = net.heads["b"](torch.ones(4)).mean()  # trains its head alone, on purpose
            balancer(losses).backward()


def test_weights_that_collapsed_are_told(net):
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    with expect_one_warning("MGDA() gave all weight to task 'a' for 100 steps in a row"):
        for _ in range(210):
            losses = losses_of(net)
            balancer({"a": losses["a"] * 1e-5, "b": losses["a"] * 1e4 + losses["b"]}).backward()


def test_uneven_weights_of_uneven_gradients_are_not(net):
    """Nash-MTL gives weights of 1e8 to 1 here, and equal parts in the gradient."""
    balancer = eq.Balancer(eq.NashMTL(), net, tasks=NAMES)
    with expect_silence():
        for _ in range(70):
            losses = losses_of(net)
            balancer({"a": losses["a"] * 1e-4, "b": losses["b"] * 1e4}).backward()


def test_a_heavy_weight_of_a_short_gradient_is_no_collapse():
    """Weights of 2e8 and 1, parts in the gradient of 2 and 1: seen by both, the second task counts."""
    balance = Balance(eq.MGDA())
    gramian, weights = torch.diag(torch.tensor([1.0, 1e16]).double()), torch.tensor([2e8, 1.0]).double()
    with expect_silence():
        for _ in range(110):
            balance.decided(NAMES, [0, 1], gramian, weights)
    with expect_one_warning("MGDA() gave all weight to task 'a'"):
        for _ in range(110):
            balance.decided(NAMES, [0, 1], gramian, weights * torch.tensor([1.0, 0.0]))


@pytest.mark.parametrize("names", [["a"], ["a", "b"]])
def test_one_task_alone_or_in_turn_is_no_collapse(net, names):
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    with expect_silence():
        for step in range(220):
            scales = {"a": 1e-4 if step % 60 else 1e4, "b": 1.0}
            loss = losses_of(net)["a"]
            balancer({name: loss * scales[name] for name in names}).backward()


# What ``equipoise doctor`` finds in gradients


def scaled(net, **scales):
    return {name: loss * scales[name] for name, loss in losses_of(net).items()}


def opposed(net):
    """Of each output the other way round; the second is steeper by a fourth."""
    out = net(X)
    return {"a": (out["a"] + out["b"]).mean(), "b": -1.25 * (out["a"] + 1.01 * out["b"]).mean()}


FOUND = {  # method, losses, words, and the same without the fault
    "a loss that dominates": (
        eq.Sum,  # whose gradients a probe measures
        lambda net: scaled(net, a=1.0, b=1e3),
        "gave at steps 1, 11, 101, 'b' has 9",
        lambda net: scaled(net, a=1.0, b=3.0),
    ),
    "one loss twice": (
        eq.UPGrad,
        lambda net: {"a": losses_of(net)["a"], "b": 2 * losses_of(net)["a"]},
        "'a' and 'b' have parallel gradients",
        losses_of,
    ),
    "a conflict that the method leaves": (
        eq.Sum,
        opposed,
        "'a' and 'b' conflict at every step seen (cosines -1",
        losses_of,
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_the_doctor_would_find_is_told_once(net, name):
    make, losses, words, innocent = FOUND[name]
    with expect_silence():
        balancer = eq.Balancer(make(), net, tasks=NAMES, probe_every=1)
        for _ in range(110):
            balancer(innocent(net)).backward()
    balancer = eq.Balancer(make(), net, tasks=NAMES, probe_every=1)
    with expect_one_warning(words):
        for _ in range(110):
            balancer(losses(net)).backward()


def test_a_conflict_that_the_method_resolves_is_not_told(net):
    balancer = eq.Balancer(eq.UPGrad(), net, tasks=NAMES)
    with expect_silence():
        for _ in range(110):
            balancer(opposed(net)).backward()


def looked_at(gramian, user_weights=None, at=(1, 11, 101)):
    """What a window of looks at one gramian [K, K] says."""
    num_tasks = len(gramian)
    looks, names = Looks(eq.Sum()), [f"t{k}" for k in range(num_tasks)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for step in at:
            weights = torch.ones(num_tasks).double()
            looks.look(step, names, user_weights or [1.0] * num_tasks, gramian.double(), weights, 1000)
    return [str(warning.message) for warning in caught]


def test_a_kind_is_told_once_of_all_tasks():
    halves = torch.eye(50).double() - 0.9 * torch.eye(50).roll(25, 0).double()  # t0 with t25, t1 with t26, ...
    halves[0, 0] = 4.0  # so that t25 is opposed
    halves[0, 25] = halves[25, 0] = -1.9
    (told,) = looked_at(halves)
    assert "'t0' and 't25' conflict" in told
    twins = torch.ones(2, 2).kron(torch.eye(50))
    (told,) = looked_at(twins)
    assert "'t0' and 't50', 't1' and 't51', 't2' and 't52' and 47 more pairs have parallel gradients" in told
    small = torch.diag(torch.tensor([1.0] * 20 + [1e-8] * 30))
    (told,) = looked_at(small)
    assert "'t20', 't21', 't22' and 27 more are below 1 % of that of 't0'" in told


def test_a_task_that_its_user_weighs_much_does_not_dominate():
    weighed = torch.diag(torch.tensor([100.0, 1.0, 1.0]) ** 2)
    assert looked_at(weighed, [100.0, 1.0, 1.0]) == []
    assert "'t0' has 98 % or more" in looked_at(weighed)[0]
    assert "'t0' has 99 % or more" in looked_at(torch.diag(torch.tensor([1e8, 1.0, 1.0])), [2.0, 1.0, 1.0])[0]
    stated = torch.diag(torch.tensor([1.0, 1e-6, 1.0]))
    assert looked_at(stated, [1.0, 1e-3, 1.0]) == []  # a regulariser
    assert len(looked_at(stated)) == 1


@pytest.mark.parametrize("where", ["balancer", "method"])
def test_weights_of_balancer_and_method_are_the_user_s_own(net, where):
    weights = {"a": 1.0, "b": 1e3}
    method, tasks = (eq.Sum(), weights) if where == "balancer" else (eq.Fixed(list(weights.values())), NAMES)
    balancer = eq.Balancer(method, net, tasks=tasks, probe_every=1)
    with expect_silence():
        for _ in range(110):
            balancer(losses_of(net)).backward()


def test_tasks_that_are_learned_late_are_not_hardly_trained():
    small = torch.diag(torch.tensor([1.0, 1e-6, 1.0]))
    assert looked_at(small, at=(1102, 1112, 1202)) == []


def test_a_square_that_rounding_left_below_zero_is_looked_at():
    assert looked_at(torch.tensor([[1.0, 0.0, 0.0], [0.0, -1e-18, 0.0], [0.0, 0.0, 1.0]])) == []


# Steps of one task each


@pytest.mark.parametrize("make", [eq.MGDA, lambda: eq.Chain(eq.Sum(), eq.UPGrad())])
def test_a_gradient_method_that_sees_one_task_at_a_time_is_told(net, make):
    balancer = eq.Balancer(make(), net, tasks={"a": 1.0, "b": 2.0})
    with expect_one_warning("each of 100 steps in a row had one task"):
        for step in range(230):
            name = NAMES[step % 2]
            balancer({name: losses_of(net)[name]}).backward()


def test_it_names_the_wrapper_where_that_takes_the_method(net):
    for method, words in ((eq.MGDA(), r"wrap it (InTurn(MGDA())), or collect"), (eq.LRAnnealing(), "them, collect")):
        balance = Balance(method)
        with expect_one_warning(words):
            for step in range(110):
                balance.decided([NAMES[step % 2]], [0], torch.ones(1, 1), torch.ones(1))


def test_steps_of_one_task_are_not_kept_for_ever():
    balance = Balance(eq.MGDA())
    for _ in range(500):
        balance.decided(["a"], [0], torch.ones(1, 1), torch.ones(1))
    assert len(balance._in_turn) <= 100


@pytest.mark.parametrize(
    "how", ["in turn", "unchanged in turn", "collected", "one task", "now and then together", "by its norm"]
)
def test_other_steps_of_one_task_are_not(net, how):
    in_turn = {"in turn": eq.MGDA, "unchanged in turn": eq.PCGrad}
    methods = {how: lambda make=make: eq.Chain(eq.Sum(), eq.InTurn(make())) for how, make in in_turn.items()} | {
        "by its norm": eq.UnitNorm
    }
    balancer = eq.Balancer(methods.get(how, eq.MGDA)(), net, tasks=NAMES)
    if how == "collected":
        balancer.accumulate(2)
    with expect_silence():
        for step in range(230):
            losses = losses_of(net)
            names = NAMES if how == "now and then together" and step % 60 == 0 else NAMES[step % 2 :][:1]
            names = ["a"] if how == "one task" else names
            balancer({name: losses[name] * 1e3 ** (name == "b") for name in names}).backward()


# One graph, used twice


@pytest.mark.parametrize("route", ["rows", "auto"])
@pytest.mark.parametrize("first", ["sum", "balancer"])
def test_a_graph_that_is_used_up_is_told(net, route, first):
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES, route=route)
    losses = losses_of(net)
    (sum(losses.values()) if first == "sum" else balancer(losses)).backward()
    with pytest.raises(RuntimeError, match=r"the graph of these losses is used up: .* Compute losses anew"):
        balancer(losses).backward()


def test_a_graph_that_was_retained_serves_twice(net):
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    losses = losses_of(net)
    with expect_silence():
        balancer(losses).backward(retain_graph=True)
        balancer(losses).backward()


def test_another_error_keeps_its_words(net):
    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            raise RuntimeError("my own")

    losses = {name: Broken.apply(loss) for name, loss in losses_of(net).items()}
    with pytest.raises(RuntimeError, match="my own"):
        eq.Balancer(eq.MGDA(), net, tasks=NAMES)(losses).backward()


# Losses that a logarithm does not take


@pytest.mark.parametrize("method", [eq.GLS, eq.LogSum, lambda: eq.Chain(eq.GLS(), eq.MGDA())])
def test_a_loss_of_zero_is_told_to_a_method_of_logarithms(net, method):
    balancer = eq.Balancer(method(), net, tasks=NAMES)
    losses = losses_of(net)
    with pytest.raises(ValueError, match=r"needs positive losses, got 0 for task 1 .* add the task loss's lower bound"):
        balancer({"a": losses["a"], "b": losses["b"] * 0})


def test_weights_that_are_no_numbers_are_laid_to_the_losses(net):
    """As where losses are on a device, and no method looks at their signs."""

    class Logarithms(eq.Weighting):
        def forward(self, losses, tasks):
            return losses.sqrt().log().sum()

    balancer = eq.Balancer(eq.Chain(Logarithms(), eq.MGDA()), net, tasks=NAMES)
    with pytest.raises(
        ValueError, match=r"Logarithms\(\) gave weights \[.*nan.*\] for losses \[.*-1.*\]: if it takes log"
    ):
        balancer({"a": losses_of(net)["a"], "b": losses_of(net)["b"] * 0 - 1}).backward()


# What a step that is in order pays


def test_a_quiet_step_asks_the_device_for_nothing(net):
    """On the meta device a number cannot be read: a loss weighting's step that read one would raise."""
    far = Net().to("meta")
    balancer = eq.Balancer(eq.Sum(), far, tasks=NAMES)
    for _ in range(55):
        balancer({name: out.square().mean() for name, out in far(X.to("meta")).items()}).backward()
    assert all(p.grad.is_meta for p in far.parameters())


def assigned(outputs):
    joined = torch.zeros(len(X), len(outputs))
    for k, out in enumerate(outputs):
        joined[:, k] = out[:, 0]
    return joined


@pytest.mark.parametrize("join", [assigned, lambda outputs: torch.cat(outputs, 1) @ torch.eye(2)])
def test_joined_heads_that_cannot_be_told_from_shared_ones_are_told_at_the_first_step(net, join):
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    expected = "heads.a.weight, heads.a.bias, heads.b.weight, heads.b.bias are reached by several losses"
    for steps in (1, 12):
        with expect_one_warning(expected) if steps == 1 else expect_silence():
            for _ in range(steps):
                joined = join(list(net(X).values()))
                losses = {name: (joined[:, k] - k).square().mean() for k, name in enumerate(NAMES)}
                balancer(losses).backward()


def test_joined_heads_of_micro_batches_are_told_at_the_first_step(net):
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    balancer.accumulate(2)
    with expect_one_warning("heads.a.weight, heads.a.bias, heads.b.weight, heads.b.bias are reached by several losses"):
        for _ in range(2):
            joined = assigned(list(net(X).values()))
            (balancer({name: (joined[:, k] - k).square().mean() for k, name in enumerate(NAMES)}) / 2).backward()


def test_joined_heads_that_can_are_not(net):
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    with expect_silence():
        for _ in range(12):
            joined = torch.sigmoid(torch.cat(list(net(X).values()), 1))
            balancer({name: (joined[:, k] - k).square().mean() for k, name in enumerate(NAMES)}).backward()


def test_a_trunk_with_joins_below_heads_that_start_at_zero_is_not(net):
    """At the first step one task alone has a gradient there."""
    torch.nn.init.zeros_(net.heads["b"].weight)
    net.heads["c"] = nn.Linear(4, 1)
    torch.nn.init.zeros_(net.heads["c"].weight)
    trunk, balancer = nn.Linear(3, 3), eq.Balancer(eq.MGDA(), net, tasks=[*NAMES, "c"])
    with expect_silence():
        z = torch.tanh(net.trunk(torch.cat([net.trunk(X)[:, :1], trunk(X)[:, 1:]], 1)))
        balancer({name: (head(z) - 1).square().mean() for name, head in net.heads.items()}).backward()


def test_steps_that_look_for_no_joined_heads_walk_the_model_no_further(net, monkeypatch):
    """Once; large models feel each walk."""
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    walks, named = [], Parameters.named
    monkeypatch.setattr(Parameters, "named", lambda parameters: walks.append(1) or named(parameters))
    for _ in range(12):
        walks.clear()
        balancer(losses_of(net)).backward()
    assert len(walks) == 1


# Nothing of this where it is not wanted


def sums_instead(net, balancer, optimizer):
    losses = losses_of(net)
    balancer(losses)
    sum(losses.values()).backward()
    optimizer.step()


def searches_lines(net, balancer, optimizer):
    def closure():
        optimizer.zero_grad()
        loss = balancer(losses_of(net))
        loss.backward()
        return loss

    optimizer.step(closure)


@pytest.mark.parametrize(
    ("method", "step", "make"),
    [
        (eq.MGDA, sums_instead, lambda net: sgd(net)),
        (eq.UW, lambda net, balancer, _: train(net, balancer, sgd(net.trunk), 1), lambda net: None),
        (eq.MGDA, searches_lines, lambda net: torch.optim.LBFGS(net.parameters())),
        (eq.DWA, lambda net, balancer, _: balancer(losses_of(net)).backward(), lambda net: None),
    ],
)
def test_a_balancer_without_monitor_warns_of_nothing_and_hooks_nothing(net, method, step, make):
    before = hooks()
    balancer = eq.Balancer(method(), net, tasks=NAMES, monitor="off")
    assert balancer.monitor == "off"
    optimizer = make(net)
    with expect_silence():
        for _ in range(110):
            step(net, balancer, optimizer)
            assert hooks() == before


def test_what_is_warned_of_with_a_monitor_is_warned_of(net):
    """The neighbour of the test above: each of its loops is misuse."""
    balancer = eq.Balancer(eq.DWA(), net, tasks=NAMES)
    with expect_one_warning("has not heard balancer.end_epoch()"):
        for _ in range(110):
            balancer(losses_of(net)).backward()


def test_a_balancer_without_monitor_still_says_which_calls_came(net):
    balancer = eq.Balancer(eq.DWA(), net, tasks=NAMES, monitor="off")
    balancer.expect("end_epoch")
    balancer(losses_of(net)).backward()
    balancer.end_epoch()
    assert balancer.heard == {"end_epoch"}
    twin = eq.Balancer(eq.DWA(), net, tasks=NAMES)
    twin.load_state_dict(balancer.state_dict())
    assert twin.heard == {"end_epoch"}


def test_a_monitor_is_on_or_off(net):
    with pytest.raises(ValueError, match="monitor must be 'warn' or 'off', got True"):
        eq.Balancer(eq.MGDA(), net, tasks=NAMES, monitor=True)
