"""What one worker does: it lives in a process of its own, and may be killed and started anew at any moment."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from kivuko.search.store import Entry, Passage, Store, encoded, ingest

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder


class Encoding(NamedTuple):
    """How workers encode.

    Attributes:
        model: Hub id or directory of the encoder, which every worker can read.
        language: ISO 639 code of the documents' language, where they do not state one.
        batch_size: Documents encoded at once.
        threads: Threads, and cores, of each worker.
        gpus: GPUs of each worker, also a part of one; with any, it encodes there.
    """

    model: str
    language: str | None = None
    batch_size: int = 32
    threads: int = 1
    gpus: float = 0.0


class Worker:
    """Encodes portions of a collection; the model is loaded with the first one, so that its errors have a caller."""

    def __init__(self, encoding: Encoding, open_store: Callable[[], Store] | None = None) -> None:
        self._encoding = encoding
        self._open_store = open_store

    def encode(self, passages: Sequence[Passage]) -> list[Entry]:
        """Return the passages with their token embeddings."""
        return encoded(self._encoder, passages, batch_size=self._encoding.batch_size)

    def ingest(self, passages: Sequence[Passage]) -> int:
        """Encode what is not in the store yet, add it, and return how many that were."""
        return ingest(self._store, self._encoder, passages, batch_size=self._encoding.batch_size)

    @cached_property
    def _encoder(self) -> "MultiVectorEncoder":
        import torch  # noqa: PLC0415 - here, so that the class can be named where nothing is encoded

        from kivuko.models.encoder import load_encoder  # noqa: PLC0415

        torch.set_num_threads(self._encoding.threads)
        return load_encoder(self._encoding.model, device="cuda" if self._encoding.gpus else "cpu")

    @cached_property
    def _store(self) -> Store:
        if self._open_store is None:
            raise TypeError("This worker was given no store to write to.")
        return self._open_store()
