from pathlib import Path

import pytest
from sentence_transformers import MultiVectorEncoder

from kivuko.data.collections import Document
from kivuko.errors import DataError, ModelError
from kivuko.models.encoder import model_identity
from kivuko.search import build_index
from kivuko.search.flat import create_store
from kivuko.search.hybrid import RankBy, RankerName
from kivuko.search.store import ingest
from kivuko.web.problems import Problem
from kivuko.web.schemas import BatchRequest, ExplainRequest
from kivuko.web.service import SLICE, Service, load_services, open_collection
from kivuko.web.work import Abandoned


def test_a_store_is_asked_as_an_index_is(
    services: list[Service],
    tiny_encoder: MultiVectorEncoder,
    tiny_encoder_dir: Path,
    documents: list[Document],
    tmp_path: Path,
) -> None:
    identity = model_identity(tiny_encoder_dir)
    store = create_store(tmp_path / "store", dim=32, model_name="runs/tiny", model_digest=identity)
    ingest(store, tiny_encoder, documents, language="en")
    [stored] = load_services({"news": str(tmp_path / "store")}, {"sw": str(tiny_encoder_dir)})
    ask = BatchRequest(queries=[documents[3].text], language="sw", collection="news", top_k=3)
    [found], [exact] = stored.search(ask).results, services[0].search(ask).results
    assert [hit.doc_id for hit in found] == [hit.doc_id for hit in exact]
    why = ExplainRequest(query=documents[3].text, language="sw", collection="news", doc_id="d3")
    assert stored.explain(why) == services[0].explain(why)
    with pytest.raises(Problem, match="no document 'd99' here"):
        stored.explain(why.model_copy(update={"doc_id": "d99"}))


def test_a_model_that_does_not_belong_is_refused_unless_told(
    tiny_encoder: MultiVectorEncoder, tiny_encoder_dir: Path, documents: list[Document], tmp_path: Path
) -> None:
    build_index(tiny_encoder, documents, tmp_path / "other", model_name="/runs/a/stranger", model_digest="0" * 64)
    collections, models = {"news": open_collection(str(tmp_path / "other"))}, {"sw": str(tiny_encoder_dir)}
    with pytest.raises(ModelError, match="stranger"):
        Service(collections, models)
    service = Service(collections, models, any_model=True)
    assert service.search(BatchRequest(queries=["bus"], language="sw", collection="news")).results[0]
    with pytest.raises(Problem, match="a/stranger, is not loaded") as refused:
        service.explain(ExplainRequest(query="bus", language="sw", collection="news", doc_id="d0"))
    assert refused.value.status == 409
    assert "/runs" not in refused.value.message


def test_what_serves_one_teacher_to_two_students_loads_it_once(services: list[Service]) -> None:
    assert services[0]._aligners["sw"].teacher is services[0]._aligners["ur"].teacher


def test_a_query_that_leaves_no_token_is_the_callers_fault(
    terse_encoder: MultiVectorEncoder, documents: list[Document], tmp_path: Path
) -> None:
    terse_encoder.save_pretrained(str(tmp_path / "terse"))
    build_index(terse_encoder, documents, tmp_path / "index", model_name=str(tmp_path / "terse"))
    [service] = load_services({"news": str(tmp_path / "index")}, {"sw": str(tmp_path / "terse")}, any_model=True)
    with pytest.raises(Problem, match="no token of the query") as refused:
        service.search(BatchRequest(queries=["\ue000 ."], language="sw", collection="news"))
    assert (refused.value.status, refused.value.code) == (422, "no_words")


@pytest.mark.parametrize("text", ["", " " * 20 + "maize"], ids=["none", "white"])
def test_documents_that_begin_without_a_word_are_served(
    tiny_encoder: MultiVectorEncoder, tiny_encoder_dir: Path, tmp_path: Path, text: str
) -> None:
    documents = [Document(f"d{number}", title, text) for number, title in enumerate(["Mvua", "A bus"])]
    build_index(tiny_encoder, documents, tmp_path / "titles", model_name=str(tiny_encoder_dir))
    [service] = load_services({"titles": str(tmp_path / "titles")}, {"sw": str(tiny_encoder_dir)}, any_model=True)
    [found] = service.search(BatchRequest(queries=["bus"], language="sw", collection="titles")).results
    assert {hit.title for hit in found} == {"Mvua", "A bus"}


