"""Validation on sentence pairs that were kept from training."""

from collections.abc import Sequence

import torch
from sentence_transformers import MultiVectorEncoder

from kivuko.data.bitext import SentencePair
from kivuko.losses import mean_maxsim

_BATCH = 64
# Every token of these against every token of all English sentences is in memory at once.
_SCORED = 4


class HeldOut:
    """Can the student find the English sentence of a translation among all the held-out ones?

    The English side is encoded once, by the teacher.

    Args:
        teacher: The teacher.
        pairs: The held-out pairs.
    """

    def __init__(self, teacher: MultiVectorEncoder, pairs: Sequence[SentencePair]) -> None:
        if not pairs:
            raise ValueError("expected held-out pairs, got none")
        self.translations = [pair.translation for pair in pairs]
        english: list[torch.Tensor] = teacher.encode_document(  # type: ignore[assignment]
            [pair.english for pair in pairs], batch_size=_BATCH, show_progress_bar=False
        )
        self.english, self.english_mask = _pad(english)

    def __call__(self, student: MultiVectorEncoder) -> dict[str, float]:
        """Return `accuracy`, the share of translations whose best-scored English sentence is their own, in [0, 1]."""
        embeddings: list[torch.Tensor] = student.encode_query(  # type: ignore[assignment]
            self.translations, batch_size=_BATCH, show_progress_bar=False
        )
        queries, mask = _pad(embeddings)
        found = 0
        for start in range(0, len(queries), _SCORED):
            scores = mean_maxsim(
                queries[start : start + _SCORED], mask[start : start + _SCORED], self.english, self.english_mask
            )
            found += int((scores.argmax(dim=-1) == start + torch.arange(len(scores))).sum())
        return {"accuracy": found / len(queries)}


def _pad(embeddings: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    padded = torch.nn.utils.rnn.pad_sequence([tokens.float().cpu() for tokens in embeddings], batch_first=True)
    lengths = torch.tensor([len(tokens) for tokens in embeddings])
    return padded, torch.arange(padded.shape[1]) < lengths[:, None]
