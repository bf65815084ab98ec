import math

import torch
from torch.testing import assert_close

from equipoise.lab.models.encoders import BagOfEmbeddings, WeightedBag
from equipoise.lab.models.heads import SharedEncoder, scalar_head

BAGS = torch.tensor([7, 7, 2, 1]), torch.tensor([0, 3, 3])  # the second is empty


def frequencies():
    return torch.linspace(0.05, 1, 10)


def test_encoder_is_layers_on_the_weighted_sum_of_the_vectors_and_the_sum_itself():
    encoder = BagOfEmbeddings(frequencies(), width=4, hidden=3, dropout=0.5).eval()
    vectors = encoder.bag.embedding.weight
    w = [1 - math.log(f) for f in frequencies().tolist()]
    first = (2 * w[7] * vectors[7] + w[2] * vectors[2]) / math.sqrt(2 * w[7] ** 2 + w[2] ** 2)
    summed = hidden = torch.stack([first, torch.zeros(4), vectors[1]])
    for layer in (encoder.layers[0], encoder.layers[3]):
        made = hidden @ layer.weight.T + layer.bias
        hidden = made * made.sigmoid()
    assert_close(encoder(BAGS), torch.cat([hidden, summed], dim=1))
    assert encoder.width == 7


def test_heads_train_the_vectors_and_the_layers_do_not():
    encoder = BagOfEmbeddings(frequencies(), width=4, hidden=3, dropout=0.0)
    layers, summed = encoder(BAGS).split([3, 4], dim=1)
    layers.sum().backward(retain_graph=True)
    assert not encoder.bag.embedding.weight.grad.any()
    assert encoder.layers[0].weight.grad.abs().sum() > 0
    summed.sum().backward()
    assert encoder.bag.embedding.weight.grad.abs().sum() > 0


def test_ngrams_are_dropped_in_training_only_and_the_mean_stays():
    torch.manual_seed(0)
    bag = WeightedBag(frequencies(), width=1, dropout=0.5)
    drawn = torch.stack([bag(BAGS) for _ in range(4000)])
    assert drawn[:, 2].unique().numel() == 2  # a text of one n-gram: there, twice as large, or not there
    bag.eval()
    assert torch.equal(bag(BAGS), bag(BAGS))
    assert_close(drawn.mean(dim=0), bag(BAGS), atol=1e-3, rtol=0)


def test_embedding_gradients_are_dense():
    encoder = BagOfEmbeddings(frequencies(), width=4, hidden=3, dropout=0.0, ngram_dropout=0.0)
    encoder((torch.tensor([7]), torch.tensor([0]))).sum().backward()
    assert encoder.bag.embedding.weight.grad.layout == torch.strided


def test_every_head_reads_the_same_representation_and_only_given_heads_answer():
    encoder, left, right = torch.nn.Linear(5, 4), torch.nn.Linear(4, 2), scalar_head(4)
    inputs = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    outputs = SharedEncoder(encoder, {"left": left, "right": right})(inputs)
    assert list(outputs) == ["left", "right"]
    assert_close(outputs["left"], left(encoder(inputs)))
    assert outputs["right"].shape == (6,)


def test_offset_shifts_a_scalar_head():
    plain, shifted = (torch.manual_seed(0), scalar_head(4))[1], (torch.manual_seed(0), scalar_head(4, 4.2))[1]
    inputs = torch.ones(1, 4)
    assert_close(shifted(inputs), plain(inputs) + 4.2)
