"""Rows of the losses for levels in order."""

from equipoise.losses.catalog.row import Row

ROWS = (
    Row(
        name="coral",
        code="eq.losses.CoralLoss()",
        kinds=("ordinal",),
        formula="Σ_k BCE(logit_k, [y > k])",
        use="ratings, stages, ages: K levels as K − 1 questions that never contradict each other",
        pitfalls="the K − 1 logits share one linear map and differ by a bias only; read them with coral_levels",
        paper="Cao, Mirjalili and Raschka, Pattern Recognition Letters 2020",
        checked="by hand; BCE over two levels; coral-pytorch",
    ),
    Row(
        name="corn",
        code="eq.losses.CornLoss()",
        kinds=("ordinal",),
        formula="Σ_k [y ≥ k] BCE(logit_k, [y > k]) / Σ_k [y ≥ k]",
        use="levels in order, with any head of K − 1 logits",
        pitfalls="a logit is of being above k for what is above k − 1: read them with corn_levels, not by sigmoid",
        paper="Shi, Cao and Raschka, Pattern Analysis and Applications 2023",
        checked="the likelihood of the level; BCE over two levels; coral-pytorch",
    ),
)
