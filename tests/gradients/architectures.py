"""Networks of every shape that a balancer meets; each is built and run from a fixed seed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.checkpoint import checkpoint


@dataclass
class Case:
    """A network, the losses of one batch, and the tensor between trunk and heads where there is one."""

    model: nn.Module
    losses: dict[str, Tensor]
    representation: Tensor | None = None
    batched: bool = True  # whether PyTorch can batch every operation of its backward
    tolerance: float = 2e-5  # relative error of a gradient that is not in float64


def _trunk(width: int = 6) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh())


def _heads(width: int = 6, num_tasks: int = 3) -> nn.ModuleDict:
    return nn.ModuleDict({f"t{k}": nn.Linear(width, 2) for k in range(num_tasks)})


def _squares(outputs: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: (10.0**k * (out - k) ** 2).mean() for k, (name, out) in enumerate(outputs.items())}


def _heads_of(model: nn.ModuleDict) -> Iterable[tuple[str, nn.Module]]:
    return model["heads"].items()


def _network(width: int = 6, num_tasks: int = 3, **modules: nn.Module) -> nn.ModuleDict:
    return nn.ModuleDict({**modules, "heads": _heads(width, num_tasks)})


def _parameter(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape))


def _read(model: nn.ModuleDict, z: Tensor, **fields: Any) -> Case:
    """Every head reads z."""
    return Case(model, _squares({name: head(z) for name, head in _heads_of(model)}), z, **fields)


def _through(model: nn.ModuleDict, x: Tensor, **fields: Any) -> Case:
    return _read(model, model["trunk"](x), **fields)


def _pooled(trunk: nn.Module, x: Tensor, **fields: Any) -> Case:
    """Convolutions, and heads on the mean over positions."""
    return _read(_network(trunk=trunk), trunk(x).flatten(2).mean(2), **fields)


def _bag(bag: nn.EmbeddingBag, *arguments: Tensor, **named: Tensor) -> Case:
    return _read(_network(bag=bag), torch.tanh(bag(*arguments, **named)))


def _sequential(layer: nn.RNNBase) -> Case:
    return _read(_network(layer=layer), layer(torch.randn(3, 5, 4))[0])


class Blocked(torch.autograd.Function):
    """The identity, whose gradient is undefined."""

    @staticmethod
    def forward(ctx, z):
        return z.clone()

    @staticmethod
    def backward(ctx, gradient):
        return None


def mlp() -> Case:
    model = nn.ModuleDict({"trunk": _trunk(), "heads": _heads()})
    z = model["trunk"](torch.randn(5, 4))
    return Case(model, _squares({name: head(z) for name, head in model["heads"].items()}), z)


def skip_around() -> Case:
    """The third head reads the first layer too, past the representation."""
    model = nn.ModuleDict({"first": nn.Linear(4, 6), "second": nn.Linear(6, 6), "heads": _heads()})
    hidden = torch.tanh(model["first"](torch.randn(5, 4)))
    z = torch.tanh(model["second"](hidden))
    outputs = {name: head(z + hidden if name == "t2" else z) for name, head in model["heads"].items()}
    return Case(model, _squares(outputs), z)


def tied_weights() -> Case:
    """One weight in two modules, and a head that reuses it."""
    model = nn.ModuleDict({"a": nn.Linear(4, 4), "b": nn.Linear(4, 4), "heads": _heads(4)})
    model["b"].weight = model["a"].weight
    z = torch.tanh(model["b"](torch.tanh(model["a"](torch.randn(5, 4)))))
    outputs = {name: head(z) for name, head in model["heads"].items()}
    outputs["t1"] = outputs["t1"] + z @ model["a"].weight[:2].T
    return Case(model, _squares(outputs), z)


def shared_by_some() -> Case:
    """A block that two of three tasks share, behind the representation."""
    model = nn.ModuleDict({"trunk": _trunk(), "block": nn.Linear(6, 6), "heads": _heads()})
    z = model["trunk"](torch.randn(5, 4))
    behind = torch.tanh(model["block"](z))
    outputs = {name: head(behind if name != "t0" else z) for name, head in model["heads"].items()}
    return Case(model, _squares(outputs), z)


def own_encoders() -> Case:
    """A shared core between encoders and heads that belong to one task each."""
    model = nn.ModuleDict(
        {"enc": nn.ModuleDict({f"t{k}": nn.Linear(4, 6) for k in range(3)}), "core": nn.Linear(6, 6), "heads": _heads()}
    )
    outputs = {
        name: head(torch.tanh(model["core"](torch.tanh(model["enc"][name](torch.randn(5, 4))))))
        for name, head in model["heads"].items()
    }
    return Case(model, _squares(outputs))


def convolutional() -> Case:
    model = nn.ModuleDict(
        {
            "trunk": nn.Sequential(
                nn.Conv2d(3, 4, 3, bias=False),
                nn.BatchNorm2d(4),
                nn.ReLU(inplace=True),
                nn.Conv2d(4, 6, 3),
                nn.ReLU(),
                nn.Flatten(),
            ),
            "heads": _heads(24),
        }
    )
    z = model["trunk"](torch.randn(4, 3, 6, 6))
    return Case(model, _squares({name: head(z) for name, head in model["heads"].items()}), z)


def transformer() -> Case:
    layer = nn.TransformerEncoderLayer(6, 2, 8, dropout=0.1, batch_first=True)
    model = nn.ModuleDict({"embed": nn.Embedding(9, 6), "encoder": nn.TransformerEncoder(layer, 2), "heads": _heads()})
    z = model["encoder"](model["embed"](torch.randint(9, (3, 5))))
    return Case(model, _squares({name: head(z.mean(1)) for name, head in model["heads"].items()}), z)


def recurrent() -> Case:
    model = nn.ModuleDict({"lstm": nn.LSTM(4, 6, batch_first=True), "heads": _heads()})
    z = model["lstm"](torch.randn(3, 5, 4))[0]
    return Case(model, _squares({name: head(z[:, -1]) for name, head in model["heads"].items()}), z)


def checkpointed() -> Case:
    model = nn.ModuleDict({"trunk": _trunk(), "heads": _heads()})
    z = checkpoint(model["trunk"], torch.randn(5, 4), use_reentrant=False)
    return Case(model, _squares({name: head(z) for name, head in model["heads"].items()}), z)


def frozen_and_unused() -> Case:
    model = nn.ModuleDict({"trunk": _trunk(), "heads": _heads(), "unused": nn.Linear(2, 2)})
    model["trunk"][0].requires_grad_(False)
    z = model["trunk"](torch.randn(5, 4))
    return Case(model, _squares({name: head(z) for name, head in model["heads"].items()}), z)


def mixed_dtypes() -> Case:
    model = nn.ModuleDict({"trunk": _trunk(), "wide": nn.Linear(6, 6).double(), "heads": _heads().double()})
    z = torch.tanh(model["wide"](model["trunk"](torch.randn(5, 4)).double()))
    return Case(model, _squares({name: head(z) for name, head in model["heads"].items()}), z)


def constant_for_some() -> Case:
    """The first task reaches the trunk's weight through an operation whose gradient is undefined there."""

    model = nn.ModuleDict({"trunk": _trunk(), "heads": _heads()})
    z = model["trunk"](torch.randn(5, 4))
    outputs = {name: head(Blocked.apply(z) if name == "t0" else z) for name, head in model["heads"].items()}
    return Case(model, _squares(outputs), z)


def strided() -> Case:
    """Gradients of a transposed and expanded parameter come back non-contiguous."""
    model = nn.ModuleDict({"heads": _heads(4)})
    model.matrix = nn.Parameter(torch.randn(4, 4))
    model.scale = nn.Parameter(torch.randn(()))
    z = torch.tanh(torch.randn(5, 4) @ model.matrix.T * model.scale.expand(5, 4))
    return Case(model, _squares({name: head(z) for name, head in model["heads"].items()}), z)


def single_task() -> Case:
    model = nn.ModuleDict({"trunk": _trunk(), "heads": _heads(num_tasks=1)})
    z = model["trunk"](torch.randn(5, 4))
    return Case(model, {"t0": F.mse_loss(model["heads"]["t0"](z), torch.ones(5, 2))}, z)


def mlp_without_bias() -> Case:
    trunk = nn.Sequential(nn.Linear(4, 6, bias=False), nn.Tanh(), nn.Linear(6, 6, bias=False))
    return _through(_network(trunk=trunk), torch.randn(5, 4))


def three_dimensional_input() -> Case:
    return _through(_network(trunk=_trunk()), torch.randn(2, 5, 4))


def four_dimensional_input() -> Case:
    return _through(_network(trunk=_trunk()), torch.randn(2, 3, 2, 4))


def transposed_input() -> Case:
    return _through(_network(trunk=_trunk()), torch.randn(4, 5).T)


def transposed_input_3d() -> Case:
    """In three dimensions a non-contiguous input turns a linear layer into a product and a sum."""
    return _through(_network(trunk=_trunk()), torch.randn(4, 5, 2).permute(2, 1, 0))


def transposed_between() -> Case:
    """An MLP-mixer: one layer mixes channels, the next mixes positions."""
    model = _network(channels=nn.Linear(4, 6), positions=nn.Linear(5, 3))
    z = model["positions"](torch.tanh(model["channels"](torch.randn(2, 5, 4))).mT).mT
    return _read(model, z)


