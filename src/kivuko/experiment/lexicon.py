"""Bitext in, counted links between words out: by IBM Model 1, or by the transport plans of a student."""

from collections.abc import Iterable, Iterator
from enum import StrEnum

from sentence_transformers import MultiVectorEncoder

from kivuko.curation.lexicon_induction import count_links, entry_words
from kivuko.data.alignments import WordPair, split_words
from kivuko.data.bitext import SentencePair
from kivuko.evaluation.aligner import WordAligner
from kivuko.models.word_lexicon import MAX_WORDS, WordLinks, link_words


class LexiconMethod(StrEnum):
    """Who links the words of a sentence pair: IBM Model 1, or the transport plan between teacher and student."""

    IBM1 = "ibm1"
    TRANSPORT = "transport"


def link_by_ibm1(pairs: Iterable[SentencePair], *, to_english: bool = True, iterations: int = 5) -> WordLinks:
    """Link words with IBM Model 1, which sees nothing but which words occur together.

    Args:
        pairs: Bitext.
        to_english: Whether the rows are the words of the other language, or the English ones.
        iterations: Passes of expectation maximization.

    Raises:
        DataError: If there is no pair to learn from.
    """
    sides = ((entry_words(pair.translation), entry_words(pair.english)) for pair in pairs)
    return link_words((words if to_english else words[::-1] for words in sides), iterations=iterations)


def link_by_transport(
    pairs: Iterable[SentencePair],
    student: MultiVectorEncoder,
    teacher: MultiVectorEncoder,
    *,
    to_english: bool = True,
) -> WordLinks:
    """Link words with the unbalanced transport plans of `kivuko align`, each link counted by its strength.

    Args:
        pairs: Bitext. Pairs with a side of more than `MAX_WORDS` words are left out, as they are by Model 1.
        student: Encoder of the translations.
        teacher: Encoder of the English sentences.
        to_english: Whether the rows are the words of the other language, or the English ones.

    Raises:
        DataError: If nothing is linked.
        ModelError: If the two models do not fit.
    """
    words = [WordPair(split_words(pair.english), split_words(pair.translation)) for pair in pairs]
    # Pairs of like length are encoded together, which saves most of the padding.
    kept = sorted((pair for pair in words if all(0 < len(side) <= MAX_WORDS for side in pair)), key=_length)
    aligner = WordAligner(student, teacher)

    def links() -> Iterator[tuple[str, str, float]]:
        for pair in aligner.align(kept):
            for english, translation, strength in pair.links:
                sides = pair.translation[translation], pair.english[english]
                yield (*(sides if to_english else sides[::-1]), strength)

    return count_links(links())


def _length(pair: WordPair) -> tuple[int, WordPair]:
    return len(pair.english) + len(pair.translation), pair
