"""Ignite: ``loss_fn`` returns it; all else is the engine's."""

import torch
from ignite.engine import Events, create_supervised_trainer
from ignite.handlers import Checkpoint, DiskSaver
from ignite.utils import convert_tensor
from problem import Net, loader, make_tasks

import equipoise as eq


def make_engine(net, tasks, balancer, optimizer, accumulation=2, max_norm=1.0):
    def prepare_batch(batch, **where):
        return convert_tensor(batch["x"], **where), convert_tensor(batch, **where)

    def loss_fn(outputs, batch):
        return balancer(tasks.losses(outputs, batch))

    def clip(*_):
        torch.nn.utils.clip_grad_norm_(net.parameters(), max_norm)

    optimizer.register_step_pre_hook(clip)
    options = {"prepare_batch": prepare_batch, "gradient_accumulation_steps": accumulation}
    return create_supervised_trainer(net, optimizer, loss_fn, **options)


def main() -> None:
    torch.manual_seed(0)
    net, tasks = Net(), make_tasks()
    balancer = eq.Balancer(eq.UPGrad(), net, tasks=tasks)
    optimizer = torch.optim.SGD([*net.parameters(), *balancer.parameters()], lr=0.1, momentum=0.9)
    engine = make_engine(net, tasks, balancer, optimizer)
    held = {"engine": engine, "net": net, "optimizer": optimizer, "balancer": balancer}
    engine.add_event_handler(Events.COMPLETED, Checkpoint(held, DiskSaver("checkpoint", require_empty=False)))
    engine.run(loader(), max_epochs=10)
    print(balancer.record.losses, balancer.record.weights)


if __name__ == "__main__":
    main()
