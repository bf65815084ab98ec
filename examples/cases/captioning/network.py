"""Class and caption of a picture from one encoder."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from captioning.decoder import CaptionDecoder
from captioning.decoding import Decoded, greedy

Decode = Callable[[CaptionDecoder, Tensor, int], Decoded]  # decoder, feature map, steps -> captions


class CaptionNetwork(nn.Module):
    """Outputs "class" and "caption", or one of them where the other's part is None.

    Args:
        encoder: From pictures to feature maps.
        classifier: From the feature maps to logits [N, C].
        decoder: Reads the last feature map, the largest of every 2x2 places: where few pixels are seen from each place,
            attention has to go where the thing is, and half the side is a quarter of the places to weigh.
    """

    def __init__(self, encoder: nn.Module, classifier: nn.Module | None, decoder: CaptionDecoder | None) -> None:
        super().__init__()
        self.encoder = encoder
        self.classifier = classifier
        self.decoder = decoder

    def forward(self, inputs: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """Logits by task name, from pictures [N, 3, S, S] and their captions [N, R, T].

        "caption" is [N, R T, V] in training: each word's logits, given the words before it. In evaluation it is
        [N, R T + T, V]: then follow the words of a caption that the network makes of the picture alone, 1 at the word's
        number and 0 elsewhere.
        """
        pictures, captions = inputs
        scales = self.encoder(pictures)
        outputs = {}
        if self.classifier is not None:
            outputs["class"] = self.classifier(scales)
        if self.decoder is not None:
            feature_map = functional.max_pool2d(scales[-1], 2)
            outputs["caption"] = self.decoder(feature_map, captions).flatten(1, 2)
            if not self.training:
                words = greedy(self.decoder, feature_map, captions.shape[2]).words
                made = functional.one_hot(words, outputs["caption"].shape[2]).to(outputs["caption"].dtype)
                outputs["caption"] = torch.cat([outputs["caption"], made], dim=1)
        return outputs

    @torch.no_grad()
    def caption(self, pictures: Tensor, steps: int, decode: Decode = greedy) -> Decoded:
        """A caption of each picture.

        Args:
            pictures: [N, 3, S, S].
            steps: At most this many words, the end counted.
            decode: How the words are chosen.

        Raises:
            ValueError: If the network has no decoder.
        """
        if self.decoder is None:
            raise ValueError("this network was made without the task 'caption'")
        return decode(self.decoder, functional.max_pool2d(self.encoder(pictures)[-1], 2), steps)
