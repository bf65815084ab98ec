"""Rows of the Lovász losses."""

from equipoise.losses.catalog.row import Row

ROWS = (
    Row(
        name="lovasz_softmax",
        code="eq.losses.LovaszSoftmaxLoss()",
        kinds=("segmentation", "multi-class"),
        formula="Δ_J(|t − p|): 1 − Jaccard, extended to sorted errors, mean over classes",
        use="the metric is IoU; fine-tuning after cross-entropy",
        pitfalls="sorts all pixels of each class: several times the time of dice; slow to start from scratch",
        paper="Berman et al., CVPR 2018",
        checked="the Choquet sum over sets of wrong pixels; 1 − scikit-learn's jaccard_score in the hard limit; kornia",
        suits=("imbalanced", "small regions", "ranking"),
    ),
    Row(
        name="lovasz_hinge",
        code="eq.losses.LovaszHingeLoss()",
        kinds=("binary", "multi-label", "segmentation"),
        formula="Δ_J(max(0, 1 − (2t − 1) z)), mean over labels",
        use="masks whose metric is IoU, empty ones among them",
        pitfalls="logits are [N, L, ...], one label [N, 1, ...]; stops at the margin: not calibrated",
        paper="Berman et al., CVPR 2018",
        checked="the Choquet sum over sets of wrong pixels; 1 − Jaccard in the hard limit; kornia",
        suits=("imbalanced", "small regions", "ranking"),
    ),
)
