"""A network that captions a picture, and shows where it looks at each word.

Xu, Ba, Kiros et al., Show, Attend and Tell: Neural Image Caption Generation with Visual Attention, ICML 2015, with
soft attention. Letters in shapes: N pictures, R captions of each at once, T words, V words in the vocabulary, L = h w
places of the feature map, D numbers at each, H numbers of the decoder's state.
"""
