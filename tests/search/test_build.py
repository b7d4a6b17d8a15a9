import copy
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import MultiVectorEncoder

from kivuko.data.collections import Document, read_corpus
from kivuko.errors import ConfigError, DataError, ModelError
from kivuko.search import Searcher, build, build_index, corpus_digest, index_matches, load_index
from kivuko.search.manifest import is_index
from kivuko.search.staging import staged_directory

BUILD_FOREVER = """
import itertools, sys
from sentence_transformers import MultiVectorEncoder
from kivuko.data.collections import Document
from kivuko.search import build_index
model = MultiVectorEncoder(sys.argv[1], device="cpu")
documents = (Document(str(n), "", "maize and beans") for n in itertools.count())
build_index(model, documents, sys.argv[2], model_name="tiny", batch_size=1, progress=lambda n: print(n, flush=True))
"""

BUILD_ON_A_FULL_DISK = """
import resource, signal, sys
from sentence_transformers import MultiVectorEncoder
from kivuko.data.collections import Document
from kivuko.errors import DataError
from kivuko.search import build_index
model = MultiVectorEncoder(sys.argv[1], device="cpu")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
documents = (Document(str(n), "", "maize and beans") for n in range(1_000))
try:
    build_index(model, documents, sys.argv[2], model_name="tiny", batch_size=1)
except DataError as error:
    print(error)
"""


def names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


def test_documents_come_back_by_position_and_by_digest(
    tiny_encoder: MultiVectorEncoder, documents: list[Document], tmp_path: Path
) -> None:
    odd = [*documents, Document("läppi/☃ 1", 'a "title"', "line\nbreak\u2028\0 and a tail"), Document("e", "", "")]
    index = build_index(tiny_encoder, odd, tmp_path / "index", model_name="tiny", model_digest="abc", language="sw")
    assert [index.document(position) for position in range(len(index))] == odd
    assert list(index.doc_ids) == [document.doc_id for document in odd]
    assert list(read_corpus(tmp_path / "index/documents.jsonl")) == odd
    manifest = index.manifest
    assert (manifest.documents, manifest.dim, manifest.dtype, manifest.language) == (len(odd), 32, "float16", "sw")
    assert manifest.corpus_digest == corpus_digest(odd) != corpus_digest(odd[::-1])
    assert names(tmp_path) == ["index"]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_stored_embeddings_are_the_encoder_s_in_document_order(
    tiny_encoder: MultiVectorEncoder,
    documents: list[Document],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    dtype: str,
) -> None:
    monkeypatch.setattr(build, "CHUNK_BATCHES", 2)
    written: list[int] = []
    index = build_index(
        tiny_encoder, iter(documents), tmp_path / "i", model_name="", batch_size=2, dtype=dtype, progress=written.append
    )
    assert written == [4, 4, 2]
    encoded = tiny_encoder.encode_document([document.content for document in documents], convert_to_numpy=True)
    np.testing.assert_allclose(index.embeddings, np.concatenate(encoded), atol=1e-3 if dtype == "float16" else 1e-6)
    np.testing.assert_array_equal(np.diff(index.offsets[:, 0]), [len(tokens) for tokens in encoded])
    assert isinstance(index.embeddings, np.memmap)


def test_a_document_without_tokens_is_kept_and_never_found(terse_encoder: MultiVectorEncoder, tmp_path: Path) -> None:
    documents = [Document("dot", "", "."), Document("maize", "", "Maize."), Document("empty", "", "")]
    index = build_index(terse_encoder, documents, tmp_path / "index", model_name="terse")
    [hits] = Searcher(index, terse_encoder).search(["beans"], top_k=3)
    assert [hit.doc_id for hit in hits] == ["maize"]
    assert index.document(0) == documents[0]


def test_an_index_of_documents_without_tokens_finds_nothing(terse_encoder: MultiVectorEncoder, tmp_path: Path) -> None:
    build_index(terse_encoder, [Document("dot", "", ".")], tmp_path / "index", model_name="terse")
    assert Searcher(load_index(tmp_path / "index"), terse_encoder).search(["beans"]) == [[]]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_embeddings_that_are_not_finite_are_refused_by_document(
    tiny_encoder: MultiVectorEncoder, documents: list[Document], tmp_path: Path, value: float
) -> None:
    broken = copy.deepcopy(tiny_encoder)
    with torch.no_grad():
        broken[0].auto_model.embeddings.word_embeddings.weight[broken.tokenizer.unk_token_id] = value
    with pytest.raises(ModelError, match="document 'snow' hold NaN"):
        build_index(broken, [*documents, Document("snow", "", "☃")], tmp_path / "index", model_name="broken")
    assert names(tmp_path) == []


