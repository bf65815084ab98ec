"""A step in parts, and by several processes, sees the samples of the whole step, and is balanced as it would be."""

import dataclasses

import pytest
import torch
from torch.utils.data import ConcatDataset

import equipoise as eq
from equipoise.lab.data.sampling import SourceSampler
from equipoise.lab.training import Settings, train
from equipoise.lab.training.order import EpochOrder, MicroBatches, make_order

SETTINGS = Settings(epochs=2, batch_size=64, learning_rate=5e-3, weight_decay=0.01, clip_norm=1.0, patience=9)


@pytest.mark.parametrize(("samples", "batch_size"), [(64, 16), (70, 16), (5, 8)])
@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("ranks", [1, 2, 5])
def test_processes_and_parts_share_each_batch(samples, batch_size, parts, ranks):
    order = EpochOrder(range(samples), seed=2)
    dealt = [MicroBatches(order, batch_size, parts, rank, ranks) for rank in range(ranks)]
    whole = list(order)
    batches = [whole[begin : begin + batch_size] for begin in range(0, samples, batch_size)]
    assert all(one.parts == dealt[0].parts and len(one) == sum(one.parts) for one in dealt)
    assert len(dealt[0].parts) == len(batches)
    streams = [iter(one) for one in dealt]
    for batch, count in zip(batches, dealt[0].parts, strict=True):
        shares = [[next(stream) for _ in range(count)] for stream in streams]
        sizes = [[len(part) for part in share] for share in shares]
        assert min(map(min, sizes)) >= 1
        assert max(map(sum, sizes)) - min(map(sum, sizes)) <= 1
        assert all(max(of) - min(of) <= 1 for of in sizes)
        assert sorted(i for share in shares for part in share for i in part) == sorted(batch)
    assert all(next(stream, None) is None for stream in streams)


def test_a_process_without_a_sample_is_refused():
    with pytest.raises(ValueError, match="batch_size 16 leaves a step with 2 of 66 samples for 3 processes"):
        MicroBatches(EpochOrder(range(66), 0), 16, 1, 0, 3)


def of_gradients(quantity):
    return quantity.startswith(("gradient_norm", "cosine", "magnitude_similarity", "log10_condition_number"))


@pytest.mark.parametrize("make", [eq.Sum, eq.UW, eq.MGDA], ids=lambda make: make.__name__)
def test_a_step_in_parts_is_the_step(make, calm_case, tmp_path, monkeypatch):
    histories, norms, measure = [], [], torch.nn.utils.get_total_norm

    def spy(gradients, *kind):
        norm = measure(gradients, *kind)
        norms.extend([] if kind else [norm])  # the balancer looks for the largest number
        return norm

    monkeypatch.setattr(torch.nn.utils, "get_total_norm", spy)
    for parts in (1, 5):  # 64 samples in parts of 13 and 12, and missing labels in some
        settings = dataclasses.replace(SETTINGS, micro_batches=parts)
        result = train(calm_case, calm_case.tasks.names, make(), 0, settings, tmp_path / str(parts))
        assert result.steps == 10
        # rows have to wait for the last part, whatever the method
        assert result.backwards_per_step == (3.0 if parts > 1 or issubclass(make, eq.Aggregator) else 1.0)
        # of a method that asks for no gradients they are measured only where they wait in parts
        history = {moment[:4]: moment[4] for moment in result.history if not of_gradients(moment[3])}
        histories.append(history)
    assert histories[1] == pytest.approx(histories[0], rel=1e-6)
    torch.testing.assert_close(norms[10:], norms[:10], rtol=1e-6, atol=0)  # to which Adam itself would be blind


def test_sources_are_drawn_by_temperature(small_case, tmp_path):
    split = small_case.data["train"]
    sources = ConcatDataset([split, small_case.data["test"]])
    drawn = make_order(sources, 3, 2.0)
    assert isinstance(drawn, SourceSampler)
    assert list(drawn) == list(SourceSampler([320, 100], temperature=2.0, seed=3))
    case = dataclasses.replace(small_case, data={**small_case.data, "train": sources})
    settings = dataclasses.replace(SETTINGS, temperature=float("inf"))
    assert train(case, case.tasks.names, eq.Sum(), 0, settings, tmp_path / "sources").steps == 14
    with pytest.raises(ValueError, match=r"temperature=inf is for several sources, and the training split is one"):
        train(small_case, small_case.tasks.names, eq.Sum(), 0, settings, tmp_path / "one")
