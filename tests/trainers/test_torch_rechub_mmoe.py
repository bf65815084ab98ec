"""torch-rechub's trainer with its sum replaced, against that trainer and against MGDA by hand."""

import pytest
import torch

import equipoise as eq

pytest.importorskip("torch_rechub", reason='needs pip install "equipoise[parity]"')
from torch_rechub.basic.features import SparseFeature
from torch_rechub.models.multi_task import MMOE, PLE
from torch_rechub.trainers import MTLTrainer
from torch_rechub_mmoe import BalancedTrainer, visits

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
KINDS, TOWERS = ["classification"] * 2, [{"dims": [8]}] * 2
MODELS = {
    "MMOE": (lambda given: MMOE(given, KINDS, 4, {"dims": [16]}, TOWERS), ("embedding.", "experts.")),
    "PLE": (
        lambda given: PLE(given, KINDS, 1, 2, 1, {"dims": [16]}, TOWERS),
        ("embedding.", "cgc_layers.0.experts_shared."),
    ),
}


class ByHand(MTLTrainer):
    """Twice the point of least norm of two gradients over what is shared; towers and gates keep their own."""

    def train_one_epoch(self, data_loader):
        self.model.train()
        named = dict(self.model.named_parameters())
        shared = [name.startswith(self.shared) for name in named]
        for x, y in data_loader:
            found = self.model(x)
            parts = [torch.nn.functional.binary_cross_entropy(found[:, i], y[:, i]) for i in range(2)]
            click, buy = (
                torch.autograd.grad(part, list(named.values()), retain_graph=True, allow_unused=True) for part in parts
            )
            one, two = (
                torch.cat([g.flatten().double() for g, s in zip(row, shared, strict=True) if s]) for row in (click, buy)
            )
            weight = min(max(float((two - one) @ two / (two - one).square().sum()), 0.0), 1.0)
            for parameter, a, b, s in zip(named.values(), click, buy, shared, strict=True):
                factors = (2 * weight, 2 - 2 * weight) if s else (1.0, 1.0)
                parameter.grad = sum(w * g for w, g in zip(factors, (a, b), strict=True) if g is not None)
            self.optimizer.step()
        self.weight = weight
        return [part.item() for part in parts]


def trained(trainer_class, model="MMOE", method=None, weights=("click", "buy"), **options):
    """Two epochs, and all parameters [P] after them."""
    torch.manual_seed(0)
    make, shared = MODELS[model]
    trainer = trainer_class(
        make([SparseFeature(name, 40, embed_dim=8) for name in ("user", "item")]),
        KINDS,
        optimizer_fn=torch.optim.SGD,
        optimizer_params={"lr": 0.5},
        n_epoch=2,
        **options,
    )
    trainer.shared = shared
    if method is not None:
        trainer.balancer = eq.Balancer(method, trainer.model, tasks=weights)
        trainer.optimizer.add_param_group({"params": [*trainer.balancer.parameters()], "weight_decay": 0.0})
    data = visits(seed=1)
    trainer.fit(data, data)
    return trainer, torch.cat([p.detach().flatten() for p in trainer.model.parameters()])


@pytest.mark.parametrize("model", MODELS)
def test_it_trains_as_by_hand(model, folder):
    _, ours = trained(BalancedTrainer, model, eq.MGDA())
    by_hand, theirs = trained(ByHand, model)
    assert 0 < by_hand.weight < 1
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_half_of_the_sum_trains_as_its_trainer_does(folder):
    penalty = {"embedding_l1": 0.0, "embedding_l2": 1e-4, "dense_l1": 0.0, "dense_l2": 1e-4}
    _, ours = trained(BalancedTrainer, "MMOE", eq.Sum(), {"click": 0.5, "buy": 0.5}, regularization_params=penalty)
    _, theirs = trained(MTLTrainer, regularization_params=penalty)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_what_a_method_learns_is_trained(folder):
    trainer, _ = trained(BalancedTrainer, "MMOE", eq.UW("classification"))
    assert all(parameter.abs().max() > 0 for parameter in trainer.balancer.parameters())


@pytest.mark.parametrize("method", ["gradnorm", "metabalance"])
def test_trap_of_its_own_methods_two_do_not_run(method, folder):
    with pytest.raises(UnboundLocalError):
        trained(MTLTrainer, adaptive_params={"method": method})
