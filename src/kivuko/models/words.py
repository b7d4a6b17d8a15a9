"""Text to words: what a lexical index and a translation table count."""

import unicodedata
from collections.abc import Sequence

import regex
import Stemmer  # type: ignore[import-not-found]
from pydantic import field_validator

from kivuko.config import Frozen
from kivuko.data.tidying import space_words

_WORD = regex.compile(r"[\p{Letter}\p{Number}\p{Mark}]+")
# Diacritics of Latin, Greek and Cyrillic only: the vowel signs of Indic scripts are marks too, and stay.
_DIACRITIC = regex.compile(r"[\u0300-\u036f]+")
_SOFT = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060"))  # invisible, and written or not at will


class Analyzer(Frozen):
    """How a text is cut into words, and which words count as the same.

    In this order: U+200B as a space where it ends a word (`space_words`); NFKC and case folding; soft hyphens and
    joiners removed; diacritics of Latin, Greek and Cyrillic letters removed, if so wished; words are runs of letters,
    digits and marks, so that an apostrophe or a hyphen ends a word in queries and documents alike; a Snowball stemmer,
    if one is named. There are no stop words: the weight of a word falls with the documents that have it. A language
    written without spaces is not segmented, but by U+200B.

    Attributes:
        stemmer: Name of a Snowball algorithm (`english`, `finnish`), or None.
        fold_diacritics: Whether `Olúṣẹ́gun` and `Olusegun` are one word.

    Example:
        >>> Analyzer(stemmer="english").words("The rains' COMING, in Ìbàdàn: 1,200 mm")
        ['the', 'rain', 'come', 'in', 'ibadan', '1', '200', 'mm']
        >>> Analyzer().words("Ng'ombe wako wapi?")
        ['ng', 'ombe', 'wako', 'wapi']
    """

    stemmer: str | None = None
    fold_diacritics: bool = True

    @field_validator("stemmer")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None and value not in Stemmer.algorithms():
            raise ValueError(f"expected a Snowball stemmer ({', '.join(Stemmer.algorithms())}), got {value!r}")
        return value

    def words(self, text: str) -> list[str]:
        """Return the words of a text in their order."""
        text = unicodedata.normalize("NFKC", space_words(text)).casefold().translate(_SOFT)
        if self.fold_diacritics:
            text = unicodedata.normalize("NFC", _DIACRITIC.sub("", unicodedata.normalize("NFD", text)))
        return self.stems(_WORD.findall(text))

    def stems(self, words: Sequence[str]) -> list[str]:
        """Return the stems of words that were cut and folded already."""
        if self.stemmer is None:
            return list(words)
        return list(Stemmer.Stemmer(self.stemmer).stemWords(words))
