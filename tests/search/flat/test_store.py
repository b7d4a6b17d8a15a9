import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from kivuko.errors import ConfigError, DataError, ModelError
from kivuko.search.flat import FlatStore, create_store, open_or_create
from kivuko.search.flat import store as store_module
from kivuko.search.flat.manifest import read_manifest
from kivuko.search.flat.store import MANY_SEGMENTS
from kivuko.search.store import Entry, Passage, Store

MakeEntry = Callable[..., Entry]

HOLD_THE_LOCK = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def found(store: Store, entry: Entry, **options: object) -> list[str]:
    [matches] = store.search([entry.embeddings], top_k=10, **options)  # type: ignore[arg-type]
    return [match.passage.doc_id for match in matches]


def test_a_passage_comes_back_as_it_was_given(store: FlatStore, entry: MakeEntry) -> None:
    half = entry("half")._replace(embeddings=entry("half").embeddings.astype(np.float16))
    odd = entry("läppi/☃ 1", 'a "text"\nwith a break\u2028\0', None, source="bible", verse=3, whole=True)
    store.add([entry("a"), odd, half])
    reopened = FlatStore(store.directory, verify=True)
    assert reopened.get("läppi/☃ 1") == odd.passage
    assert reopened.search([odd.embeddings], top_k=1)[0][0].passage == odd.passage
    for each in (odd, half):
        np.testing.assert_allclose(reopened.embeddings(each.passage.doc_id), each.embeddings, atol=0.02)
    assert (reopened.manifest.model_name, reopened.manifest.model_digest, reopened.dim) == ("tiny", "abc", 8)


class Life(RuleBasedStateMachine):
    """Whatever happens to a store, it holds what a dictionary holds to which the same happened."""

    make: MakeEntry
    root: Path
    count = 0

    def __init__(self) -> None:
        super().__init__()
        Life.count += 1
        self.store = create_store(self.root / str(Life.count), dim=8, model_name="")
        self.expected: dict[str, Entry] = {}

    @rule(ids=st.sets(st.sampled_from("abcdef"), max_size=4), text=st.sampled_from(["maize", "beans"]))
    def add(self, ids: set[str], text: str) -> None:
        entries = [self.make(each, text) for each in sorted(ids)]
        if ids & self.expected.keys():
            with pytest.raises(DataError, match="already"):
                self.store.add(entries)
        else:
            self.store.add(iter(entries))
            self.expected |= {entry.passage.doc_id: entry for entry in entries}

    @rule(ids=st.sets(st.sampled_from("abcdef"), max_size=4), text=st.sampled_from(["rain", "sun"]))
    def update(self, ids: set[str], text: str) -> None:
        entries = [self.make(each, text) for each in sorted(ids)]
        if ids <= self.expected.keys():
            self.store.update(iter(entries))
            self.expected |= {entry.passage.doc_id: entry for entry in entries}
        else:
            with pytest.raises(DataError, match="has no passage"):
                self.store.update(entries)

    @precondition(lambda self: self.expected)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        ids = data.draw(st.sets(st.sampled_from(sorted(self.expected))))
        self.store.delete(iter(sorted(ids)))
        for each in ids:
            del self.expected[each]

    @rule()
    def compact(self) -> None:
        self.store.compact()
        assert sum(record.documents for record in self.store.manifest.segments) == len(self.expected)

    @rule()
    def reopen(self) -> None:
        self.store = FlatStore(self.store.directory, verify=True)

    @invariant()
    def same(self) -> None:
        assert set(self.store.doc_ids) == self.expected.keys()
        assert len(self.store) == len(self.expected)
        for doc_id, entry in self.expected.items():
            assert doc_id in self.store
            assert self.store.get(doc_id) == entry.passage
            np.testing.assert_allclose(self.store.embeddings(doc_id), entry.embeddings, atol=0.02)
            [[best, *_]] = self.store.search([entry.embeddings], top_k=10)
            assert best.passage == entry.passage
        folders = {path.name for path in self.store.directory.iterdir() if path.is_dir()}
        assert folders == {record.name for record in self.store.manifest.segments}


