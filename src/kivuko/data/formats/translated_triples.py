"""Training triples whose queries are translations: mMARCO's, or files of one's own in its form."""

import random
from itertools import islice
from pathlib import Path

from kivuko.data.formats.files import cells
from kivuko.data.formats.mmarco import read_triples
from kivuko.data.pairs import TranslatedTriple
from kivuko.errors import DataError

# The published triples are in random order already; there are 39.8 million of them.
MOST_TRIPLES = 200_000


def read_translated_triples(
    triples: Path, queries: Path, passages: Path, *, count: int, seed: int
) -> list[TranslatedTriple]:
    """Draw triples, and read their texts: queries in the language, passages in English.

    They are drawn without replacement from the first `MOST_TRIPLES` of the file; more than there are go round again.

    Args:
        triples: Lines of query id, id of a relevant passage, id of one that is not (`triples.train.ids.small.tsv`).
        queries: Lines of id and translated query (`swahili_queries.train.tsv`).
        passages: Lines of id and English passage (`english_collection.tsv`).
        count: How many to return.
        seed: Decides which, and in which order.

    Raises:
        DataError: If a file is missing or malformed, or a triple names what is not there.
    """
    known = list(islice(read_triples(triples), MOST_TRIPLES))
    if not known:
        raise DataError(f"{triples} holds no triple.")
    generator = random.Random(seed)  # noqa: S311 - a shuffle, not a secret
    drawn = [triple for _ in range(-(-count // len(known))) for triple in generator.sample(known, len(known))][:count]
    asked = _texts(queries, {triple.query_id for triple in drawn})
    read = _texts(passages, {doc_id for triple in drawn for doc_id in (triple.positive, triple.negative)})
    return [TranslatedTriple(read[triple.positive], asked[triple.query_id], read[triple.negative]) for triple in drawn]


def _texts(path: Path, wanted: set[str]) -> dict[str, str]:
    texts = {key: text for _, (key, text) in cells(path, 2) if key in wanted}
    if missing := sorted(wanted - texts.keys()):
        raise DataError(f"{path} lacks {len(missing):,} of the ids that the triples name, for example {missing[0]!r}.")
    return texts
