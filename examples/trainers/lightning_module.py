"""Lightning, automatic: ``return balancer(losses)`` in ``training_step``; all else is the Trainer's."""

import lightning
import torch
from problem import Net, loader, make_tasks

import equipoise as eq


class MultiTask(lightning.LightningModule):
    def __init__(self, method) -> None:
        super().__init__()
        self.net, self.tasks = Net(), make_tasks()
        self.balancer = eq.Balancer(method, self.net, tasks=self.tasks)  # an attribute: checkpoints hold it

    def training_step(self, batch, index):
        return self.balancer(self.tasks.losses(self.net(batch["x"]), batch))

    def on_train_batch_end(self, *_):
        self.log_dict(self.balancer.record.to_dict())  # by task: losses, weights, norms, cosines

    def on_train_epoch_end(self):
        self.balancer.end_epoch()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


def main() -> None:
    lightning.seed_everything(0)
    trainer = lightning.Trainer(max_epochs=10, accumulate_grad_batches=2, gradient_clip_val=1.0, log_every_n_steps=4)
    trainer.fit(MultiTask(eq.UPGrad()), loader())
    print({name: float(value) for name, value in trainer.logged_metrics.items()})


if __name__ == "__main__":
    main()