def permuted_4d_without_bias() -> Case:
    trunk = nn.Sequential(nn.Linear(4, 6, bias=False), nn.Tanh(), nn.Linear(6, 6, bias=False))
    return _through(_network(trunk=trunk), torch.randn(4, 2, 3, 2).permute(1, 2, 3, 0))


def one_sample() -> Case:
    return _through(_network(trunk=_trunk()), torch.randn(1, 4))


def unbatched_linear() -> Case:
    return _through(_network(trunk=_trunk()), torch.randn(4))


def expanded_input() -> Case:
    return _through(_network(trunk=_trunk()), torch.randn(1, 4).expand(5, 4))


def broadcast_input() -> Case:
    return _through(_network(trunk=_trunk()), torch.randn(2, 1, 4).expand(2, 5, 4))


def empty_input() -> Case:
    """A layer that sees no rows at all for one task, and some for the others."""
    model = _network(trunk=_trunk(), block=nn.Linear(6, 6))
    z = model["trunk"](torch.randn(5, 4))
    losses = _squares({name: head(model["block"](z)) for name, head in model["heads"].items()})
    losses["t0"] = model["heads"]["t0"](z).square().mean() + model["block"](z[:0]).sum()
    return Case(model, losses, z)


def empty_for_all() -> Case:
    model = _network(block=nn.Linear(6, 6), trunk=_trunk())
    z = model["trunk"](torch.randn(5, 4))
    nothing = model["block"](z[:0]).sum()
    return Case(model, {name: loss + nothing for name, loss in _read(model, z).losses.items()}, z)


def input_requires_grad() -> Case:
    """The input is a leaf that nobody gave to the balancer."""
    return _through(_network(trunk=_trunk()), torch.randn(5, 4, requires_grad=True))


def weight_in_out() -> Case:
    """x W + b with W [in, out], as in GPT-2."""
    model = _network()
    model.weight, model.bias = _parameter(4, 6), _parameter(6)
    return _read(model, torch.tanh(torch.addmm(model.bias, torch.randn(5, 4), model.weight)))


def weight_in_out_without_bias() -> Case:
    model = _network()
    model.first, model.second = _parameter(4, 6), _parameter(6, 6)
    return _read(model, torch.tanh(torch.randn(2, 5, 4) @ model.first) @ model.second)


def weight_on_the_left() -> Case:
    model = _network()
    model.weight = _parameter(6, 4)
    return _read(model, torch.tanh(model.weight @ torch.randn(4, 5)).T)


def weight_on_the_left_with_column_bias() -> Case:
    model = _network()
    model.weight, model.bias = _parameter(6, 4), _parameter(6, 1)
    return _read(model, torch.tanh(torch.addmm(model.bias, model.weight, torch.randn(4, 5))).T)


def weight_times_vector() -> Case:
    model = _network()
    model.weight, model.bias = _parameter(6, 4), _parameter(6)
    return _read(
        model, torch.tanh(torch.addmv(model.bias, model.weight, torch.randn(4))) + model.weight @ torch.ones(4)
    )


def addmm_scaled() -> Case:
    model = _network()
    model.weight, model.bias = _parameter(4, 6), _parameter(6)
    z = torch.addmm(model.bias, torch.randn(5, 4), model.weight, beta=0.5, alpha=2.0)
    return _read(model, torch.tanh(z))


def addmm_with_matrix_bias() -> Case:
    model = _network()
    model.weight, model.bias = _parameter(4, 6), _parameter(5, 6)
    return _read(model, torch.tanh(torch.addmm(model.bias, torch.randn(5, 4), model.weight)))


def addmm_with_half_a_bias() -> Case:
    model = _network()
    model.weight, model.bias = _parameter(4, 6), _parameter(6)
    return _read(model, torch.tanh(torch.addmm(model.bias, torch.randn(5, 4), model.weight, beta=0.5)))


def weight_on_the_left_with_bias() -> Case:
    """As many columns as rows, so that the bias might be taken for the weight's own."""
    model = _network()
    model.weight, model.bias = _parameter(6, 4), _parameter(6)
    return _read(model, torch.tanh(torch.addmm(model.bias, model.weight, torch.randn(4, 6))))


def weight_times_its_transpose() -> Case:
    model = _network()
    model.weight = _parameter(6, 6)
    return _read(model, torch.tanh(torch.randn(5, 6) @ (model.weight @ model.weight.T)))


def table_that_is_transposed() -> Case:
    model = _network()
    model.table = _parameter(6, 9)
    return _read(model, torch.tanh(F.embedding(torch.tensor([1, 1, 4, 8]), model.table.T)))


def bag_used_twice() -> Case:
    model = _network(bag=nn.EmbeddingBag(9, 6))
    tokens = torch.tensor([[1, 1, 4], [8, 0, 1]])
    return _read(model, torch.tanh(model["bag"](tokens) * model["bag"](tokens.flip(0))))


def bag_max_of_padding() -> Case:
    """A bag that holds nothing but padding."""
    return _bag(nn.EmbeddingBag(9, 6, mode="max", padding_idx=0), torch.tensor([[0, 0, 0], [4, 0, 7], [5, 6, 8]]))


def image_that_is_a_parameter() -> Case:
    model = _network(kernels=nn.Conv2d(2, 6, 3))
    model.image = _parameter(5, 2, 3, 3)
    return _read(model, torch.tanh(model["kernels"](model.image).flatten(1)))


def dense_and_sparse_lookups() -> Case:
    model = _network(embed=nn.Embedding(9, 6))
    table, tokens = model["embed"].weight, torch.tensor([1, 1, 4, 8])
    z = F.embedding(tokens, table) + F.embedding(tokens.flip(0), table, sparse=True)
    return _read(model, torch.tanh(z), batched=False)


def addmm_with_one_number() -> Case:
    """A bias [1], added to all outputs."""
    model = _network()
    model.weight, model.bias = _parameter(4, 6), _parameter(1)
    return _read(model, torch.tanh(torch.addmm(model.bias, torch.randn(5, 4), model.weight)))


def addmm_with_row_bias() -> Case:
    """A bias [1, out], one [] and one [out, out] where the batch happens to have out rows."""
    model = _network()
    model.weight, model.row, model.scalar, model.square = (
        _parameter(6, 6),
        _parameter(1, 6),
        _parameter(),
        _parameter(6, 6),
    )
    z = torch.randn(6, 6)
    for bias in (model.row, model.scalar, model.square):
        z = torch.tanh(torch.addmm(bias, z, model.weight))
    return _read(model, z)


def bias_that_is_a_hidden_state() -> Case:
    """addmm accumulates onto what another layer computed."""
    model = _network(a=nn.Linear(4, 6), b=nn.Linear(3, 6, bias=False))
    z = torch.addmm(model["a"](torch.randn(5, 4)), torch.randn(5, 3), model["b"].weight.T)
    return _read(model, torch.tanh(z))


def one_bias_two_weights() -> Case:
    model = _network(a=nn.Linear(4, 6), b=nn.Linear(6, 6))
    model["b"].bias = model["a"].bias
    return _read(model, torch.tanh(model["b"](torch.tanh(model["a"](torch.randn(5, 4))))))


def one_weight_two_biases() -> Case:
    model = _network(a=nn.Linear(6, 6), b=nn.Linear(6, 6))
    model["b"].weight = model["a"].weight
    return _read(model, torch.tanh(model["b"](torch.tanh(model["a"](torch.randn(5, 6))))))


def one_weight_with_and_without_bias() -> Case:
    model = _network(a=nn.Linear(6, 6))
    z = torch.tanh(F.linear(torch.tanh(model["a"](torch.randn(5, 6))), model["a"].weight))
    return _read(model, z + model["a"].bias)


def layer_used_twice() -> Case:
    """The second use sees fewer rows than the first."""
    model = _network(layer=nn.Linear(6, 6))
    x = torch.randn(5, 6)
    return _read(model, torch.tanh(model["layer"](x)) + torch.tanh(model["layer"](x[:2])).mean(0))


def layer_used_five_times() -> Case:
    """A recurrent loop by hand; sequences end one by one."""
    model = _network(into=nn.Linear(4, 6), across=nn.Linear(6, 6))
    x, z = torch.randn(5, 5, 4), torch.zeros(5, 6)
    for t in range(5):
        z = torch.cat([torch.tanh(model["into"](x[t, t:]) + model["across"](z[t:])), z[:t]])
    return _read(model, z)


def siamese() -> Case:
    model = _network(width=12, trunk=_trunk())
    left, right = model["trunk"](torch.randn(5, 4)), model["trunk"](torch.randn(3, 4))
    return _read(model, torch.cat([left, right.mean(0).expand(5, 6)], dim=1))


def own_inputs() -> Case:
    """One trunk, a batch of another size for each task."""
    model = _network(trunk=_trunk())
    outputs = {f"t{k}": model["heads"][f"t{k}"](model["trunk"](torch.randn(2 + k, 4))) for k in range(3)}
    return Case(model, _squares(outputs))


def weight_and_its_transpose() -> Case:
    """A tied autoencoder."""
    model = _network(width=4, encoder=nn.Linear(4, 6))
    z = torch.tanh(model["encoder"](torch.randn(5, 4)))
    return _read(model, F.linear(z, model["encoder"].weight.T))


def sliced_weight() -> Case:
    """A slimmable layer: narrow for one task, whole for the others."""
    model = _network(layer=nn.Linear(4, 6))
    x, layer = torch.randn(5, 4), model["layer"]
    narrow = F.linear(x, layer.weight[:3], layer.bias[:3])
    outputs = {name: head(torch.tanh(layer(x))) for name, head in model["heads"].items()}
    return Case(model, _squares({**outputs, "t0": narrow}))


