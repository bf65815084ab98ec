"""Row of the triplet loss."""

from equipoise.losses.catalog.row import Row

ROWS = (
    Row(
        name="triplet",
        code='eq.losses.TripletLoss(margin=0.2, mining="hard")',
        kinds=("alignment",),
        formula="max(0, d(a, p) − d(a, n) + margin)",
        use="retrieval and identification: few samples of many classes",
        pitfalls="every batch needs several samples per class; hard mining can collapse early and loves wrong labels; "
        "margin is a length, so give unit vectors or tune it",
        paper="Schroff et al., CVPR 2015; Hermans et al., 2017",
        checked="all triplets in three loops; pytorch-metric-learning",
    ),
)