def test_ids_are_stable_under_any_sequence_of_writes(entry: MakeEntry, tmp_path: Path) -> None:
    Life.make, Life.root = staticmethod(entry), tmp_path
    run_state_machine_as_test(Life, settings=settings(max_examples=12, stateful_step_count=10, deadline=None))


def test_passages_are_filtered_by_any_field_also_after_more_came(store: FlatStore, entry: MakeEntry) -> None:
    store.add([entry("a", "maize", "sw", source="bible"), entry("b", "beans", "so", source="news")])
    assert found(store, entry("a"), where={"language": "so"}) == ["b"]
    store.add([entry("c", "maize", "so", source="bible", year=1952)])
    assert found(store, entry("a"), where={"source": "bible", "language": "so"}) == ["c"]
    assert found(store, entry("a"), where={"text": "beans"}) == ["b"]
    assert found(store, entry("a"), where={"year": 1952}) == ["c"]
    assert found(store, entry("a"), where={"author": "x"}) == []
    store.delete(["c"])
    assert found(store, entry("a"), where={"year": 1952}) == []


def test_an_empty_store_finds_nothing(store: FlatStore, entry: MakeEntry) -> None:
    assert found(store, entry("a"), where={"language": "sw"}) == found(store, entry("a")) == []


def test_an_open_store_stays_as_it_was_until_it_is_refreshed(store: FlatStore, entry: MakeEntry) -> None:
    store.add([entry("a", "old"), entry("b")])
    reader = FlatStore(store.directory)
    store.update([entry("a", "new")])
    store.delete(["b"])
    store.compact()
    assert set(found(reader, entry("a"))) == {"a", "b"}
    assert reader.get("a").text == "old"
    reader.refresh()
    assert found(reader, entry("a")) == ["a"]
    assert reader.get("a").text == "new"


def test_readers_see_a_whole_state_while_another_writes(store: FlatStore, entry: MakeEntry) -> None:
    states = [str(number) for number in range(15)]
    store.add([entry(each, "0") for each in "abc"])
    seen: list[set[str]] = []
    begun, done = threading.Event(), threading.Event()

    def read() -> None:
        while not done.is_set():
            reader = FlatStore(store.directory)
            [matches] = reader.search([entry("a").embeddings], top_k=10)
            seen.append({match.passage.text for match in matches} | {f"{len(matches)} of them"})
            begun.set()

    thread = threading.Thread(target=read)
    thread.start()
    assert begun.wait(60)
    for state in states:
        store.update([entry(each, state) for each in "abc"])
        store.compact()
    done.set()
    thread.join()
    assert all(len(each) == 2 and "3 of them" in each for each in seen)


def test_only_one_process_writes(store: FlatStore, entry: MakeEntry) -> None:
    command = [sys.executable, "-c", HOLD_THE_LOCK, str(store.directory / store_module.LOCK)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match="Another process is writing"):
            store.add([entry("a")])
        assert found(FlatStore(store.directory), entry("a")) == []
        other.communicate("")
    store.add([entry("a")])
    assert found(store, entry("a")) == ["a"]


def test_what_another_object_wrote_is_not_lost(store: FlatStore, entry: MakeEntry) -> None:
    other = FlatStore(store.directory)
    other.add([entry("a")])
    store.add([entry("b")])
    assert set(store.doc_ids) == {"a", "b"}
    with pytest.raises(DataError, match="'b' already"):
        other.add([entry("b")])


