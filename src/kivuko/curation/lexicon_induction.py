"""A bilingual lexicon from links between the words of parallel text, and how good a dictionary says it is."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from kivuko.data.alignments import split_words
from kivuko.data.bitext import SentencePair
from kivuko.data.whole import written_whole
from kivuko.errors import DataError
from kivuko.models.word_lexicon import WordLinks

_COLUMNS = ("word", "translation", "probability", "count")


class Entry(NamedTuple):
    """One translation of one word.

    Attributes:
        word: The word that is looked up.
        translation: What it means.
        probability: Its part of all links of the word.
        links: Expected number of links.
    """

    word: str
    translation: str
    probability: float
    links: float


class DictionaryScore(NamedTuple):
    """What a dictionary says of a lexicon. Only entries of one word on both sides count.

    Attributes:
        dictionary_words: Words that the dictionary has.
        covered: How many of them the lexicon has.
        precision: For a number k of translations, the share of covered words with one from the dictionary in the first
            k; 0 if no word is covered.
    """

    dictionary_words: int
    covered: int
    precision: Mapping[int, float]

    @property
    def coverage(self) -> float:
        """Share of the dictionary's words that the lexicon has."""
        return self.covered / self.dictionary_words


def entry_word(token: str) -> str:
    """Return the word of a lexicon that a token of a sentence is: case folded, composed, nothing without a letter.

    Example:
        >>> [entry_word(token) for token in split_words("Ng'ombe 1,200?")]
        ["ng'ombe", '', '']
    """
    if not any(character.isalpha() for character in token):
        return ""
    return unicodedata.normalize("NFC", token.casefold()).replace("’", "'")


def entry_words(sentence: str) -> list[str]:
    """Return the words of a sentence that a lexicon lists."""
    return [word for word in map(entry_word, split_words(sentence)) if word]


def count_links(links: Iterable[tuple[str, str, float]]) -> WordLinks:
    """Add up the links of an alignment.

    Args:
        links: A word, the word that it is linked to, and how surely; what is no `entry_word` is left out.

    Raises:
        DataError: If there is no link.

    Example:
        >>> found = count_links([("paka", "cat", 0.5), ("Paka", "Cat", 1.0), ("paka", "the", 0.5)])
        >>> [entry.translation for entry in ranked_translations(found)], found.counts.toarray().tolist()
        (['cat', 'the'], [[1.5, 0.5]])
    """
    rows: dict[str, int] = {}
    columns: dict[str, int] = {}
    places: list[tuple[int, int]] = []
    strengths: list[float] = []
    for token, other, strength in links:
        word, translation = entry_word(token), entry_word(other)
        if word and translation:
            places.append((rows.setdefault(word, len(rows)), columns.setdefault(translation, len(columns))))
            strengths.append(strength)
    if not places:
        raise DataError("No words are linked: there is nothing to make a lexicon of.")
    counts = csr_array((strengths, tuple(np.array(places).T)), shape=(len(rows), len(columns)))
    counts.sum_duplicates()
    return WordLinks(tuple(rows), tuple(columns), counts)


def ranked_translations(links: WordLinks, *, minimum: float = 0.0, top_k: int | None = None) -> list[Entry]:
    """List the translations of every word, words by the alphabet, translations from the likeliest on.

    Args:
        links: Counted links.
        minimum: Less probable translations are left out.
        top_k: How many translations of a word to list at most; None lists all.
    """
    shares = links.shares()
    entries: list[Entry] = []
    for word, row in sorted(zip(links.words, range(len(links.words)), strict=True)):
        cells = slice(*shares.indptr[row : row + 2])
        found = [
            Entry(word, links.translations[column], float(share), float(count))
            for column, share, count in zip(
                shares.indices[cells], shares.data[cells], links.counts.data[cells], strict=True
            )
            if count > 0 and share >= minimum
        ]
        # What differs only by rounding is a tie, broken by the alphabet.
        entries += sorted(found, key=lambda entry: (-round(entry.probability, 9), entry.translation))[:top_k]
    return entries


def read_dictionary(pairs: Iterable[SentencePair], *, to_english: bool = True) -> dict[str, set[str]]:
    """Gather the translations of each word from word pairs, those of one word on both sides.

    Args:
        pairs: English words and their translations.
        to_english: Whether words of the other language are looked up, or English ones.

    Raises:
        DataError: If there is no pair of one word and one word.

    Example:
        >>> read_dictionary([SentencePair("to rest", "pumzika"), SentencePair("river", "Mto")])
        {'mto': {'river'}}
    """
    dictionary: dict[str, set[str]] = {}
    for english, translation in pairs:
        if len(english.split()) == len(translation.split()) == 1:
            sides = entry_word(translation), entry_word(english)
            word, meaning = sides if to_english else sides[::-1]
            if word and meaning:
                dictionary.setdefault(word, set()).add(meaning)
    if not dictionary:
        raise DataError("The dictionary has no entry of one word on both sides: there is nothing to compare with.")
    return dictionary


def score_lexicon(
    entries: Iterable[Entry], dictionary: Mapping[str, Set[str]], *, at: Sequence[int] = (1, 5)
) -> DictionaryScore:
    """Compare a ranked lexicon with a dictionary.

    Args:
        entries: As `ranked_translations` lists them.
        dictionary: The right translations of each word.
        at: How many of the first translations to look at.
    """
    ranked: dict[str, list[str]] = {}
    for entry in entries:
        if entry.word in dictionary:
            ranked.setdefault(entry.word, []).append(entry.translation)
    precision = {
        k: sum(not dictionary[word].isdisjoint(found[:k]) for word, found in ranked.items()) / max(len(ranked), 1)
        for k in at
    }
    return DictionaryScore(len(dictionary), len(ranked), precision)


def write_lexicon(entries: Iterable[Entry], path: Path) -> int:
    """Write a lexicon whole or not at all, a translation a line under a line of names; return how many.

    Raises:
        DataError: If the file cannot be written.
    """
    written = 0
    with written_whole(path) as (file,):
        file.write("\t".join(_COLUMNS) + "\n")
        for word, translation, probability, count in entries:
            file.write(f"{word}\t{translation}\t{probability:.4f}\t{count:.2f}\n")
            written += 1
    return written
