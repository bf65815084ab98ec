import torch

from equipoise.weighting.results import follow, rose_and_fell

NAN = float("nan")


def test_follow_moves_by_alpha_and_takes_the_first_as_it_is():
    mean = torch.tensor([NAN, 1.0, 2.0, NAN])
    follow(mean, torch.tensor([0.3, 5.0, NAN], dtype=torch.float64), torch.tensor([0, 1, 2]), alpha=0.25)
    torch.testing.assert_close(mean, torch.tensor([0.3, 2.0, 2.0, NAN]), equal_nan=True)


def test_rising_and_falling_are_relative_to_the_size_of_the_best():
    best = torch.tensor([NAN, 10.0, 10.0, 10.0, -10.0, -10.0, -10.0, 0.0, 0.0])
    results = torch.tensor([-7.0, 11.1, 10.9, 8.9, -8.9, -9.1, -11.1, 0.1, -0.1])
    rose, fell = rose_and_fell(best, results, up=0.1, down=0.1)
    assert rose.tolist() == [True, True, False, False, True, False, False, True, False]
    assert fell.tolist() == [False, False, False, True, False, False, True, False, True]
