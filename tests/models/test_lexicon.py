import numpy as np
import pytest

from kivuko.models.lexicon import _likeliest_tension, align_pieces

# 0 the, 1 house, 2 book, 3 big | 0 nyumba, 1 kitabu, 2 kubwa, 3 hiki
ENGLISH = [[0, 1], [0, 2], [0, 3, 1], [0, 3, 2], [1], [0, 2]]
SWAHILI = [[0], [1], [0, 2], [1, 2], [0], [1, 3]]


def model_1_by_hand(
    given: list[list[int]], explained: list[list[int]], sizes: tuple[int, int], iterations: int, tension: float = 0
) -> np.ndarray:
    """IBM Model 1 as the textbook has it, one token at a time, times a prior; the empty word is the last column."""
    table = np.full((sizes[1], sizes[0] + 1), 1 / sizes[1])
    counts = table
    for _ in range(iterations):
        counts = np.zeros_like(table)
        for e, f in zip(given, explained, strict=True):
            columns = [*e, sizes[0]]
            for place, token in enumerate(f):
                away = [abs((place + 0.5) / len(f) - (other + 0.5) / len(e)) for other in range(len(e))]
                prior = np.exp(-tension * np.array(away))
                posterior = table[token, columns] * [*prior / prior.mean(), 1] if e else table[token, columns]
                posterior /= posterior.sum()
                np.add.at(counts[token], columns, posterior)
        table = counts / np.maximum(counts.sum(axis=0), 1e-300)
    return counts[:, : sizes[0]]


def test_links_are_those_of_the_textbook_loop() -> None:
    forward = model_1_by_hand(ENGLISH, SWAHILI, (4, 4), 4)
    backward = model_1_by_hand(SWAHILI, ENGLISH, (4, 4), 4)
    found = align_pieces(ENGLISH, SWAHILI, english_size=4, target_size=4, iterations=4).counts.toarray()
    np.testing.assert_allclose(found, np.sqrt(forward * backward.T), rtol=1e-9, atol=1e-12)


def test_a_tension_weighs_links_by_their_distance_from_the_diagonal() -> None:
    forward = model_1_by_hand(ENGLISH, SWAHILI, (4, 4), 4, tension=4)
    backward = model_1_by_hand(SWAHILI, ENGLISH, (4, 4), 4, tension=4)
    found = align_pieces(ENGLISH, SWAHILI, english_size=4, target_size=4, iterations=4, tension=4).counts.toarray()
    np.testing.assert_allclose(found, np.sqrt(forward * backward.T), rtol=1e-5, atol=1e-9)


def test_order_tells_words_apart_that_always_occur_together() -> None:
    pairs = [[0, 1]] * 3
    with_order = align_pieces(pairs, pairs, english_size=2, target_size=2, tension=4).counts.toarray()
    without = align_pieces(pairs, pairs, english_size=2, target_size=2).counts.toarray()
    assert with_order.argmax(axis=1).tolist() == [0, 1]
    np.testing.assert_allclose(without, without[0, 0])


def in_order(seed: int, *, backwards: bool) -> tuple[list[list[int]], list[list[int]]]:
    """Sentences of 8 words out of 20, and their translations word by word, in the same order or the other way round."""
    generator = np.random.default_rng(seed)
    english = [generator.choice(20, size=8, replace=False).tolist() for _ in range(60)]
    return english, [sentence[::-1] if backwards else sentence for sentence in english]


@pytest.mark.parametrize("backwards", [False, True])
def test_a_learned_tension_finds_the_translations_in_either_order(backwards: bool) -> None:
    english, other = in_order(0, backwards=backwards)
    sizes = {"english_size": 20, "target_size": 20}
    counts = align_pieces(english, other, **sizes, iterations=5, tension=None).counts.toarray()
    plain = align_pieces(english, other, **sizes, iterations=5).counts.toarray()
    assert counts.argmax(axis=1).tolist() == list(range(20))
    right = np.trace(counts) / counts.sum(), np.trace(plain) / plain.sum()
    assert right[0] > right[1] if not backwards else right[0] > right[1] - 0.01


