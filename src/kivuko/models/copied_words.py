"""Words that a translation takes over as they are: names, numbers, terms."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from tokenizers import Tokenizer

from kivuko.data.bitext import SentencePair


class Words(NamedTuple):
    """The words of the translations, as the tokenizer normalizes and separates them.

    Attributes:
        own: How often each word of the language itself occurs.
        copied: How often each word occurs that is mostly taken over from the English side.
        own_texts: The translations, normalized, without the copied words.
    """

    own: Counter[str]
    copied: Counter[str]
    own_texts: list[str]


def separate_words(tokenizer: Tokenizer, pairs: Sequence[SentencePair], *, copied_share: float) -> Words:
    """Tell the words of the target languages from those that the translations copy.

    A word is copied if the English side of its pair has it too in at least `copied_share` of its occurrences.

    Args:
        tokenizer: The teacher's tokenizer: its normalizer and its pre-tokenizer say what a word is.
        pairs: Bitext.
        copied_share: From which share on a word counts as copied; above 1, none does.

    Example:
        >>> from tokenizers import models, pre_tokenizers
        >>> tokenizer = Tokenizer(models.WordPiece())
        >>> tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        >>> words = separate_words(tokenizer, [SentencePair("Asha reads.", "Asha anasoma.")], copied_share=0.5)
        >>> sorted(words.copied), sorted(words.own)
        (['.', 'Asha'], ['anasoma'])
        >>> words.own_texts
        [' anasoma']
    """
    counts: Counter[str] = Counter()
    shared: Counter[str] = Counter()
    for pair in pairs:
        english = {word for word, _ in _words(tokenizer, _normalized(tokenizer, pair.english))}
        words = [word for word, _ in _words(tokenizer, _normalized(tokenizer, pair.translation))]
        counts.update(words)
        shared.update(word for word in words if word in english)
    copied = Counter({word: count for word, count in counts.items() if shared[word] >= copied_share * count})
    texts = [_without(tokenizer, _normalized(tokenizer, pair.translation), copied) for pair in pairs]
    return Words(counts - copied, copied, texts)


def _normalized(tokenizer: Tokenizer, text: str) -> str:
    return text if tokenizer.normalizer is None else str(tokenizer.normalizer.normalize_str(text))


def _words(tokenizer: Tokenizer, normalized: str) -> list[tuple[str, tuple[int, int]]]:
    """Return the words as the text has them, not as a pre-tokenizer spells them, and where they stand."""
    if tokenizer.pre_tokenizer is None:
        return [(normalized, (0, len(normalized)))]
    spans = [span for _, span in tokenizer.pre_tokenizer.pre_tokenize_str(normalized)]
    return [(normalized[start:end].strip(), (start, end)) for start, end in spans]


def _without(tokenizer: Tokenizer, normalized: str, copied: Counter[str]) -> str:
    rest, position = [], 0
    for word, (start, end) in _words(tokenizer, normalized):
        if word in copied:
            rest.append(normalized[position:start])
            position = end
    return "".join([*rest, normalized[position:]])
