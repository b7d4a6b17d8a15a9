"""Sentence pairs out of texts in two languages that talk of the same things."""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import IO, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import MultiVectorEncoder

from kivuko.curation.neighbors import nearest
from kivuko.curation.tokens import Tokens, check_models, encode_tokens, pad, transport_costs
from kivuko.errors import DataError

NEIGHBORS = 4
_ENCODED = 512  # sentences encoded at once
_RESCORED = 4096  # candidates whose tokens are read at once

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class Candidates(NamedTuple):
    """Sentences that may translate each other, by their mean vectors.

    Attributes:
        pairs: Place of the English sentence and of the other one, sorted, (candidates, 2).
        cosine: Between their mean vectors, (candidates,).
        margin: That cosine by the average one to the nearest neighbors of both, (candidates,).
    """

    pairs: IntArray
    cosine: FloatArray
    margin: FloatArray


class Mined(NamedTuple):
    """Sentence pairs that were found, best first.

    Attributes:
        pairs: Place of the English sentence and of the other one, (found, 2). No sentence is in two pairs.
        scores: How far the sentences of each stand out among their neighbors; 1 is not at all. (found,).
    """

    pairs: IntArray
    scores: FloatArray


class Side(NamedTuple):
    """The encoded sentences of one language.

    Attributes:
        means: Mean vectors of unit length, (sentences, dim); zeros for a sentence without tokens.
        tokens: File of their token embeddings as float16, one after the other.
        offsets: Where the tokens of a sentence begin in it, and where the last end, (sentences + 1,).
    """

    means: NDArray[np.float32]
    tokens: IO[bytes]
    offsets: IntArray

    def read(self, places: Iterable[int]) -> Tokens:
        """Return the tokens of some sentences."""
        dim, found = self.means.shape[1], []
        for place in places:
            start, end = self.offsets[place : place + 2].tolist()
            self.tokens.seek(start * dim * 2)
            raw = np.frombuffer(self.tokens.read((end - start) * dim * 2), dtype=np.float16)
            found.append(torch.from_numpy(raw.astype(np.float32)).reshape(-1, dim))
        return pad(found, dim=dim)


def mine(
    english: Sequence[str],
    translations: Sequence[str],
    student: MultiVectorEncoder,
    teacher: MultiVectorEncoder,
    *,
    threshold: float,
    neighbors: int = NEIGHBORS,
    rescored: bool = True,
    progress: Callable[[int], None] = lambda sentences: None,
) -> Mined:
    """Find the sentences that translate each other.

    Memory holds the texts and a vector of each sentence, 512 bytes with 128 dimensions; the token embeddings lie in
    temporary files, 256 bytes a token.

    Args:
        english: English sentences, each once.
        translations: Sentences of the other language, each once.
        student: Encodes the latter.
        teacher: Encodes the former, in the space of the student.
        threshold: The least score of a pair.
        neighbors: How many neighbors are looked at. Positive.
        rescored: Whether the score is the mean of two margins, that of the mean vectors and that of the transport of
            tokens, or the former alone.
        progress: Called with the number of sentences encoded since the last call.

    Raises:
        ConfigError: If faiss is not installed.
        DataError: If a side is empty, or no pair reaches the threshold.
        ModelError: If the embeddings of the models differ in size.
    """
    check_models(student, teacher)
    for name, side in (("English", english), ("other", translations)):
        if not side:
            raise DataError(f"There is no {name} sentence to mine.")
    with tempfile.TemporaryFile() as first, tempfile.TemporaryFile() as second:
        sides = (
            encode_side(teacher.eval(), english, first, progress=progress),
            encode_side(student.eval(), translations, second, progress=progress),
        )
        candidates = find_candidates(sides[0].means, sides[1].means, neighbors=neighbors)
        scores = candidates.margin
        if rescored:
            near = transport_nearness(*sides, candidates.pairs)
            scores = (scores + margin_among(candidates.pairs, near)) / 2
    found = match(candidates.pairs, scores)
    kept = found[scores[found] >= threshold]
    if not len(kept):
        best = f"the best has {scores[found[0]]:.3f}" if len(found) else "no sentence has a neighbor"
        raise DataError(f"No pair has a score of {threshold:g} or more; {best}.")
    return Mined(candidates.pairs[kept], scores[kept])


