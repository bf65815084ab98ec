"""Methods around a method."""

from equipoise.aggregation import Preconditioned
from equipoise.registry.row import MethodRow
from equipoise.wrapping import Bounded, Every, FreezeAfter, PerGroup, Smooth, Warmup

ROWS = (
    MethodRow(
        cls=Every,
        name="every",
        paper="Navon et al., ICML 2022; Xu et al., AAAI 2025",
        needs="a method",
        idea="Decides the weights in every n-th step and reuses them in between.",
        when="When solving for weights costs much, or weights should hold still for some steps.",
        errata="PSMGD's official code smooths the weights that it logs and not those that it uses.",
        code="eq.Every(10, eq.MGDA())",
    ),
    MethodRow(
        cls=Smooth,
        name="smooth",
        paper="Zhou et al., NeurIPS 2022",
        needs="a method",
        idea="Uses the running mean of a method's weights.",
        when="When weights jump from batch to batch.",
        code="eq.Smooth(0.9, eq.MGDA())",
    ),
    MethodRow(
        cls=Bounded,
        name="bounded",
        paper="minimum weights as in Lin et al., RecSys 2019",
        needs="a method",
        idea="Keeps weights between a floor and a cap.",
        when="When a method drops a task, or lets one take over.",
        code="eq.Bounded(0.1, 10.0, eq.MGDA())",
    ),
    MethodRow(
        cls=Warmup,
        name="warmup",
        paper="a rule",
        needs="a method",
        idea="Trains on the plain sum first, then hands over to a method, at once or along a ramp.",
        when="When a method is misled by the first steps of training.",
        code="eq.Warmup(1000, eq.MGDA())",
    ),
    MethodRow(
        cls=FreezeAfter,
        name="freeze-after",
        paper="Yang et al., 2025; Gama & Grassi, 2025",
        needs="a method",
        idea="Explores with a method, then trains on with the mean of its weights.",
        when="To get fixed weights without a search.",
        code="eq.FreezeAfter(1000, eq.MGDA())",
    ),
    MethodRow(
        cls=PerGroup,
        name="per-group",
        paper="a rule",
        needs="a method for each group of parameters",
        idea="Balances each group of parameters by a method of its own, which sees that group's gradients alone.",
        when="When conflicts lie in some layers, or layers differ too much for one set of weights.",
        code='eq.PerGroup({"encoder": (model.encoder, eq.MGDA())}, rest=eq.Sum())',
    ),
    MethodRow(
        cls=Preconditioned,
        name="preconditioned",
        paper="a rule, after Kingma & Ba, ICLR 2015",
        needs="a method; rows; Adam or RMSProp as the optimiser; P numbers of state",
        idea="Shows a method the gradients as Adam will scale them, so that updates are balanced and not gradients.",
        when="With Adam, where coordinates differ in scale by orders of magnitude, as with embeddings.",
        code="eq.Preconditioned(eq.MGDA())",
    ),
)
