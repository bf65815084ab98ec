"""Methods around a method."""

from equipoise import aggregation, wrapping
from equipoise.registry.row import MethodRow

AROUND = (
    MethodRow(
        "every",
        wrapping.Every,
        when="When solving for weights costs much, or weights should hold still for some steps.",
        errata="PSMGD's official code smooths the weights that it logs and not those that it uses.",
        code="eq.Every(10, eq.MGDA())",
    ),
    MethodRow(
        "smooth",
        wrapping.Smooth,
        when="When weights jump from batch to batch.",
        code="eq.Smooth(0.9, eq.MGDA())",
    ),
    MethodRow(
        "bounded",
        wrapping.Bounded,
        when="When a method drops a task, or lets one take over.",
        code="eq.Bounded(0.1, 10.0, eq.MGDA())",
    ),
    MethodRow(
        "warmup",
        wrapping.Warmup,
        when="When a method is misled by the first steps of training.",
        code="eq.Warmup(1000, eq.MGDA())",
    ),
    MethodRow(
        "freeze-after",
        wrapping.FreezeAfter,
        when="To get fixed weights without a search.",
        code="eq.FreezeAfter(1000, eq.MGDA())",
    ),
    MethodRow(
        "per-group",
        wrapping.PerGroup,
        takes="a method for each group of parameters",
        when="When conflicts lie in some layers, or layers differ too much for one set of weights.",
        code='eq.PerGroup({"encoder": (model.encoder, eq.MGDA())}, rest=eq.Sum())',
    ),
    MethodRow(
        "preconditioned",
        aggregation.Preconditioned,
        takes="a method; rows; Adam or RMSProp as the optimiser; P numbers of state",
        when="With Adam, where coordinates differ in scale by orders of magnitude, as with embeddings.",
        code="eq.Preconditioned(eq.MGDA())",
    ),
    MethodRow(
        "in-turn",
        aggregation.InTurn,
        takes="a gradient method; rows of the tasks in a step; K sketches of state",
        when="When each step has one task, as with data sets that never share a batch.",
        code="eq.InTurn(eq.MGDA())",
    ),
)
