"""Rows of the losses and weights for rare classes."""

from equipoise.losses.catalog.row import Row

ROWS = (
    Row(
        name="logit_adjusted",
        code="eq.losses.LogitAdjustedLoss(class_counts, tau=1.0)",
        kinds=("multi-class", "segmentation"),
        formula="CE(logits + τ log prior)",
        use="rare classes matter as much as frequent ones: balanced accuracy",
        pitfalls="predict from the plain logits; plain accuracy falls; no class weights beside it",
        paper="Menon et al., ICLR 2021, eq. (10)",
        checked="its formula in probabilities; its minimum; CE at τ = 0 and for equal counts",
        suits=("imbalanced",),
    ),
    Row(
        name="ldam",
        code="eq.losses.LDAMLoss(class_counts, max_margin=0.5, scale=30.0)",
        kinds=("multi-class",),
        formula="CE(s·(logits − m_t at t)), m_j ∝ n_j^(−1/4)",
        use="rare classes get wider margins; with weights late in training (DRW), as in the paper",
        pitfalls="for cosines: normalise features and class vectors, or set scale=1",
        paper="Cao et al., NeurIPS 2019",
        checked="its formula in probabilities; margins by hand; CE with weights at margin 0",
        suits=("imbalanced",),
    ),
    Row(
        name="effective_number_weights",
        code="torch.nn.CrossEntropyLoss(weight=eq.losses.effective_number_weights(class_counts, beta=0.999))",
        kinds=("multi-class", "segmentation"),
        formula="w_c ∝ (1 − β) / (1 − β^n_c), sum C",
        use="class weights between none (β = 0) and inverse counts (β → 1)",
        pitfalls="rare classes with large weights give noisy steps: larger batches, or logit_adjusted",
        paper="Cui et al., CVPR 2019",
        checked="by hand; the recursion of the effective number; both limits of β",
        suits=("imbalanced",),
    ),
    Row(
        name="positive_weights",
        code="torch.nn.BCEWithLogitsLoss(pos_weight=eq.losses.positive_weights(label_counts, num_samples=n))",
        kinds=("binary", "multi-label"),
        formula="(N − n_l) / n_l",
        use="labels with few positives: both sides of each label weigh the same",
        pitfalls="probabilities come out too high; very rare labels give very large weights",
        paper="",
        checked="the gradients of both sides cancel at logits of 0",
        suits=("imbalanced",),
    ),
)
