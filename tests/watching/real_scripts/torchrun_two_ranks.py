"""A classifier with a reconstruction beside it, on two ranks by torchrun and DistributedDataParallel."""

import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
        self.classifier, self.decoder = nn.Linear(32, 3), nn.Linear(32, 16)

    def forward(self, x):
        features = self.trunk(x)
        return self.classifier(features), self.decoder(features)


def main():
    dist.init_process_group("gloo")
    torch.manual_seed(0)
    model = DistributedDataParallel(Network())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    centres = 2 * torch.randn(3, 16)
    y = torch.arange(192) % 3
    data = TensorDataset(centres[y] + torch.randn(192, 16), y)
    sampler = DistributedSampler(data)
    for epoch in range(2):
        sampler.set_epoch(epoch)
        for x, y in DataLoader(data, 8, sampler=sampler):
            logits, rebuilt = model(x)
            loss_cls = F.cross_entropy(logits, y)
            loss_rec = F.mse_loss(rebuilt, x)
            loss = loss_cls + 0.5 * loss_rec
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    if dist.get_rank() == 0:
        torch.save(model.module.state_dict(), "model.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
