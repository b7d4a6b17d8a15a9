"""The vocabulary of a transplanted student: the teacher's own pieces, and new ones for the target languages."""

import json
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from typing import Any, NamedTuple

from tokenizers import Tokenizer
from tokenizers.trainers import UnigramTrainer, WordPieceTrainer

from kivuko.data.bitext import SentencePair
from kivuko.errors import ModelError
from kivuko.models.copied_words import separate_words
from kivuko.models.merges import added_merges, continued_merges, with_merges, without_results


class ExtendedVocabulary(NamedTuple):
    """A tokenizer whose first `kept` ids are the teacher's, in the teacher's order, and whose later ids are new."""

    tokenizer: Tokenizer
    kept: int
    new_pieces: tuple[str, ...]


def extend_vocabulary(
    teacher: Tokenizer,
    pairs: Sequence[SentencePair],
    *,
    size: int,
    min_frequency: int = 2,
    copied_share: float = 0.5,
    own_use: float = 3.0,
) -> ExtendedVocabulary:
    """Train a vocabulary on the translations and add to the teacher's vocabulary the pieces that it lacks.

    Every teacher piece keeps its id and with it its embedding. Normalization and pre-tokenization stay the teacher's.

    Names and numbers are to stay what they were as well, and a piece that cuts a name differently from the teacher
    ("zanzibar" where the teacher has "za", "##nz", "##ibar") keeps it from being found. So the vocabulary is trained
    without the words that translations copy, and a piece that such words use nearly as much as the words of the
    language is left out again.

    Args:
        teacher: The teacher's tokenizer, with a WordPiece, BPE or Unigram model. It is not changed.
        pairs: Bitext of the target languages.
        size: Size of the vocabulary that is trained on the translations, before the union. BPE goes on from the
            teacher's merges by as many.
        min_frequency: A merge of WordPiece or BPE needs at least this many occurrences.
        copied_share: A word is copied if it stands on both sides in at least this share of its occurrences; above 1,
            no word is, and all of the translations are trained on.
        own_use: A new piece has to occur at least this many times as often in the language's own words as in copied
            ones.

    Raises:
        ModelError: If the teacher's tokenizer is of another kind.
    """
    words = separate_words(teacher, pairs, copied_share=copied_share)
    trained = _extend(teacher, words.own_texts, size=size, min_frequency=min_frequency)
    new = set(trained.new_pieces)
    uses = [_piece_counts(trained.tokenizer, counts, new) for counts in (words.own, words.copied)]
    unwanted = {piece for piece, count in uses[1].items() if uses[0][piece] < own_use * count}
    return _without_pieces(teacher, trained, unwanted) if unwanted else trained


def _piece_counts(tokenizer: Tokenizer, words: Counter[str], pieces: Container[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    # With a space before it, as in a sentence: SentencePiece and byte-level BPE mark the beginning of a word by it.
    spaced = [f" {word}" for word in words]
    for word, encoding in zip(words, tokenizer.encode_batch(spaced, add_special_tokens=False), strict=True):
        for piece in encoding.tokens:
            if piece in pieces:
                counts[piece] += words[word]
    return counts


def _without_pieces(teacher: Tokenizer, vocabulary: ExtendedVocabulary, unwanted: Container[str]) -> ExtendedVocabulary:
    specification: dict[str, Any] = json.loads(vocabulary.tokenizer.to_str())
    model = specification["model"]
    pieces = [piece for piece in vocabulary.new_pieces if piece not in unwanted]
    match model["type"]:
        case "WordPiece":
            kept = {piece: index for piece, index in model["vocab"].items() if index < vocabulary.kept}
            model["vocab"] = kept | {piece: vocabulary.kept + offset for offset, piece in enumerate(pieces)}
        case "BPE":
            merges = without_results(added_merges(teacher, vocabulary.tokenizer), unwanted)
            specification, pieces = with_merges(teacher, merges, first_id=vocabulary.kept)
        case _:
            model["vocab"] = [entry for entry in model["vocab"] if entry[0] not in unwanted]
    return ExtendedVocabulary(Tokenizer.from_str(json.dumps(specification)), vocabulary.kept, tuple(pieces))


def _extend(teacher: Tokenizer, texts: Sequence[str], *, size: int, min_frequency: int) -> ExtendedVocabulary:
    specification: dict[str, Any] = json.loads(teacher.to_str())
    kind = specification["model"]["type"]
    target = Tokenizer.from_str(json.dumps(specification))
    match kind:
        case "WordPiece":
            model = specification["model"]
            prefix = model["continuing_subword_prefix"]
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
        case "BPE":
            kept = _next_id(teacher)
            merges = continued_merges(teacher, texts, size=size, min_frequency=min_frequency)
            specification, pieces = with_merges(teacher, merges, first_id=kept)
        case "Unigram":
            target.train_from_iterator(texts, UnigramTrainer(vocab_size=size, special_tokens=[], show_progress=False))
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
                f"A transplant needs a teacher with a WordPiece, BPE or Unigram tokenizer, this one has {kind}. "
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
