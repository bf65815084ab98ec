import math
from collections import Counter

import pytest

from equipoise.lab.data.sampling import SourceSampler, source_shares

SIZES = [900, 90, 10]


@pytest.mark.parametrize(
    ("temperature", "powers"),
    [(1.0, SIZES), (2.0, [30, math.sqrt(90), math.sqrt(10)]), (5.0, [n**0.2 for n in SIZES]), (math.inf, [1, 1, 1])],
)
def test_shares_and_frequencies(temperature, powers):
    shares = [power / sum(powers) for power in powers]
    assert source_shares(SIZES, temperature) == pytest.approx(shares)
    draws = 20_000
    sampler = SourceSampler(SIZES, temperature=temperature, num_samples=draws, seed=1)
    found = Counter(0 if i < 900 else 1 if i < 990 else 2 for i in sampler)
    for source, share in enumerate(shares):
        deviation = math.sqrt(draws * share * (1 - share))
        assert abs(found[source] - draws * share) < 4.5 * deviation


def test_in_the_limits_a_small_temperature_draws_the_largest_source():
    assert source_shares(SIZES, 1e-3) == pytest.approx([1, 0, 0])


def test_every_sample_of_a_source_comes_once_before_one_comes_again():
    drawn = list(SourceSampler([5, 50], temperature=math.inf, num_samples=1000))
    for first, size in ((0, 5), (5, 50)):
        of_source = [i for i in drawn if first <= i < first + size]
        rounds = [of_source[k : k + size] for k in range(0, len(of_source), size)]
        assert all(sorted(part) == list(range(first, first + size)) for part in rounds[:-1])
        assert rounds[0] != rounds[1]


def test_draws_are_a_function_of_seed_and_epoch():
    def draws(seed, epoch):
        sampler = SourceSampler(SIZES, seed=seed)
        sampler.set_epoch(epoch)
        assert len(sampler) == 1000
        return list(sampler)

    assert draws(0, 3) == draws(0, 3)
    assert draws(0, 3) != draws(0, 4)
    assert draws(0, 3) != draws(1, 3)


@pytest.mark.parametrize(
    ("sizes", "temperature", "message"),
    [([], 1.0, "sizes must be 1 or more"), ([3, 0], 1.0, r"got \[3, 0\]"), ([3], 0.0, "temperature must be positive")],
)
def test_wrong_arguments(sizes, temperature, message):
    with pytest.raises(ValueError, match=message):
        SourceSampler(sizes, temperature=temperature)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"num_samples": 0}, "num_samples must be at least 1 or None, got 0"), ({"seed": -1}, "seed must be 0 or more")],
)
def test_wrong_arguments_are_named_when_the_sampler_is_made(arguments, message):
    with pytest.raises(ValueError, match=message):
        SourceSampler([3], **arguments)