@pytest.mark.parametrize(
    ("bad", "error", "says"),
    [
        (Entry(Passage("a", "", ""), np.ones((2, 8))), DataError, "Two passages have the id 'a'"),
        (Entry(Passage("b", "", ""), np.ones((2, 7))), DataError, r"must be \(tokens, 8\), got \(2, 7\)"),
        (Entry(Passage("b", "", ""), np.full((2, 8), np.nan)), ModelError, "hold NaN"),
        (Entry(Passage("b", "", ""), np.full((2, 8), 1e7)), ModelError, "beyond 1,000,000"),
        (Entry(Passage("b", "", "half \ud800"), np.ones((2, 8))), DataError, "'b' cannot be stored"),
        (Entry(Passage("b", "", "", None, {"x": float("nan")}), np.ones((2, 8))), DataError, "'b' cannot be stored"),
        (Entry(Passage("b", "", "", None, {"x": Path()}), np.ones((2, 8))), DataError, "'b' cannot be stored"),  # type: ignore[dict-item]
        (Entry(Passage("b", "", "", None, {"x": ["y"]}), np.ones((2, 8))), DataError, r"field 'x' is \['y'\]"),  # type: ignore[dict-item]
        (Entry(Passage("b", "", "", None, {1: "y"}), np.ones((2, 8))), DataError, "Names of fields are strings"),  # type: ignore[dict-item]
        (Entry(Passage("b", "", "", None, {"x": float("inf")}), np.ones((2, 8))), DataError, "finite"),
    ],
)
def test_a_refused_entry_leaves_the_store_as_it_was(
    store: FlatStore, entry: MakeEntry, bad: Entry, error: type[Exception], says: str
) -> None:
    store.add([entry("old")])
    before = store.manifest
    with pytest.raises(error, match=says):
        store.add([entry("a"), bad])
    assert store.doc_ids == ("old",)
    assert read_manifest(store.directory) == before
    assert sorted(path.name for path in store.directory.iterdir()) == ["00000001", "manifest.json", "writer.lock"]


def test_a_full_disk_is_reported_and_leaves_the_store_as_it_was(
    store: FlatStore, entry: MakeEntry, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    store.add([entry("a")])
    with full_disk(5_000), pytest.raises(DataError, match="cannot be written"):
        store.update([entry("a", "beans" * 10_000)])
    assert (store.doc_ids, store.get("a").text) == (("a",), "maize")
    assert FlatStore(store.directory, verify=True).get("a").text == "maize"
    store.update([entry("a", "beans")])
    assert store.get("a").text == "beans"


@pytest.mark.parametrize("write", ["update", "delete", "get"])
def test_an_unknown_id_is_refused(store: FlatStore, entry: MakeEntry, write: str) -> None:
    given = {"update": [entry("x")], "delete": ["x"], "get": "x"}[write]
    with pytest.raises(DataError, match="no passage 'x'"):
        getattr(store, write)(given)


def test_a_bad_query_is_refused(store: FlatStore) -> None:
    with pytest.raises(ConfigError, match="top_k must be at least 1"):
        store.search([np.ones((1, 8))], top_k=0)
    with pytest.raises(DataError, match=r"the query must be \(tokens, 8\)"):
        store.search([np.ones((1, 9))], top_k=1)
    with pytest.raises(ModelError, match="the query hold NaN"):
        store.search([np.full((1, 8), np.inf)], top_k=1)


@pytest.mark.parametrize("name", ["codes.i8", "scales.f32", "offsets.i64", "doc_ids.json", "passages.jsonl"])
def test_a_damaged_file_is_reported(store: FlatStore, entry: MakeEntry, name: str) -> None:
    store.add([entry("a")])
    path = store.directory / "00000001" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"{name} is not what was written"):
        FlatStore(store.directory, verify=True)
    path.write_bytes(content[:-1])
    with pytest.raises(DataError, match=f"{name} is not what was written"):
        FlatStore(store.directory)
    path.unlink()
    with pytest.raises(DataError, match="is missing"):
        FlatStore(store.directory)