@pytest.mark.parametrize("ranker", list(RankerName))
def test_a_batch_finds_what_one_call_for_all_of_it_finds(worded: list[Service], ranker: RankerName) -> None:
    queries = [f"{first} {second}" for first in ("maize", "bus", "rain", "school") for second in ("teacher", "a", "of")]
    ask = BatchRequest(queries=queries, language="sw", collection="news", top_k=4, ranker=ranker)
    at_once = worded[0]._hybrids["news", "sw"].search(queries, 4, by=RankBy(ranker))
    found = worded[0].search(ask).results
    assert len(queries) > SLICE
    assert [[hit.doc_id for hit in hits] for hits in found] == [[hit.doc_id for hit in hits] for hits in at_once]
    for hits, expected in zip(found, at_once, strict=True):
        assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in expected], abs=1e-5)


def test_a_batch_is_ended_between_a_few_queries_and_the_next(services: list[Service]) -> None:
    checked = []

    def check() -> None:
        checked.append(True)
        if len(checked) == 3:
            raise Abandoned

    ask = BatchRequest(queries=["bus"] * 32, language="sw", collection="news")
    with pytest.raises(Abandoned):
        services[0].search(ask, check=check)
    assert len(services[0].search(ask, check=lambda: checked.append(True)).results) == 32
    assert len(checked) == 3 + 32 // SLICE


@pytest.fixture(scope="module")
def wordy(
    tiny_encoder: MultiVectorEncoder, tiny_encoder_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Service:
    place = tmp_path_factory.mktemp("wordy") / "books"
    documents = [Document(f"d{number}", "Mvua", "maize na " * 1_000) for number in range(10)]
    build_index(tiny_encoder, documents, place, model_name=str(tiny_encoder_dir))
    [service] = load_services({"books": str(place)}, {"sw": str(tiny_encoder_dir)}, any_model=True)
    return service


def test_an_answer_that_grows_too_large_is_refused_as_soon_as_it_does(wordy: Service) -> None:
    checked: list[bool] = []
    ask = BatchRequest(queries=["maize"] * 32, language="sw", collection="books", top_k=4)
    with pytest.raises(Problem, match=r"at most 0\.3 MB of text, got 0\.576 MB for the first 16 of 32") as refused:
        wordy.search(ask, check=lambda: checked.append(True), max_answer=300_000)
    assert (refused.value.status, refused.value.code) == (422, "too_much")
    assert "top_k is 4" in refused.value.message
    assert "--max-answer" in refused.value.message
    assert len(checked) == 2
    size = 32 * 4 * len("Mvua" + "maize na " * 1_000)
    assert wordy.search(ask, max_answer=size)
    with pytest.raises(Problem, match="for the first 32 of 32"):
        wordy.search(ask, max_answer=size - 1)


def test_an_explanation_of_too_many_words_is_refused(wordy: Service) -> None:
    why = ExplainRequest(query="maize", language="sw", collection="books", doc_id="d0")
    with pytest.raises(Problem, match=r"at most 0\.1 MB, got a document of 2,001 words") as refused:
        wordy.explain(why, max_answer=100_000)
    assert (refused.value.status, refused.value.code) == (422, "too_much")
    whole = wordy.explain(why, max_answer=140_000).model_dump_json()
    assert 100_000 < len(whole) < 140_000


def test_a_damaged_store_is_no_fault_of_the_callers(
    tiny_encoder: MultiVectorEncoder, tiny_encoder_dir: Path, documents: list[Document], tmp_path: Path
) -> None:
    place = tmp_path / "store"
    store = create_store(place, dim=32, model_name="runs/tiny", model_digest=model_identity(tiny_encoder_dir))
    ingest(store, tiny_encoder, documents)
    [service] = load_services({"news": str(place)}, {"sw": str(tiny_encoder_dir)})
    for file in place.glob("*/passages.jsonl"):
        with file.open("r+b") as opened:  # what is mapped already sees it
            opened.write(b"x" * file.stat().st_size)
    with pytest.raises(DataError, match="damaged"):
        service.search(BatchRequest(queries=["bus"], language="sw", collection="news"))
