"""Methods around a method."""

from equipoise.registry.row import Row
from equipoise.wrapping import Bounded, Every, FreezeAfter, Smooth, Warmup

ROWS = (
    Row(
        cls=Every,
        name="every",
        paper="Navon et al., ICML 2022; Xu et al., AAAI 2025",
        needs="a method",
        idea="Decides the weights in every n-th step and reuses them in between.",
        when="When solving for weights costs much, or weights should hold still for some steps.",
        errata="PSMGD's official code smooths the weights that it logs and not those that it uses.",
    ),
    Row(
        cls=Smooth,
        name="smooth",
        paper="Zhou et al., NeurIPS 2022",
        needs="a method",
        idea="Uses the running mean of a method's weights.",
        when="When weights jump from batch to batch.",
    ),
    Row(
        cls=Bounded,
        name="bounded",
        paper="minimum weights as in Lin et al., RecSys 2019",
        needs="a method",
        idea="Keeps weights between a floor and a cap.",
        when="When a method drops a task, or lets one take over.",
    ),
    Row(
        cls=Warmup,
        name="warmup",
        paper="a rule",
        needs="a method",
        idea="Trains on the plain sum first, then hands over to a method, at once or along a ramp.",
        when="When a method is misled by the first steps of training.",
    ),
    Row(
        cls=FreezeAfter,
        name="freeze-after",
        paper="Yang et al., 2025; Gama & Grassi, 2025",
        needs="a method",
        idea="Explores with a method, then trains on with the mean of its weights.",
        when="To get fixed weights without a search.",
    ),
)
