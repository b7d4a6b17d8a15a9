"""Which encoder may ask which documents, with real students: English, the languages, and pools of several."""

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from kivuko.config import DistillConfig
from kivuko.data.collections import Document
from kivuko.data.settings import parse_config
from kivuko.errors import ModelError
from kivuko.experiment import distill
from kivuko.models.encoder import load_encoder
from kivuko.search import Index, build_index
from kivuko.search.lineage import Lineage, direction, identities, read_lineage
from kivuko.search.opening import StoreKind, open_or_create_store, open_searcher
from kivuko.search.store import Passage, ingest


class Models(NamedTuple):
    """Two students of one teacher, and a model of nobody's."""

    swahili: Path
    hausa: Path
    teacher: Path
    stranger: Path


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, tiny_encoder_dir: Path, sentences: list[str]) -> Models:
    folder = tmp_path_factory.mktemp("directions")
    for language in ("sw", "ha"):
        sides = list(zip(sentences[::2], sentences[1::2], strict=True))
        lines = [f"{n} {english}\t{n} {other}" for n in range(9) for english, other in sides]
        (folder / f"en-{language}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        said = {
            "teacher": str(tiny_encoder_dir),
            "target": [language],
            "bitext": [{"path": str(folder / f"en-{language}.tsv"), "language": language}],
            "out": str(folder / language),
            "dimensions": None,
            "transplant": {"vocabulary_size": 320},
            "training": {"batch_size": 4, "device": "cpu", "epochs": 0},
            "validation": {"held_out": 4},
        }
        distill(parse_config(DistillConfig, said, origin="test"))
    shutil.copytree(tiny_encoder_dir, folder / "stranger")
    (folder / "stranger" / "note.txt").write_text("another model of the same dimension")
    return Models(folder / "sw", folder / "ha", folder / "sw" / "teacher", folder / "stranger")


def filled(kind: str, place: Path, model: Path, passages: list[Passage], language: str | None) -> Path:
    encoder, lineage = load_encoder(str(model)), read_lineage(model)
    if kind == "exact":
        documents = [Document(*passage[:3]) for passage in passages]
        build_index(encoder, documents, place, **identities(lineage), language=language)
        return place
    store = open_or_create_store(StoreKind(kind), place, dim=32, encoder=lineage, language=language)
    ingest(store, encoder, passages)
    store.close()
    return place


def best(place: Path, model: Path, queries: list[str], where: dict[str, str] | None = None) -> list[list[str]]:
    searcher = open_searcher(place, model)
    found = searcher.search(queries, top_k=10, where=where)
    if not isinstance(searcher.index, Index):
        searcher.index.close()  # type: ignore[attr-defined]
    return [[hit.doc_id for hit in hits] for hits in found]


@pytest.mark.parametrize("kind", ["exact", "flat", "qdrant"])
def test_a_student_and_its_teacher_ask_each_others_documents(
    kind: str, models: Models, sentences: list[str], tmp_path: Path
) -> None:
    english, swahili = sentences[::2], sentences[1::2]
    in_english = [Passage(f"d{n}", "", text, "en") for n, text in enumerate(english)]
    in_swahili = [Passage(f"d{n}", "", text, "sw") for n, text in enumerate(swahili)]
    by_teacher = filled(kind, tmp_path / "english", models.teacher, in_english, "en")
    by_student = filled(kind, tmp_path / "swahili", models.swahili, in_swahili, "sw")
    own = [f"d{n}" for n in range(5)]
    assert [ids[0] for ids in best(by_teacher, models.teacher, english)] == own  # English over English
    assert [ids[0] for ids in best(by_student, models.swahili, swahili)] == own  # a language over itself
    assert {*best(by_teacher, models.swahili, swahili)[0]} == {*own}  # a language over English
    assert {*best(by_student, models.teacher, english)[0]} == {*own}  # English over a language
    assert {*best(by_student, models.hausa, english)[0]} == {*own}  # one language over another
    with pytest.raises(ModelError, match="is another model, and no student of it"):
        best(by_teacher, models.stranger, english)
    with pytest.raises(ModelError, match="is neither that student nor its teacher"):
        best(by_student, models.stranger, english)


@pytest.mark.parametrize("kind", ["flat", "qdrant"])
def test_a_pool_of_languages_is_asked_whole_or_in_one(
    kind: str, models: Models, sentences: list[str], tmp_path: Path
) -> None:
    passages = [Passage(f"d{n}", "", text, "sw" if n % 2 else "en") for n, text in enumerate(sentences)]
    pool = filled(kind, tmp_path / "pool", models.swahili, passages, None)
    for asker in (models.swahili, models.teacher):
        assert {*best(pool, asker, ["maize"])[0]} == {f"d{n}" for n in range(10)}
        assert {*best(pool, asker, ["maize"], {"language": "sw"})[0]} == {f"d{n}" for n in range(1, 10, 2)}


def test_the_direction_is_known(models: Models, sentences: list[str], tmp_path: Path) -> None:
    place = filled("exact", tmp_path / "index", models.teacher, [Passage("d", "", sentences[0])], "en")
    searcher = open_searcher(place, models.swahili)
    assert isinstance(searcher.index, Index)
    assert str(direction(searcher.index.manifest, read_lineage(models.swahili))) == "sw -> en"
    assert str(direction(searcher.index.manifest, Lineage("teacher", None))) == "? -> en"