def test_the_same_id_twice_is_refused(tiny_encoder: MultiVectorEncoder, tmp_path: Path) -> None:
    twice = [Document("a", "", "maize"), Document("a", "", "beans")]
    with pytest.raises(DataError, match="id 'a'"):
        build_index(tiny_encoder, twice, tmp_path / "index", model_name="tiny")
    assert names(tmp_path) == []


def test_no_document_is_refused(tiny_encoder: MultiVectorEncoder, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no document to index"):
        build_index(tiny_encoder, [], tmp_path / "index", model_name="tiny")
    assert names(tmp_path) == []


def test_a_batch_of_none_is_refused(tiny_encoder: MultiVectorEncoder, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="batch_size must be at least 1, got 0"):
        build_index(tiny_encoder, [], tmp_path / "index", model_name="tiny", batch_size=0)


def test_an_index_is_replaced_only_when_told_to_and_only_by_a_whole_one(
    tiny_encoder: MultiVectorEncoder, documents: list[Document], tmp_path: Path
) -> None:
    def interrupted() -> Iterator[Document]:
        yield documents[0]
        raise KeyboardInterrupt

    directory = tmp_path / "index"
    build_index(tiny_encoder, documents[:1], directory, model_name="tiny")
    with pytest.raises(DataError, match="exists already"):
        build_index(tiny_encoder, documents, directory, model_name="tiny")
    with pytest.raises(KeyboardInterrupt):
        build_index(tiny_encoder, interrupted(), directory, model_name="tiny", overwrite=True)
    assert len(load_index(directory, verify=True)) == 1
    assert len(build_index(tiny_encoder, documents, directory, model_name="tiny", overwrite=True)) == len(documents)
    assert names(tmp_path) == ["index"]


def test_an_index_that_a_killed_process_moved_aside_is_found_and_not_replaced(
    tiny_encoder: MultiVectorEncoder, documents: list[Document], tmp_path: Path
) -> None:
    directory = tmp_path / "index"
    build_index(tiny_encoder, documents[:1], directory, model_name="tiny")
    directory.rename(tmp_path / ".index.old")
    assert is_index(directory)
    assert load_index(directory, verify=True).doc_ids == ("d0",)
    with pytest.raises(DataError, match="exists already"):
        build_index(tiny_encoder, documents, directory, model_name="tiny")
    assert names(tmp_path) == ["index"]
    assert load_index(directory, verify=True).doc_ids == ("d0",)


def test_of_two_builders_that_begin_at_once_the_second_does_not_replace_what_the_first_made(
    tiny_encoder: MultiVectorEncoder, documents: list[Document], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "index"

    def after_the_first(path: Path) -> AbstractContextManager[Path]:
        monkeypatch.undo()
        build_index(tiny_encoder, documents[:1], directory, model_name="tiny")
        return staged_directory(path)

    monkeypatch.setattr(build, "staged_directory", after_the_first)
    with pytest.raises(DataError, match="exists already"):
        build_index(tiny_encoder, documents, directory, model_name="tiny")
    assert names(tmp_path) == ["index"]
    assert load_index(directory, verify=True).doc_ids == ("d0",)


def test_a_directory_of_anything_else_is_never_replaced(
    tiny_encoder: MultiVectorEncoder, documents: list[Document], tmp_path: Path
) -> None:
    (tmp_path / "manifest.json").write_text('{"name": "my web page"}')
    with pytest.raises(DataError, match="is not a kivuko index"):
        build_index(tiny_encoder, documents, tmp_path, model_name="tiny", overwrite=True)
    with pytest.raises(DataError, match="is not a kivuko index"):
        build_index(tiny_encoder, documents, tmp_path / "manifest.json", model_name="tiny", overwrite=True)
    assert names(tmp_path) == ["manifest.json"]


def test_an_empty_directory_is_filled(
    tiny_encoder: MultiVectorEncoder, documents: list[Document], tmp_path: Path
) -> None:
    (tmp_path / "index").mkdir()
    assert len(build_index(tiny_encoder, documents, tmp_path / "index", model_name="tiny")) == len(documents)


def test_a_path_that_cannot_be_written_is_refused(
    tiny_encoder: MultiVectorEncoder, documents: list[Document], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        build_index(tiny_encoder, documents, tmp_path / "file" / "index", model_name="tiny")


def test_a_full_disk_is_reported_and_leaves_nothing(tiny_encoder_dir: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", BUILD_ON_A_FULL_DISK, str(tiny_encoder_dir), str(tmp_path / "index")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "cannot be written: [Errno 27] File too large" in done.stdout
    assert names(tmp_path) == []


def test_a_killed_build_leaves_no_index_and_the_next_one_clears_up(
    tiny_encoder: MultiVectorEncoder, tiny_encoder_dir: Path, documents: list[Document], tmp_path: Path
) -> None:
    directory = tmp_path / "index"
    command = [sys.executable, "-c", BUILD_FOREVER, str(tiny_encoder_dir), str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as building:
        assert building.stdout is not None
        assert building.stdout.readline() == "8\n"
        with pytest.raises(ConfigError, match="Another process is writing"):
            build_index(tiny_encoder, documents, directory, model_name="tiny")
        building.send_signal(signal.SIGKILL)
    assert not directory.exists()
    with pytest.raises(DataError, match="is not a kivuko index"):
        load_index(directory)
    build_index(tiny_encoder, documents, directory, model_name="tiny")
    assert names(tmp_path) == ["index"]


def test_an_index_matches_its_own_model_documents_and_precision_only(
    tiny_encoder: MultiVectorEncoder, documents: list[Document], tmp_path: Path
) -> None:
    directory = tmp_path / "index"
    build_index(tiny_encoder, documents, directory, model_name="tiny", model_digest="abc")
    same = {"model_digest": "abc", "corpus_digest": corpus_digest(documents), "dtype": "float16"}
    assert index_matches(directory, **same)
    assert not index_matches(tmp_path / "gone", **same)
    for key, other in (("model_digest", "xyz"), ("model_digest", None), ("corpus_digest", ""), ("dtype", "float32")):
        assert not index_matches(directory, **(same | {key: other}))


def test_unknown_models_are_not_taken_for_the_same_one(
    tiny_encoder: MultiVectorEncoder, documents: list[Document], tmp_path: Path
) -> None:
    build_index(tiny_encoder, documents, tmp_path / "index", model_name="tiny")
    digest = corpus_digest(documents)
    assert not index_matches(tmp_path / "index", model_digest=None, corpus_digest=digest, dtype="float16")


@pytest.fixture
def built(tiny_encoder: MultiVectorEncoder, documents: list[Document], tmp_path: Path) -> Path:
    return build_index(tiny_encoder, documents, tmp_path / "index", model_name="tiny").directory


@pytest.mark.parametrize("name", ["embeddings.npy", "offsets.npy", "doc_ids.json", "documents.jsonl"])
def test_missing_and_truncated_files_are_refused_by_name(built: Path, name: str) -> None:
    content = (built / name).read_bytes()
    (built / name).write_bytes(content[:-1])
    with pytest.raises(DataError, match=rf"damaged: {name} has [\d,]+ bytes, {len(content):,} bytes were written"):
        load_index(built)
    (built / name).unlink()
    with pytest.raises(DataError, match=f"damaged: {name} is missing"):
        load_index(built)


@pytest.mark.parametrize("name", ["embeddings.npy", "offsets.npy", "doc_ids.json", "documents.jsonl"])
def test_a_changed_byte_is_found_on_request(built: Path, name: str) -> None:
    content = bytearray((built / name).read_bytes())
    content[-3] ^= 1
    (built / name).write_bytes(content)
    with pytest.raises(DataError, match=f"damaged: {name} is not what was written"):
        load_index(built, verify=True)


def edit_manifest(directory: Path, **changes: object) -> None:
    path = directory / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 2}, "has index format 2; this kivuko reads up to 1. Upgrade"),
        ({"format": "other"}, "is not a kivuko index"),
        ({"dim": "wide"}, r"damaged: manifest\.json, dim: "),
        ({"stray": 1}, r"damaged: manifest\.json, stray: "),
        ({"files": {}}, r"does not list embeddings\.npy"),
        ({"dim": 16}, "files do not fit together"),
        ({"documents": 9}, "files do not fit together"),
        ({"dtype": "float32"}, "files do not fit together"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(built: Path, changes: dict[str, object], message: str) -> None:
    edit_manifest(built, **changes)
    with pytest.raises(DataError, match=message):
        load_index(built)


@pytest.mark.parametrize(("row", "column", "step"), [(-1, 0, 1), (-1, 1, -1), (3, 0, 1_000), (0, 1, -1)])
def test_offsets_that_lead_out_of_their_files_are_refused(built: Path, row: int, column: int, step: int) -> None:
    offsets = np.load(built / "offsets.npy")
    offsets[row, column] += step
    np.save(built / "offsets.npy", offsets)
    with pytest.raises(DataError, match="files do not fit together"):
        load_index(built)


def test_a_torn_manifest_is_refused(built: Path) -> None:
    path = built / "manifest.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(DataError, match=r"damaged: manifest\.json: "):
        load_index(built)