def encode_side(
    encoder: MultiVectorEncoder,
    sentences: Iterable[str],
    tokens: IO[bytes],
    *,
    progress: Callable[[int], None] = lambda sentences: None,
) -> Side:
    """Encode sentences, batch by batch; in memory stays one vector of each, the tokens go to a file.

    Args:
        encoder: The teacher for English, the student for the other language.
        sentences: One language.
        tokens: A binary file to write and read, empty.
        progress: Called with the number of sentences encoded since the last call.
    """
    remaining, means, lengths = iter(sentences), [], [0]
    while batch := list(islice(remaining, _ENCODED)):
        encoded = encode_tokens(encoder, batch)
        means.append(encoded.means())
        lengths += encoded.mask.sum(1).tolist()
        tokens.write(encoded.embeddings[encoded.mask].half().numpy().tobytes())
        progress(len(batch))
    dim = encoder.get_embedding_dimension() or 0
    vectors = np.concatenate(means) if means else np.empty((0, dim), dtype=np.float32)
    return Side(vectors, tokens, np.cumsum(lengths, dtype=np.int64))


def find_candidates(
    english: NDArray[np.float32], translations: NDArray[np.float32], *, neighbors: int = NEIGHBORS
) -> Candidates:
    """Find for each sentence of either language its nearest ones in the other, and how far they stand out.

    margin(x, y) = cos(x, y) / (sum_{z in NN_k(x)} cos(x, z) / 2k + sum_{z in NN_k(y)} cos(y, z) / 2k), which is above
    one for a pair that is closer than its sentences are to their neighbors: some sentences are close to everything.

    Args:
        english: Mean vectors, (English sentences, dim).
        translations: Likewise, (other sentences, dim).
        neighbors: k. Positive.

    References:
        Artetxe and Schwenk, "Margin-based Parallel Corpus Mining with Multilingual Sentence Embeddings", ACL 2019,
        equations 1 and 2 (`ratio`). https://arxiv.org/abs/1811.01136
    """
    forward, backward = (
        nearest(asked, among, count=min(neighbors, len(among)))
        for asked, among in ((english, translations), (translations, english))
    )
    places = [np.repeat(np.arange(len(found.places)), found.places.shape[1]) for found in (forward, backward)]
    pairs = np.concatenate(
        [
            np.stack([places[0], forward.places.ravel()], axis=1),
            np.stack([backward.places.ravel(), places[1]], axis=1),
        ]
    )
    # A sentence without tokens is nobody's neighbor, and an approximate search may find too few.
    has_tokens = [np.linalg.norm(side, axis=1) > 0 for side in (english, translations)]
    real = (pairs >= 0).all(axis=1) & has_tokens[0][pairs[:, 0]] & has_tokens[1][pairs[:, 1]]
    pairs = np.unique(pairs[real], axis=0)
    cosine = np.einsum("cd,cd->c", english[pairs[:, 0]], translations[pairs[:, 1]]).astype(np.float64)
    usual = forward.cosines.mean(axis=1)[pairs[:, 0]] + backward.cosines.mean(axis=1)[pairs[:, 1]]
    return Candidates(pairs, cosine, cosine / np.maximum(usual / 2, 1e-6))


def transport_nearness(english: Side, translations: Side, pairs: IntArray) -> FloatArray:
    """Return 1 - <P, C> of the tokens of some pairs, (pairs,)."""
    near = np.empty(len(pairs))
    for start in range(0, len(near), _RESCORED):
        part = pairs[start : start + _RESCORED]
        places, rows = zip(*(np.unique(column, return_inverse=True) for column in part.T), strict=True)
        read = [side.read(which.tolist()) for side, which in zip((english, translations), places, strict=True)]
        near[start : start + _RESCORED] = 1 - transport_costs(read[0], read[1], np.stack(rows, axis=1))
    return near


def margin_among(pairs: IntArray, nearness: FloatArray) -> FloatArray:
    """Return the nearness of candidates by the average one of all candidates that a sentence of theirs is part of.

    Example:
        >>> margin_among(np.array([[0, 0], [0, 1]]), np.array([0.9, 0.3])).round(2).tolist()
        [1.2, 0.67]
    """
    usual = np.zeros_like(nearness)
    for column in pairs.T:
        counts = np.maximum(np.bincount(column), 1)
        usual += (np.bincount(column, weights=nearness) / counts)[column] / 2
    return nearness / np.maximum(usual, 1e-6)


def match(pairs: IntArray, scores: FloatArray) -> IntArray:
    """Take the best pairs, best first, so that no sentence is taken twice; return their places in `pairs`.

    Example:
        >>> match(np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0.9, 0.8, 0.7, 0.1])).tolist()
        [0, 3]
    """
    taken: tuple[set[int], set[int]] = (set(), set())
    found = []
    for place in np.lexsort((pairs[:, 1], pairs[:, 0], -scores)).tolist():
        english, translation = pairs[place].tolist()
        if english not in taken[0] and translation not in taken[1]:
            taken[0].add(english)
            taken[1].add(translation)
            found.append(place)
    return np.array(found, dtype=np.int64)