def contiguous_transpose() -> Case:
    model = _network(a=nn.Linear(4, 6), b=nn.Linear(6, 6))
    z = torch.tanh(torch.randn(5, 4) @ model["a"].weight.t().contiguous() + model["a"].bias)
    return _read(model, torch.tanh(model["b"](z)))


def cast_weight() -> Case:
    model = _network(layer=nn.Linear(4, 6))
    z = F.linear(torch.randn(5, 4).double(), model["layer"].weight.double(), model["layer"].bias.double())
    return _read(model, torch.tanh(z).float())


def scaled_weight() -> Case:
    """Equalised learning rate: the weight is multiplied on its way in."""
    model = _network(layer=nn.Linear(4, 6))
    return _read(model, torch.tanh(F.linear(torch.randn(5, 4), model["layer"].weight * 0.5, model["layer"].bias)))


def product_of_parameters() -> Case:
    """Learned queries: both operands of the product are parameters."""
    model = _network(layer=nn.Linear(4, 6))
    model.queries, model.matrix = _parameter(5, 4), _parameter(6, 6)
    return _read(model, torch.tanh(model["layer"](model.queries)) @ model.matrix + torch.tanh(model.matrix[:5]))


def square_of_a_parameter() -> Case:
    model = _network()
    model.matrix = _parameter(6, 6)
    return _read(model, torch.randn(5, 6) @ torch.tanh(model.matrix @ model.matrix))


def hypernetwork() -> Case:
    """The weight of a layer is another layer's output."""
    model = _network(hyper=nn.Linear(3, 24))
    weight = model["hyper"](torch.randn(3)).view(6, 4)
    return _read(model, torch.tanh(F.linear(torch.randn(5, 4), weight)))


def bilinear() -> Case:
    model = _network(bilinear=nn.Bilinear(4, 3, 6))
    return _read(model, torch.tanh(model["bilinear"](torch.randn(5, 4), torch.randn(5, 3))))


def einsum() -> Case:
    model = _network()
    model.weight = _parameter(4, 2, 3)
    return _read(model, torch.tanh(torch.einsum("btd,dhe->bthe", torch.randn(2, 5, 4), model.weight)).flatten(2))


def batched_parameter() -> Case:
    """Two layers at once by bmm, two by baddbmm."""
    model = _network(width=6)
    model.first, model.second, model.bias = _parameter(2, 4, 6), _parameter(2, 6, 6), _parameter(2, 1, 6)
    z = torch.tanh(torch.bmm(torch.randn(2, 5, 4), model.first))
    return _read(model, torch.baddbmm(model.bias, z, model.second))


def broadcast_matmul() -> Case:
    model = _network(width=6)
    model.weight = _parameter(2, 4, 6)
    return _read(model, torch.tanh(torch.randn(5, 1, 3, 4) @ model.weight))


def weight_that_is_its_bias() -> Case:
    model = _network()
    model.matrix = _parameter(6, 6)
    return _read(model, torch.tanh(torch.addmm(model.matrix, torch.randn(6, 6), model.matrix)))


def expanded_bias() -> Case:
    """One scalar for all outputs of a layer, one row of a table as bias of another."""
    model = _network()
    model.first, model.second, model.scalar, model.table = (
        _parameter(6, 4),
        _parameter(6, 6),
        _parameter(),
        _parameter(3, 6),
    )
    z = torch.tanh(F.linear(torch.randn(5, 4), model.first, model.scalar.expand(6)))
    return _read(model, F.linear(z, model.second, model.table[1]))


def pointwise_convolution() -> Case:
    """A 1 x 1 convolution, and a linear layer with the same weight."""
    model = _network(layer=nn.Linear(6, 6))
    x = torch.randn(2, 6, 5)
    z = F.conv1d(x, model["layer"].weight[:, :, None], model["layer"].bias)
    return _read(model, torch.tanh(z).mT + model["layer"](x.mT))


def fourier_features() -> Case:
    model = _network(trunk=nn.Linear(6, 6))
    spectrum = torch.fft.rfft(torch.randn(5, 4))
    return _through(model, torch.cat([spectrum.real, spectrum.imag], dim=1))


def fourier_filter() -> Case:
    """A learned filter in the frequency domain, stored as pairs of numbers."""
    model = _network(width=4, trunk=nn.Linear(4, 4))
    model.filter = _parameter(3, 2)
    spectrum = torch.fft.rfft(model["trunk"](torch.randn(5, 4))) * torch.view_as_complex(model.filter)
    return _read(model, torch.fft.irfft(spectrum, n=4))


def summed_outputs() -> Case:
    """Gradients at the layer's output are expanded, sparse or scaled; no head follows."""
    model = nn.ModuleDict({"trunk": _trunk()})
    z = model["trunk"](torch.randn(5, 4))
    return Case(model, {"sum": z.sum(), "one": 3 * z[0, 0], "square": z.square().mean()}, z)


def in_place() -> Case:
    trunk = nn.Sequential(nn.Linear(4, 6), nn.ReLU(inplace=True), nn.Linear(6, 6), nn.LeakyReLU(inplace=True))
    return _through(_network(trunk=trunk), torch.randn(5, 4))


def written_slice() -> Case:
    """A part of a linear layer's output is overwritten, another part changed through a view."""
    model = _network(first=nn.Linear(4, 6), second=nn.Linear(6, 6))
    z = model["first"](torch.randn(5, 4))
    z[:, 0] = 1.0
    z.view(-1)[7:20].mul_(2.0)
    return _read(model, torch.tanh(model["second"](z)))


def written_slice_3d() -> Case:
    model = _network(first=nn.Linear(4, 6), second=nn.Linear(6, 6))
    z = model["first"](torch.randn(2, 5, 4))
    z[:, 0] += model["second"].bias
    z.mul_(0.5)
    return _read(model, torch.tanh(model["second"](z)))


def two_ways() -> Case:
    """Every task reaches the layer's output twice, once through a second use of the layer."""
    model = _network(layer=nn.Linear(6, 6))
    hidden = model["layer"](torch.randn(5, 6))
    return _read(model, torch.tanh(hidden) + model["layer"](hidden.relu()) * hidden)


def detached_path() -> Case:
    model = _network(first=nn.Linear(4, 6), second=nn.Linear(6, 6))
    hidden = torch.tanh(model["first"](torch.randn(5, 4)))
    outputs = {n: h(torch.tanh(model["second"](hidden.detach() if n == "t0" else hidden))) for n, h in _heads_of(model)}
    outputs["t2"] = outputs["t2"] * hidden.detach()[:, :2]
    return Case(model, _squares(outputs))


def undefined_at_one_use() -> Case:
    """Of two uses of a layer, one gets no gradient from the first task, none at all from the second."""
    model = _network(layer=nn.Linear(6, 6))
    x = torch.randn(5, 6)
    a, b = torch.tanh(model["layer"](x)), torch.tanh(model["layer"](x + 1))
    seen = {"t0": a + Blocked.apply(b), "t1": a, "t2": a * b}
    return Case(model, _squares({name: head(seen[name]) for name, head in _heads_of(model)}))


def retained_intermediate() -> Case:
    model = _network(first=nn.Linear(4, 6), second=nn.Linear(6, 6))
    hidden = model["first"](torch.randn(5, 4))
    hidden.retain_grad()
    return _read(model, torch.tanh(model["second"](torch.tanh(hidden))))


def hook_on_output() -> Case:
    """Tensor hooks scale the gradient at the output of linear layers."""
    model = _network(first=nn.Linear(4, 6), second=nn.Linear(6, 6))
    hidden = model["first"](torch.randn(5, 4))
    hidden.register_hook(lambda gradient: 2.0 * gradient)
    z = model["second"](torch.tanh(hidden))
    z.register_hook(lambda gradient: 0.5 * gradient)
    return _read(model, torch.tanh(z))


def hook_on_node() -> Case:
    """A prehook of the node scales what a linear layer receives, a posthook looks at what it returns."""
    model = _network(first=nn.Linear(4, 6), second=nn.Linear(6, 6))
    hidden = model["first"](torch.randn(5, 4))
    hidden.grad_fn.register_prehook(lambda gradients: tuple(2.0 * g for g in gradients))
    hidden.grad_fn.register_hook(lambda into, outof: None)
    return _read(model, torch.tanh(model["second"](torch.tanh(hidden))))


def hook_on_a_nodes_result() -> Case:
    """A posthook of the node scales the weight's and bias' gradients that a linear layer returns."""
    model = _network(first=nn.Linear(4, 6), second=nn.Linear(6, 6))
    hidden = model["first"](torch.randn(5, 4))
    hidden.grad_fn.register_hook(lambda into, outof: tuple(None if g is None else 3.0 * g for g in into))
    return _read(model, torch.tanh(model["second"](torch.tanh(hidden))))


def hook_on_transposed_weight() -> Case:
    """A tensor hook between the weight and its layer."""
    model = _network(layer=nn.Linear(4, 6))
    weight = model["layer"].weight.T
    weight.register_hook(lambda gradient: 2.0 * gradient)
    return _read(model, torch.tanh(torch.addmm(model["layer"].bias, torch.randn(5, 4), weight)))


def module_backward_hook() -> Case:
    """The hook of a linear module scales the gradient by its input."""
    model = _network(first=nn.Linear(4, 6), second=nn.Linear(6, 6))
    model["second"].register_full_backward_hook(lambda module, into, outof: tuple(2.0 * g for g in into))
    model["second"].register_full_backward_pre_hook(lambda module, outof: tuple(0.5 * g for g in outof))
    return _read(model, torch.tanh(model["second"](torch.tanh(model["first"](torch.randn(5, 4))))))


