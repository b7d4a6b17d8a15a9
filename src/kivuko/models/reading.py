"""How many texts are longer than what an encoder reads of them."""

from collections.abc import Iterable, Iterator
from typing import Literal, Protocol, TypeVar

from sentence_transformers import MultiVectorEncoder

from kivuko.models.encoder import backbone, task_prompts

Task = Literal["query", "document"]

_UNBOUNDED = 1_000_000  # tokenizers without a limit name a number far beyond this one


class HasContent(Protocol):
    """A document, or a passage of a store."""

    @property
    def content(self) -> str:
        """What an encoder reads."""


Texts = TypeVar("Texts", bound=HasContent)


class CutTexts:
    """Counts the texts of which an encoder reads the beginning only, as it does without a word.

    Args:
        encoder: The encoder.
        task: What it takes the texts for; late-interaction encoders may read less of a query than of a document.

    Attributes:
        task: As it was given.
        limit: How many tokens it reads, special ones and the prompt among them; None if there is no bound.
        count: How many of the texts that were watched are longer.
    """

    def __init__(self, encoder: MultiVectorEncoder, task: Task) -> None:
        self.task = task
        self._tokenizer = encoder.tokenizer
        self._prompt = task_prompts(encoder).get(task, "")
        self.limit = token_limit(encoder, task)
        self.count = 0

    def is_cut(self, text: str) -> bool:
        """Say whether the encoder leaves out the end of a text."""
        # A token is a byte at least, so most texts need not be cut into tokens a second time. Four special tokens are
        # more than any tokenizer adds.
        if self.limit is None or len((self._prompt + text).encode(errors="replace")) + 4 <= self.limit:
            return False
        tokens = self._tokenizer(self._prompt + text, truncation=False, padding=False, verbose=False)["input_ids"]
        return len(tokens) > self.limit

    def watch(self, documents: Iterable[Texts]) -> Iterator[Texts]:
        """Yield documents as they come, and count those that are cut."""
        for document in documents:
            self.count += self.is_cut(document.content)
            yield document


def token_limit(encoder: MultiVectorEncoder, task: Task) -> int | None:
    """Return how many tokens an encoder reads of a text, special ones and the prompt among them.

    Returns:
        None if there is no bound.
    """
    transformer = backbone(encoder)
    limit = getattr(transformer, f"{task}_length", None) or transformer.max_seq_length
    expansion = getattr(transformer, "query_expansion", None) if task == "query" else None
    if expansion and limit is not None:  # `min` only pads to the expansion's length, `fixed` cuts there, too
        limit = expansion["length"] if expansion["strategy"] == "fixed" else max(limit, expansion["length"])
    return None if limit is None or limit > _UNBOUNDED else int(limit)
