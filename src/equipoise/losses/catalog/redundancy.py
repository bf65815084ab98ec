"""Rows of the losses that reduce redundancy."""

from equipoise.losses.catalog.row import Row

ROWS = (
    Row(
        name="vicreg",
        code="eq.losses.VICRegLoss()",
        kinds=("alignment",),
        formula="25 · MSE + 25 · Σ hinge(1 − σ) + Σ covariances² / D",
        use="two views without negatives, branches may differ",
        pitfalls="of the whole batch, N from 2; its weights belong to features of one size D",
        paper="Bardes et al., ICLR 2022",
        checked="algorithm 1 written out; pytorch-metric-learning",
    ),
    Row(
        name="barlow_twins",
        code="eq.losses.BarlowTwinsLoss(off_diagonal=0.005)",
        kinds=("alignment",),
        formula="Σ (1 − C_ii)² + λ Σ C_ij², C the cross-correlation",
        use="two views without negatives",
        pitfalls="of the whole batch, N from 2; wants wide features; its value grows with D",
        paper="Zbontar et al., ICML 2021",
        checked="numpy's corrcoef; batch normalisation and a product",
    ),
)
