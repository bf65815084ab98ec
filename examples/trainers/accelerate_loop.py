"""Accelerate: ``accelerator.backward(balancer(losses))``; it divides it for accumulation."""

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from problem import Net, loader, make_tasks

import equipoise as eq


def train_epoch(accelerator, net, tasks, balancer, optimizer, batches, max_norm=1.0):
    for batch in batches:
        with accelerator.accumulate(net):
            losses = tasks.losses(net(batch["x"]), batch)
            accelerator.backward(balancer(losses))
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(net.parameters(), max_norm)
            optimizer.step()
            optimizer.zero_grad()


def main() -> None:
    set_seed(0)
    accelerator = Accelerator(gradient_accumulation_steps=2, mixed_precision="bf16")
    raw, tasks = Net().to(accelerator.device), make_tasks()
    balancer = eq.Balancer(eq.UPGrad(), raw, tasks=tasks)
    optimizer = torch.optim.SGD([*raw.parameters(), *balancer.parameters()], lr=0.1, momentum=0.9)
    net, optimizer, batches = accelerator.prepare(raw, optimizer, loader())
    accelerator.register_for_checkpointing(balancer)
    for _ in range(10):
        train_epoch(accelerator, net, tasks, balancer, optimizer, batches)
        accelerator.print(balancer.record.losses, balancer.record.weights)
    accelerator.save_state("checkpoint")


if __name__ == "__main__":
    main()
