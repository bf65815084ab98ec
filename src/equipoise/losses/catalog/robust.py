"""Rows of the robust losses."""

from equipoise.losses.catalog.row import Row

ROWS = (
    Row(
        name="adaptive_robust",
        code="eq.losses.AdaptiveRobustLoss(alpha=1.0, scale=0.1)",
        kinds=("regression", "depth", "boxes"),
        formula="b/α ((u/b + 1)^(α/2) − 1), u = ((ŷ − y)/c)², b = |α − 2|",
        use="from squares (2) over Charbonnier (1) and Cauchy (0) to Geman-McClure (−2) and Welsch (−∞)",
        pitfalls="c is in the target's units and matters more than α; not convex below α = 1: far samples get stuck",
        paper="Barron, CVPR 2019, eq. (1), (8)",
        checked="its named members; kornia's four; continuity in α",
        suits=("outliers",),
    ),
    Row(
        name="adaptive_robust_nll",
        code="eq.losses.AdaptiveRobustNLLLoss(num_outputs=3)",
        kinds=("regression", "depth"),
        formula="ρ(ŷ − y, α, c) + log c + log Z(α), α in (0, 2)",
        use="tails of unknown weight: α and c are learned, for each output its own",
        pitfalls="give its parameters to the optimiser; values below 0 are right; a fixed c from elsewhere misleads α",
        paper="Barron, CVPR 2019, eq. (16) to (18)",
        checked="its density integrates to 1; Gaussian at α = 2, Cauchy at 0; heavier tails learn a lower α",
        suits=("outliers", "uncertainty"),
    ),
)
