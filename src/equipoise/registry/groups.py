"""Methods that weigh groups of parameters apart."""

from equipoise.aggregation import MetaBalance
from equipoise.registry.row import MethodRow

ROWS = (
    MethodRow(
        cls=MetaBalance,
        name="metabalance",
        paper="He et al., WWW 2022",
        needs="gradient norms by parameter",
        idea=(
            "In every parameter tensor an auxiliary task's gradient is brought near the length of the main task's, "
            "by running means of both."
        ),
        when="Where one task is the main one, as in recommenders, and others are too loud in some layers.",
        errata=(
            "The official code needs CUDA, stops at the first parameter without a gradient, which leaves the "
            "parameters after it without one, and divides by a length that may be zero."
        ),
    ),
)
