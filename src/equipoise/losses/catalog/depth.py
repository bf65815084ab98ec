"""Rows of the depth and normal losses."""

from equipoise.losses.catalog.row import Row

ROWS = (
    Row(
        name="silog",
        code="eq.losses.SILogLoss(lambd=0.5)",
        kinds=("depth",),
        formula="mean d² − λ (mean d)², d = log ŷ − log y, of each image",
        use="depth from one image, whose overall scale is a guess: ratios count, near and far alike",
        pitfalls="the prediction must be positive (take exp of the output); BTS's loss is 10 √ of it at λ = 0.85",
        paper="Eigen et al., NeurIPS 2014, eq. (4)",
        checked="its formula; a variance at λ = 1; the loss of BTS; masks against removal",
        suits=("ratios", "missing labels"),
    ),
    Row(
        name="berhu",
        code="eq.losses.BerHuLoss(threshold=0.2)",
        kinds=("depth", "regression"),
        formula="|x| up to c, (x² + c²)/2c above, c = 0.2 max |x|",
        use="depth: small errors keep a full gradient, large ones weigh more",
        pitfalls="one outlier sets c for the batch; pixels without depth must be masked: mask=target > 0",
        paper="Laina et al., 3DV 2016, eq. (1) and (2)",
        checked="its formula; value and slope meet at c; masks against removal",
        suits=("missing labels",),
    ),
    Row(
        name="cosine_normals",
        code="eq.losses.CosineNormalsLoss()",
        kinds=("normals",),
        formula="1 − cos(n̂, n)",
        use="surface normals [N, 3, H, W]; lengths do not matter, pixels with a zero target do not count",
        pitfalls="quadratic in small angles: the last degrees are learned slowly",
        paper="Eigen and Fergus, ICCV 2015, eq. (2)",
        checked="angles by hand; F.cosine_similarity; masks against removal",
        suits=("missing labels",),
    ),
)