def shared_by_two_of_four() -> Case:
    model = _network(num_tasks=4, trunk=_trunk(), block=nn.Linear(6, 6), own=nn.Linear(6, 6))
    z = model["trunk"](torch.randn(5, 4))
    seen = {"t0": z, "t1": torch.tanh(model["block"](z)), "t2": z + model["block"](z), "t3": model["own"](z)}
    return Case(model, _squares({name: head(seen[name]) for name, head in _heads_of(model)}), z)


def disjoint_pairs() -> Case:
    """Two pairs of tasks with one trunk each; only a scale is common to all."""
    model = _network(num_tasks=4, left=_trunk(), right=_trunk())
    model.scale = _parameter()
    x = torch.randn(5, 4)
    z = {"t0": model["left"](x), "t1": model["left"](x), "t2": model["right"](x), "t3": model["right"](x)}
    return Case(model, _squares({name: model.scale * head(z[name]) for name, head in _heads_of(model)}))


def heads_at_different_depths() -> Case:
    model = _network(layers=nn.ModuleList([nn.Linear(6, 6) for _ in range(3)]))
    z, outputs = torch.randn(5, 6), {}
    for layer, (name, head) in zip(model["layers"], _heads_of(model), strict=True):
        z = torch.tanh(layer(z))
        outputs[name] = head(z)
    return Case(model, _squares(outputs))


def shared_head() -> Case:
    """All tasks through one head, on rows of their own."""
    model = nn.ModuleDict({"trunk": _trunk(), "head": nn.Linear(6, 2)})
    z = model["trunk"](torch.randn(6, 4))
    out = model["head"](z)
    return Case(model, _squares({"t0": out[:2], "t1": out[2:5], "t2": out[5:]}), z)


def one_output_layer() -> Case:
    """Tasks are columns of one output layer."""
    model = nn.ModuleDict({"trunk": _trunk(), "head": nn.Linear(6, 5)})
    z = model["trunk"](torch.randn(6, 4))
    parts = model["head"](z).split([1, 2, 2], dim=1)
    return Case(model, _squares({f"t{k}": part for k, part in enumerate(parts)}), z)


def weight_penalty() -> Case:
    """One task reaches a layer's weight also outside of the layer."""
    case = mlp()
    case.losses["t1"] = case.losses["t1"] + 0.1 * case.model["trunk"][2].weight.square().sum()
    return case


def unbound_losses() -> Case:
    """All losses are outputs of one node, straight behind a linear layer."""
    model = nn.ModuleDict({"trunk": _trunk(), "head": nn.Linear(6, 3)})
    z = model["trunk"](torch.randn(5, 4))
    return Case(model, {f"t{k}": loss for k, loss in enumerate(model["head"](z).square().mean(0).unbind())}, z)


def equal_losses() -> Case:
    """Two tasks hand in the same tensor."""
    case = one_output_layer()
    return Case(case.model, {**case.losses, "t2": case.losses["t0"]}, case.representation)


def norm_of_a_parameter() -> Case:
    """A task that is nothing but a parameter's norm."""
    case = mlp()
    return Case(case.model, {**case.losses, "t3": case.model["trunk"][0].weight.norm()})


def task_that_is_a_parameter() -> Case:
    model = _network(trunk=_trunk())
    model.temperature = _parameter()
    z = model["trunk"](torch.randn(5, 4)) * model.temperature
    return Case(model, {**_read(model, z).losses, "t3": model.temperature})


def temperature() -> Case:
    """A learned scalar divides all outputs."""
    model = _network(trunk=_trunk())
    model.temperature = nn.Parameter(torch.tensor(0.7))
    z = model["trunk"](torch.randn(5, 4))
    return Case(model, _squares({name: head(z) / model.temperature.exp() for name, head in _heads_of(model)}), z)


def uncertainties() -> Case:
    """Learned variances, one vector for all tasks."""
    model = _network(trunk=_trunk())
    model.log_variance = nn.Parameter(torch.zeros(3))
    losses = _through(model, torch.randn(5, 4)).losses
    scaled = {n: v * (-s).exp() + s for (n, v), s in zip(losses.items(), model.log_variance, strict=True)}
    return Case(model, scaled)


def mixture_of_experts() -> Case:
    """Hard routing: the last expert gets no token, the second serves one task only."""
    model = _network(gate=nn.Linear(6, 2), experts=nn.ModuleList([nn.Linear(6, 6) for _ in range(3)]), trunk=_trunk())
    z = model["trunk"](torch.randn(7, 4))
    gates = model["gate"](z).softmax(1)
    mixed = z.index_add(0, torch.arange(4), gates[:4, :1] * model["experts"][0](z[:4]))
    mixed = mixed.index_add(0, torch.arange(0), model["experts"][2](z[:0]))
    outputs = {name: head(mixed) for name, head in _heads_of(model)}
    outputs["t0"] = outputs["t0"].index_add(0, torch.arange(4, 7), (gates[4:, 1:] * model["experts"][1](z[4:]))[:, :2])
    return Case(model, _squares(outputs), z)


def routed_experts() -> Case:
    """Tokens choose their expert; shapes depend on the batch."""
    model = _network(
        experts=nn.ModuleList([nn.Linear(6, 6) for _ in "1234"]), trunk=nn.Linear(4, 6), gate=nn.Linear(6, 4)
    )
    z = model["trunk"](torch.randn(9, 4))
    gates, choice = model["gate"](z).softmax(1).max(1)
    mixed = torch.zeros_like(z)
    for e, expert in enumerate(model["experts"]):
        mixed[choice == e] = expert(z[choice == e])
    return _read(model, z + gates[:, None] * mixed)


def multi_gate_experts() -> Case:
    """MMoE: every task mixes the experts by a gate of its own; the last expert is left out."""
    model = _network(experts=nn.ModuleList([nn.Linear(4, 6) for _ in "123"]), gates=_heads(4), first=nn.Linear(4, 4))
    x = torch.tanh(model["first"](torch.randn(5, 4)))
    experts = torch.stack([torch.tanh(expert(x)) for expert in model["experts"]])[:2]
    mixed = {n: torch.einsum("ne,end->nd", gate(x).softmax(1), experts) for n, gate in model["gates"].items()}
    return Case(model, _squares({name: head(mixed[name]) for name, head in _heads_of(model)}))


def frozen_weight() -> Case:
    """BitFit: biases are trained, weights are not."""
    model = _network(trunk=_trunk())
    for layer in (model["trunk"][0], model["trunk"][2]):
        layer.weight.requires_grad_(False)
    return _through(model, torch.randn(5, 4))


def frozen_bias() -> Case:
    model = _network(trunk=_trunk())
    for layer in (model["trunk"][0], model["trunk"][2]):
        layer.bias.requires_grad_(False)
    return _through(model, torch.randn(5, 4))


def frozen_between() -> Case:
    """A frozen layer that gradients pass through on their way to a trained one."""
    model = _network(trunk=_trunk())
    model["trunk"][2].requires_grad_(False)
    return _through(model, torch.randn(5, 4))


def low_rank_adapter() -> Case:
    """LoRA: a frozen layer, and beside it two thin trained ones."""
    model = _network(base=nn.Linear(4, 6).requires_grad_(False), a=nn.Linear(4, 2, bias=False), b=nn.Linear(2, 6))
    x = torch.randn(2, 5, 4)
    return _read(model, torch.tanh(model["base"](x) + 0.5 * model["b"](model["a"](x))))


def merged_adapter() -> Case:
    """LoRA with the thin product added to the frozen weight."""
    model = _network(base=nn.Linear(4, 6).requires_grad_(False))
    model.a, model.b = _parameter(2, 4), _parameter(6, 2)
    return _read(model, torch.tanh(F.linear(torch.randn(5, 4), model["base"].weight + model.b @ model.a)))


def prompt_tuning() -> Case:
    """Learned tokens in front of the data, a frozen layer behind."""
    model = _network(frozen=nn.Linear(6, 6).requires_grad_(False), layer=nn.Linear(6, 6))
    model.prompt = _parameter(2, 6)
    tokens = torch.cat([model.prompt.expand(3, 2, 6), torch.randn(3, 4, 6)], dim=1)
    return _read(model, torch.tanh(model["layer"](torch.tanh(model["frozen"](tokens)))))


def embedding() -> Case:
    model = _network(embed=nn.Embedding(9, 6), layer=nn.Linear(6, 6))
    return _read(model, torch.tanh(model["layer"](model["embed"](torch.tensor([[1, 1, 4], [8, 0, 1]])))))


def embedding_tied_to_output() -> Case:
    model = nn.ModuleDict({"embed": nn.Embedding(9, 6), "layer": nn.Linear(6, 6), "output": nn.Linear(6, 9)})
    model["output"].weight = model["embed"].weight
    tokens = torch.randint(9, (3, 5))
    z = torch.tanh(model["layer"](model["embed"](tokens)))
    logits = model["output"](z)
    return Case(model, {"next": F.cross_entropy(logits[:, :-1].mT, tokens[:, 1:]), "square": logits.square().mean()}, z)


