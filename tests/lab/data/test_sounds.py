"""Sounds: the filters by their closed form, the level of a sine, and files of every rate and length."""

import math
import sys

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from equipoise.lab.data.sounds import HOP, RATE, duration, log_mel, mel_filters, read_sound


def sine(hertz, seconds=0.5, rate=RATE):
    return torch.sin(2 * math.pi * hertz * torch.arange(round(seconds * rate)) / rate)


def test_filters_are_triangles_that_sum_to_one_between_the_first_and_the_last_peak():
    filters = mel_filters()
    assert filters.shape == (64, 257)
    mel = np.linspace(*(2595 * np.log10(1 + np.array([125, 7500]) / 700)), 66)
    corners, frequencies = 700 * (10 ** (mel / 2595) - 1), np.arange(257) * RATE / 512
    for k in range(64):  # np.interp is 0 outside
        expected = np.interp(frequencies, corners[k : k + 3], [0, 1, 0], left=0, right=0)
        assert_close(filters[k].double(), torch.from_numpy(expected), atol=1e-6, rtol=0)
    between = torch.from_numpy((frequencies >= corners[1]) & (frequencies <= corners[-2]))
    assert_close(filters[:, between].sum(dim=0), torch.ones(int(between.sum())))
    assert (filters.sum(dim=1) > 0).all()


@pytest.mark.parametrize("hertz", [500, 1000, 4000])
def test_a_sine_is_loudest_in_the_band_whose_peak_is_nearest_in_mel(hertz):
    level = log_mel(sine(hertz)).float().mean(dim=1)
    mel = torch.linspace(*(2595 * math.log10(1 + f / 700) for f in (125, 7500)), 66)[1:-1]
    assert abs(level.argmax() - (mel - 2595 * math.log10(1 + hertz / 700)).abs().argmin()) <= 1


def test_silence_is_0_and_a_tenth_of_the_amplitude_is_20_of_80_decibels():
    assert (log_mel(torch.zeros(RATE)) == 0).all()
    loud, quiet = (log_mel(amplitude * sine(1000)).float()[:, 25].max() for amplitude in (0.5, 0.05))
    assert_close(loud - quiet, torch.tensor(255 * 20 / 80), atol=2.0, rtol=0)
    assert log_mel(torch.zeros(2 * RATE)).shape == (64, 2 * RATE // HOP + 1)


class TestFiles:
    @pytest.fixture(autouse=True)
    def _soundfile(self):
        self.soundfile = pytest.importorskip("soundfile", reason="needs soundfile, of the extra sound")

    @pytest.mark.parametrize("ending", ["wav", "flac"])
    @pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
    def test_a_file_of_any_rate_is_the_sound_at_16_khz_then_silence(self, tmp_path, ending, rate):
        path = tmp_path / f"a.{ending}"
        both = torch.stack([sine(300, rate=rate), torch.zeros(rate // 2)], dim=1)
        self.soundfile.write(path, both.numpy(), rate)
        assert duration(path) == 0.5
        found = read_sound(path, 0.75)
        assert len(found) == 12_000
        inner = slice(1000, 7000)  # a filter rings at the ends
        assert_close(found[inner], sine(300)[inner] / 2, atol=2e-3, rtol=0)
        assert (found[8200:] == 0).all()
        assert_close(read_sound(path, 0.25)[:3000], found[:3000], atol=2e-3, rtol=0)

    def test_what_is_no_sound_is_named(self, tmp_path):
        path = tmp_path / "a.wav"
        path.write_text("hello")
        for read in (duration, lambda path: read_sound(path, 1.0)):
            with pytest.raises(ValueError, match=r"a\.wav is no sound: "):
                read(path)
        self.soundfile.write(path, np.array([0.0, np.nan]), RATE, subtype="FLOAT")
        with pytest.raises(ValueError, match=r"a\.wav holds samples that are not finite"):
            read_sound(path, 1.0)
        self.soundfile.write(path, np.array([]), RATE)
        assert (read_sound(path, 0.1) == 0).all()


def test_without_soundfile_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    for read in (duration, lambda path: read_sound(path, 1.0)):
        with pytest.raises(ValueError, match=r'soundfile is missing: pip install "equipoise\[sound\]"'):
            read(tmp_path / "a.wav")
