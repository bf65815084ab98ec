import numpy
import pytest
import torch
from torch.utils.data import DataLoader

from equipoise.lab.data.arrays import Arrays, join

PAIR = (torch.arange(10), torch.arange(10.0)[:, None] / 10)
TARGETS = {"even": torch.arange(10) % 2 == 0, "square": torch.arange(10.0) ** 2}


@pytest.mark.parametrize("inputs", [PAIR[1], PAIR])
def test_a_batch_is_its_samples_one_by_one(inputs):
    data = Arrays(inputs, TARGETS)
    chosen = [7, 0, 3]
    together = join(data.__getitems__(chosen))
    apart = join([data[i] for i in chosen])
    for batch in (together, apart):
        tensors = batch[0] if isinstance(inputs, tuple) else (batch[0],)
        for got, whole in zip(tensors, inputs if isinstance(inputs, tuple) else (inputs,), strict=True):
            assert torch.equal(got, whole[chosen])
        assert {name: target.tolist() for name, target in batch[1].items()} == {
            name: target[chosen].tolist() for name, target in TARGETS.items()
        }


def test_a_loader_gives_every_row_once_and_in_its_order():
    batches = list(DataLoader(Arrays(PAIR, TARGETS), 4, collate_fn=join))
    assert [len(targets["even"]) for _, targets in batches] == [4, 4, 2]
    assert torch.cat([numbers for (numbers, _), _ in batches]).tolist() == list(range(10))


def test_a_part_holds_the_rows_that_were_asked_for():
    part = Arrays(PAIR, TARGETS).where(TARGETS["even"])
    assert len(part) == 5
    assert part.targets["square"].tolist() == [0.0, 4.0, 16.0, 36.0, 64.0]
    assert part.inputs[0].tolist() == [0, 2, 4, 6, 8]


def test_rows_must_agree():
    with pytest.raises(ValueError, match="got 3 and 2"):
        Arrays(torch.zeros(3, 1), {"a": torch.zeros(2)})
    with pytest.raises(ValueError, match="got 3 and 4"):
        Arrays((torch.zeros(3), torch.zeros(4)), {})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_number_that_is_not_finite_is_named_wherever_it_is(dtype, tmp_path):
    """As from a file of numpy, whose numbers float32 may not hold."""
    inputs = numpy.zeros((5000, 3))
    inputs[4321, 1] = 1e308 if dtype == torch.float32 else numpy.inf
    numpy.savez(tmp_path / "a.npz", inputs=inputs)
    inputs = torch.from_numpy(numpy.load(tmp_path / "a.npz")["inputs"]).to(dtype)
    targets = torch.zeros(5000)
    with pytest.raises(ValueError, match="inputs row 4321, column 1: inf is not finite"):
        Arrays(inputs, {"a": targets})
    with pytest.raises(ValueError, match="inputs 1 row 4321, column 1: inf is not finite"):
        Arrays((targets, inputs), {"a": targets})
    with pytest.raises(ValueError, match="target 'a' row 4321, column 1: inf is not finite"):
        Arrays(targets, {"a": inputs})
    targets[7] = torch.nan  # a missing label
    Arrays(torch.zeros(5000, 3), {"a": targets, "b": torch.zeros(5000, dtype=torch.int64)})