def tied_language_model() -> Case:
    """GPT-2: one table for tokens and logits, a causal block between; a task on the last state reads no logits."""
    model = _network(wte=nn.Embedding(11, 6), wpe=nn.Embedding(5, 6), norm=nn.LayerNorm(6), project=nn.Linear(6, 6))
    model["lm_head"] = nn.Linear(6, 11, bias=False)
    model["lm_head"].weight = model["wte"].weight
    tokens = torch.randint(11, (3, 5))
    z = model["wte"](tokens) + model["wpe"](torch.arange(5))
    z = z + model["project"](F.scaled_dot_product_attention(*3 * [model["norm"](z)], is_causal=True))
    logits = model["lm_head"](z)
    losses = {
        "next": F.cross_entropy(logits[:, :-1].mT, tokens[:, 1:]),
        "flat": logits.logsumexp(dim=-1).square().mean(),
    }
    return Case(model, losses | {"t0": model["heads"]["t0"](z[:, -1]).square().mean()}, z)


def tied_encoder_decoder() -> Case:
    """T5: one table for the encoder's tokens, the decoder's, and the logits; the tasks' batches are their own."""
    model = _network(shared=nn.Embedding(9, 6, padding_idx=0), encoder=nn.Linear(6, 6), decoder=nn.Linear(6, 6))
    table, losses = model["shared"], {}
    for task, (size, length) in {"translate": (3, 4), "summarise": (2, 6)}.items():
        source, target = torch.randint(9, (size, length)), torch.randint(9, (size, 3))
        memory = torch.tanh(model["encoder"](table(source))).mean(dim=1, keepdim=True)
        z = torch.tanh(model["decoder"](table(target) + memory))
        logits = F.linear(z * 6**-0.5, table.weight)
        losses[task] = F.cross_entropy(logits[:, :-1].mT, target[:, 1:])
    return Case(model, losses)


def tied_masked_language_model() -> Case:
    """BERT: logits at the masked positions only, with a bias of their own."""
    model = _network(embed=nn.Embedding(9, 6, padding_idx=0), dense=nn.Linear(6, 6), decoder=nn.Linear(6, 9))
    model["decoder"].weight = model["embed"].weight
    tokens = torch.randint(9, (3, 5))
    z = torch.tanh(model["dense"](model["embed"](tokens)))
    logits = model["decoder"](z[:, [1, 3]].flatten(0, 1))
    losses = {"masked": F.cross_entropy(logits, tokens[:, [1, 3]].flatten()), "even": logits.square().mean()}
    return Case(model, losses | {"t1": model["heads"]["t1"](z[:, 0]).square().mean()}, z)


def tied_under_autocast() -> Case:
    model = nn.ModuleDict({"embed": nn.Embedding(9, 6), "layer": nn.Linear(6, 6)})
    tokens = torch.randint(9, (3, 5))
    with torch.autocast("cpu", torch.bfloat16):
        logits = F.linear(torch.tanh(model["layer"](model["embed"](tokens))), model["embed"].weight)
    losses = {"next": F.cross_entropy(logits.float().mT, tokens), "square": logits.float().square().mean()}
    return Case(model, losses, tolerance=2e-2)


def tied_in_every_way() -> Case:
    """Looked up, multiplied from either side, transposed, averaged with soft shares: one table."""
    model = _network(width=9, embed=nn.Embedding(9, 6), bias=nn.Linear(1, 9))
    table = model["embed"].weight
    z = torch.tanh(model["embed"](torch.tensor([1, 1, 4, 8])))
    logits = torch.addmm(model["bias"].bias, z, table.T) + z @ table.mT + torch.mm(table, z.T).T
    soft = logits.softmax(dim=-1) @ table
    return _read(model, torch.tanh(soft) @ table.transpose(0, 1))


def tied_by_frequency() -> Case:
    model = _network(width=9, embed=nn.Embedding(9, 6, scale_grad_by_freq=True))
    z = torch.tanh(model["embed"](torch.tensor([[1, 1, 1], [8, 0, 1]])))
    return _read(model, F.linear(z, model["embed"].weight))


def embedding_used_twice() -> Case:
    model = _network(embed=nn.Embedding(9, 6))
    z = model["embed"](torch.randint(9, (3, 5))) + model["embed"](torch.tensor([1, 1, 2, 0, 8]))
    return _read(model, torch.tanh(z + model["embed"](torch.tensor(4))))


def embedding_with_padding() -> Case:
    model = _network(embed=nn.Embedding(9, 6, padding_idx=0), last=nn.Embedding(9, 6, padding_idx=-1))
    tokens = torch.tensor([[1, 0, 1], [8, 0, 2]])
    return _read(model, torch.tanh(model["embed"](tokens) + model["last"](tokens)))


def embedding_scaled_by_frequency() -> Case:
    model = _network(embed=nn.Embedding(9, 6, scale_grad_by_freq=True))
    return _read(model, torch.tanh(model["embed"](torch.tensor([[1, 1, 1], [8, 0, 1]]))))


def embedding_with_max_norm() -> Case:
    model = _network(embed=nn.Embedding(9, 6, max_norm=1.0))
    return _read(model, torch.tanh(model["embed"](torch.tensor([[1, 1, 4], [8, 0, 1]]))))


def embedding_of_nothing() -> Case:
    """No token at all from one of two tables."""
    model = _network(embed=nn.Embedding(9, 6), empty=nn.Embedding(9, 6))
    z = model["embed"](torch.randint(9, (5,))) + model["empty"](torch.zeros(0, dtype=torch.long)).sum()
    return _read(model, torch.tanh(z))


def scaled_embedding() -> Case:
    """What is looked up is not the parameter itself."""
    model = _network(embed=nn.Embedding(9, 6), project=nn.Linear(6, 6))
    table = model["project"](model["embed"].weight)
    return _read(model, torch.tanh(F.embedding(torch.randint(9, (3, 5)), table) + 2 * model["embed"](torch.tensor(1))))


def indexed_embedding() -> Case:
    """Look-ups by indexing, by index_select and by a product with one-hot rows."""
    model = _network()
    model.table = _parameter(9, 6)
    tokens = torch.tensor([1, 1, 4, 8])
    z = model.table[tokens] + model.table.index_select(0, tokens.flip(0))
    return _read(model, torch.tanh(z) + F.one_hot(tokens, 9).float() @ model.table)


def sparse_lookup_and_output() -> Case:
    """A sparse look-up and a linear layer of one table; their sum is dense."""
    model = _network(width=9, embed=nn.Embedding(9, 6, sparse=True))
    z = torch.tanh(model["embed"](torch.tensor([1, 1, 4])))
    return _read(model, F.linear(z, model["embed"].weight), batched=False)


def positions_and_types() -> Case:
    """Token, learned position and segment embeddings, normed."""
    model = _network(token=nn.Embedding(9, 6), place=nn.Embedding(5, 6), kind=nn.Embedding(2, 6), norm=nn.LayerNorm(6))
    z = model["token"](torch.randint(9, (3, 5))) + model["place"].weight + model["kind"](torch.tensor([0, 0, 1, 1, 1]))
    return _read(model, model["norm"](z))


def bag_sum() -> Case:
    """Bags by offsets; the second and the last are empty, tokens repeat within a bag."""
    return _bag(nn.EmbeddingBag(9, 6, mode="sum"), torch.tensor([1, 1, 4, 8, 8, 1]), torch.tensor([0, 3, 3, 6]))


def bag_mean() -> Case:
    return _bag(nn.EmbeddingBag(9, 6), torch.tensor([1, 1, 4, 8, 8, 1]), torch.tensor([0, 3, 3, 6]))


def bag_max() -> Case:
    return _bag(nn.EmbeddingBag(9, 6, mode="max"), torch.tensor([1, 1, 4, 8, 8, 1]), torch.tensor([0, 3, 3, 5]))


def bag_of_matrix() -> Case:
    return _bag(nn.EmbeddingBag(9, 6), torch.tensor([[1, 1, 4], [8, 0, 1]]))


def bag_with_last_offset() -> Case:
    bag = nn.EmbeddingBag(9, 6, mode="sum", include_last_offset=True)
    return _bag(bag, torch.tensor([1, 1, 4, 8, 8]), torch.tensor([0, 3, 3, 5]))


def bag_with_padding() -> Case:
    return _bag(nn.EmbeddingBag(9, 6, padding_idx=1), torch.tensor([[1, 1, 4], [8, 0, 1], [1, 1, 1]]))


def bag_sum_with_padding() -> Case:
    bag = nn.EmbeddingBag(9, 6, mode="sum", padding_idx=1)
    return _bag(bag, torch.tensor([1, 1, 4, 8, 8, 1]), torch.tensor([0, 2, 2, 5]))


def bag_scaled_by_frequency() -> Case:
    return _bag(nn.EmbeddingBag(9, 6, mode="sum", scale_grad_by_freq=True), torch.tensor([[1, 1, 4], [8, 0, 1]]))


def bag_with_max_norm() -> Case:
    return _bag(nn.EmbeddingBag(9, 6, max_norm=1.0), torch.tensor([[1, 1, 4], [8, 0, 1]]))


def bag_with_weights() -> Case:
    weights = torch.tensor([[0.5, 0.5, -2.0], [1.0, 0.0, 3.0]])
    return _bag(nn.EmbeddingBag(9, 6, mode="sum"), torch.tensor([[1, 1, 4], [8, 0, 1]]), per_sample_weights=weights)


def bag_with_learned_weights() -> Case:
    """The share of each token in its bag is another layer's output."""
    model = _network(bag=nn.EmbeddingBag(9, 6, mode="sum"), attend=nn.Linear(4, 3))
    shares = model["attend"](torch.randn(2, 4)).softmax(1)
    z = model["bag"](torch.tensor([[1, 1, 4], [8, 0, 1]]), per_sample_weights=shares)
    return _read(model, torch.tanh(z))


