"""Vectors are the mean of an encoder's tokens, whatever the batch, and computed once."""

import pytest
import torch
from torch.testing import assert_close

from equipoise.lab.data import sentences
from equipoise.lab.data.sentences import encoder_folder, sentence_vectors

transformers, tokenizers = pytest.importorskip("transformers"), pytest.importorskip("tokenizers")
TEXTS = ["glad", "so very glad today", "", "sad " * 300, "very sad"]


def save_encoder(folder, seed=0):
    """A BERT of 16 numbers a token, drawn at random, with a tokenizer of six words."""
    torch.manual_seed(seed)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "so", "very", "glad", "sad", "today"]
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=128,
    )
    transformers.BertModel(config).save_pretrained(folder)
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({w: i for i, w in enumerate(words)}, "[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_encoder(tmp_path_factory.mktemp("encoder"))


def test_a_vector_is_the_mean_over_its_own_tokens_at_length_1(folder, tmp_path):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    encoder = transformers.AutoModel.from_pretrained(folder).eval()
    vectors = sentence_vectors(TEXTS, folder, tmp_path)
    assert vectors.shape == (5, 16)
    for text, vector in zip(TEXTS, vectors, strict=True):
        first, *words, last = tokenizer(text)["input_ids"]
        tokens = [first, *words[:126], last]  # 128 of the longest
        with torch.no_grad():
            mean = encoder(torch.tensor([tokens])).last_hidden_state[0].mean(dim=0)
        assert_close(vector, mean / mean.norm(), rtol=1e-4, atol=1e-5)


def test_what_is_kept_is_used_for_the_same_texts_and_encoder_alone(folder, tmp_path, monkeypatch):
    first = sentence_vectors(TEXTS, folder, tmp_path)
    computed = []
    monkeypatch.setattr(sentences, "_encode", lambda texts, folder: computed.append(texts) or torch.zeros(1, 2))
    assert torch.equal(sentence_vectors(TEXTS, folder, tmp_path), first)
    assert computed == []
    sentence_vectors(TEXTS[:2], folder, tmp_path)
    sentence_vectors(TEXTS, save_encoder(tmp_path / "other", seed=1), tmp_path)
    assert computed == [TEXTS[:2], TEXTS]


def test_what_is_missing_is_named(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("EQUIPOISE_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=r"no data for 'sentence-encoder': .*Hugging Face"):
        encoder_folder()
    (tmp_path / "sentence-encoder").mkdir()
    with pytest.raises(ValueError, match=r"config\.json"):
        sentence_vectors(TEXTS, encoder_folder(), tmp_path)
