import pytest
import torch
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import Dense

from kivuko.data.collections import Document
from kivuko.errors import ConfigError, ModelError, QueryError
from kivuko.search import Index, Searcher, build_index


@pytest.fixture(scope="module")
def index(
    tiny_encoder: MultiVectorEncoder, documents: list[Document], tmp_path_factory: pytest.TempPathFactory
) -> Index:
    return build_index(tiny_encoder, documents, tmp_path_factory.mktemp("search") / "index", model_name="tiny")


def test_a_document_is_the_best_answer_to_its_own_words(
    index: Index, tiny_encoder: MultiVectorEncoder, documents: list[Document]
) -> None:
    found = Searcher(index, tiny_encoder).search([document.content for document in documents], top_k=3)
    assert [Document(hits[0].doc_id, hits[0].title, hits[0].text) for hits in found] == documents
    assert all(hits[0].score >= hits[1].score >= hits[2].score for hits in found)


def test_a_top_k_above_the_collection_returns_the_collection(index: Index, tiny_encoder: MultiVectorEncoder) -> None:
    [hits] = Searcher(index, tiny_encoder).search(["maize"], top_k=1_000)
    assert {hit.doc_id for hit in hits} == set(index.doc_ids)


def test_a_top_k_below_one_is_refused(index: Index, tiny_encoder: MultiVectorEncoder) -> None:
    with pytest.raises(ConfigError, match="top_k must be at least 1"):
        Searcher(index, tiny_encoder).search(["maize"], top_k=0)


@pytest.mark.parametrize("query", ["", " \n"])
def test_an_empty_query_is_refused(index: Index, tiny_encoder: MultiVectorEncoder, query: str) -> None:
    with pytest.raises(QueryError, match="query is empty"):
        Searcher(index, tiny_encoder).search(["maize", query])


def test_a_query_without_tokens_is_refused_when_searching_and_finds_nothing_when_ranking(
    index: Index, terse_encoder: MultiVectorEncoder
) -> None:
    searcher = Searcher(index, terse_encoder)
    with pytest.raises(QueryError, match=r"no token of the query '\. \.'"):
        searcher.search(["maize", ". ."])
    maize, nothing = searcher.rank(["maize", ". ."], top_k=2)
    assert (len(maize.positions), len(nothing.positions)) == (2, 0)


def test_one_string_is_not_taken_for_a_list_of_letters(index: Index, tiny_encoder: MultiVectorEncoder) -> None:
    with pytest.raises(TypeError, match="list of strings"):
        Searcher(index, tiny_encoder).search("maize")


def test_a_model_of_another_dimension_is_refused_with_both_named(
    index: Index, tiny_encoder: MultiVectorEncoder
) -> None:
    narrow = Dense(32, 8, bias=False, activation_function=torch.nn.Identity(), module_input_name="token_embeddings")
    other = MultiVectorEncoder(modules=[tiny_encoder[0], narrow, *list(tiny_encoder)[1:]], device="cpu")
    with pytest.raises(ModelError, match=r"8 dimensions.*32, from tiny"):
        Searcher(index, other)