def embedding_and_bag() -> Case:
    """One table, read token by token and in bags."""
    model = _network(embed=nn.Embedding(9, 6), bag=nn.EmbeddingBag(9, 6))
    model["bag"].weight = model["embed"].weight
    tokens = torch.tensor([[1, 1, 4], [8, 0, 1]])
    return _read(model, torch.tanh(model["embed"](tokens) + model["bag"](tokens)[:, None]))


def convolution_1d() -> Case:
    trunk = nn.Sequential(nn.Conv1d(4, 6, 3, padding=1), nn.GELU(), nn.Conv1d(6, 6, 3, stride=2, dilation=2))
    return _pooled(trunk, torch.randn(3, 4, 9))


def convolution_3d() -> Case:
    return _pooled(nn.Sequential(nn.Conv3d(2, 4, 2), nn.Tanh(), nn.Conv3d(4, 6, 2)), torch.randn(2, 2, 4, 4, 4))


def grouped_convolution() -> Case:
    """Depthwise, then pointwise."""
    trunk = nn.Sequential(nn.Conv2d(4, 8, 3, groups=4, bias=False), nn.ReLU(), nn.Conv2d(8, 6, 1, groups=2))
    return _pooled(trunk, torch.randn(2, 4, 6, 6))


def transposed_convolution() -> Case:
    trunk = nn.Sequential(nn.ConvTranspose2d(4, 6, 3, stride=2, output_padding=1), nn.Tanh(), nn.Conv2d(6, 6, 3))
    return _pooled(trunk, torch.randn(2, 4, 3, 3))


def circular_convolution() -> Case:
    trunk = nn.Sequential(nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular"), nn.Tanh(), nn.Conv2d(6, 6, 3))
    return _pooled(trunk, torch.randn(2, 4, 5, 5))


def same_convolution() -> Case:
    trunk = nn.Sequential(nn.Conv2d(4, 6, 3, padding="same"), nn.Tanh(), nn.Conv2d(6, 6, (1, 3), padding="same"))
    return _pooled(trunk, torch.randn(2, 4, 5, 5))


def convolution_used_twice() -> Case:
    """One weight at two scales, as in a feature pyramid."""
    model = _network(conv=nn.Conv2d(4, 6, 3), first=nn.Conv2d(3, 4, 3))
    x = model["first"](torch.randn(2, 3, 9, 9)).relu()
    z = model["conv"](x).mean((2, 3)) + model["conv"](F.avg_pool2d(x, 2)).mean((2, 3))
    return _read(model, z + F.conv2d(x, model["conv"].weight, stride=2, padding=1, dilation=2).mean((2, 3)))


def convolution_with_bias_used_twice() -> Case:
    model = _network(conv=nn.Conv2d(3, 6, 2))
    pairs = torch.randn(2, 3, 4, 4), torch.randn(5, 3, 3, 2)
    return _read(model, torch.cat([torch.tanh(model["conv"](x)).mean((2, 3)) for x in pairs]))


def unbatched_convolution() -> Case:
    model = _network(first=nn.Conv2d(3, 4, 3), second=nn.Conv2d(4, 6, 3))
    z = model["second"](model["first"](torch.randn(3, 6, 6)).relu())
    return _read(model, z.mean((1, 2)))


def late_convolution() -> Case:
    """Many channels and one position, where factors are smaller than the weight."""
    return _pooled(nn.Sequential(nn.Conv2d(6, 8, 3), nn.ReLU(), nn.Conv2d(8, 6, 2)), torch.randn(2, 6, 4, 4))


def channels_last() -> Case:
    trunk = nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Conv2d(6, 6, 2)).to(memory_format=torch.channels_last)
    return _pooled(trunk, torch.randn(2, 4, 5, 5).to(memory_format=torch.channels_last))


def residual_block() -> Case:
    """ResNet: two convolutions with batch norm, and a strided shortcut."""
    block = [nn.Conv2d(3, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6), nn.ReLU(inplace=True)]
    block += [nn.Conv2d(6, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)]
    model = _network(block=nn.Sequential(*block), shortcut=nn.Conv2d(3, 6, 1, 2))
    x = torch.randn(3, 3, 6, 6)
    z = F.relu(model["block"](x) + model["shortcut"](x), inplace=True)
    return _read(model, z.mean((2, 3)))


def norms() -> Case:
    trunk = nn.Sequential(
        nn.Conv1d(4, 6, 3),
        nn.GroupNorm(2, 6),
        nn.Tanh(),
        nn.InstanceNorm1d(6, affine=True),
        nn.Tanh(),
        nn.Conv1d(6, 6, 1, bias=False),
        nn.LayerNorm(5),
        nn.PReLU(6),
    )
    return _pooled(trunk, torch.randn(3, 4, 7))


def batch_norm_mlp() -> Case:
    trunk = nn.Sequential(nn.Linear(4, 6, bias=False), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 6), nn.RMSNorm(6))
    return _through(_network(trunk=trunk), torch.randn(5, 4))


def batch_norm_in_evaluation() -> Case:
    trunk = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6).eval(), nn.ReLU(), nn.Linear(6, 6))
    return _through(_network(trunk=trunk), torch.randn(5, 4))


def u_net() -> Case:
    """Skips from down to up; heads read different levels."""
    model = _network(
        width=4, down=nn.Conv2d(3, 4, 3, padding=1), deep=nn.Conv2d(4, 4, 3, padding=1), up=nn.Conv2d(8, 4, 1)
    )
    fine = torch.tanh(model["down"](torch.randn(2, 3, 4, 4)))
    deep = torch.tanh(model["deep"](F.max_pool2d(fine, 2)))
    z = torch.tanh(model["up"](torch.cat([fine, F.interpolate(deep, scale_factor=2.0)], dim=1)))
    levels = {"t0": z.mean((2, 3)), "t1": deep.mean((2, 3)), "t2": (z + fine).amax((2, 3))}
    return Case(model, _squares({name: head(levels[name]) for name, head in _heads_of(model)}))


def residual_mlp() -> Case:
    model = _network(layers=nn.ModuleList([nn.Linear(6, 6) for _ in range(3)]))
    z = torch.randn(5, 6)
    for layer in model["layers"]:
        z = z + torch.tanh(layer(z))
    return _read(model, z)


def gated_mlp() -> Case:
    """SwiGLU with separate gate, and GLU with a joint one."""
    model = _network(gate=nn.Linear(4, 6, bias=False), up=nn.Linear(4, 6, bias=False), down=nn.Linear(6, 12))
    x = torch.randn(2, 5, 4)
    return _read(model, F.glu(model["down"](F.silu(model["gate"](x)) * model["up"](x))))


def dense_concatenation() -> Case:
    model = _network(width=10, layers=nn.ModuleList([nn.Linear(4 + 2 * i, 2) for i in range(3)]))
    features = torch.randn(5, 4)
    for layer in model["layers"]:
        features = torch.cat([features, torch.tanh(layer(features))], dim=1)
    return _read(model, features)


def graph_convolution() -> Case:
    """A GCN with a dense, and one with a sparse, constant adjacency matrix."""
    model = _network(first=nn.Linear(4, 6), second=nn.Linear(6, 6, bias=False))
    adjacency = (torch.rand(5, 5) < 0.5).float()
    z = torch.relu(adjacency @ model["first"](torch.randn(5, 4)))
    return _read(model, torch.sparse.mm(adjacency.to_sparse(), model["second"](z)), batched=False)


def transformer_pre_norm_gelu() -> Case:
    layer = nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
    model = _network(encoder=nn.TransformerEncoder(layer, 2, enable_nested_tensor=False))
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    return _read(model, model["encoder"](torch.randn(3, 5, 6), mask=mask, is_causal=True))


def transformer_sequence_first() -> Case:
    layer = nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, bias=False)
    model = _network(encoder=nn.TransformerEncoder(layer, 1, enable_nested_tensor=False))
    padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    return _read(model, model["encoder"](torch.randn(5, 2, 6), src_key_padding_mask=padding))


def transformer_decoder() -> Case:
    """Cross-attention splits one projection between two inputs."""
    model = _network(decoder=nn.TransformerDecoderLayer(6, 2, 8, dropout=0.0, batch_first=True), memory=nn.Linear(4, 6))
    return _read(model, model["decoder"](torch.randn(2, 3, 6), model["memory"](torch.randn(2, 5, 4))))


def cross_attention_of_other_widths() -> Case:
    model = _network(attention=nn.MultiheadAttention(6, 2, kdim=4, vdim=3, add_bias_kv=True, batch_first=True))
    z, _ = model["attention"](torch.randn(2, 5, 6), torch.randn(2, 3, 4), torch.randn(2, 3, 3))
    return _read(model, z)


def attention_by_hand() -> Case:
    model = _network(**{name: nn.Linear(6, 6, bias=name == "out") for name in ("q", "k", "v", "out")})
    x = torch.randn(2, 5, 6)
    q, k, v = (model[name](x).unflatten(-1, (2, 3)).transpose(1, 2) for name in "qkv")
    z = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return _read(model, x + model["out"](z.transpose(1, 2).flatten(2)))


def joint_attention_by_hand() -> Case:
    """One projection for queries, keys and values; attention written out."""
    model = _network(qkv=nn.Linear(6, 18), norm=nn.LayerNorm(6))
    q, k, v = model["qkv"](model["norm"](torch.randn(2, 5, 6))).chunk(3, dim=-1)
    return _read(model, (q @ k.mT / 6**0.5).softmax(-1) @ v)


