"""NeuCLIR and HC4: which topics, judgments and documents each language and split has, as ir_datasets lays the files."""

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ir_datasets")

# ir_datasets asks where its folder is when it is imported, so that each test needs a process of its own.
_SCRIPT = """
import json, sys
from kivuko.data.catalog import Pair, find_entry
from kivuko.data.published import read_published
name, language, split = sys.argv[1:]
found = read_published(find_entry(name), Pair("en", language), split, None)
print(json.dumps({"queries": found.queries, "qrels": found.qrels, "documents": list(found.corpus)}))
"""


def topic(topic_id: str, title: str, *languages: str) -> str:
    """Return a line of a file of topics; of each language a translation by hand and one by machine."""
    texts = [("eng", "original", title)]
    for language in ("fas", "rus", "zho"):
        texts += [(language, source, f"{title} {language}") for source in ("human translation", "machine translation")]
    kinds = ("title", "description", "narrative")
    topics = [
        {"lang": lang, "source": source} | {f"topic_{kind}": text for kind in kinds} for lang, source, text in texts
    ]
    narratives = {language: {} for language in ("fas", "rus", "zho")}
    report = {"text": "", "url": "", "date": ""}
    told: dict[str, Any] = {"topic_id": topic_id, "languages_with_qrels": languages, "topics": topics}
    return json.dumps(told | {"narratives": narratives, "report": report}) + "\n"


def document(doc_id: str, title: str, text: str) -> str:
    return json.dumps({"id": doc_id, "title": title, "text": text, "url": "", "time": "", "cc_file": ""}) + "\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Files of both collections: Persian and Russian, 2022 and 2023, test and dev."""
    files = {
        "neuclir/trec-2022/topics.jsonl": topic("1", "Nile", "fas") + topic("2", "Volga", "rus"),
        "neuclir/trec-2022/qrels": "1 fas f1 3\n2 rus r1 1\n1 fas f2 0\n",
        "neuclir/trec-2023/topics.jsonl": topic("200", "Amu") + topic("201", "Don"),
        "hc4/fas/hc4_docs.jsonl": document("h1", "Karun", "a river"),
        "hc4/test.topics.v1-0.jsonl": topic("T1", "Karun", "fas") + topic("T2", "Ob", "rus"),
        "hc4/dev.topics.v1-0.jsonl": topic("D1", "Aras", "fas"),
        "hc4/fas/test.qrels.v1-0.txt": "T1 0 h1 3\n",
        "hc4/fas/dev.qrels.v1-0.txt": "D1 0 h1 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for language, text in (("fas", document("f1", "Nile", "long") + document("f2", "Lake", "deep")), ("rus", "")):
        folder = tmp_path / "neuclir/1" / language
        folder.mkdir(parents=True)
        (folder / "docs.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    with tarfile.open(tmp_path / "neuclir/trec-2023/qrels.tar.gz", "w:gz") as archive:
        for name, text in (("fas", "200 0 f2 2\n"), ("rus", "201 0 r1 1\n")):
            member = tarfile.TarInfo(f"qrels.final.gains.{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "split", "queries", "qrels"),
    [
        ("neuclir", "trec-2022", [["1", "Nile"]], [["1", "f1", 3], ["1", "f2", 0]]),
        ("neuclir", "trec-2023", [["200", "Amu"], ["201", "Don"]], [["200", "f2", 2]]),
        ("hc4", "test", [["T1", "Karun"]], [["T1", "h1", 3]]),
        ("hc4", "dev", [["D1", "Aras"]], [["D1", "h1", 1]]),
    ],
)
def test_each_split_has_its_own_topics_and_judgments_of_its_language(
    home: Path, name: str, split: str, queries: list[Any], qrels: list[Any]
) -> None:
    environment = os.environ | {"IR_DATASETS_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, name, "fa", split], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    documents = {"neuclir": [["f1", "", "Nile long"], ["f2", "", "Lake deep"]], "hc4": [["h1", "", "Karun a river"]]}
    assert found["queries"] == queries
    assert [row[:3] for row in found["qrels"]] == qrels
    assert found["documents"] == documents[name]
