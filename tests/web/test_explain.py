import pytest
import torch
from sentence_transformers import MultiVectorEncoder
from starlette.testclient import TestClient

from kivuko.data.collections import Document
from kivuko.web.explain import EncodedWords, explain, find_words, word_similarities

ASK = {"language": "sw", "collection": "news"}


def test_words_stand_where_they_are_said_to(client: TestClient, documents: list[Document]) -> None:
    for document in documents:
        query = f"  {document.text}"
        answer = client.post("/api/explain", json=ASK | {"query": query, "doc_id": document.doc_id}).json()
        for word in answer["query_words"]:
            assert query[word["start"] : word["end"]] == word["text"]
        for word in answer["document_words"]:
            assert getattr(document, word["field"])[word["start"] : word["end"]] == word["text"]
        assert {word["field"] for word in answer["document_words"]} == (
            {"title", "text"} if document.title.strip() else {"text"}
        )


def test_every_word_of_a_document_matches_itself_best(client: TestClient, documents: list[Document]) -> None:
    document = documents[6]
    assert document.title
    answer = client.post("/api/explain", json=ASK | {"query": document.content, "doc_id": document.doc_id}).json()
    best: dict[int, int] = {}
    for match in answer["maxsim"]:
        best.setdefault(match["query_word"], match["document_word"])
    assert best == {place: place for place in range(len(answer["query_words"]))}
    largest = {entry["query_word"]: entry for entry in sorted(answer["plan"], key=lambda entry: entry["mass"])}
    assert all(largest[place]["document_word"] == place for place in best)
    assert all(0.05 <= entry["mass"] <= 1.05 for entry in answer["plan"])


def test_characters_beyond_the_basic_plane_count_as_one(tiny_encoder: MultiVectorEncoder) -> None:
    document = Document("d", "🌧🌧 rains", "🚌 bus")
    answer = explain("🌧 bus", document, tiny_encoder, tiny_encoder)
    assert [(word.text, word.start) for word in answer.query_words] == [("bus", 2)]
    assert [(word.text, word.field, word.start) for word in answer.document_words] == [
        ("rains", "title", 3),
        ("bus", "text", 2),
    ]
    assert (answer.maxsim[0].query_word, answer.maxsim[0].document_word) == (0, 1)


def test_words_behind_the_longest_input_match_nothing(tiny_encoder: MultiVectorEncoder) -> None:
    document = Document("d", "", "maize " * 100 + "lion")
    answer = explain("lion", document, tiny_encoder, tiny_encoder)
    assert answer.document_words[-1].text == "lion"
    assert answer.maxsim
    assert 100 not in {match.document_word for match in answer.maxsim}


@pytest.mark.parametrize(("query", "text"), [("?!", "maize"), ("maize", "..."), ("maize", "")])
def test_sides_without_words_match_nothing(tiny_encoder: MultiVectorEncoder, query: str, text: str) -> None:
    answer = explain(query, Document("d", "", text), tiny_encoder, tiny_encoder)
    assert answer.maxsim == answer.plan == []


def test_a_words_similarity_is_the_mean_over_its_pieces_of_the_largest() -> None:
    query = EncodedWords(torch.eye(3)[:2], torch.tensor([0, 0]))
    document = EncodedWords(torch.tensor([[1.0, 0, 0], [0.4, 0.6, 0], [0, 0, 1]]), torch.tensor([0, 0, 2]))
    expected = torch.tensor([[(1.0 + 0.6) / 2, -torch.inf, 0.0]])
    torch.testing.assert_close(word_similarities(query, document, (1, 3)), expected)


def test_a_word_within_a_number_or_a_name_is_whole() -> None:
    assert [word.text for word in find_words("Ng'ombe 1,200 (saa 10:30)!")] == ["Ng'ombe", "1,200", "saa", "10:30"]
