import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ir_measures import Qrel
from sentence_transformers import MultiVectorEncoder

from kivuko.data.collections import Collection, Document, Query
from kivuko.errors import ConfigError, DataError
from kivuko.evaluation.language_gap import list_fairness
from kivuko.evaluation.measures import parse_measures
from kivuko.evaluation.retrieval import evaluate_retrieval
from kivuko.evaluation.run_task import MAXSIM, SINGLE_VECTOR, Encoder, evaluate_task
from kivuko.evaluation.single_vector import cosine_scores, document_vectors
from kivuko.evaluation.tasks import Part, Task, View, lareqa_views, open_task
from kivuko.search.build import build_index


def lines(path: Path, *records: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = (record if isinstance(record, str) else json.dumps(record) for record in records)
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")


@pytest.fixture
def tatoeba(tmp_path: Path, sentences: Sequence[str]) -> Path:
    lines(tmp_path / "tatoeba/tatoeba.swh-eng.swh", *sentences[1::2])
    lines(tmp_path / "tatoeba/tatoeba.swh-eng.eng", *sentences[::2])
    return tmp_path


@pytest.fixture
def xquad(tmp_path: Path) -> Path:
    texts = {"de": ("Nil. Er ist lang.", 5), "en": ("Nile. It is long.", 6), "es": ("Nilo. Es largo.", 6)}
    for language, (text, second) in texts.items():
        paragraph = {
            "context": text,
            "sentence_breaks": [[0, second - 1], [second, len(text)]],
            "qas": [{"id": "a", "question": text, "answers": [{"answer_start": second, "text": "x"}]}],
        }
        lines(tmp_path / f"xquad-r/{language}.json", {"data": [{"paragraphs": [paragraph]}]})
    return tmp_path


def test_tatoeba_has_two_directions_with_distinct_ids(tatoeba: Path) -> None:
    task = open_task("tatoeba:sw", data=tatoeba, allow_incomplete=True)
    there, back = task.parts
    assert (there.name, there.reversed, back.name, back.reversed) == ("sw-en", False, "en-sw", True)
    assert {query.query_id for query in back.collection.queries} == {f"en:{n}" for n in range(1, 6)}
    assert back.collection.queries[0].text == next(iter(there.collection.corpus)).text
    assert {(qrel.query_id, qrel.doc_id) for qrel in back.collection.qrels} == {
        (f"en:{n}", f"sw:{n}") for n in range(1, 6)
    }


def test_sizes_other_than_published_are_refused_unless_allowed(tatoeba: Path) -> None:
    with pytest.raises(DataError, match="queries 5 instead of 390"):
        open_task("tatoeba:sw", data=tatoeba)
    assert "queries 5 instead of 390" in open_task("tatoeba:sw", data=tatoeba, allow_incomplete=True).incomplete


def beir(folder: Path, split: str) -> None:
    lines(folder / "corpus.jsonl", {"_id": "d", "text": "Nile"})
    lines(folder / "queries.jsonl", {"_id": "q", "text": "Nile"})
    lines(folder / f"qrels/{split}.tsv", "q\td\t1")


def test_a_part_of_afriqa_is_refused_and_what_has_no_published_size_is_said_to_be_unchecked(tmp_path: Path) -> None:
    for pair in ("sw-en", "ig-en"):
        beir(tmp_path / "afriqa" / pair, "test")
    with pytest.raises(DataError, match="queries 1 instead of 295, judgments 1 instead of 295"):
        open_task("afriqa:sw", data=tmp_path)
    assert "no published size of afriqa:ig, test, is known" in open_task("afriqa:ig", data=tmp_path).unchecked
    assert not open_task("afriqa:sw", data=tmp_path, allow_incomplete=True).unchecked


def test_tatoeba_is_named_by_either_code(tatoeba: Path) -> None:
    for name in ("tatoeba:sw", "tatoeba:swh"):
        with pytest.raises(DataError, match="queries 5 instead of 390"):
            open_task(name, data=tatoeba)


def test_a_subset_of_lareqa_keeps_questions_candidates_and_judgments_of_its_languages(xquad: Path) -> None:
    task = open_task("lareqa:de,en", data=xquad, allow_incomplete=True)
    (pool,) = task.parts
    assert {query.query_id for query in pool.collection.queries} == {"de:a", "en:a"}
    assert {document.doc_id[:2] for document in pool.collection.corpus} == {"de", "en"}
    assert len(pool.collection.qrels) == 4
    with pytest.raises(ConfigError, match="no language 'sw'"):
        open_task("lareqa:sw", data=xquad)


def test_lareqa_measures_pool_questions_monolingual_pools_and_pairs() -> None:
    groups = [view.group for view in lareqa_views(["de", "en", "es"])]
    assert [groups.count(group) for group in dict.fromkeys(groups)] == [1, 3, 3, 6]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tatoeba", "Which languages"),
        ("irds:", "Expected irds:<id>"),
        ("beir:", "Expected beir:<folder>"),
        ("xquad", "no task 'xquad'"),
        ("ciral:xx", "ciral has no language 'xx'; it has ha so sw yo"),
        ("miracl:sw-ha", "miracl has no language 'ha'"),
    ],
)
def test_malformed_names_are_refused(name: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=expected):
        open_task(name, data=tmp_path)


