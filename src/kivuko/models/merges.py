"""Byte-pair encoding taken further: merges of a new language behind those that a tokenizer has."""

import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.trainers import BpeTrainer

# What a piece that begins a word begins with, in byte-level and in SentencePiece's BPE.
_WORD_MARKS = ("Ġ", "▁")
# Planes 15 and 16 are for private use: each piece that the texts use gets a character of its own there.
_FIRST_CHARACTER, _LAST_CHARACTER = 0xF0000, 0x10FFFD

Merge = tuple[str, str]


def continued_merges(tokenizer: Tokenizer, texts: Iterable[str], *, size: int, min_frequency: int) -> list[Merge]:
    """Go on merging where a tokenizer with a BPE model stops.

    The texts are cut by the tokenizer first, and pairs of its pieces are merged from there on, the most frequent first,
    never across words. So every new piece can be reached from the old ones, which it could not if it came from a BPE
    that was trained on the texts alone: the old merges, which are applied before, may cut elsewhere.

    Args:
        tokenizer: A tokenizer with a BPE model. It is not changed.
        texts: Sentences of the new languages.
        size: Number of merges at most.
        min_frequency: A merge needs at least this many occurrences.

    Returns:
        Merges in the order in which they apply, as pairs of pieces.
    """
    words = _cut_words(tokenizer, texts)
    used = sorted({piece for word in words for piece in word})[: _LAST_CHARACTER - _FIRST_CHARACTER + 1]
    characters = {piece: chr(_FIRST_CHARACTER + index) for index, piece in enumerate(used)}
    pieces = {character: piece for piece, character in characters.items()}
    written = {word: "".join(characters.get(piece, " ") for piece in word) for word in words}
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trained.train_from_iterator(
        (" ".join([written[word]] * count) for word, count in words.items()),
        BpeTrainer(
            vocab_size=len(used) + size,
            min_frequency=min_frequency,
            initial_alphabet=sorted(pieces),
            show_progress=False,
        ),
    )
    merges: list[Merge] = []
    for left, right in _merges(trained):
        merges.append(("".join(map(pieces.__getitem__, left)), "".join(map(pieces.__getitem__, right))))
    return merges


def with_merges(tokenizer: Tokenizer, merges: Sequence[Merge], *, first_id: int) -> tuple[dict[str, Any], list[str]]:
    """Return the specification of a tokenizer with more merges, and the pieces that they add, from `first_id` on.

    Args:
        tokenizer: A tokenizer with a BPE model. It is not changed.
        merges: What to append, in their order.
        first_id: Id of the first new piece; not below that of any added token.
    """
    specification: dict[str, Any] = json.loads(tokenizer.to_str())
    model = specification["model"]
    # An added token behind the vocabulary is renumbered when a piece comes before it; as a part of the model it is not.
    for token in specification["added_tokens"]:
        model["vocab"].setdefault(token["content"], token["id"])
    known = {tuple(merge) for merge in model["merges"]}
    model["merges"] += [list(merge) for merge in merges if merge not in known]
    new = [piece for piece in dict.fromkeys(map("".join, merges)) if piece not in model["vocab"]]
    model["vocab"] |= {piece: first_id + offset for offset, piece in enumerate(new)}
    return specification, new


def without_results(merges: Sequence[Merge], unwanted: Container[str]) -> list[Merge]:
    """Leave out the merges that make an unwanted piece, and those that need a piece which nothing makes any more.

    Example:
        >>> merges = [("nya", "ma"), ("nyama", "kula"), ("ma", "kula")]
        >>> without_results(merges, {"nyama"})
        [('ma', 'kula')]
    """
    results = set(map("".join, merges))
    made: set[str] = set()
    left: list[Merge] = []
    for merge in merges:
        piece = "".join(merge)
        if piece not in unwanted and all(part not in results or part in made for part in merge):
            made.add(piece)
            left.append(merge)
    return left


def added_merges(teacher: Tokenizer, extended: Tokenizer) -> list[Merge]:
    """Return the merges that `with_merges` appended."""
    return _merges(extended)[len(_merges(teacher)) :]


def _merges(tokenizer: Tokenizer) -> list[Merge]:
    return [(left, right) for left, right in json.loads(tokenizer.to_str())["model"]["merges"]]


def _cut_words(tokenizer: Tokenizer, texts: Iterable[str]) -> Counter[tuple[str, ...]]:
    encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return Counter(word for encoding in encodings for word in _split(encoding.tokens, encoding.word_ids))


def _split(pieces: Sequence[str], words: Sequence[int | None]) -> Iterator[tuple[str, ...]]:
    """Cut at the words of the pre-tokenizer, and before each piece that begins a word by its mark."""
    start = 0
    for index in range(1, len(pieces) + 1):
        at_end = index == len(pieces)
        if at_end or words[index] != words[index - 1] or pieces[index].startswith(_WORD_MARKS):
            yield tuple(pieces[start:index])
            start = index
