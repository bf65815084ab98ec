"""Row of the supervised contrastive loss."""

from equipoise.losses.catalog.row import Row

ROWS = (
    Row(
        name="supervised_contrastive",
        code="eq.losses.SupervisedContrastiveLoss(temperature=0.1)",
        kinds=("alignment", "multi-class"),
        formula="mean over positives p of −log softmax_{a≠i}(cosine / τ)_p",
        use="features by class before a linear classifier; with labels of views: SimCLR",
        pitfalls="every batch needs two samples of a class; large batches",
        paper="Khosla et al., NeurIPS 2020",
        checked="eq. (2) in loops; info_nce's softmax over pairs; pytorch-metric-learning",
    ),
)
