"""Sound files as log-mel spectrograms."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

RATE = 16_000  # samples per second
HOP = 160  # samples from one frame to the next: 10 ms
BANDS = 64
_WINDOW, _FFT = 400, 512  # 25 ms of sound, and what they are padded to
_LOWEST, _HIGHEST = 125.0, 7500.0  # Hz
_FLOOR = 0.01  # of a band's magnitude; a sine of full scale has half the window's sum, 100


def duration(path: Path) -> float:
    """The seconds of a sound file, by its header.

    Raises:
        ValueError: If the file is no sound, or soundfile is not installed.
    """
    soundfile = _soundfile()
    try:
        info = soundfile.info(path)
    except (soundfile.LibsndfileError, OSError) as error:
        raise ValueError(f"{path} is no sound: {error}") from None
    return float(info.frames / info.samplerate)


def read_sound(path: Path, seconds: float) -> Tensor:
    """The first seconds of a file, the mean of its channels at 16 kHz, in -1 to 1, then silence [T], float32.

    Args:
        path: Any file that libsndfile reads, such as .wav, .flac, .ogg or .mp3.
        seconds: T / 16,000.

    Raises:
        ValueError: If the file is no sound, or soundfile is not installed.
    """
    from scipy.signal import resample_poly

    soundfile = _soundfile()
    try:
        with soundfile.SoundFile(path) as file:
            rate = file.samplerate
            samples = file.read(math.ceil(seconds * rate), dtype="float32", always_2d=True).mean(axis=1)
    except (soundfile.LibsndfileError, OSError) as error:
        raise ValueError(f"{path} is no sound: {error}") from None
    if not np.isfinite(samples).all():
        raise ValueError(f"{path} holds samples that are not finite: write it again")
    common = math.gcd(rate, RATE)
    if rate != RATE and len(samples):
        samples = resample_poly(samples, RATE // common, rate // common)
    length = round(seconds * RATE)
    padded = np.zeros(length, dtype=np.float32)
    padded[: len(samples)] = samples[:length]
    return torch.from_numpy(padded)


def log_mel(samples: Tensor) -> Tensor:
    """ln(M |STFT| + 0.01) of a sound at 16 kHz [T], T // 160 + 1 frames of 25 ms: [64, frames], as 0 to 255, uint8.

    0 is silence; 255 is ln 100, 80 dB above it: what a sine of full scale has in one bin of the STFT. M are
    ``mel_filters``. Hershey et al., CNN Architectures for Large-Scale Audio Classification, ICASSP 2017.
    """
    spectrum = torch.stft(
        samples, _FFT, HOP, _WINDOW, torch.hann_window(_WINDOW), pad_mode="constant", return_complex=True
    )
    level = torch.log(mel_filters() @ spectrum.abs() + _FLOOR)
    floor, full = math.log(_FLOOR), math.log(_WINDOW / 4)  # the sum of a Hann window is half its length
    return ((level - floor) / (full - floor) * 255).round().clamp(0, 255).to(torch.uint8)


def mel_filters() -> Tensor:
    """Triangles over frequency [64, 257]: filter k is 1 at m_k and falls to 0 at m_{k-1} and m_{k+1}.

    The m are at equal distances in mel, 2595 log10(1 + Hz / 700), from 125 to 7,500 Hz. O'Shaughnessy, Speech
    Communication: Human and Machine, 1987.
    """
    lowest, highest = (2595 * math.log10(1 + hz / 700) for hz in (_LOWEST, _HIGHEST))
    mels = torch.linspace(lowest, highest, BANDS + 2, dtype=torch.float64)
    corners = 700 * (10 ** (mels / 2595) - 1)
    frequencies = torch.linspace(0, RATE / 2, _FFT // 2 + 1, dtype=torch.float64)
    left, peak, right = (corners[first : first + BANDS, None] for first in range(3))
    rising, falling = (frequencies - left) / (peak - left), (right - frequencies) / (right - peak)
    return torch.minimum(rising, falling).clamp(min=0).float()


def _soundfile() -> Any:
    try:
        import soundfile
    except ModuleNotFoundError as error:
        raise ValueError(f'{error.name} is missing: pip install "equipoise[sound]"') from error
    return soundfile