def test_any_beir_folder_is_a_task(tmp_path: Path) -> None:
    beir(tmp_path, "dev")
    assert open_task(f"beir:{tmp_path}", split="dev").parts[0].collection.qrels == [Qrel("q", "d", 1)]


def test_each_model_encodes_its_own_language_whichever_side_asks(
    tatoeba: Path, tiny_encoder: MultiVectorEncoder, tiny_encoder_dir: Path
) -> None:
    other = MultiVectorEncoder(str(tiny_encoder_dir), device="cpu")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        torch.nn.init.normal_(other[0].model.get_input_embeddings().weight)
    student, teacher = Encoder(other), Encoder(tiny_encoder)
    measures = parse_measures("Success@1 RR@10")
    task = open_task("tatoeba:sw", data=tatoeba, allow_incomplete=True)
    both = evaluate_task(task, student, teacher, measures)
    there, back = task.parts
    forward = evaluate_task(replace(task, parts=[there]), student, teacher, measures)
    backward = evaluate_task(replace(task, parts=[replace(back, reversed=False)]), teacher, student, measures)
    assert list(both.run) == [*forward.run, *backward.run]
    assert both.means() == forward.means() | backward.means()
    assert both.documents == 10


def test_views_are_what_their_own_pool_and_questions_would_give(
    tmp_path: Path, xquad: Path, tiny_encoder: MultiVectorEncoder
) -> None:
    measures = parse_measures("AP@20 RR@1")
    task = open_task("lareqa", data=xquad, allow_incomplete=True)
    found = evaluate_task(task, Encoder(tiny_encoder), Encoder(tiny_encoder), measures)
    collection = task.parts[0].collection
    for asked, answered in (("de", "de"), ("en", "es")):
        alone = Collection(
            [document for document in collection.corpus if document.doc_id.startswith(answered)],
            [query for query in collection.queries if query.query_id.startswith(asked)],
            [q for q in collection.qrels if q.query_id.startswith(asked) and q.doc_id.startswith(answered)],
        )
        part = Part("alone", alone, [View("alone")])
        expected = evaluate_task(Task("alone", "", "", [part]), Encoder(tiny_encoder), Encoder(tiny_encoder), measures)
        for scoring in (MAXSIM, SINGLE_VECTOR):
            assert found.means()[f"{asked}-{answered}"][scoring] == expected.means()["alone"][scoring]


def test_maxsim_finds_what_the_evaluation_of_a_collection_finds(
    tatoeba: Path, tiny_encoder: MultiVectorEncoder
) -> None:
    measures = parse_measures("RR@10 nDCG@10")
    task = open_task("tatoeba:sw", data=tatoeba, allow_incomplete=True)
    part = task.parts[0]
    expected = evaluate_retrieval(tiny_encoder, tiny_encoder, part.collection, measures)
    found = evaluate_task(replace(task, parts=[part]), Encoder(tiny_encoder), Encoder(tiny_encoder), measures)
    assert list(found.run) == list(expected.run)
    assert found.means()["sw-en"][MAXSIM] == expected.measures.mean


