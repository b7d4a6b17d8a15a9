"""What every store does, the flat one, Edge, and the server's adapter alike."""

import warnings
from collections.abc import Callable

import numpy as np
import pytest

from kivuko.errors import ConfigError, DataError, ModelError
from kivuko.search.store import Entry, OpenStore, Passage

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning"),
]

Make = Callable[..., Entry]


def found(store: OpenStore, query: np.ndarray, **options: object) -> list[str]:
    [matches] = store.search([query], **({"top_k": 50} | options))  # type: ignore[arg-type]
    return [match.passage.doc_id for match in matches]


def test_passages_come_back_as_they_were_given(store: OpenStore, entry: Make) -> None:
    given = entry("a/ñ \u202e", "mvua", "sw", year=2024, share=0.5, **{"odd.name[0]": "yes", "true": True})
    store.add([given, entry("b", language=None)])
    assert store.get("a/ñ \u202e") == given.passage
    assert store.get("b").language is None
    assert (len(store), "b" in store, "c" in store) == (2, True, False)


def test_many_passages_are_read_in_the_order_of_their_ids(store: OpenStore, entry: Make) -> None:
    store.add(entry(doc_id) for doc_id in "abc")
    assert [passage.doc_id for passage in store.get_many(["c", "a", "c"])] == ["c", "a", "c"]
    assert store.get_many([]) == []
    with pytest.raises(DataError, match="no passage 'd'"):
        store.get_many(["a", "d", "b"])


def test_search_ranks_by_maxsim(store: OpenStore, entry: Make) -> None:
    entries = [entry(f"d{place}") for place in range(20)]
    store.add(entries)
    query = entry("question").embeddings[:2]
    expected = {e.passage.doc_id: float((query @ e.embeddings.T).max(axis=1).sum()) for e in entries}
    [matches] = store.search([query], top_k=20)
    assert [match.passage.doc_id for match in matches] == sorted(expected, key=expected.__getitem__, reverse=True)
    assert {m.passage.doc_id: m.score for m in matches} == pytest.approx(expected, abs=0.02)


def test_equal_scores_are_ordered_by_doc_id_falling(store: OpenStore, entry: Make) -> None:
    same = entry("same").embeddings
    store.add(Entry(Passage(doc_id, "", ""), same) for doc_id in ("b", "c", "a"))
    assert found(store, same) == ["c", "b", "a"]


def test_every_query_gets_its_own_answer(store: OpenStore, entry: Make) -> None:
    store.add([entry("a"), entry("b")])
    answers = store.search([entry("b").embeddings, np.empty((0, 8)), entry("a").embeddings], top_k=1)
    assert [[match.passage.doc_id for match in each] for each in answers] == [["b"], [], ["a"]]


def test_update_replaces_text_embeddings_and_fields(store: OpenStore, entry: Make) -> None:
    store.add([entry("a", year=1), entry("b")])
    newer = entry("a", "rain", "ha")
    store.update([newer])
    assert store.get("a") == newer.passage
    assert found(store, newer.embeddings, top_k=1) == ["a"]
    assert found(store, newer.embeddings, where={"year": 1}) == []
    assert len(store) == 2


def test_what_is_deleted_is_gone_and_may_come_again(store: OpenStore, entry: Make) -> None:
    store.add([entry("a"), entry("b")])
    store.delete(["a"])
    assert found(store, entry("a").embeddings) == ["b"]
    store.add([entry("a")])
    store.tidy()
    assert found(store, entry("a").embeddings) == ["a", "b"]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"language": "ha"}, ["h"]),
        ({"language": "xx"}, []),
        ({"year": 2024}, ["f", "h"]),
        ({"year": 2024.0}, ["f", "h"]),
        ({"year": "2024"}, ["s"]),
        ({"flag": True}, ["f"]),
        ({"share": 0.5}, ["s"]),
        ({"year": 2024, "language": "sw"}, ["f"]),
        ({"title": "On rain"}, ["s"]),
        ({"text": "rain"}, ["s"]),
        ({'odd "name".[0]': "yes"}, ["h"]),
        ({"missing": 1}, []),
    ],
)
def test_filters_keep_what_has_all_values(
    store: OpenStore, entry: Make, where: dict[str, object], expected: list[str]
) -> None:
    store.add(
        [
            entry("f", year=2024, flag=True),
            entry("h", language="ha", year=2024, **{'odd "name".[0]': "yes"}),
            entry("s", "rain", year="2024", flag=False, share=0.5),
        ]
    )
    assert sorted(found(store, entry("f").embeddings, where=where)) == expected


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ({"title": 5}, "title=5 cannot be met: title, text and language are strings"),
        ({"text": True}, "text=True cannot be met"),
        ({"language": None}, "language=None cannot be met"),
        ({"year": None}, "its field 'year' is None"),
        ({"year": [2024]}, r"its field 'year' is \[2024\]"),
        ({"year": np.nan}, "'year' is not a number"),
        ({"year": -np.inf}, "'year' is -inf"),
        ({5: "year"}, "its field 5 is 'year'"),
        ({"year": 10**400}, r"year=an integer beyond 1.8e\+308 cannot be met"),
        ({"year": -(10**5000)}, r"year=an integer beyond 1.8e\+308 cannot be met"),
        ({"year": [10**5000]}, "its field 'year' is of the type list"),
        ({10**5000: "year"}, "its field an integer beyond"),
        ({"name": "\ud800"}, "is not valid Unicode"),
        ({"language": "sw", "\ud800": 1}, "is not valid Unicode"),
    ],
)
def test_filters_of_a_wrong_type_are_refused(
    store: OpenStore, entry: Make, where: dict[str, object], told: str
) -> None:
    for there in ([], [entry("a", year=2024)]):
        store.add(there)
        for queries in ([], [entry("a").embeddings]):
            with pytest.raises(DataError, match=told):
                store.search(queries, top_k=1, where=where)  # type: ignore[arg-type]


