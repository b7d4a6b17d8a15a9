"""A sentence and its translation, the unit of all parallel text."""

from typing import NamedTuple

MAX_LINE_CHARACTERS = 100_000


class SentencePair(NamedTuple):
    """One English sentence and its translation."""

    english: str
    translation: str


class TranslatedTriple(NamedTuple):
    """An English passage, a translated query that it answers, and an English passage that does not answer it."""

    english: str
    translation: str
    negative: str
