"""Texts as vectors of a frozen sentence encoder, computed once and kept.

Reimers, Gurevych, Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks, EMNLP 2019, sec. 3: the mean over the
tokens. Vectors have length 1, as those of the encoders that are trained on cosines have.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor
from torch.nn import functional

from equipoise.lab.data.folder import data_folder, data_hash
from equipoise.lab.data.kept import keep, kept

SOURCE = "it holds an encoder as Hugging Face's transformers saves one, such as sentence-transformers/all-MiniLM-L6-v2"
_FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
_BATCH, _TOKENS = 64, 128  # texts at once, of which the end is cut


def encoder_folder(folder: Path | None = None) -> Path:
    """The encoder's folder, by default ``sentence-encoder/`` in the folder that ``EQUIPOISE_DATA`` names.

    Raises:
        ValueError: If it is not there.
    """
    return data_folder("sentence-encoder", SOURCE, folder)


def encoder_files(folder: Path) -> list[Path]:
    """The files that a vector depends on."""
    return [folder / name for name in _FILES]


def sentence_vectors(texts: Sequence[str], folder: Path, cache: Path) -> Tensor:
    """The mean over the tokens of what the encoder makes of each, divided by its length: [N, D], float32.

    Args:
        texts: At least one; of each the first 128 tokens count.
        folder: The encoder's.
        cache: A folder; what is in it is used, what is not is computed and put there, if it can be written.

    Raises:
        ValueError: If transformers is not installed, or a file of the encoder is missing.
    """
    key = hashlib.sha256("\n".join([data_hash(encoder_files(folder)), *texts]).encode()).hexdigest()
    path = cache / f"sentences-{key[:32]}.npy"
    if (found := kept(path)) is not None:
        return torch.from_numpy(found)
    vectors = _encode(texts, folder)
    keep(vectors.numpy(), path)
    return vectors


@torch.no_grad()
def _encode(texts: Sequence[str], folder: Path) -> Tensor:
    try:
        from transformers import AutoModel, AutoTokenizer
    except ModuleNotFoundError as error:
        raise ValueError(f'{error.name} is missing: pip install "equipoise[trainers]"') from error
    tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    encoder: Any = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))  # alike in length: little padding
    rows: list[Tensor] = []
    starts = range(0, len(order), _BATCH)
    for start in track(starts, "sentences as vectors", console=Console(stderr=True), transient=True):
        batch = [texts[place] for place in order[start : start + _BATCH]]
        tokens = tokenizer(batch, padding=True, truncation=True, max_length=_TOKENS, return_tensors="pt")
        states = encoder(**tokens).last_hidden_state
        there = tokens["attention_mask"][:, :, None].to(states.dtype)
        rows.append(functional.normalize((states * there).sum(dim=1) / there.sum(dim=1), dim=1))
    vectors = torch.empty(len(texts), rows[0].shape[1])
    vectors[order] = torch.cat(rows).float()
    return vectors