def test_a_learned_tension_is_the_likeliest() -> None:
    generator = np.random.default_rng(0)
    tokens = np.repeat(np.arange(200), 12)
    distance = generator.random(len(tokens)).astype(np.float32)
    expected = generator.dirichlet(np.ones(12), size=200).ravel() * np.exp(-3 * distance)

    def log_likelihood(tension: float) -> float:
        normalizer = np.log(np.bincount(tokens, weights=np.exp(-tension * distance)))
        return float(expected @ (-tension * distance - normalizer[tokens]))

    found = _likeliest_tension(distance, tokens, expected, 0.0)
    assert found > 1
    assert log_likelihood(found) >= max(log_likelihood(found - 0.05), log_likelihood(found + 0.05))


def test_a_negative_tension_is_refused() -> None:
    with pytest.raises(ValueError, match="got -1"):
        align_pieces(ENGLISH, SWAHILI, english_size=4, target_size=4, tension=-1)


def test_words_find_their_translations() -> None:
    counts = align_pieces(ENGLISH, SWAHILI, english_size=4, target_size=4, iterations=10).counts.toarray()
    assert counts[:3].argmax(axis=1).tolist() == [1, 2, 3]


def test_order_of_the_pairs_changes_nothing() -> None:
    one = align_pieces(ENGLISH, SWAHILI, english_size=4, target_size=4).counts.toarray()
    other = align_pieces(ENGLISH[::-1], SWAHILI[::-1], english_size=4, target_size=4).counts.toarray()
    np.testing.assert_allclose(one, other)


def test_a_sentence_without_pieces_only_tells_of_the_empty_word() -> None:
    english, swahili = [*ENGLISH, [], [1]], [*SWAHILI, [1], []]
    forward = model_1_by_hand(english, swahili, (4, 4), 5)
    backward = model_1_by_hand(swahili, english, (4, 4), 5)
    found = align_pieces(english, swahili, english_size=4, target_size=4, iterations=5).counts.toarray()
    np.testing.assert_allclose(found, np.sqrt(forward * backward.T), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(
        found > 0, align_pieces(ENGLISH, SWAHILI, english_size=4, target_size=4).counts.toarray() > 0
    )


@pytest.mark.parametrize("tension", [0.0, 4.0, None])
def test_weight_of_a_pair_counts_as_if_it_stood_there_so_often(tension: float | None) -> None:
    sizes = {"english_size": 4, "target_size": 4, "iterations": 4, "tension": tension}
    weights = [1, 1, 3, 1, 2, 1]
    often = [place for place, weight in enumerate(weights) for _ in range(weight)]
    expected = align_pieces([ENGLISH[i] for i in often], [SWAHILI[i] for i in often], **sizes).counts.toarray()
    found = align_pieces(ENGLISH, SWAHILI, **sizes, weights=weights).counts.toarray()
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("tension", [0.0, None])
def test_weights_of_one_change_no_bit(tension: float | None) -> None:
    sizes = {"english_size": 4, "target_size": 4, "tension": tension}
    found = align_pieces(ENGLISH, SWAHILI, **sizes, weights=[1.0] * 6).counts.toarray()
    np.testing.assert_array_equal(found, align_pieces(ENGLISH, SWAHILI, **sizes).counts.toarray())


def test_word_of_a_dictionary_leans_to_the_entry_that_has_it_alone() -> None:
    english, swahili = [[0], [1], [1], [1]], [[0], [0], [1], [2]]
    sizes = {"english_size": 2, "target_size": 3}
    alike = align_pieces(english, swahili, **sizes).counts.toarray()
    weighted = align_pieces(english, swahili, **sizes, weights=[1, 1 / 3, 1 / 3, 1 / 3]).counts.toarray()
    assert weighted[0, 0] / weighted[0].sum() > alike[0, 0] / alike[0].sum()


@pytest.mark.parametrize("weights", [[1.0], [1.0] * 5 + [0.0]])
def test_weights_that_do_not_fit_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="expected 6 positive weights"):
        align_pieces(ENGLISH, SWAHILI, english_size=4, target_size=4, weights=weights)


def test_sides_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="got 5 and 6"):
        align_pieces(ENGLISH, SWAHILI[:-1], english_size=4, target_size=4)
