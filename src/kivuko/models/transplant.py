"""A student for new languages grown on the teacher's own body, before any training."""

import copy
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_array, diags_array
from sentence_transformers import MultiVectorEncoder
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from kivuko.data.bitext import SentencePair
from kivuko.errors import ModelError
from kivuko.models.encoder import backbone
from kivuko.models.lexicon import Lexicon, align_pieces
from kivuko.models.vocabulary import ExtendedVocabulary, extend_vocabulary

# Longer sentences add links by the square of their length and almost nothing to the table.
_MAX_PIECES = 128
# Bounds the memory of the alignment to a few gigabytes; a larger bitext is thinned evenly for it.
_MAX_PAIRS = 100_000


class Transplant(NamedTuple):
    """A student and what it was made of.

    Attributes:
        student: The encoder, all parameters trainable.
        vocabulary: The tokenizer with the teacher's pieces first.
        lexicon: Expected links between pieces.
        aligned_pieces: Number of pieces that start from English pieces they are linked to.
        fertility: Pieces per white-space word of the translations.
    """

    student: MultiVectorEncoder
    vocabulary: ExtendedVocabulary
    lexicon: Lexicon
    aligned_pieces: int
    fertility: float


def transplant(
    teacher: MultiVectorEncoder,
    pairs: Sequence[SentencePair],
    *,
    weights: Sequence[float] | None = None,
    vocabulary_size: int = 16_000,
    iterations: int = 5,
    tension: float | None = None,
    keep_share: float = 0.5,
    copied_share: float = 0.5,
) -> Transplant:
    """Grow a student: the teacher's body, its vocabulary, and new pieces that start where their translations are.

    A piece f of the target languages gets the embedding sum_e w(e | f) E(e), scaled to the length
    sum_e w(e | f) |E(e)|, with w the normalized expected links of `align_pieces`: a mean of vectors is shorter than
    they are, and the position embedding that is added to it is not. A teacher piece that occurs in the translations and
    mostly links to itself (names, numbers) keeps the teacher's embedding; so does every piece that does not occur.

    Args:
        teacher: The teacher. It is not changed.
        pairs: Bitext of one or several target languages.
        weights: What each pair counts in the alignment, as `align_pieces` says; None is 1 for all.
        vocabulary_size: Size of the vocabulary trained on the translations.
        iterations: Passes of expectation maximization.
        tension: How much the alignment expects both sides in the same order; 0 is IBM Model 1, None learns it.
        keep_share: A teacher piece keeps its own embedding from this share of links to itself, in [0, 1].
        copied_share: Words that stand on both sides of their pairs at least in this share of their occurrences are
            names, and stay cut as the teacher cuts them; above 1, no word is.

    Raises:
        ModelError: If the teacher's tokenizer cannot be extended.
    """
    step = -(-len(pairs) // _MAX_PAIRS)
    sample = pairs[::step]
    fast_tokenizer = copy.deepcopy(teacher.tokenizer.backend_tokenizer)
    fast_tokenizer.no_truncation()
    fast_tokenizer.no_padding()
    vocabulary = extend_vocabulary(fast_tokenizer, pairs, size=vocabulary_size, copied_share=copied_share)
    english = _piece_ids(fast_tokenizer, [pair.english for pair in sample])
    translations = _piece_ids(vocabulary.tokenizer, [pair.translation for pair in sample])
    size = vocabulary.kept + len(vocabulary.new_pieces)
    lexicon = align_pieces(
        english,
        translations,
        english_size=vocabulary.kept,
        target_size=size,
        iterations=iterations,
        tension=tension,
        weights=None if weights is None else weights[::step],
    )

    student = copy.deepcopy(teacher)
    transformer = backbone(student)
    transformer.processor = _reload_tokenizer(transformer.processor, vocabulary)
    model: Any = transformer.model
    # A checkpoint may pad its matrix to a round number; the rows behind the vocabulary are nobody's.
    old = model.get_input_embeddings().weight.detach().cpu()[: vocabulary.kept]
    if len(old) < vocabulary.kept:
        raise ModelError(
            f"The teacher's tokenizer has {vocabulary.kept} pieces, but it has only {len(old)} embeddings."
        )
    model.resize_token_embeddings(size, mean_resizing=False)
    embeddings, aligned = initial_embeddings(old, lexicon.counts, keep_share=keep_share)
    with torch.no_grad():
        model.get_input_embeddings().weight.copy_(embeddings)
    student.requires_grad_(True)
    words = sum(len(pair.translation.split()) for pair in sample)
    return Transplant(student, vocabulary, lexicon, aligned, sum(map(len, translations)) / max(words, 1))


def initial_embeddings(old: torch.Tensor, counts: csr_array, *, keep_share: float) -> tuple[torch.Tensor, int]:
    """Compute the student's embedding matrix from the teacher's and the expected links.

    Args:
        old: The teacher's embeddings, (English pieces, hidden size).
        counts: Expected links, (target pieces, English pieces); the first target pieces are the English ones.
        keep_share: Share of links to itself from which a teacher piece keeps its embedding.

    Returns:
        The embeddings (target pieces, hidden size), and how many of them come from links. A new piece without a link
        starts at the mean of the teacher's embeddings.
    """
    kept = old.shape[0]
    totals = np.asarray(counts.sum(axis=1)).ravel()
    weights = diags_array(1 / np.maximum(totals, 1e-12)) @ counts
    teacher = old.double().numpy()
    mean = weights @ teacher
    length = weights @ np.linalg.norm(teacher, axis=1)
    mean *= (length / np.maximum(np.linalg.norm(mean, axis=1), 1e-12))[:, None]
    linked = totals > 1e-6
    self_share = counts[:kept].diagonal() / np.maximum(totals[:kept], 1e-12)
    linked[:kept] &= self_share < keep_share
    embeddings = old.mean(dim=0).repeat(counts.shape[0], 1)
    embeddings[:kept] = old
    embeddings[linked] = torch.from_numpy(mean[linked]).to(old.dtype)
    return embeddings, int(linked.sum())


def _piece_ids(tokenizer: Tokenizer, sentences: Sequence[str]) -> list[list[int]]:
    return [encoding.ids[:_MAX_PIECES] for encoding in tokenizer.encode_batch(sentences, add_special_tokens=False)]


def _reload_tokenizer(tokenizer: Any, vocabulary: ExtendedVocabulary) -> Any:
    """Return the teacher's tokenizer, with all its settings, over the extended vocabulary."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        for leftover in ("vocab.txt", "vocab.json", "merges.txt", "spiece.model", "sentencepiece.bpe.model"):
            (Path(folder) / leftover).unlink(missing_ok=True)
        vocabulary.tokenizer.save(str(Path(folder) / "tokenizer.json"))
        return AutoTokenizer.from_pretrained(folder)
