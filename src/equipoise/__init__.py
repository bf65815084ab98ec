"""Equipoise: many task losses train one network well.

>>> import torch, equipoise as eq
>>> tasks = eq.Tasks([eq.Task("size", torch.nn.MSELoss()), eq.Task("kind", torch.nn.CrossEntropyLoss())])
>>> trunk, heads = torch.nn.Linear(4, 8), torch.nn.ModuleDict(
...     {"size": torch.nn.Linear(8, 1), "kind": torch.nn.Linear(8, 3)})
>>> model = torch.nn.ModuleList([trunk, heads])
>>> balancer = eq.Balancer(eq.NashMTL(), model, tasks=tasks)
>>> features = torch.relu(trunk(torch.randn(5, 4)))
>>> outputs = {name: head(features) for name, head in heads.items()}
>>> targets = {"size": torch.randn(5, 1), "kind": torch.tensor([0, 1, 2, 0, 1])}
>>> loss = balancer(tasks.losses(outputs, targets))
>>> loss.backward()
>>> sorted(balancer.record.weights)
['kind', 'size']
"""

from equipoise import losses
from equipoise.aggregation import MGDA, Clip, NashMTL, PCGrad, RunningNorm, UnitNorm
from equipoise.balancer import Balancer
from equipoise.criterion import MultiTaskLoss
from equipoise.method import Aggregator, Chain, CoordinateAggregator, Method, Sum, Weighting
from equipoise.record import Record
from equipoise.registry import method, methods
from equipoise.tasks import Task, TaskLosses, Tasks
from equipoise.weighting import DWA, UW, Fixed

__version__ = "0.1.0"

__all__ = [
    "DWA",
    "MGDA",
    "UW",
    "Aggregator",
    "Balancer",
    "Chain",
    "Clip",
    "CoordinateAggregator",
    "Fixed",
    "Method",
    "MultiTaskLoss",
    "NashMTL",
    "PCGrad",
    "Record",
    "RunningNorm",
    "Sum",
    "Task",
    "TaskLosses",
    "Tasks",
    "UnitNorm",
    "Weighting",
    "losses",
    "method",
    "methods",
]
