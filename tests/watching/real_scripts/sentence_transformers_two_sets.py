"""sentence-transformers: pairs and scored pairs, a data set and a loss each, in turn."""

import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import CosineSimilarityLoss, MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, set_seed


def make_tiny_model(folder):
    words = {f"w{i}": i + 2 for i in range(50)}
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "[PAD]": 1, **words}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]").save_pretrained(folder)
    config = BertConfig(vocab_size=60, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)
    BertModel(config).save_pretrained(folder)


if __name__ == "__main__":
    set_seed(0)
    make_tiny_model("tiny")
    model = SentenceTransformer(modules=[Transformer("tiny"), Pooling(32)], device="cpu")
    pairs = Dataset.from_dict(
        {
            "anchor": [f"w{i % 50} w{i % 7}" for i in range(64)],
            "positive": [f"w{i % 50} w{i % 5}" for i in range(64)],
        }
    )
    scored = Dataset.from_dict(
        {
            "sentence1": [f"w{i % 50} w{i % 3}" for i in range(64)],
            "sentence2": [f"w{i % 9} w{i % 4}" for i in range(64)],
            "score": [float(i % 2) for i in range(64)],
        }
    )
    arguments = SentenceTransformerTrainingArguments(
        "out",
        max_steps=12,
        per_device_train_batch_size=8,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
    )
    trainer = SentenceTransformerTrainer(
        model,
        arguments,
        train_dataset={"pairs": pairs, "scored": scored},
        loss={"pairs": MultipleNegativesRankingLoss(model), "scored": CosineSimilarityLoss(model)},
    )
    trainer.train()
    torch.save(model.state_dict(), "model.pt")
