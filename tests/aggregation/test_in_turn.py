import copy

import pytest
import torch
from three_heads import NAMES, Net
from torch.testing import assert_close

import equipoise as eq
from equipoise.aggregation.in_turn import InTurn
from equipoise.testing import check_method

METHODS = [eq.MGDA, eq.NashMTL, eq.UPGrad, eq.LossScale, lambda: eq.RunningNorm(0.9)]


@pytest.mark.parametrize("make", METHODS)
def test_a_step_of_one_task_has_its_weight_beside_the_others_last_gradients(make):
    """By hand: the wrapped method alone, shown each task's gradient at its own last step."""
    net, alone = Net().double(), make()
    alone.bind(3)
    method = InTurn(make())
    balancer = eq.Balancer(method, net, tasks=NAMES, scale="paper")
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    last = {}
    balancer(net.losses(0)).backward()  # all at once, which every later step keeps in view
    rows = {name: net.row(loss) for name, loss in net.losses(0).items()}
    last = {name: (rows[name], loss.detach()) for name, loss in net.losses(0).items()}
    gramian = torch.stack([rows[n] for n in NAMES])
    alone(gramian @ gramian.T, torch.stack([last[n][1] for n in NAMES]))
    for step in range(1, 8):
        name = NAMES[step % 3]
        optimizer.zero_grad()
        losses = net.losses(step, (name,))
        last[name] = (net.row(losses[name]), losses[name].detach())
        seen = torch.stack([last[n][0] for n in NAMES])
        weight = alone(seen @ seen.T, torch.stack([last[n][1] for n in NAMES]))[NAMES.index(name)]
        balancer(losses).backward()
        delivered = torch.cat([p.grad.flatten() for p in net.trunk.parameters()])
        assert_close(delivered, weight * last[name][0], rtol=1e-9, atol=1e-12)
        assert balancer.record.weights == pytest.approx({name: float(weight)}, rel=1e-9)
        optimizer.step()
    assert method.ages.tolist() == [1, 0, 2]
    assert balancer.record.ages == dict(zip(NAMES, [1, 0, 2], strict=True))  # of absent tasks, too
    assert balancer.record.to_dict()[f"ages/{NAMES[2]}"] == 2


@pytest.mark.parametrize("make", METHODS)
def test_with_all_tasks_in_every_step_it_is_the_wrapped_method(make):
    net, other = Net().double(), Net().double()
    for seed in range(3):
        for model, method in ((net, InTurn(make())), (other, make())):
            model.zero_grad()
            eq.Balancer(method, model, tasks=NAMES)(model.losses(seed)).backward()
        for one, two in zip(net.parameters(), other.parameters(), strict=True):
            assert_close(one.grad, two.grad, rtol=1e-9, atol=1e-12)


