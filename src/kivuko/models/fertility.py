"""How finely a tokenizer cuts a language: pieces per word, and what it does not know."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import regex

from kivuko.data.profile import count_scripts

_WORD = regex.compile(r"\p{L}[\p{L}\p{M}]*")
# Written without spaces: a run of letters is a phrase there, and pieces per word say nothing.
_UNSPACED = frozenset({"Jpan", "Khmr", "Laoo", "Mymr", "Thai", "Tibt"})
# docs/tokenizer.md has the measurements behind these two.
CRUMBS = 1.5
UNKNOWN = 0.02


class Fertility(NamedTuple):
    """What a tokenizer does to the words of a language. Words are runs of letters and marks.

    Attributes:
        words: Number of words.
        pieces: Number of their pieces.
        whole: Number of words that are one piece, and a known one.
        unknown: Number of words with a piece that the tokenizer does not know.
        script: ISO 15924 code of the script that most letters are in.
    """

    words: int
    pieces: int
    whole: int
    unknown: int
    script: str

    @property
    def per_word(self) -> float:
        """Pieces per word."""
        return self.pieces / max(self.words, 1)

    @property
    def warning(self) -> str | None:
        """What is wrong, None if nothing is."""
        if self.unknown > UNKNOWN * self.words:
            return (
                f"{self.unknown / self.words:.1%} of the words hold letters that the vocabulary does not have; they "
                "carry no meaning. Give bitext with these letters, or a tokenizer that knows them."
            )
        if self.per_word > CRUMBS and self.script not in _UNSPACED:
            return (
                f"words are split into crumbs, {self.per_word:.2f} pieces each. Give more bitext, or a larger "
                "vocabulary with --vocabulary-size."
            )
        return None

    def summary(self) -> str:
        """Return the figures in a line.

        Example:
            >>> Fertility(words=200, pieces=260, whole=150, unknown=1, script="Latn").summary()
            '1.30 pieces a word, 75.0% of the words whole, 0.5% unknown'
        """
        words = max(self.words, 1)
        return (
            f"{self.per_word:.2f} pieces a word, {self.whole / words:.1%} of the words whole, "
            f"{self.unknown / words:.1%} unknown"
        )

    def record(self) -> dict[str, float | int | str]:
        """Return the same as JSON has it."""
        words = max(self.words, 1)
        return {
            "words": self.words,
            "pieces_per_word": round(self.per_word, 3),
            "whole": round(self.whole / words, 4),
            "unknown": round(self.unknown / words, 4),
            "script": self.script,
        }


def fertility(tokenizer: Any, texts: Iterable[str]) -> Fertility:
    """Count the pieces of every word of some texts.

    Args:
        tokenizer: A tokenizer of transformers.
        texts: Sentences of one language.
    """
    counts = Counter(word for text in texts for word in _WORD.findall(text))
    scripts: Counter[str] = Counter()
    for word, count in counts.items():
        for script, letters in count_scripts(word).items():
            scripts[script] += count * letters
    # With a space before it, as in a sentence: tokenizers that mark the beginning of a word mark it by that space.
    spaced = [f" {word}" for word in counts]
    cut = tokenizer(spaced, add_special_tokens=False, verbose=False)["input_ids"] if spaced else []
    pieces = whole = unknown = 0
    for count, ids in zip(counts.values(), cut, strict=True):
        is_unknown = not ids or tokenizer.unk_token_id in ids
        pieces += count * len(ids)
        whole += count * (len(ids) == 1 and not is_unknown)
        unknown += count * is_unknown
    main = scripts.most_common(1)
    return Fertility(counts.total(), pieces, whole, unknown, main[0][0] if main else "Zyyy")
