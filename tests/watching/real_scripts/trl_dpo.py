"""DPO with two losses by TRL, after its documentation of multi-loss combinations, on a GPT-2 and words of code."""

import copy

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer

WORDS = ["[UNK]", "[PAD]", "[END]", "is", "the", "sea", "road", "calm", "rough", "empty", "full"]


def main():
    torch.manual_seed(0)
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", eos_token="[END]", unk_token="[UNK]")
    config = GPT2Config(vocab_size=len(WORDS), n_positions=32, n_embd=16, n_layer=2, n_head=2, eos_token_id=2)
    model = GPT2LMHeadModel(config)
    pairs = [
        {"prompt": "is the sea", "chosen": " calm", "rejected": " rough rough"},
        {"prompt": "is the road", "chosen": " empty empty", "rejected": " full"},
    ]
    training_args = DPOConfig(
        "runs",
        loss_type=["sigmoid", "bco_pair", "sft"],  # MPO
        loss_weights=[0.8, 0.2, 1.0],
        max_steps=12,
        learning_rate=1e-3,
        report_to="none",
        use_cpu=True,
        bf16=False,
        seed=0,
    )
    trainer = DPOTrainer(
        model,
        ref_model=copy.deepcopy(model),
        args=training_args,
        processing_class=tokenizer,
        train_dataset=Dataset.from_list(pairs * 48),
    )
    trainer.train()
    torch.save(model.state_dict(), "model.pt")


if __name__ == "__main__":
    main()
