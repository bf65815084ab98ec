"""Rows of the box losses."""

from equipoise.losses.catalog.row import Row

ROWS = (
    Row(
        name="iou",
        code="eq.losses.IoULoss()",
        kinds=("boxes",),
        formula="1 − |A∩B| / |A∪B|",
        use="boxes that already overlap; the metric itself",
        pitfalls="no gradient where boxes do not meet; boxes are corners, not centres and sizes",
        paper="Rezatofighi et al., CVPR 2019",
        checked="counted cells; MONAI",
        suits=("ranking",),
    ),
    Row(
        name="giou",
        code="eq.losses.GIoULoss()",
        kinds=("boxes",),
        formula="1 − IoU + (|C| − |A∪B|) / |C|, C around both",
        use="boxes that may not meet yet",
        pitfalls="first grows the prediction, then moves it; as slow as IoU when one box holds the other",
        paper="Rezatofighi et al., CVPR 2019",
        checked="counted cells; MONAI",
        suits=("ranking",),
    ),
    Row(
        name="diou",
        code="eq.losses.DIoULoss()",
        kinds=("boxes",),
        formula="1 − IoU + ρ² / c², ρ between centres, c the diagonal around both",
        use="boxes that may not meet yet; moves the centre directly",
        pitfalls="says nothing of the aspect ratio",
        paper="Zheng et al., AAAI 2020",
        checked="its formula in plain Python",
        suits=("ranking",),
    ),
    Row(
        name="ciou",
        code="eq.losses.CIoULoss()",
        kinds=("boxes",),
        formula="1 − IoU + ρ² / c² + α v, v of the aspect ratios",
        use="as diou, when aspect ratios vary",
        pitfalls="α is a constant to the gradient: a numerical derivative differs; steep for boxes of almost no size",
        paper="Zheng et al., AAAI 2020",
        checked="its formula in plain Python; its gradient with α held fixed",
        suits=("ranking",),
    ),
)
