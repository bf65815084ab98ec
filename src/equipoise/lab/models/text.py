"""A cheap encoder of text."""

from torch import Tensor, nn

from equipoise.lab.models.stages import Stage


class BagOfEmbeddings(nn.Module):
    """z = relu(W mean_i(e_i) + b): the mean of the n-grams' vectors, through one hidden layer.

    Joulin, Grave, Bojanowski, Mikolov, Bag of Tricks for Efficient Text Classification, EACL 2017.

    Args:
        vocabulary_size: How many n-grams there are.
        width: Numbers per n-gram.
        hidden: Numbers per text that come out.
        dropout: Share of numbers dropped before and after the hidden layer while training, 0 to 1.
    """

    def __init__(self, vocabulary_size: int, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.EmbeddingBag(vocabulary_size, width, mode="mean")
        # a mean over a hundred vectors of variance 1 would leave the hidden layer little to tell apart
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.layers = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout))

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The mean, then the hidden layer."""
        return (lambda inputs: self.embedding(*inputs), self.layers)

    def forward(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        """From bags end to end, as ``join_bags`` makes them, to [N, hidden]."""
        representation: Tensor = self.layers(self.embedding(*inputs))
        return representation
