"""Rows of the losses of objects as centres."""

from equipoise.losses.catalog.row import Row

ROWS = (
    Row(
        name="heat_map_focal",
        code="eq.losses.HeatMapFocalLoss(gamma=2.0, beta=4.0)",
        kinds=("boxes",),
        formula="−(1 − p)^γ log p at centres, −(1 − y)^β p^γ log(1 − p) elsewhere, by the number of centres",
        use="finding objects: a map per class that peaks at their centres",
        pitfalls="start the logits' bias low, near log(0.01 / 0.99); exactly 1 is a centre: in bfloat16 a wide one's "
        "neighbours are rounded up to it",
        paper="Zhou et al., 2019",
        checked="its formula in probabilities; binary_focal at targets 0 and 1",
        suits=("many negatives", "small regions"),
    ),
    Row(
        name="dense_giou",
        code="eq.losses.DenseGIoULoss()",
        kinds=("boxes",),
        formula="GIoU of boxes by distances l, t, r, b from their cells, mean over cells with an object",
        use="boxes of a detector without anchors",
        pitfalls="distances have to be positive: exp or softplus; NaN says that a cell has no object",
        paper="Tian et al., ICCV 2019; Rezatofighi et al., CVPR 2019",
        checked="giou of the boxes themselves, placed at their cells",
        suits=("ranking", "missing labels"),
    ),
)