def test_a_field_does_not_take_the_place_of_what_every_passage_has(store: OpenStore, entry: Make) -> None:
    plain = entry("a", language=None)
    named = Passage("b", "On maize", "maize", None, {"language": "sw", "title": "5", "text": "5"})
    store.add([plain, Entry(named, plain.embeddings)])
    assert store.get("b") == named
    for where in ({"language": "sw"}, {"title": "5"}, {"text": "5"}):
        assert found(store, plain.embeddings, where=where) == []
    assert found(store, plain.embeddings, where={"title": "On maize"}) == ["b", "a"]


def test_a_passage_without_tokens_is_kept_and_never_found(store: OpenStore, entry: Make) -> None:
    store.add([Entry(Passage("dot", "", "."), np.empty((0, 8), dtype=np.float32)), entry("a")])
    assert store.get("dot").text == "."
    assert found(store, entry("a").embeddings) == ["a"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e7])
def test_numbers_that_cannot_be_stored_are_refused_and_nothing_is_written(
    store: OpenStore, entry: Make, value: float
) -> None:
    broken = entry("b")
    broken.embeddings[1, 2] = value
    with pytest.raises(ModelError, match="passage 'b' hold"):
        store.add([entry("a"), broken])
    assert len(store) == 0
    store.add([entry("b")])
    with pytest.raises(ModelError):
        store.update([broken])
    with pytest.raises(ModelError, match="the query"):
        store.search([broken.embeddings], top_k=1)
    assert found(store, entry("b").embeddings) == ["b"]


def test_ids_that_do_not_fit_are_refused_and_nothing_is_written(store: OpenStore, entry: Make) -> None:
    store.add([entry("a")])
    with pytest.raises(DataError, match="'a' already: use update"):
        store.add([entry("b"), entry("a")])
    with pytest.raises(DataError, match="Two passages have the id 'b'"):
        store.add([entry("b"), entry("b")])
    with pytest.raises(DataError, match="no passage 'b'"):
        store.update([entry("a", "rain"), entry("b")])
    with pytest.raises(DataError, match="no passage 'b'"):
        store.delete(["a", "b"])
    with pytest.raises(DataError, match="no passage 'b'"):
        store.get("b")
    assert (len(store), store.get("a").text) == (1, "maize")


@pytest.mark.parametrize(
    "passage",
    [
        Passage("a", "", "\ud800"),
        Passage("a", "", "", None, {"year": float("nan")}),
        Passage("a", "", "", None, {"list": [1]}),  # type: ignore[dict-item]
        Passage("a", "", "", "\udfff"),
        Passage("\ud800", "", ""),
        Passage("a", "", "", None, {"\ud800": 1}),
        Passage("a", "", "", None, {"name": "\ud800"}),
        Passage("a", "", "", 5),  # type: ignore[arg-type]
        Passage("a", 5, ""),  # type: ignore[arg-type]
        Passage("a", "", None),  # type: ignore[arg-type]
        Passage(10**5000, "", ""),  # type: ignore[arg-type]
        Passage("a", "", "", None, {"year": 10**400}),
        Passage("a", "", "", None, {"year": 10**5000}),
    ],
)
def test_passages_that_cannot_be_written_are_refused(store: OpenStore, passage: Passage) -> None:
    with pytest.raises(DataError, match="cannot be stored"):
        store.add([Entry(passage, np.ones((1, 8), dtype=np.float32))])
    assert len(store) == 0


def test_wrong_shapes_and_numbers_of_results_are_refused(store: OpenStore, entry: Make) -> None:
    with pytest.raises(DataError, match=r"must be \(tokens, 8\), got \(2, 4\)"):
        store.add([Entry(Passage("a", "", ""), np.ones((2, 4), dtype=np.float32))])
    with pytest.raises(DataError, match="the query must be"):
        store.search([np.ones((2, 4), dtype=np.float32)], top_k=1)
    with pytest.raises(ConfigError, match="top_k must be at least 1"):
        store.search([entry("a").embeddings], top_k=0)


def test_nothing_to_do_is_done_without_a_word(store: OpenStore) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.add([])
        store.update([])
        store.delete([])
        assert store.search([], top_k=1) == []
    assert found(store, np.ones((2, 8), dtype=np.float32)) == []


def test_what_is_there_is_passed_over_where_that_is_asked_for(store: OpenStore, entry: Make) -> None:
    store.add([entry("a")])
    assert store.known(["a", "b", "a"]) == {"a"}
    assert store.known([]) == set()
    assert store.add_new([entry("b"), entry("a", "rain")]) == 1
    assert (len(store), store.get("a").text) == (2, "maize")
    with pytest.raises(DataError, match="Two passages have the id 'c'"):
        store.add_new([entry("c"), entry("c")])
    assert store.add_new([]) == store.add_new([entry("b")]) == 0
    assert len(store) == 2
