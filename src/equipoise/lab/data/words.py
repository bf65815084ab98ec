"""The words of a text, in any writing, and pairs of neighbouring ones."""

import re
import unicodedata
from itertools import pairwise

# Thai to Myanmar, Khmer, arrows to emoji of old, kana, Han, emoji, rare Han
_UNSPACED = (
    "\u0e00-\u109f\u1780-\u17ff\u2190-\u2bff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff"
    "\U0001f000-\U0001faff\U00020000-\U0003ffff"
)
_MARKS = "\u0300-\u036f\u064b-\u0652\u0900-\u0963\u0966-\u0dff"  # vowels and accents that Python takes for no letters
_WORD = re.compile(rf"[{_UNSPACED}]|(?:[^\W_{_UNSPACED}]|[{_MARKS}])+(?:'[^\W\d_{_UNSPACED}]+)?")
_ALONE = re.compile(f"[{_UNSPACED}]")


def words(text: str) -> list[str]:
    """The words of a text, in lower case: letters and digits of any alphabet.

    Where words have no blanks between them, as in Chinese, Japanese or Thai, each character counts as one; so does an
    emoji.

    >>> words("Didn't fit: size 8!"), words("Очень мало 👎"), words("太小了")
    (["didn't", 'fit', 'size', '8'], ['очень', 'мало', '👎'], ['太', '小', '了'])
    """
    return _WORD.findall(text.lower() if text.isascii() else unicodedata.normalize("NFC", text.lower()))


def ngrams(text: str) -> list[str]:
    """The words of a text, then its pairs of neighbouring words.

    >>> ngrams("not too small")
    ['not', 'too', 'small', 'not too', 'too small']
    """
    single = words(text)
    return single + [f"{first} {second}" for first, second in pairwise(single)]


def spaced_parts(text: str) -> list[str]:
    """What has blanks around it, and each character that needs none.

    >>> spaced_parts("A-12 red"), spaced_parts("太小")
    (['A-12', 'red'], ['太', '小'])
    """
    return (text if text.isascii() else _ALONE.sub(r" \g<0> ", text)).split()
