import torch
from torch.testing import assert_close

from equipoise.lab.models.encoders import BagOfEmbeddings
from equipoise.lab.models.heads import SharedEncoder, scalar_head


def test_encoder_is_one_hidden_layer_on_the_mean_of_the_vectors():
    encoder = BagOfEmbeddings(10, width=4, hidden=3, dropout=0.5).eval()
    vectors, layer = encoder.embedding.weight, encoder.layers[1]
    means = torch.stack([(vectors[7] + vectors[7] + vectors[2]) / 3, torch.zeros(4), vectors[1]])
    outputs = encoder((torch.tensor([7, 7, 2, 1]), torch.tensor([0, 3, 3])))
    assert_close(outputs, (means @ layer.weight.T + layer.bias).clamp(min=0))


def test_embedding_gradients_are_dense():
    encoder = BagOfEmbeddings(10, width=4, hidden=3, dropout=0.0)
    encoder((torch.tensor([7]), torch.tensor([0]))).sum().backward()
    assert encoder.embedding.weight.grad.layout == torch.strided


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