def lstm_two_layers() -> Case:
    return _sequential(nn.LSTM(4, 3, num_layers=2, bidirectional=True, batch_first=True))


def lstm_with_projection() -> Case:
    return _sequential(nn.LSTM(4, 8, proj_size=6, batch_first=True))


def gru() -> Case:
    return _sequential(nn.GRU(4, 6, batch_first=True))


def gru_two_layers() -> Case:
    return _sequential(nn.GRU(4, 3, num_layers=2, bidirectional=True, batch_first=True))


def rnn() -> Case:
    return _sequential(nn.RNN(4, 3, num_layers=2, bidirectional=True, batch_first=True))


def rnn_relu_without_bias() -> Case:
    return _sequential(nn.RNN(4, 6, nonlinearity="relu", bias=False, batch_first=True))


def gru_cell() -> Case:
    model = _network(cell=nn.GRUCell(4, 6))
    z = torch.zeros(5, 6)
    for x in torch.randn(4, 5, 4):
        z = model["cell"](x, z)
    return _read(model, z)


def lstm_cell() -> Case:
    model = _network(cell=nn.LSTMCell(4, 6))
    state = None
    for x in torch.randn(3, 5, 4):
        state = model["cell"](x, state)
    return _read(model, torch.cat(state))


def packed_sequence() -> Case:
    model = _network(gru=nn.GRU(4, 6, batch_first=True))
    packed = nn.utils.rnn.pack_padded_sequence(
        torch.randn(3, 5, 4), torch.tensor([2, 5, 3]), batch_first=True, enforce_sorted=False
    )
    z, _ = nn.utils.rnn.pad_packed_sequence(model["gru"](packed)[0], batch_first=True)
    return _read(model, z)


def float64() -> Case:
    model = _network(trunk=_trunk(), embed=nn.Embedding(9, 6)).double()
    return _read(model, model["trunk"](torch.randn(5, 4).double()) + model["embed"](torch.tensor([1, 1, 0, 2, 8])))


def bfloat16() -> Case:
    model = _network(trunk=_trunk()).bfloat16()
    z = model["trunk"](torch.randn(5, 4).bfloat16())
    return Case(model, _squares({name: head(z).float() for name, head in _heads_of(model)}), z, tolerance=0.05)


def autocast() -> Case:
    model = _network(trunk=_trunk())
    with torch.autocast("cpu", torch.bfloat16):
        z = model["trunk"](torch.randn(5, 4))
        outputs = {name: head(z).float() for name, head in _heads_of(model)}
    return Case(model, _squares(outputs), z, tolerance=0.05)


def autocast_twice() -> Case:
    """Autocast keeps one low-precision copy for two uses, in and outside of attention."""
    model = _network(layer=nn.Linear(6, 6))
    with torch.autocast("cpu", torch.bfloat16):
        z = model["layer"](torch.tanh(model["layer"](torch.randn(2, 5, 6))))
    return _read(model, z.float() + F.linear(torch.randn(2, 5, 6), model["layer"].weight), tolerance=0.05)


def losses_of_two_dtypes() -> Case:
    case = mlp()
    case.losses["t0"] = case.losses["t0"].double()
    return case


def custom_function() -> Case:
    class Scaled(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x, weight):
            return x @ weight.T

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, gradient):
            x, weight = ctx.saved_tensors
            return gradient @ weight, gradient.mT @ x

    model = _network(first=nn.Linear(4, 6), second=nn.Linear(6, 6))
    z = Scaled.apply(torch.tanh(model["first"](torch.randn(5, 4))), model["second"].weight)
    return _read(model, torch.tanh(z + model["second"].bias))


def custom_function_that_looks_at_numbers() -> Case:
    """Its backward calls .item(), which nothing can batch."""

    class Watched(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            return z.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient if gradient.abs().max().item() > 0 else None

    model = _network(first=nn.Linear(4, 6), second=nn.Linear(6, 6))
    z = Watched.apply(torch.tanh(model["first"](torch.randn(5, 4))))
    return _read(model, torch.tanh(model["second"](z)), batched=False)


def gradient_reversal() -> Case:
    """Domain-adversarial: one head's gradient enters the trunk with its sign turned."""

    class Reversed(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            return z.view_as(z)

        @staticmethod
        def backward(ctx, gradient):
            return -gradient

    model = _network(trunk=_trunk())
    z = model["trunk"](torch.randn(5, 4))
    return Case(model, _squares({n: h(Reversed.apply(z) if n == "t1" else z) for n, h in _heads_of(model)}), z)


def straight_through() -> Case:
    """Rounded forward, identity backward."""
    model = _network(trunk=_trunk())
    z = model["trunk"](torch.randn(5, 4))
    return _read(model, z + (z.round() - z).detach())


def functional_call() -> Case:
    model = _network(trunk=_trunk())
    tripled = {name: 3 * parameter for name, parameter in model["trunk"].named_parameters()}
    return _read(model, torch.func.functional_call(model["trunk"], tripled, torch.randn(5, 4)))


def vmap_over_samples() -> Case:
    model = _network(trunk=_trunk())
    return _read(model, torch.func.vmap(model["trunk"])(torch.randn(5, 4)))


def vmap_over_weights() -> Case:
    """An ensemble: one batch through two weights at once."""
    model = _network()
    model.weights = _parameter(2, 6, 4)
    return _read(model, torch.tanh(torch.func.vmap(F.linear, in_dims=(None, 0))(torch.randn(5, 4), model.weights)))


def forward_derivative() -> Case:
    """A physics-informed loss by forward-mode differentiation."""
    model = _network(trunk=_trunk())
    z, slope = torch.func.jvp(model["trunk"], (torch.randn(5, 4),), (torch.ones(5, 4),))
    return _read(model, z + slope)


def backward_derivative() -> Case:
    """Input gradients by torch.func.grad inside the forward."""
    model = _network(width=4, trunk=_trunk())
    slope = torch.func.grad(lambda x: model["trunk"](x).square().sum())(torch.randn(5, 4))
    return _read(model, slope)


def double_backward() -> Case:
    """A gradient penalty by autograd.grad with create_graph."""
    model = _network(trunk=_trunk())
    x = torch.randn(5, 4, requires_grad=True)
    z = model["trunk"](x)
    (slope,) = torch.autograd.grad(z.square().sum(), x, create_graph=True)
    losses = _read(model, z).losses
    return Case(model, {**losses, "t1": losses["t1"] + slope.square().mean()})


def checkpointed_everywhere() -> Case:
    """Losses lie inside the checkpoint too."""
    model = _network(trunk=_trunk())
    x = torch.randn(5, 4)
    outputs = checkpoint(lambda: [head(model["trunk"](x)) for _, head in _heads_of(model)], use_reentrant=False)
    return Case(model, _squares({f"t{k}": out for k, out in enumerate(outputs)}))


def checkpointed_batch_norm() -> Case:
    model = _network(first=nn.Linear(4, 6, bias=False), norm=nn.BatchNorm1d(6), second=nn.Linear(6, 6))
    block = nn.Sequential(model["first"], model["norm"], nn.ReLU())
    return _read(model, torch.tanh(model["second"](checkpoint(block, torch.randn(5, 4), use_reentrant=False))))


def checkpointed_and_outside() -> Case:
    """A layer used once within a checkpoint and once without."""
    model = _network(layer=nn.Linear(6, 6))
    hidden = checkpoint(model["layer"], torch.randn(5, 6), use_reentrant=False)
    return _read(model, torch.tanh(model["layer"](torch.tanh(hidden))))


def checkpointed_embedding() -> Case:
    model = _network(embed=nn.Embedding(9, 6), layer=nn.Linear(6, 6))
    block = nn.Sequential(model["embed"], model["layer"])
    return _read(model, torch.tanh(checkpoint(block, torch.randint(9, (3, 5)), use_reentrant=False)))


def checkpointed_dropout() -> Case:
    """The recomputed forward draws random numbers."""
    model = _network(trunk=nn.Sequential(nn.Linear(4, 6), nn.Dropout(0.3), nn.Linear(6, 6)))
    return _read(model, checkpoint(model["trunk"], torch.randn(5, 4), use_reentrant=False), batched=False)


def saved_on_cpu() -> Case:
    model = _network(trunk=_trunk())
    with torch.autograd.graph.save_on_cpu():
        z = model["trunk"](torch.randn(5, 4))
    return _read(model, z)


def saved_through_hooks() -> Case:
    """Identity hooks around one layer, hooks that store double precision around the other."""
    model = _network(first=nn.Linear(4, 6), second=nn.Linear(6, 6))
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
        hidden = torch.tanh(model["first"](torch.randn(5, 4)))
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (t.double(), t.dtype), lambda kept: kept[0].to(kept[1])):
        z = torch.tanh(model["second"](hidden))
    return _read(model, z)


def weight_norm() -> Case:
    first, second = (nn.utils.parametrizations.weight_norm(nn.Linear(width, 6)) for width in (4, 6))
    return _through(_network(trunk=nn.Sequential(first, nn.Tanh(), second)), torch.randn(5, 4))


def spectral_norm() -> Case:
    trunk = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(4, 6)), nn.Tanh(), nn.Linear(6, 6))
    return _through(_network(trunk=trunk), torch.randn(5, 4))


