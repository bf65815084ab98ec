"""torch-rechub: ``self.balancer(losses)`` in ``train_one_epoch``; clicks and purchases by MMoE."""

import torch
from torch.utils.data import DataLoader
from torch_rechub.basic.features import SparseFeature
from torch_rechub.models.multi_task import MMOE
from torch_rechub.trainers import MTLTrainer
from torch_rechub.utils.data import TorchDataset

import equipoise as eq


class BalancedTrainer(MTLTrainer):
    def train_one_epoch(self, data_loader):
        self.model.train()
        for x, y in data_loader:
            parts = [loss(p, t) for loss, p, t in zip(self.loss_fns, self.model(x).T, y.T, strict=True)]
            self.optimizer.zero_grad()
            loss = self.balancer(dict(zip(self.balancer.names, parts, strict=True)))
            (loss + self.reg_loss_fn(self.model)).backward()
            self.optimizer.step()
        self.balancer.end_epoch()
        return [loss.item() for loss in parts]  # of the last batch, for the trainer's log


def visits(seed):
    draw, drawn = torch.Generator().manual_seed(0), torch.Generator().manual_seed(seed)
    tastes = {name: torch.randn(40, 2, generator=draw) for name in ("user", "item")}
    x = {name: torch.randint(40, (4096,), generator=drawn) for name in tastes}
    chances = sum(tastes[name][x[name]] for name in x).sub(torch.tensor([1.0, 2.0])).sigmoid()  # of a click, a purchase
    return DataLoader(TorchDataset(x, torch.bernoulli(chances, generator=drawn)), batch_size=64)


if __name__ == "__main__":
    features = [SparseFeature(name, 40, embed_dim=8) for name in ("user", "item")]
    model = MMOE(features, ["classification"] * 2, 4, {"dims": [16]}, [{"dims": [8]}] * 2)
    trainer = BalancedTrainer(model, model.task_types, n_epoch=5, optimizer_params={"lr": 1e-2})
    trainer.balancer = eq.Balancer(eq.MGDA(), model, tasks=["click", "buy"])
    trainer.fit(visits(seed=1), visits(seed=2))
    print(trainer.balancer.record)
