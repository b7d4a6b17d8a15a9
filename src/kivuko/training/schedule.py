"""The order in which sentence pairs are seen: fixed before training, so that runs can be compared and resumed."""

import random
from collections.abc import Sequence

from kivuko.data.bitext import Bitext, SentencePair

# Batches of similar length are cut from pools of this many batches: little padding, and still a random mixture.
_POOL_BATCHES = 64


def training_order(bitexts: Sequence[Bitext], *, epochs: float, batch_size: int, seed: int) -> list[SentencePair]:
    """List the pairs of the whole run in the order in which the trainer sees them, batch by batch.

    In an epoch each pair of a source is seen `weight` times; what is left of a weight that is not whole is drawn
    anew each epoch. The batches hold pairs of similar length, which saves most of the padding; their order is random.
    Pairs that do not fill a last batch are left out.

    Args:
        bitexts: What to train on.
        epochs: Passes over the bitext; may be a fraction. Positive.
        batch_size: Pairs in a batch. Positive.
        seed: Seed of all randomness here.
    """
    generator = random.Random(seed)  # noqa: S311 - a shuffle, not a secret
    order: list[SentencePair] = []
    whole, rest = divmod(epochs, 1)
    for epoch in range(int(whole) + (rest > 0)):
        pairs = _one_epoch(bitexts, generator)
        generator.shuffle(pairs)
        if epoch >= whole:
            pairs = pairs[: round(len(pairs) * rest)]
        order += _by_length(pairs, batch_size, generator)
    return order


def _one_epoch(bitexts: Sequence[Bitext], generator: random.Random) -> list[SentencePair]:
    pairs: list[SentencePair] = []
    for bitext in bitexts:
        whole, rest = divmod(bitext.source.weight, 1)
        pairs += list(bitext.pairs) * int(whole)
        pairs += generator.sample(list(bitext.pairs), round(len(bitext.pairs) * rest))
    return pairs


def _by_length(pairs: Sequence[SentencePair], batch_size: int, generator: random.Random) -> list[SentencePair]:
    batches: list[Sequence[SentencePair]] = []
    for start in range(0, len(pairs), batch_size * _POOL_BATCHES):
        pool = sorted(pairs[start : start + batch_size * _POOL_BATCHES], key=lambda pair: len(pair.translation))
        batches += [pool[first : first + batch_size] for first in range(0, len(pool), batch_size)]
    full = [batch for batch in batches if len(batch) == batch_size]
    generator.shuffle(full)
    return [pair for batch in full for pair in batch]
