"""Where one suggestion gives way to another. Conventions, each with its reason; none is a law."""

IMBALANCED = 10.0  # largest class over smallest, or negatives over positives: where long-tailed benchmarks begin
# (Cui et al., CVPR 2019, factors of 10 to 200); below it plain cross-entropy loses little
LONG_TAIL = 100.0  # from here inverse frequencies let single samples decide a step: weights by effective numbers
MOST_POS_WEIGHT = 100.0  # cap of pos_weight, for the same reason
FEW = 20  # samples of a class; with fewer, no loss makes up for more labels
MOST_CLASSES = 10_000_000  # a larger index is an identifier, not a class
MANY_NEGATIVES = 0.05  # share of positive labels below which negatives drown them: in MS-COCO, for which the
# asymmetric loss was made, it is .036
SMALL_REGION = 0.05  # share of the pixels below which a class hardly moves a mean over pixels
OUTLIER = 5.0  # robust standard deviations; beyond lies one in 1.7 million normal values
OUTLIER_SHARE = 0.001  # of values beyond, from which squares would be theirs: a normal sample has none, Laplace's .006
HUBER = 1.345  # δ in standard deviations of the residuals: 95 % efficiency for normal ones (Huber 1981, ch. 4)
ORDERS = 100.0  # 99th over 1st percentile of positive values: two orders of magnitude, so errors are relative ones
DISPERSED = 100.0  # variance over mean of counts, above which they are rather amounts
LEVELS = 10  # distinct whole numbers up to which they may be levels with an order
OWN_UNIT = 10.0  # a standard deviation so far from 1, either way, drowns other tasks or is drowned by them
WIDE_DEPTH = (
    20.0  # 99th over 1st percentile of depths: indoors about ten (NYUv2: 0.7 to 10 m), outdoors more (KITTI: 80)
)
