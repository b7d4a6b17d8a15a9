"""The mini collection: English and Swahili on everyday matters, written for this project and given away under CC0.

2,352 sentence pairs, 168 English passages, and 98 Swahili questions with their English originals and judgments, on
health, farming, school, markets, travel, law and news. People and most places in it are invented.
"""

import shutil
from importlib.resources import as_file, files
from pathlib import Path

BITEXT = "en-sw.tsv"
_QUERIES = {"sw-en": "queries.sw.jsonl", "en-en": "queries.en.jsonl"}


def write_mini(directory: Path) -> None:
    """Write the collection as files that every command reads.

    The folder gets `en-sw.tsv`, and the BEIR folders `sw-en` (Swahili questions) and `en-en` (their originals) over the
    same English passages.

    Args:
        directory: Where to; made if it is missing.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with as_file(files(__name__)) as source:
        shutil.copyfile(source / BITEXT, directory / BITEXT)
        for name, queries in _QUERIES.items():
            collection = directory / name
            (collection / "qrels").mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / "corpus.jsonl", collection / "corpus.jsonl")
            shutil.copyfile(source / queries, collection / "queries.jsonl")
            shutil.copyfile(source / "qrels.tsv", collection / "qrels" / "test.tsv")
