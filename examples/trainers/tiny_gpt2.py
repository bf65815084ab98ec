"""What the examples of TRL train: a GPT-2 of two layers, random, its tokenizer and rewards, of nothing but code."""

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

WORDS = "[UNK] [PAD] [END] is the sea calm rough road empty full night quiet loud"
QUESTIONS = Dataset.from_list([{"prompt": f"is the {word}"} for word in ("sea", "road", "night")] * 32)
OPTIONS = {"learning_rate": 3e-3, "report_to": "none", "use_cpu": True}  # of GRPO


def tiny_gpt2():
    torch.manual_seed(0)
    words = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS.split())}, "[UNK]"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", eos_token="[END]", unk_token="[UNK]")
    config = GPT2Config(vocab_size=len(tokenizer), n_positions=32, n_embd=32, n_layer=2, n_head=2, eos_token_id=2)
    return GPT2LMHeadModel(config), tokenizer


def calm(completions, **_):
    """A reward for a word."""
    return [float(text.split().count("calm")) for text in completions]


def short(completions, **_):
    """A reward for few words."""
    return [-0.1 * len(text.split()) for text in completions]
