from collections import Counter
from pathlib import Path

from kivuko.config import BitextSource
from kivuko.data.bitext import Bitext, SentencePair
from kivuko.training.schedule import training_order


def bitext(name: str, count: int, weight: float = 1.0) -> Bitext:
    source = BitextSource(path=Path(name), language="sw", weight=weight)
    pairs = [SentencePair(f"{name} {number}", "neno " * (number % 17 + 1)) for number in range(count)]
    return Bitext(source, pairs, 0, "")


def test_weight_says_how_often_a_pair_is_seen() -> None:
    sources = [bitext("a", 64, 2), bitext("b", 64, 0.5), bitext("c", 64)]
    order = training_order(sources, epochs=2, batch_size=8, seed=0)
    seen = Counter(pair.english[0] for pair in order)
    assert seen == {"a": 256, "b": 64, "c": 128}
    assert set(Counter(pair for pair in order if pair.english[0] == "a").values()) == {4}


def test_part_of_a_weight_is_drawn_anew_each_epoch() -> None:
    order = training_order([bitext("a", 64, 0.5)], epochs=2, batch_size=8, seed=0)
    assert len(set(order)) > 32


def test_same_seed_gives_the_same_order() -> None:
    sources = [bitext("a", 100)]
    assert training_order(sources, epochs=2, batch_size=8, seed=5) == training_order(
        sources, epochs=2, batch_size=8, seed=5
    )
    assert training_order(sources, epochs=2, batch_size=8, seed=5) != training_order(
        sources, epochs=2, batch_size=8, seed=6
    )


def test_batches_are_whole_and_of_similar_length() -> None:
    order = training_order([bitext("a", 333)], epochs=1, batch_size=16, seed=0)
    assert len(order) == 320
    for start in range(0, len(order), 16):
        lengths = [len(pair.translation) for pair in order[start : start + 16]]
        assert max(lengths) - min(lengths) <= 2 * len("neno ")


def test_fraction_of_an_epoch_is_that_many_pairs() -> None:
    assert len(training_order([bitext("a", 128)], epochs=0.25, batch_size=8, seed=0)) == 32
    assert training_order([bitext("a", 128)], epochs=0, batch_size=8, seed=0) == []
