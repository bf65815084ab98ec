"""Row of the boundary loss."""

from equipoise.losses.catalog.row import Row

ROWS = (
    Row(
        name="boundary",
        code="eq.losses.BoundaryLoss()  # its target: eq.losses.signed_distance(masks)",
        kinds=("segmentation",),
        formula="mean of p φ, φ the signed distance from the boundary",
        use="beside a region loss, for small regions: a false pixel costs by how far off it is",
        pitfalls="alone it collapses to empty classes; start with a small weight and let it grow",
        paper="Kervadec et al., MIDL 2019",
        checked="its formula; MONAI; distances: brute force and SciPy",
        suits=("small regions", "imbalanced"),
    ),
)
