"""Rows of torch's own losses."""

from equipoise.losses.catalog.row import LossRow

ROWS = (
    LossRow(
        code="nn.BCEWithLogitsLoss()",
        kinds=("binary", "multilabel", "segmentation"),
        formula="−w y log σ(x) − (1 − y) log(1 − σ(x)), w = pos_weight",
        use="yes or no, for every label by itself: the plain loss; pos_weight lets rare positives count more",
        pitfalls="pos_weight shifts the probabilities; targets must be floats; [N] against [N, 1] is an error",
        suits=("imbalanced",),
    ),
    LossRow(
        code="nn.BCELoss()",
        kinds=("binary", "multilabel"),
        formula="−y log p − (1 − y) log(1 − p)",
        use="probabilities that come from elsewhere than a sigmoid",
        pitfalls="after a sigmoid it loses digits and refuses autocast: take BCEWithLogitsLoss; log p is cut at −100",
    ),
    LossRow(
        code="nn.SoftMarginLoss()",
        kinds=("binary", "multilabel"),
        formula="log(1 + exp(−y x)), y = ±1",
        use="targets −1 and 1: binary cross-entropy",
        pitfalls="targets 0 give log 2 and no gradient, without an error",
    ),
    LossRow(
        code="nn.CrossEntropyLoss()",
        kinds=("multiclass", "ordinal", "segmentation", "sequence"),
        formula="−w_t log softmax(x)_t",
        use="one class of C: the plain loss; weight= for rare classes, ignore_index= for missing ones, "
        "label_smoothing= against overconfidence",
        pitfalls="logits, not probabilities; classes are dimension 1, for tokens [B, T, V] take eq.losses.PerToken; "
        "with weight= the mean divides by the weights; outside of a Task a batch in which all are ignored gives NaN",
        paper="Szegedy et al., CVPR 2016 (label smoothing)",
        suits=("imbalanced", "missing labels"),
    ),
    LossRow(
        code="nn.NLLLoss()",
        kinds=("multiclass", "segmentation", "sequence"),
        formula="−w_t x_t, x = log-probabilities",
        use="log-probabilities that are there already, as of a mixture of experts",
        pitfalls="takes logits without an error, and then trains nonsense",
    ),
    LossRow(
        code="nn.LinearCrossEntropyLoss(512, 1000)",
        kinds=("multiclass", "sequence"),
        formula="CE(W h, t), W a part of the loss",
        use="vocabularies so large that the logits do not fit in memory: the last layer is inside",
        pitfalls="W belongs in the optimiser; takes features, not logits",
    ),
    LossRow(
        code="nn.AdaptiveLogSoftmaxWithLoss(64, 1000, cutoffs=[100, 500])",
        kinds=("multiclass",),
        formula="−log p(cluster of t) − log p(t | its cluster)",
        use="very many classes, most of them rare: frequent ones are cheap, rare ones share a small layer",
        pitfalls="classes must be sorted by frequency; returns (output, loss); has parameters of its own",
        paper="Grave et al., ICML 2017",
    ),
    LossRow(
        code="nn.MultiMarginLoss()",
        kinds=("multiclass",),
        formula="Σ_{j≠t} max(0, m − x_t + x_j)^p / C",
        use="the hinge loss over classes: what is right by the margin does not count",
        pitfalls="the scores are no probabilities; divides by C, so weigh it against other losses",
        paper="Crammer & Singer, JMLR 2001 (takes the maximum, torch the sum)",
    ),
    LossRow(
        code="nn.MultiLabelSoftMarginLoss()",
        kinds=("multilabel",),
        formula="mean over labels of BCE(x, y)",
        use="what BCEWithLogitsLoss is for, with a value per sample under reduction='none'",
        pitfalls="no pos_weight; its weight= is per label, for positives and negatives alike",
    ),
    LossRow(
        code="nn.MultiLabelMarginLoss()",
        kinds=("multilabel",),
        formula="Σ_{j∈y, i∉y} max(0, 1 − x_j + x_i) / L",
        use="right labels above wrong ones: their order, not their probability",
        pitfalls="targets are lists of labels that end in −1, not 0 and 1; L² pairs",
    ),
    LossRow(
        code="nn.MSELoss()",
        kinds=("regression", "depth", "distillation"),
        formula="(x − y)²",
        use="numbers: the plain loss, which predicts the mean",
        pitfalls="outliers and large units dominate: standardise; [N, 1] against [N] broadcasts to [N, N] with no more "
        "than a warning",
    ),
    LossRow(
        code="nn.L1Loss()",
        kinds=("regression", "depth"),
        formula="|x − y|",
        use="the median, which outliers do not move",
        pitfalls="its gradient does not shrink near the optimum: lower the learning rate; broadcasts as MSELoss does",
        suits=("outliers",),
    ),
    LossRow(
        code="nn.HuberLoss(delta=1.0)",
        kinds=("regression", "depth"),
        formula="½(x − y)² within δ, δ(|x − y| − ½δ) beyond",
        use="numbers with outliers: squares of small errors, large ones count in proportion",
        pitfalls="δ is in the targets' units: standardise or compute it; broadcasts as MSELoss does",
        paper="Huber, Ann. Math. Stat. 1964",
        suits=("outliers",),
    ),
    LossRow(
        code="nn.SmoothL1Loss(beta=1.0)",
        kinds=("regression", "boxes"),
        formula="Huber(x − y; δ = β) / β",
        use="numbers with outliers, as Huber's; its slope beyond β is 1",
        pitfalls="changing β changes the curvature at 0 (in HuberLoss: the slope of the tails); boxes: the four "
        "coordinates are judged apart, the overlap is not",
        paper="Girshick, ICCV 2015",
        suits=("outliers",),
    ),
    LossRow(
        code="nn.PoissonNLLLoss()",
        kinds=("regression",),
        formula="exp(x) − y x, x = log of the rate",
        use="counts, and positive numbers whose spread grows with their size",
        pitfalls="predicts the log of the rate: take exp() for the count; may be negative, as log y! is left out",
        suits=("ratios",),
    ),
    LossRow(
        code="nn.GaussianNLLLoss()",
        kinds=("regression",),
        formula="½ log v + ½(x − y)² / v, v = variance",
        use="a mean and a variance for each value",
        pitfalls="called with three arguments; the variance must be positive (softplus or exp), and below eps its "
        "gradient is lost; hard samples may be explained by variance alone",
        paper="Nix & Weigend, ICNN 1994",
        suits=("uncertainty",),
    ),
    LossRow(
        code='nn.KLDivLoss(reduction="batchmean")',
        kinds=("distillation",),
        formula="Σ q (log q − x), x = log-probabilities, q = teacher",
        use="a whole distribution as the target",
        pitfalls="takes log-probabilities first, probabilities second; the default reduction='mean' divides by the "
        "classes too, which is no divergence",
    ),
    LossRow(
        code="nn.CTCLoss(blank=0, zero_infinity=True)",
        kinds=("sequence",),
        formula="−log Σ_{alignments} Π_t p_t",
        use="transcripts without alignment: speech, handwriting",
        pitfalls="log-probabilities [T, N, C], time first; a class is the blank; an input shorter than its transcript "
        "gives inf unless zero_infinity",
        paper="Graves et al., ICML 2006",
    ),
    LossRow(
        code="nn.CosineEmbeddingLoss()",
        kinds=("alignment", "distillation"),
        formula="1 − cos(a, b) for a pair, max(0, cos(a, b) − m) for y = −1",
        use="pairs labelled 1 (alike) or −1 (not alike)",
        pitfalls="targets 0 count as nothing, without an error; without pairs of −1 everything collapses to one "
        "direction",
    ),
    LossRow(
        code="nn.TripletMarginLoss(margin=1.0)",
        kinds=("alignment",),
        formula="max(0, ‖a − p‖ − ‖a − n‖ + m)",
        use="triplets chosen by hand: anchor, positive, negative",
        pitfalls="most triplets soon give 0: mine hard ones; normalise, or the margin is met by scale alone",
        paper="Balntas et al., BMVC 2016",
    ),
    LossRow(
        code="nn.TripletMarginWithDistanceLoss(distance_function=nn.PairwiseDistance())",
        kinds=("alignment",),
        formula="max(0, d(a, p) − d(a, n) + m)",
        use="triplets under a distance of one's own",
        pitfalls="wants a distance: a similarity turns it upside down, so write 1 − cosine",
        paper="Balntas et al., BMVC 2016",
    ),
    LossRow(
        code="nn.HingeEmbeddingLoss(margin=1.0)",
        kinds=("alignment",),
        formula="x for y = 1, max(0, m − x) for y = −1, x = a distance",
        use="distances of pairs labelled 1 (alike) or −1 (not alike)",
        pitfalls="not the hinge loss of a classifier: that is binary_hinge; takes logits in place of distances "
        "without an error",
    ),
    LossRow(
        code="nn.MarginRankingLoss(margin=1.0)",
        kinds=("alignment",),
        formula="max(0, m − y(a − b))",
        use="which of two scores should be higher: preferences",
        pitfalls="the default margin of 0 is met by equal scores",
    ),
)