def test_a_task_counts_from_its_first_step_on():
    method = InTurn(eq.UnitNorm())
    method.bind(3)
    rows, loss = torch.tensor([[3.0, 4.0]], dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    assert method.decide(rows, loss, torch.tensor([1])).tolist() == [0.2]
    assert method.ages.tolist() == [-1, 0, -1]
    assert method.decide(2 * rows, loss, torch.tensor([2])).tolist() == [0.1]
    assert method.ages.tolist() == [-1, 1, 0]


def test_a_coordinate_stands_in_one_place_of_the_sketch_with_a_sign():
    sketches = InTurn(eq.MGDA(), width=11)._sketched(torch.eye(37))
    assert sketches.abs().sum(dim=1).tolist() == sketches.abs().amax(dim=1).tolist() == [1.0] * 37
    assert sketches.abs().sum(dim=0).tolist() == [4.0] * 4 + [3.0] * 7
    assert 0 < (sketches < 0).sum() < 37


def test_a_task_whose_data_have_ended_does_not_count_for_ever():
    method = InTurn(eq.MGDA(), max_age=3)
    method.bind(2)
    loss, long, short = torch.ones(1, dtype=torch.float64), torch.tensor([[2.0, 0.0]]), torch.tensor([[0.1, 0.0]])
    method.decide(short.double(), loss, torch.tensor([1]))
    weights = [float(method.decide(long.double(), loss, torch.tensor([0]))[0]) for _ in range(5)]
    assert weights == [0.0, 0.0, 0.0, 1.0, 1.0]


def test_a_gradient_of_zero_is_not_remembered():
    method = InTurn(eq.MGDA())
    method.bind(2)
    loss, row = torch.ones(1, dtype=torch.float64), torch.tensor([[2.0, 0.0]], dtype=torch.float64)
    assert method.decide(0 * row, loss, torch.tensor([1])).isfinite().all()
    assert method.decide(row, loss, torch.tensor([0])).tolist() == [1.0]
    assert method.ages.tolist() == [0, -1]


@pytest.mark.parametrize("drawn", [torch.randn, torch.rand], ids=["signed", "positive"])
def test_products_of_sketches_are_near_those_of_the_gradients(drawn):
    """By the spread that the docstring states, for layers' outer products in random orders."""
    torch.manual_seed(0)
    width, errors = 101, []
    for _ in range(300):
        rows = torch.einsum("ko,ki->koi", drawn(2, 60), drawn(2, 41)).flatten(1).double()[:, torch.randperm(2460)]
        sketches = InTurn(eq.MGDA(), width)._sketched(rows)
        errors.append((sketches @ sketches.T - rows @ rows.T)[0] / rows.norm(dim=1) / rows[0].norm())
    assert (torch.stack(errors).square().mean(dim=0).sqrt() < 1.2 * (2 / width) ** 0.5).all()


def test_the_state_does_not_grow_with_the_gradients():
    method = InTurn(eq.MGDA(), width=8)
    method.bind(2)
    for size in (100, 1000):
        method.decide(torch.randn(1, size), torch.ones(1), torch.tensor([0]))
        assert method.memory.shape == (2, 8)
    whole = InTurn(eq.MGDA(), width=None)
    whole.bind(2)
    whole.decide(torch.randn(1, 5000), torch.ones(1), torch.tensor([0]))
    assert whole.memory.shape == (2, 5000)


def test_gradients_by_other_parameters_are_forgotten():
    method = InTurn(eq.MGDA())
    method.bind(2)
    loss = torch.ones(1, dtype=torch.float64)
    method.decide(torch.ones(1, 3, dtype=torch.float64), loss, torch.tensor([0]))
    assert method.decide(torch.ones(1, 4, dtype=torch.float64), loss, torch.tensor([1])).tolist() == [1.0]
    assert method.ages.tolist() == [-1, 0]


def test_it_resumes_to_the_last_bit():
    def steps(balancer, net, seeds):
        for seed in seeds:
            net.zero_grad()
            balancer(net.losses(seed, (NAMES[seed % 3],))).backward()
        return [p.grad for p in net.parameters() if p.grad is not None]

    net = Net().double()
    balancer = eq.Balancer(InTurn(eq.Chain(eq.RunningNorm(), eq.MGDA()), width=16), net, tasks=NAMES)
    steps(balancer, net, range(5))
    state = copy.deepcopy(balancer.state_dict())
    resumed = eq.Balancer(InTurn(eq.Chain(eq.RunningNorm(), eq.MGDA()), width=16), net, tasks=NAMES)
    resumed.load_state_dict(state)
    assert_close(steps(resumed, net, range(5, 9)), steps(balancer, net, range(5, 9)), rtol=0, atol=0)


def test_one_micro_batch_of_each_data_set_is_the_joint_batch():
    """The exact way, which needs no memory: ``accumulate``."""
    net, joint = Net().double(), Net().double()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    balancer.accumulate(3)
    for name in NAMES:
        (balancer(net.losses(0, (name,))) / 3).backward()
    eq.Balancer(eq.MGDA(), joint, tasks=NAMES)(joint.losses(0)).backward()
    for one, two in zip(net.parameters(), joint.parameters(), strict=True):
        assert_close(one.grad, two.grad, rtol=1e-9, atol=1e-12)


def test_it_passes_the_laws():
    check_method(lambda: InTurn(eq.MGDA()))
    check_method(lambda: InTurn(eq.NashMTL(), width=None))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: InTurn(eq.UW()), r"method must be an Aggregator, got UW\(\)"),
        (lambda: InTurn(eq.MGDA(), width=0), "width must be a whole number, 1 or more, got 0"),
        (lambda: InTurn(eq.MGDA(), max_age=0), "max_age must be a whole number, 1 or more, got 0"),
        (lambda: InTurn(eq.GradDrop()), "method must be an Aggregator"),
    ],
)
def test_what_it_cannot_wrap_is_an_error(make, message):
    with pytest.raises(ValueError, match=message):
        make()
