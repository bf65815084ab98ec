"""Rows of the hinge losses."""

from equipoise.losses.catalog.row import Row

ROWS = (
    Row(
        name="binary_hinge",
        code="eq.losses.BinaryHingeLoss()",
        kinds=("binary", "multi-label"),
        formula="max(0, 1 − s·logit), s = ±1",
        use="a decision with a margin, where probabilities are not needed",
        pitfalls="sigmoids of its logits are no probabilities; over more classes, torch's MultiMarginLoss",
        paper="Cortes and Vapnik, Machine Learning 1995",
        checked="by hand; both codings of the labels; torch's MultiMarginLoss over two classes; scikit-learn",
    ),
    Row(
        name="binary_squared_hinge",
        code="eq.losses.BinarySquaredHingeLoss()",
        kinds=("binary", "multi-label"),
        formula="max(0, 1 − s·logit)², s = ±1",
        use="as the hinge, with a slope that fades towards the margin",
        pitfalls="a mislabelled sample counts by its square",
        paper="Lee and Mangasarian, Computational Optimization and Applications 2001",
        checked="by hand; both codings of the labels; torch's MultiMarginLoss(p=2) over two classes; torchmetrics",
    ),
)
