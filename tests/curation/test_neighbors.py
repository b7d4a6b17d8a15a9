import numpy as np

from kivuko.curation.neighbors import nearest


def vectors(count: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).standard_normal((count, 16), dtype=np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def test_exact_search_is_that_of_all_products() -> None:
    asked, among = vectors(20, 0), vectors(200, 1)
    found = nearest(asked, among, count=5)
    products = asked @ among.T
    np.testing.assert_array_equal(found.places, np.argsort(-products, axis=1)[:, :5])
    np.testing.assert_allclose(found.cosines, -np.sort(-products, axis=1)[:, :5], atol=1e-5)


def test_search_by_lists_finds_most_of_it_and_always_the_same() -> None:
    asked, among = vectors(50, 0), vectors(9_000, 1)
    exact, first, again = (nearest(asked, among, count=4, exact=limit) for limit in (10_000, 1_000, 1_000))
    np.testing.assert_array_equal(first.places, again.places)
    assert np.mean([len({*a} & {*b}) / 4 for a, b in zip(exact.places, first.places, strict=True)]) > 0.5
