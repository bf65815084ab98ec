"""Fabric: ``fabric.backward(balancer(losses) / accumulation)``."""

import lightning
import torch
from problem import Net, loader, make_tasks

import equipoise as eq


def train_epoch(fabric, net, tasks, balancer, optimizer, batches, accumulation=2, max_norm=1.0):
    for i, batch in enumerate(batches, start=1):
        with fabric.no_backward_sync(net, enabled=i % accumulation != 0):
            losses = tasks.losses(net(batch["x"]), batch)
            fabric.backward(balancer(losses) / accumulation)
        if i % accumulation == 0:
            fabric.clip_gradients(net, optimizer, max_norm=max_norm)
            optimizer.step()
            optimizer.zero_grad()


def main() -> None:
    fabric = lightning.Fabric(accelerator="auto", devices=1, precision="bf16-mixed")
    fabric.launch()
    fabric.seed_everything(0)
    raw, tasks = Net().to(fabric.device), make_tasks()
    balancer = eq.Balancer(eq.UPGrad(), raw, tasks=tasks)
    net, optimizer = fabric.setup(raw, torch.optim.SGD([*raw.parameters(), *balancer.parameters()], 0.1, momentum=0.9))
    batches = fabric.setup_dataloaders(loader())
    for _ in range(10):
        train_epoch(fabric, net, tasks, balancer, optimizer, batches)
        print(balancer.record.losses, balancer.record.weights)
    fabric.save("checkpoint.ckpt", {"net": net, "optimizer": optimizer, "balancer": balancer})


if __name__ == "__main__":
    main()
