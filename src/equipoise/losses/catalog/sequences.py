"""Rows of the losses over sequences."""

from equipoise.losses.catalog.row import Row

ROWS = (
    Row(
        name="sequence_cross_entropy",
        code="eq.losses.SequenceCrossEntropyLoss()",
        kinds=("sequence",),
        formula="CE + z · logsumexp(logits)², over the tokens that count",
        use="language models, tagging, translation: sequences of unequal length",
        pitfalls="logits are [B, T, V], not torch's [B, V, T]; per='token' lets long sequences count more",
        paper="Zoph et al., ST-MoE, 2022; Chowdhery et al., PaLM, JMLR 2023",
        checked="torch's cross_entropy on flattened logits; removal of padding; logsumexp",
    ),
)
