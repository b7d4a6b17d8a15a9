"""Open whatever holds embeddings, and ask it with a model that belongs to it."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from kivuko.errors import ConfigError, DataError
from kivuko.models.encoder import load_encoder
from kivuko.search.flat.manifest import is_flat_store
from kivuko.search.flat.store import FlatStore
from kivuko.search.flat.store import open_or_create as open_or_create_flat
from kivuko.search.hybrid import BY_MEANING, HybridSearcher, RankBy
from kivuko.search.index import Index, load_index
from kivuko.search.lineage import Lineage, identities, read_lineage, refuse_stranger
from kivuko.search.manifest import is_index
from kivuko.search.qdrant import is_address, is_edge_store, open_or_create_qdrant, open_qdrant
from kivuko.search.searcher import Searcher
from kivuko.search.store import OpenStore
from kivuko.search.words import open_words, words_folder


class StoreKind(StrEnum):
    """What embeddings can be kept in: the reference that is written once, or a store that can be changed."""

    exact = "exact"
    flat = "flat"
    qdrant = "qdrant"


def open_index(location: str | Path, *, verify: bool = False) -> Index | OpenStore:
    """Open an exact index or a store, whichever lies there.

    Args:
        location: What `kivuko index` wrote: a directory, or the address of a Qdrant collection.
        verify: Read every file and compare it with its digest; Qdrant's files have none of kivuko's.

    Raises:
        ConfigError: If what it needs is not installed, a process has it open that admits no other, or Qdrant's files
            are to be verified.
        DataError: If nothing of kivuko is there, it was written by a newer kivuko, or it is damaged.
    """
    match held_by(location):
        case StoreKind.qdrant:
            if verify:
                raise ConfigError(f"{location} is Qdrant's, which checks its files itself: leave out --verify.")
            return open_qdrant(location)
        case StoreKind.flat:
            return FlatStore(location, verify=verify)
        case _:
            return load_index(location, verify=verify)  # which says what is wrong where there is none


def open_store(location: str | Path) -> OpenStore:
    """Open a store to change it.

    Raises:
        ConfigError: If an exact index is there, what the store needs is not installed, or a process has it open that
            admits no other.
        DataError: If nothing of kivuko is there, it was written by a newer kivuko, or it is damaged.
    """
    if held_by(location) is StoreKind.qdrant:
        return open_qdrant(location, writing=True)
    found = open_index(location)
    if isinstance(found, Index):
        raise ConfigError(f"{location} is an exact index, which is written once: make a store with --store flat.")
    return found


def open_or_create_store(
    kind: StoreKind,
    location: str | Path,
    *,
    dim: int,
    encoder: Lineage,
    language: str | None = None,
    shards: int | None = None,
    replicas: int | None = None,
) -> OpenStore:
    """Open the store of this encoder, or make it where nothing is: so that an ingestion can begin or go on.

    Args:
        kind: `flat` or `qdrant`.
        location: A directory; for `qdrant` also an address as in `http://host:6333/collection`.
        dim: Length of a token embedding.
        encoder: The encoder of the passages.
        language: ISO 639 code of the passages' language, for the manifest.
        shards: Parts of a collection that is to be made on a Qdrant server.
        replicas: Copies of each of them.

    Raises:
        ConfigError: If an option is not for that kind, or what the store needs is not installed.
        DataError: If something else is there, or it cannot be reached or written.
        ModelError: If the store there is not, or cannot be known to be, of this encoder.
    """
    there = held_by(location)
    if there is not None and there is not kind:
        raise DataError(f"{location} holds an index of the kind {there}: choose another directory, or --store {there}.")
    said = {"dim": dim, "language": language, **identities(encoder)}
    if kind is StoreKind.qdrant:
        return open_or_create_qdrant(location, shards=shards, replicas=replicas, **said)
    if kind is StoreKind.flat and not is_address(location):
        return open_or_create_flat(location, **said)
    raise ConfigError(f"{location} cannot be a store of the kind {kind}.")


def held_by(location: str | Path) -> StoreKind | None:
    """Return the kind of what lies at a location; an address is one of Qdrant's. Nothing for anything else."""
    if is_address(location) or is_edge_store(location):
        return StoreKind.qdrant
    if is_flat_store(Path(location)):
        return StoreKind.flat
    return StoreKind.exact if is_index(Path(location)) else None


def open_searcher(
    location: str | Path,
    model: str | Path,
    *,
    any_model: bool = False,
    warn: Callable[[str], None] = lambda message: None,
    batch_size: int = 32,
) -> Searcher:
    """Open an index or a store together with the encoder of its queries.

    Args:
        location: What `kivuko index` wrote.
        model: Hub id or directory of the encoder of the queries.
        any_model: Ask also with a model that does not belong to what is there.
        warn: Told where it cannot be known whether the model belongs.
        batch_size: Queries encoded at once.

    Raises:
        DataError: If nothing of kivuko is there, it was written by a newer kivuko, or it is damaged.
        ModelError: If the model cannot be loaded, or does not belong to what is there.
    """
    return _asking(open_index(location), model, any_model=any_model, warn=warn, batch_size=batch_size)


def _asking(
    index: Index | OpenStore,
    model: str | Path,
    *,
    any_model: bool,
    warn: Callable[[str], None],
    batch_size: int = 32,
) -> Searcher:
    searcher = Searcher(index, load_encoder(model), batch_size=batch_size)  # the model's dimension first: it says most
    if not any_model and (warning := refuse_stranger(index.manifest, read_lineage(model), index.location)):
        warn(warning)
    return searcher


def open_hybrid(
    location: str | Path,
    model: str | Path | None = None,
    *,
    by: RankBy = BY_MEANING,
    language: str | None = None,
    lexical_index: str | Path | None = None,
    any_model: bool = False,
    verify: bool = False,
    warn: Callable[[str], None] = lambda message: None,
) -> HybridSearcher:
    """Open an index or a store with whatever a way of ranking needs: the encoder of the queries, the words, or both.

    Args:
        location: What `kivuko index` wrote.
        model: Hub id or directory of the encoder of the queries; not needed for words alone.
        by: How documents are to be ranked.
        language: The queries' language, for structured queries; by default the one that the model was taught.
        lexical_index: Where the words are kept, if not in the directory of the index.
        any_model: Ask also with a model that does not belong to what is there.
        verify: Read every file of the index and compare it with its digest.
        warn: Told where it cannot be known whether the model belongs.

    Raises:
        ConfigError: If a model is needed and not given.
        DataError: If nothing of kivuko is there, it was written by a newer kivuko, or it is damaged; or the words are
            not counted, or those of other passages.
        ModelError: If the model cannot be loaded, or does not belong to what is there.
    """
    if by.needs_model and model is None:
        raise ConfigError("MaxSim needs the encoder of the queries: give --model, or --ranker bm25 or psq.")
    index, searcher = open_index(location, verify=verify), None
    if by.needs_model and model is not None:
        searcher = _asking(index, model, any_model=any_model, warn=warn)
    words = open_words(index, words_folder(location, lexical_index)) if by.needs_words else None
    if language is None and model is not None:
        taught = read_lineage(model).languages
        language = taught[0] if len(taught) == 1 else None
    return HybridSearcher(index, searcher=searcher, words=words, language=language)