def symmetric_weight() -> Case:
    """A parametrisation by hand."""

    class Symmetric(nn.Module):
        def forward(self, weight):
            return weight.triu() + weight.triu(1).T

    model = _network(layer=nn.Linear(6, 6))
    nn.utils.parametrize.register_parametrization(model["layer"], "weight", Symmetric())
    return _read(model, torch.tanh(model["layer"](torch.tanh(model["layer"](torch.randn(5, 6))))))


def zero_gradients() -> Case:
    """One task is at its minimum, so that its row is zero."""
    case = mlp()
    return Case(case.model, {**case.losses, "t1": 0.0 * case.losses["t1"]}, case.representation)


def dead_units() -> Case:
    """Columns of the input and rows of the gradient that are zero throughout."""
    model = _network(first=nn.Linear(4, 6), second=nn.Linear(6, 6))
    x = torch.randn(5, 4) * torch.tensor([1.0, 0.0, 1.0, 0.0])
    return _read(model, F.relu(model["second"](F.relu(model["first"](x)))))


def many_tasks() -> Case:
    """More tasks than numbers in the layer that they share."""
    model = nn.ModuleDict({"trunk": nn.Linear(4, 2, bias=False)})
    z = torch.tanh(model["trunk"](torch.randn(5, 4)))
    return Case(model, {f"t{k}": (z - k / 20).square().mean() + z[k % 5].sum() for k in range(20)}, z)


def hook_on_weight() -> Case:
    case = mlp()
    case.model["trunk"][2].weight.register_hook(lambda gradient: 2.0 * gradient)
    return case


def hook_on_scale() -> Case:
    """A parameter that has no factors, below the join."""
    model = _network(trunk=_trunk())
    model.scale = _parameter(6)
    model.scale.register_hook(lambda gradient: gradient.clamp(-0.1, 0.1))
    return _read(model, torch.tanh(model["trunk"](torch.randn(5, 4)) * model.scale))


def clipping_hook_on_weight() -> Case:
    """Not linear, so that per task and combined differ."""
    case = mlp()
    case.model["trunk"][2].weight.register_hook(lambda gradient: gradient.clamp(-0.01, 0.01))
    return case


def hook_on_embedding() -> Case:
    case = embedding()
    case.model["embed"].weight.register_hook(lambda gradient: 2.0 * gradient)
    return case


def hook_after_accumulation() -> Case:
    """As an optimiser fused into the backward; autograd.grad never runs it."""

    def double(parameter: Tensor) -> None:
        parameter.grad.mul_(2.0)

    case = mlp()
    case.model["trunk"][0].weight.register_post_accumulate_grad_hook(double)
    return case


def clipping_function() -> Case:
    """The gradient at the join is clipped to a norm, task by task."""

    class Clipped(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            return z.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient * (0.1 / gradient.norm()).clamp(max=1.0)

    model = _network(trunk=_trunk())
    return _read(model, Clipped.apply(model["trunk"](torch.randn(5, 4))))


def clipping_hook_on_output() -> Case:
    model = _network(first=nn.Linear(4, 6), second=nn.Linear(6, 6))
    hidden = model["first"](torch.randn(5, 4))
    hidden.register_hook(lambda gradient: gradient.clamp(-0.01, 0.01))
    return _read(model, torch.tanh(model["second"](torch.tanh(hidden))))


def sparse_embedding() -> Case:
    model = _network(embed=nn.Embedding(9, 6, sparse=True))
    return _read(model, torch.tanh(model["embed"](torch.tensor([[1, 1, 4], [8, 0, 1]]))), batched=False)


def sparse_bag() -> Case:
    return _bag(nn.EmbeddingBag(9, 6, sparse=True), torch.tensor([[1, 1, 4], [8, 0, 1]]))


ARCHITECTURES: list[Callable[[], Case]] = [
    mlp,
    skip_around,
    tied_weights,
    shared_by_some,
    own_encoders,
    convolutional,
    transformer,
    recurrent,
    checkpointed,
    frozen_and_unused,
    mixed_dtypes,
    constant_for_some,
    strided,
    single_task,
    mlp_without_bias,
    three_dimensional_input,
    four_dimensional_input,
    transposed_input,
    transposed_input_3d,
    transposed_between,
    permuted_4d_without_bias,
    one_sample,
    unbatched_linear,
    expanded_input,
    broadcast_input,
    empty_input,
    empty_for_all,
    input_requires_grad,
    weight_in_out,
    weight_in_out_without_bias,
    weight_on_the_left,
    weight_on_the_left_with_column_bias,
    weight_times_vector,
    addmm_scaled,
    addmm_with_matrix_bias,
    addmm_with_half_a_bias,
    weight_on_the_left_with_bias,
    weight_times_its_transpose,
    table_that_is_transposed,
    bag_used_twice,
    bag_max_of_padding,
    image_that_is_a_parameter,
    dense_and_sparse_lookups,
    addmm_with_one_number,
    addmm_with_row_bias,
    bias_that_is_a_hidden_state,
    one_bias_two_weights,
    one_weight_two_biases,
    one_weight_with_and_without_bias,
    layer_used_twice,
    layer_used_five_times,
    siamese,
    own_inputs,
    weight_and_its_transpose,
    sliced_weight,
    contiguous_transpose,
    cast_weight,
    scaled_weight,
    product_of_parameters,
    square_of_a_parameter,
    hypernetwork,
    bilinear,
    einsum,
    batched_parameter,
    broadcast_matmul,
    weight_that_is_its_bias,
    expanded_bias,
    pointwise_convolution,
    fourier_features,
    fourier_filter,
    summed_outputs,
    in_place,
    written_slice,
    written_slice_3d,
    two_ways,
    detached_path,
    undefined_at_one_use,
    retained_intermediate,
    hook_on_output,
    module_backward_hook,
    shared_by_two_of_four,
    disjoint_pairs,
    heads_at_different_depths,
    shared_head,
    one_output_layer,
    weight_penalty,
    unbound_losses,
    equal_losses,
    norm_of_a_parameter,
    task_that_is_a_parameter,
    temperature,
    uncertainties,
    mixture_of_experts,
    routed_experts,
    multi_gate_experts,
    frozen_weight,
    frozen_bias,
    frozen_between,
    low_rank_adapter,
    merged_adapter,
    prompt_tuning,
    embedding,
    embedding_tied_to_output,
    tied_language_model,
    tied_encoder_decoder,
    tied_masked_language_model,
    tied_under_autocast,
    tied_in_every_way,
    tied_by_frequency,
    embedding_used_twice,
    embedding_with_padding,
    embedding_scaled_by_frequency,
    embedding_with_max_norm,
    embedding_of_nothing,
    scaled_embedding,
    indexed_embedding,
    sparse_lookup_and_output,
    positions_and_types,
    bag_sum,
    bag_mean,
    bag_max,
    bag_of_matrix,
    bag_with_last_offset,
    bag_with_padding,
    bag_sum_with_padding,
    bag_scaled_by_frequency,
    bag_with_max_norm,
    bag_with_weights,
    bag_with_learned_weights,
    embedding_and_bag,
    convolution_1d,
    convolution_3d,
    grouped_convolution,
    transposed_convolution,
    circular_convolution,
    same_convolution,
    convolution_used_twice,
    convolution_with_bias_used_twice,
    unbatched_convolution,
    late_convolution,
    channels_last,
    residual_block,
    norms,
    batch_norm_mlp,
    batch_norm_in_evaluation,
    u_net,
    residual_mlp,
    gated_mlp,
    dense_concatenation,
    graph_convolution,
    transformer_pre_norm_gelu,
    transformer_sequence_first,
    transformer_decoder,
    cross_attention_of_other_widths,
    attention_by_hand,
    joint_attention_by_hand,
    lstm_two_layers,
    lstm_with_projection,
    gru,
    gru_two_layers,
    rnn,
    rnn_relu_without_bias,
    gru_cell,
    lstm_cell,
    packed_sequence,
    float64,
    bfloat16,
    autocast,
    autocast_twice,
    losses_of_two_dtypes,
    custom_function,
    custom_function_that_looks_at_numbers,
    gradient_reversal,
    straight_through,
    functional_call,
    vmap_over_samples,
    vmap_over_weights,
    forward_derivative,
    backward_derivative,
    double_backward,
    checkpointed_everywhere,
    checkpointed_batch_norm,
    checkpointed_and_outside,
    checkpointed_embedding,
    checkpointed_dropout,
    saved_on_cpu,
    saved_through_hooks,
    weight_norm,
    spectral_norm,
    symmetric_weight,
    zero_gradients,
    dead_units,
    many_tasks,
]

# Their delivered gradient is the hook of sum_k w_k g_k; the gramian is that without hooks.
HOOKED_ARCHITECTURES: list[Callable[[], Case]] = [
    hook_on_weight,
    hook_on_scale,
    clipping_hook_on_weight,
    hook_on_embedding,
    hook_after_accumulation,
]

# Rows raise ValueError on them.
SPARSE_ARCHITECTURES: list[Callable[[], Case]] = [
    sparse_embedding,
    sparse_bag,
]

# A backward that is not linear: per-task passes deliver sum_k w_k g_k, one joint pass with weighted seeds does not.
NONLINEAR_ARCHITECTURES: list[Callable[[], Case]] = [
    clipping_function,
    clipping_hook_on_output,
]

# Hooks that run only when the node itself does, so not if a pass ends at its output; torch offers no way to see them.
NODE_HOOKED_ARCHITECTURES: list[Callable[[], Case]] = [
    hook_on_node,
    hook_on_a_nodes_result,
    hook_on_transposed_weight,
]
