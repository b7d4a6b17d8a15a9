"""A sentence and its translation, the unit of all parallel text."""

from typing import NamedTuple

MAX_LINE_CHARACTERS = 100_000


class SentencePair(NamedTuple):
    """One English sentence and its translation."""

    english: str
    translation: str
