"""Why a document was found: which of its words each word of the query matched."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.util import batch_to_device
from torch import Tensor
from torch.nn.functional import normalize

from kivuko.data.alignments import WordPair, split_words
from kivuko.data.collections import Document
from kivuko.errors import ModelError
from kivuko.evaluation.alignment_methods import AlignSettings, Pieces, align_pieces
from kivuko.models.encoder import content_mask, task_prompts
from kivuko.web.schemas import Carried, DocumentWord, ExplainAnswer, Match, Word

BEST = 3  # document words that are shown for a query word
LEAST_PART = 0.05  # of a query word's mass; what carries less is not shown
# A query and a passage have no common word order.
_SETTINGS = AlignSettings(position=0)


class EncodedWords(NamedTuple):
    """A text's pieces that MaxSim scores and that belong to a word.

    Attributes:
        embeddings: As they are searched with, (pieces, dim).
        words: Which word each belongs to. (pieces,).
    """

    embeddings: Tensor
    words: Tensor


def find_words(text: str) -> list[Word]:
    """Find the words of a text, without its punctuation.

    Example:
        >>> [(word.text, word.start) for word in find_words("Ng'ombe  wako, wapi?")]
        [("Ng'ombe", 0), ('wako', 9), ('wapi', 15)]
    """
    found, end = [], 0
    for word in split_words(text):
        start = text.index(word, end)
        end = start + len(word)
        if any(character.isalnum() for character in word):
            found.append(Word(text=word, start=start, end=end))
    return found


def explain(
    query: str, document: Document, query_model: MultiVectorEncoder, model: MultiVectorEncoder
) -> ExplainAnswer:
    """Match the words of a query with those of a document.

    A word that has no piece, being unknown to the tokenizer or behind the longest input of its model, matches nothing.

    Args:
        query: The query.
        document: The document.
        query_model: The encoder of the query.
        model: The encoder of the document.

    Raises:
        ModelError: If pieces cannot be traced to their words.
    """
    query_words = find_words(query)
    titled = [DocumentWord(**word.model_dump(), field="title") for word in find_words(document.title)]
    document_words = titled + [DocumentWord(**word.model_dump(), field="text") for word in find_words(document.text)]
    if not query_words or not document_words:
        return ExplainAnswer(query_words=query_words, document_words=document_words, maxsim=[], plan=[])
    joined = f"{document.title} {document.text}"  # what the encoder reads, but for the white space around it
    lead = len(joined) - len(joined.lstrip())
    shift = {"title": -lead, "text": len(document.title) + 1 - lead}
    spans = [(word.start + shift[word.field], word.end + shift[word.field]) for word in document_words]
    asked = _encode(query_model, query, [(word.start, word.end) for word in query_words], task="query")
    found = _encode(model, document.content, spans, task="document")
    return ExplainAnswer(
        query_words=query_words,
        document_words=document_words,
        maxsim=_matches(word_similarities(asked, found, (len(query_words), len(document_words)))),
        plan=_carried(asked, found, query_words, document_words),
    )


def word_similarities(query: EncodedWords, document: EncodedWords, size: tuple[int, int]) -> Tensor:
    """Add up the similarities of pieces by words.

    Returns:
        For each query word and document word the mean over the pieces of the former of the largest similarity with a
        piece of the latter, minus infinity where either has no piece. (query words, document words).
    """
    pieces = query.embeddings @ document.embeddings.T
    place = document.words.expand(len(pieces), -1)
    nearest = pieces.new_full((len(pieces), size[1]), -torch.inf).scatter_reduce(1, place, pieces, "amax")
    total = nearest.new_zeros(size).index_add(0, query.words, nearest)
    counts = torch.bincount(query.words, minlength=size[0])[:, None]
    return torch.where(counts > 0, total / counts, -torch.inf)


def _encode(encoder: MultiVectorEncoder, text: str, spans: Sequence[tuple[int, int]], *, task: str) -> EncodedWords:
    prompt = task_prompts(encoder).get(task)
    features = encoder.preprocess([text], prompt=prompt, task=task)
    content = content_mask(encoder, features, features["attention_mask"])[0].cpu()
    ids = features["input_ids"][0].cpu()[content].tolist()
    with torch.inference_mode():
        output = encoder(batch_to_device(dict(features), encoder.device), task=task)
    scored = output["attention_mask"][0].bool().cpu()[content]
    embeddings = output["token_embeddings"][0].float().cpu()[content]
    words = torch.tensor(_words_of_pieces(encoder.tokenizer, text, ids, spans), dtype=torch.long)
    kept = scored & (words >= 0)
    return EncodedWords(embeddings[kept], words[kept])


def _words_of_pieces(tokenizer: Any, text: str, ids: list[int], spans: Sequence[tuple[int, int]]) -> list[int]:
    """Return for each content piece which span its last character stands in, -1 for none."""
    special = set(tokenizer.all_special_ids)
    traced = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, truncation=False, verbose=False)
    pieces = [
        (piece, place)
        for piece, place in zip(traced["input_ids"], traced["offset_mapping"], strict=True)
        if piece not in special
    ][: len(ids)]
    if [piece for piece, _ in pieces] != ids:
        raise ModelError("The pieces cannot be traced to words: the model cuts its input otherwise than its tokenizer.")
    starts = [start for start, _ in spans]
    words = []
    for _, (start, end) in pieces:
        word = bisect_right(starts, end - 1) - 1
        words.append(word if start < end and word >= 0 and end <= spans[word][1] else -1)
    return words


def _matches(similarities: Tensor) -> list[Match]:
    best = similarities.topk(min(BEST, similarities.shape[1]), dim=1)
    return [
        Match(query_word=row, document_word=column, score=round(score, 4))
        for row, (scores, columns) in enumerate(zip(best.values.tolist(), best.indices.tolist(), strict=True))
        for score, column in zip(scores, columns, strict=True)
        if score > -torch.inf
    ]


def _carried(
    query: EncodedWords, document: EncodedWords, query_words: Sequence[Word], document_words: Sequence[Word]
) -> list[Carried]:
    if not len(query.words) or not len(document.words):
        return []
    asked, found = (Pieces(normalize(side.embeddings, dim=-1)[None], side.words[None]) for side in (query, document))
    pair = WordPair(*(tuple(word.text for word in words) for words in (query_words, document_words)))
    [aligned] = align_pieces([pair], asked, found, _SETTINGS)
    own = torch.bincount(query.words, minlength=len(query_words)) / len(query.words)
    parts = aligned.plan / own.clamp(min=torch.finfo(own.dtype).tiny)[:, None]
    return [
        Carried(query_word=row, document_word=column, mass=round(float(parts[row, column]), 4))
        for row, column in (parts >= LEAST_PART).nonzero().tolist()
    ]
