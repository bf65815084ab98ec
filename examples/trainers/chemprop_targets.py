"""chemprop: ``return self.balancer(losses)`` in ``training_step``; three targets of molecules, most labels missing."""

import lightning
import numpy as np
import torch
from chemprop import data, models, nn
from rdkit.Chem import Crippen, Descriptors, MolFromSmiles

import equipoise as eq

RINGS, ENDS = ("c1ccccc1", "c1ccncc1", "C1CCCCC1", "c1ccoc1"), ("O", "N", "F", "C(=O)O", "C#N")
MOLECULES = [MolFromSmiles(ring + "C" * k + end) for ring in RINGS for end in ENDS for k in range(1, 7)]
TARGETS = {"logp": Crippen.MolLogP, "polar": Descriptors.TPSA, "weight": Descriptors.MolWt}


class BalancedMPNN(models.MPNN):
    def training_step(self, batch, index):
        graphs, atoms, extra, targets, weights, below, above = batch
        found = self.predictor.train_step(self.fingerprint(graphs, atoms, extra))
        losses, targets, known = {}, targets.nan_to_num(), targets.isfinite()
        columns = torch.eye(known.shape[1], dtype=torch.bool, device=self.device)
        for name, column in zip(self.balancer.names, columns, strict=True):
            if (known & column).any():  # a task without labels is absent
                losses[name] = self.criterion(found, targets, known & column, weights, below, above)
        self.log("train_loss", self.criterion, batch_size=len(targets), prog_bar=True, on_epoch=True)
        return self.balancer(losses)


def loader(names=tuple(TARGETS), share=0.4):
    there = np.random.default_rng(0).random((len(MOLECULES), len(names))) < share
    y = np.where(there, [[TARGETS[name](molecule) for name in names] for molecule in MOLECULES], np.nan)
    points = data.MoleculeDataset([data.MoleculeDatapoint(*pair) for pair in zip(MOLECULES, y, strict=True)])
    points.normalize_targets()
    return data.build_dataloader(points, batch_size=16, seed=0)


if __name__ == "__main__":
    model = BalancedMPNN(nn.BondMessagePassing(d_h=64), nn.MeanAggregation(), nn.RegressionFFN(3, 64, 64))
    model.balancer = eq.Balancer(eq.ConFIG(), model, tasks=list(TARGETS))
    lightning.Trainer(max_epochs=20, logger=False, enable_checkpointing=False, accelerator="cpu").fit(model, loader())
