"""BERT with a topic and a score, by the Transformers Trainer, two batches a step."""

import torch
from torch import nn
from transformers import BertConfig, BertModel, Trainer, TrainingArguments, set_seed


class TopicAndScore(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.bert = BertModel(config)
        self.topic = nn.Linear(config.hidden_size, 4)
        self.score = nn.Linear(config.hidden_size, 1)

    def forward(self, input_ids, topic=None, score=None):
        hidden = self.bert(input_ids).pooler_output
        logits, scores = self.topic(hidden), self.score(hidden).squeeze(-1)
        loss = nn.functional.cross_entropy(logits, topic) + nn.functional.mse_loss(scores, score)
        return {"loss": loss, "logits": logits, "scores": scores}


def rows(number):
    ids = torch.randint(100, (number, 12))
    return [{"input_ids": one, "topic": int(one[0]) % 4, "score": float(one[1]) / 100} for one in ids]


if __name__ == "__main__":
    set_seed(0)
    config = BertConfig(
        vocab_size=100, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    model = TopicAndScore(config)
    arguments = TrainingArguments(
        "out",
        max_steps=12,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=2,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
    )
    Trainer(model, arguments, train_dataset=rows(64)).train()
    torch.save(model.state_dict(), "model.pt")