@pytest.mark.parametrize("scale", [float("nan"), float("inf"), -1.0, 1e30])
def test_scales_that_no_embedding_has_are_reported(store: FlatStore, entry: MakeEntry, scale: float) -> None:
    store.add([entry("a"), entry("b")])
    path = store.directory / "00000001" / "scales.f32"
    scales = np.fromfile(path, "<f4")
    scales[-1] = scale
    scales.tofile(path)
    with pytest.raises(DataError, match=r"damaged: 00000001/scales\.f32 holds scales"):
        FlatStore(store.directory)


def test_a_damaged_manifest_is_reported(store: FlatStore, entry: MakeEntry) -> None:
    store.add([entry("a")])
    path = store.directory / "manifest.json"
    path.write_text(path.read_text().replace('"deleted": []', '"deleted": [0]'))
    with pytest.raises(DataError, match=r"manifest\.json is not what was written"):
        FlatStore(store.directory)
    path.write_text(path.read_text()[:-20])
    with pytest.raises(DataError, match="damaged"):
        FlatStore(store.directory)
    path.write_text('{"name": "my web page"}')
    with pytest.raises(DataError, match="is not a flat store"):
        FlatStore(store.directory)


def test_a_store_is_made_only_where_nothing_is(store: FlatStore, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="exists already"):
        create_store(store.directory, dim=8, model_name="")
    (tmp_path / "page.html").write_text("")
    with pytest.raises(DataError, match="is not a flat store"):
        create_store(tmp_path, dim=8, model_name="")
    with pytest.raises(DataError, match="cannot be written"):
        create_store(tmp_path / "page.html" / "store", dim=8, model_name="")
    with pytest.raises(ConfigError, match="dim must be at least 2, got 1"):
        create_store(tmp_path / "new", dim=1, model_name="")


def test_a_store_is_opened_again_for_the_model_that_it_is_of_only(tmp_path: Path, entry: MakeEntry) -> None:
    same = {"dim": 8, "model_name": "tiny", "model_digest": "abc"}
    open_or_create(tmp_path / "store", **same).add([entry("a")])  # type: ignore[arg-type]
    assert open_or_create(tmp_path / "store", **same).doc_ids == ("a",)  # type: ignore[arg-type]
    for other in ({"dim": 9}, {"model_digest": "xyz"}, {"model_digest": None}):
        with pytest.raises(ModelError, match="by tiny, and tiny is not known to be the same"):
            open_or_create(tmp_path / "store", **(same | other))  # type: ignore[arg-type]


def test_a_store_beyond_its_size_says_so_once(
    store: FlatStore, entry: MakeEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "ADVISED_PASSAGES", 2)
    store.add([entry("a"), entry("b")])
    assert store.advice is None
    with pytest.warns(store_module.LargeStoreWarning, match="holds 3 passages"):
        store.add([entry("c")])
    store.add([entry("d")])
    assert "holds 4 passages; `flat` is meant for up to about 2." in str(store.advice)
    assert "kivuko index --store qdrant" in str(store.advice)


def test_many_small_writes_are_tidied_into_one_segment(store: FlatStore, entry: MakeEntry) -> None:
    for number in range(MANY_SEGMENTS + 1):
        store.add([entry(str(number))])
    assert len(store.manifest.segments) == MANY_SEGMENTS + 1
    store.tidy()
    assert len(store.manifest.segments) == 1
    assert len(store) == MANY_SEGMENTS + 1


def test_others_are_kept_out_for_a_whole_block(store: FlatStore, entry: MakeEntry) -> None:
    other = FlatStore(store.directory)
    other.add([entry("a")])
    refused: list[ConfigError] = []

    def write() -> None:
        with pytest.raises(ConfigError, match="Another process is writing") as error:
            store.add([entry("c")])
        refused.append(error.value)

    with store.writing():
        assert "a" in store
        store.add([entry("b")])
        with pytest.raises(ConfigError, match="Another process is writing"), other.writing():
            pass
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
        store.tidy()
        store.delete(["a"])
    assert len(refused) == 1
    other.add([entry("c")])
    assert other.doc_ids == ("b", "c")