def test_a_group_is_the_mean_of_its_views(xquad: Path, tiny_encoder: MultiVectorEncoder) -> None:
    task = open_task("lareqa", data=xquad, allow_incomplete=True)
    rows = evaluate_task(task, Encoder(tiny_encoder), Encoder(tiny_encoder), parse_measures("AP@20")).means()
    monolingual = [rows[f"{language}-{language}"][MAXSIM]["AP@20"] for language in ("de", "en", "es")]
    assert rows["mean of 3 monolingual pools"][MAXSIM]["AP@20"] == pytest.approx(sum(monolingual) / 3)


def test_the_pool_says_whether_its_languages_are_ranked_alike(xquad: Path, tiny_encoder: MultiVectorEncoder) -> None:
    task = open_task("lareqa", data=xquad, allow_incomplete=True)
    found = evaluate_task(task, Encoder(tiny_encoder), Encoder(tiny_encoder), parse_measures("AP@20"))
    collection = task.parts[0].collection
    languages = {document.doc_id: document.doc_id[:2] for document in collection.corpus}
    expected = list_fairness(collection.qrels, found.run, languages, cutoff=20)
    means = found.means()
    assert means["pool"][MAXSIM]["PEER@20"] == expected.mean
    assert [name for name, row in means.items() if "PEER@20" in row[MAXSIM]] == ["pool"]


def test_mean_vectors_are_means_of_token_embeddings(
    tmp_path: Path, sentences: Sequence[str], tiny_encoder: MultiVectorEncoder
) -> None:
    documents = [Document(f"d{number}", "", text) for number, text in enumerate(sentences)]
    index = build_index(tiny_encoder, documents, tmp_path / "index", model_name="tiny", dtype="float32", batch_size=3)
    tokens = [np.asarray(row) for row in tiny_encoder.encode_document(list(sentences), show_progress_bar=False)]
    means = [row.mean(axis=0) / np.linalg.norm(row.mean(axis=0)) for row in tokens]
    np.testing.assert_allclose(document_vectors(index), means, atol=1e-5)


def test_a_side_without_tokens_is_never_found() -> None:
    documents = np.array([[1.0, 0.0], [0.0, 0.0]], dtype=np.float32)
    scores = cosine_scores([np.ones((2, 2), dtype=np.float32), np.zeros((0, 2), dtype=np.float32)], documents)
    np.testing.assert_allclose(scores, [[2**-0.5, -np.inf], [-np.inf, -np.inf]], rtol=1e-6)


def test_equal_texts_are_ordered_by_falling_id_in_both_scorings(tiny_encoder: MultiVectorEncoder) -> None:
    documents = [Document(name, "", "The Nile flows.") for name in ("b", "c", "a")]
    collection = Collection(documents, [Query("q", "The Nile flows.")], [Qrel("q", "c", 1)])
    task = Task("x", "", "", [Part("x", collection, [View("x")])])
    found = evaluate_task(task, Encoder(tiny_encoder), Encoder(tiny_encoder), parse_measures("Success@1"))
    assert [outcome.measures.mean["Success@1"] for outcome in found.outcomes] == [1.0, 1.0]


def test_an_index_is_kept_for_each_part_and_used_again(
    tmp_path: Path, tatoeba: Path, tiny_encoder: MultiVectorEncoder
) -> None:
    task = open_task("tatoeba:sw", data=tatoeba, allow_incomplete=True)
    encoder, encoded = Encoder(tiny_encoder, "tiny", "digest"), []
    for _ in range(2):
        evaluate_task(
            *(task, encoder, encoder, parse_measures("RR@10")),
            index_directory=tmp_path / "indexes",
            progress=encoded.append,
        )
    assert sum(encoded) == 10
    assert sorted(path.name for path in (tmp_path / "indexes").iterdir()) == ["en-sw", "sw-en"]


def test_judgments_of_other_documents_are_refused(tiny_encoder: MultiVectorEncoder) -> None:
    collection = Collection([Document("d", "", "Nile")], [Query("q", "Nile")], [Qrel("q", "e", 1)])
    task = Task("x", "", "", [Part("x", collection, [View("x")])])
    with pytest.raises(DataError, match="name no document, as 'e'"):
        evaluate_task(task, Encoder(tiny_encoder), Encoder(tiny_encoder), parse_measures("AP"))
