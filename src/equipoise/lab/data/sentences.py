"""Sentence embeddings by a frozen encoder, computed once and cached.

Reimers, Gurevych, Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks, EMNLP 2019, sec. 3: the mean over the
tokens; here divided by its norm, since such encoders are trained on cosines.
"""

from equipoise.lab import extra  # noqa: F401

# isort: split
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor
from torch.nn import functional

from equipoise.lab.data.folder import cached, data_folder, data_hash

SOURCE = "it holds an encoder as Hugging Face's transformers saves one, such as sentence-transformers/all-MiniLM-L6-v2"
_FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
_BATCH_SIZE = 64
_MAX_TOKENS = 128  # of one text; the rest is cut off


def encoder_folder(folder: Path | None = None) -> Path:
    """The encoder's folder, by default ``sentence-encoder/`` in the folder that ``EQUIPOISE_DATA`` names.

    Raises:
        ValueError: If the folder is missing.
    """
    return data_folder("sentence-encoder", SOURCE, folder)


def encoder_files(folder: Path) -> list[Path]:
    """The encoder's files that embeddings depend on."""
    return [folder / name for name in _FILES]


def sentence_vectors(texts: Sequence[str], folder: Path, cache: Path) -> Tensor:
    """The embeddings [N, D] of N texts: the mean of the last layer over the tokens, of norm 1, float32 on the CPU.

    Args:
        texts: At least one; of each the first 128 tokens count.
        folder: The encoder's.
        cache: The folder of the cache. Embeddings of the same texts by the same encoder are read from it; else they are
            computed and written there, if it can be written.

    Raises:
        ValueError: If transformers is not installed, or a file of the encoder is missing.
    """
    depends_on = [data_hash(encoder_files(folder)), *texts]
    return torch.from_numpy(cached(cache, "sentences", depends_on, lambda: _encode(texts, folder).numpy()))


@torch.no_grad()
def _encode(texts: Sequence[str], folder: Path) -> Tensor:
    try:
        from transformers import AutoModel, AutoTokenizer
    except ModuleNotFoundError as error:
        raise ValueError(f'{error.name} is missing: pip install "equipoise[trainers]"') from error
    tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    encoder: Any = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))  # texts of like length: little padding
    rows: list[Tensor] = []
    starts = range(0, len(order), _BATCH_SIZE)
    for start in track(starts, "sentences as vectors", console=Console(stderr=True), transient=True):
        batch = [texts[index] for index in order[start : start + _BATCH_SIZE]]
        tokens = tokenizer(batch, padding=True, truncation=True, max_length=_MAX_TOKENS, return_tensors="pt")
        states = encoder(**tokens).last_hidden_state  # [B, T, D]
        mask = tokens["attention_mask"][:, :, None].to(states.dtype)  # [B, T, 1]
        rows.append(functional.normalize((states * mask).sum(dim=1) / mask.sum(dim=1), dim=1))
    vectors = torch.empty(len(texts), rows[0].shape[1])
    vectors[order] = torch.cat(rows).float()
    return vectors
