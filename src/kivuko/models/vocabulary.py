"""The vocabulary of a transplanted student: the teacher's own pieces, and new ones for the target languages."""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from tokenizers import Tokenizer
from tokenizers.trainers import UnigramTrainer, WordPieceTrainer

from kivuko.errors import ModelError


class ExtendedVocabulary(NamedTuple):
    """A tokenizer whose first `kept` ids are the teacher's, in the teacher's order, and whose later ids are new."""

    tokenizer: Tokenizer
    kept: int
    new_pieces: tuple[str, ...]


def extend_vocabulary(
    teacher: Tokenizer, translations: Iterable[str], *, size: int, min_frequency: int = 2
) -> ExtendedVocabulary:
    """Train a vocabulary on the translations and add to the teacher's vocabulary the pieces that it lacks.

    Every teacher piece keeps its id and with it its embedding, so that names and numbers stay what they were.
    Normalization and pre-tokenization stay the teacher's.

    Args:
        teacher: The teacher's tokenizer, with a WordPiece or Unigram model. It is not changed.
        translations: Target-language sentences.
        size: Size of the vocabulary that is trained on the translations, before the union.
        min_frequency: A WordPiece merge needs at least this many occurrences.

    Raises:
        ModelError: If the teacher's tokenizer is of another kind.
    """
    specification: dict[str, Any] = json.loads(teacher.to_str())
    kind = specification["model"]["type"]
    target = Tokenizer.from_str(json.dumps(specification))
    match kind:
        case "WordPiece":
            model = specification["model"]
            prefix = model["continuing_subword_prefix"]
            texts = list(translations)
            target.train_from_iterator(
                texts,
                WordPieceTrainer(
                    vocab_size=size,
                    min_frequency=min_frequency,
                    continuing_subword_prefix=prefix,
                    # The trainer numbers characters within words as it meets them, in an order that changes from run to
                    # run, and breaks ties between merges by those numbers. Named beforehand, they are always the same.
                    special_tokens=[model["unk_token"], *(prefix + letter for letter in _alphabet(teacher, texts))],
                    show_progress=False,
                ),
            )
            vocabulary = model["vocab"]
            pieces = [piece for piece in _by_id(target.get_vocab(with_added_tokens=False)) if piece not in vocabulary]
            kept = _next_id(teacher)
            vocabulary.update({piece: kept + offset for offset, piece in enumerate(pieces)})
        case "Unigram":
            target.train_from_iterator(
                translations, UnigramTrainer(vocab_size=size, special_tokens=[], show_progress=False)
            )
            known = {piece for piece, _ in specification["model"]["vocab"]}
            if _next_id(teacher) != len(specification["model"]["vocab"]):
                raise ModelError(
                    "The teacher's Unigram tokenizer has added tokens behind its vocabulary; no piece can follow. "
                    "Give a multilingual student with --student instead."
                )
            trained: list[tuple[str, float]] = [
                (piece, score) for piece, score in json.loads(target.to_str())["model"]["vocab"] if piece not in known
            ]
            kept = len(specification["model"]["vocab"])
            specification["model"]["vocab"] += trained
            pieces = [piece for piece, _ in trained]
        case _:
            raise ModelError(
                f"A transplant needs a teacher with a WordPiece or Unigram tokenizer, this one has {kind}. "
                "Give a multilingual student with --student instead."
            )
    return ExtendedVocabulary(Tokenizer.from_str(json.dumps(specification)), kept, tuple(pieces))


def _alphabet(tokenizer: Tokenizer, texts: Iterable[str]) -> list[str]:
    normalizer = tokenizer.normalizer
    letters = {letter for text in texts for letter in (normalizer.normalize_str(text) if normalizer else text)}
    return sorted(letter for letter in letters if not letter.isspace())


def _by_id(vocabulary: dict[str, int]) -> list[str]:
    return sorted(vocabulary, key=vocabulary.__getitem__)


def _next_id(tokenizer: Tokenizer) -> int:
    return max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1
