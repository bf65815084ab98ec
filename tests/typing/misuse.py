"""What a type checker finds before anything runs: an ignored error that is none is an error itself."""

from torch import Tensor, nn

import equipoise as eq
from equipoise import lab


def misuse(model: nn.Module, tasks: eq.Tasks, balancer: eq.Balancer, losses: dict[str, Tensor]) -> None:
    eq.Task("rating")  # type: ignore[call-arg]
    eq.Task("rating", nn.MSELoss(), missing="row")  # type: ignore[arg-type]
    eq.Balancer(eq.MGDA(), model)  # type: ignore[call-arg]
    eq.Balancer(eq.MGDA, model, tasks=tasks)  # type: ignore[arg-type]
    eq.Balancer(eq.MGDA(), model, tasks=tasks, heads="weigthed")  # type: ignore[arg-type]
    balancer([*losses.values()])  # type: ignore[arg-type]
    balancer(losses).backwards()  # type: ignore[attr-defined]
    balancer.record.weight["rating"]  # type: ignore[attr-defined]
    eq.CAGrad(alpha=0.5)  # type: ignore[call-arg]
    eq.losses.FocalLoss(gama=2.0)  # type: ignore[call-arg]
    eq.losses.FocalLoss(reduction="average")  # type: ignore[arg-type]
    lab.compare("reviews", ["sum"], sheduler="cosine")  # type: ignore[call-arg]
