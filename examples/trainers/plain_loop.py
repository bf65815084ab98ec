"""Plain loop: ``scaler.scale(balancer(losses) / accumulation).backward()``; with clipping and a checkpoint."""

import torch
from problem import Net, loader, make_tasks

import equipoise as eq


def train_epoch(net, tasks, balancer, optimizer, scaler, batches, dtype=None, accumulation=2, max_norm=1.0):
    for i, batch in enumerate(batches, start=1):
        with torch.autocast(batch["x"].device.type, dtype, enabled=dtype is not None):
            losses = tasks.losses(net(batch["x"]), batch)
        scaler.scale(balancer(losses) / accumulation).backward()
        if i % accumulation == 0:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(net.parameters(), max_norm)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()


def main() -> None:
    torch.manual_seed(0)
    net, tasks = Net(), make_tasks()
    balancer = eq.Balancer(eq.UPGrad(), net, tasks=tasks)
    optimizer = torch.optim.SGD([*net.parameters(), *balancer.parameters()], lr=0.1, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu")
    for _ in range(10):
        train_epoch(net, tasks, balancer, optimizer, scaler, loader(), torch.bfloat16)
        print(balancer.record.losses, balancer.record.weights)
    held = {"net": net, "balancer": balancer, "optimizer": optimizer, "scaler": scaler}
    torch.save({name: part.state_dict() for name, part in held.items()}, "checkpoint.pt")


if __name__ == "__main__":
    main()
