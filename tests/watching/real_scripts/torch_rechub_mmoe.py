"""Clicks and purchases with torch-rechub, after its example of multi-task models, on a made log of visits."""

import numpy as np
import torch
from torch_rechub.basic.features import DenseFeature, SparseFeature
from torch_rechub.models.multi_task import MMOE
from torch_rechub.trainers import MTLTrainer
from torch_rechub.utils.data import DataGenerator


def main():
    torch.manual_seed(2022)
    random = np.random.RandomState(0)
    x = {"user": random.randint(0, 30, 768), "item": random.randint(0, 30, 768), "price": random.randn(768).astype("f")}
    cvr_label = ((x["user"] + x["item"]) % 5 < 2) & (random.rand(768) < 0.6)
    ctr_label = cvr_label | (x["price"] > 0)
    y = np.stack([cvr_label, ctr_label], axis=1).astype("float32")
    features = [SparseFeature("user", vocab_size=30, embed_dim=4), SparseFeature("item", vocab_size=30, embed_dim=4)]
    features.append(DenseFeature("price"))
    task_types = ["classification", "classification"]
    model = MMOE(
        features,
        task_types,
        n_expert=4,
        expert_params={"dims": [16]},
        tower_params_list=[{"dims": [8]}, {"dims": [8]}],
    )
    dg = DataGenerator(x, y)
    train_dataloader, val_dataloader, _ = dg.generate_dataloader(split_ratio=[0.8, 0.1], batch_size=32)
    mtl_trainer = MTLTrainer(
        model,
        task_types=task_types,
        optimizer_params={"lr": 1e-3, "weight_decay": 1e-5},
        n_epoch=1,
        earlystop_patience=30,
    )
    mtl_trainer.fit(train_dataloader, val_dataloader)
    torch.save(model.state_dict(), "model.pt")


if __name__ == "__main__":
    main()
