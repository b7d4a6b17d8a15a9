"""Which encoder may ask which index: a model, its students, and the students of one teacher share a space."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sentence_transformers.util import load_file_path

from kivuko.errors import ModelError
from kivuko.models.encoder import model_identity
from kivuko.search.origin import Origin

RECORD = "kivuko.json"
TEACHER = "teacher"


class Lineage(NamedTuple):
    """An encoder, and whose student it is.

    Attributes:
        name: Its hub id or directory.
        digest: What tells it from every other encoder, if that can be known.
        teachers: The same of the teachers in whose space its embeddings are; nothing for one that is no student.
        languages: The languages that it was taught, for a student.
    """

    name: str
    digest: str | None
    teachers: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


class Direction(NamedTuple):
    """Queries of some languages over documents of one; unknown where nothing says which.

    Example:
        >>> str(Direction(("sw",), "en")), str(Direction((), None))
        ('sw -> en', '? -> ?')
    """

    query_languages: tuple[str, ...]
    document_language: str | None

    def __str__(self) -> str:
        return f"{'/'.join(self.query_languages) or '?'} -> {self.document_language or '?'}"


def read_lineage(name_or_path: str | Path) -> Lineage:
    """Read what an encoder's files, its `kivuko.json` and the teacher in its directory say of it.

    Raises:
        ModelError: If its `kivuko.json` is not what `kivuko distill` writes.
    """
    name = str(name_or_path)
    record = _read_record(name)
    teachers = [model_identity(Path(name) / TEACHER)] if (Path(name) / TEACHER).is_dir() else []
    try:
        config = record.get("config", {})
        if config and config["dimensions"] is None:  # a teacher without projection is the same encoder everywhere
            teachers += [record["inputs"]["teacher_sha256"], record["models"]["teacher"]["revision"]]
        languages = tuple(map(str, config.get("target", ())))
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"The {RECORD} of the model {name} is not one that `kivuko distill` writes ({error!r}): restore it, or "
            "remove it to use the model as one of unknown origin."
        ) from None
    return Lineage(name, model_identity(name), tuple(dict.fromkeys(filter(None, teachers))), languages)


def identities(lineage: Lineage) -> Mapping[str, Any]:
    """Return what an index that this encoder makes says of it, as arguments of whatever makes one."""
    return {"model_name": lineage.name, "model_digest": lineage.digest, "teacher_digests": lineage.teachers}


def direction(origin: Origin, asker: Lineage) -> Direction:
    """Say which languages are asked about which."""
    return Direction(asker.languages, origin.language)


def refuse_stranger(origin: Origin, asker: Lineage, place: str) -> str | None:
    """Refuse an encoder whose queries do not fit what an index holds.

    Those fit of the encoder that made the index, of a student whose teacher made it, of the teacher of the student
    that made it, and of another student of that teacher. Where one of the two is not identified, nobody can know.

    Args:
        origin: What the index says of the encoder of its documents.
        asker: The encoder of the queries.
        place: The index, to name it.

    Returns:
        A warning where it cannot be known whether the two belong together, otherwise nothing.

    Raises:
        ModelError: If they do not belong together.
    """
    if asker.digest is None or origin.model_digest is None:
        unknown = asker.name if asker.digest is None else f"{origin.model_name}, which made {place},"
        return (
            f"Whether {asker.name} may ask {place} is not known, because nothing identifies {unknown}: if results "
            "make no sense, use the model that made it, or a student of that one."
        )
    made_by = {origin.model_digest, *origin.teacher_digests}
    if asker.digest in made_by or not made_by.isdisjoint(asker.teachers):
        return None
    if len(asker.digest) != len(origin.model_digest):
        return (
            f"Whether {asker.name} may ask {place} is not known: one is identified by its files, the other by a "
            "commit on the hub. If results make no sense, name the model as it was named to make the index."
        )
    if asker.teachers:
        what = "is the student of another teacher"
    elif origin.teacher_digests:
        what = "is neither that student nor its teacher"
    else:
        what = "is another model, and no student of it"
    raise ModelError(
        f"{asker.name} does not belong to {place}: that holds embeddings by {origin.model_name} "
        f"({_short(origin.model_digest)}), and {asker.name} ({_short(asker.digest)}) {what}. "
        f"{_fix(origin)} To ask all the same, give --any-model."
    )


def _fix(origin: Origin) -> str:
    if origin.teacher_digests:
        return "Ask with that student, its teacher, or another student of the teacher."
    return "Ask with that model, or a student of it."


def _short(digest: str) -> str:
    return digest[:12]


def _read_record(name: str) -> Mapping[str, Any]:
    path: str | None
    if Path(name).is_dir():
        path = str(Path(name) / RECORD) if (Path(name) / RECORD).is_file() else None
    else:
        try:
            path = load_file_path(name, RECORD)
        except (OSError, ValueError):
            path = None
    if path is None:
        return {}
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read: {error}. Restore it, or remove it.") from error
    return record if isinstance(record, dict) else {}
