"""The main job on a tiny real encoder, through the library and after a real kill."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import MultiVectorEncoder

from kivuko.config import DistillConfig
from kivuko.data.bitext import pair_weights, read_bitext
from kivuko.data.settings import parse_config
from kivuko.errors import ConfigError, DataError
from kivuko.experiment import distill
from kivuko.models.encoder import backbone, load_encoder, model_digest
from kivuko.models.transplant import transplant
from kivuko.search import staging
from kivuko.search.staging import exclusive


def updated(config: DistillConfig, **training: object) -> DistillConfig:
    return config.model_copy(update={"training": config.training.model_copy(update=training)})


def test_student_directory_needs_no_kivuko(config: DistillConfig) -> None:
    made = distill(config)
    script = (
        "import sys; sys.modules['kivuko'] = None\n"
        "from sentence_transformers import MultiVectorEncoder\n"
        f"for path in ({str(made.directory)!r}, {str(made.directory / 'teacher')!r}):\n"
        "    model = MultiVectorEncoder(path, device='cpu', local_files_only=True)\n"
        "    print(tuple(model.encode_query('Mto gani?').shape)[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["16", "16"], done.stderr


def test_record_and_card_say_what_was_done(config: DistillConfig) -> None:
    made = distill(config)
    record = json.loads((config.out / "kivuko.json").read_text(encoding="utf-8"))
    card = (config.out / "README.md").read_text(encoding="utf-8")
    assert parse_config(DistillConfig, record["config"], origin="record") == config
    assert len(record["inputs"]["bitext"][0]["sha256"]) == 64
    assert len(record["inputs"]["teacher_sha256"]) == 64
    assert record["steps"] == made.record["steps"] == 14
    assert set(record["measures"]) == {"accuracy"}
    assert record["versions"]["torch"] == torch.__version__
    assert record["models"] == {"teacher": {"name": config.teacher, "revision": None, "license": None}}
    assert f"| teacher | `{config.teacher}` | `{record['inputs']['teacher_sha256'][:12]}` | not stated |" in card
    assert "CC0-1.0" in card
    assert "among 4 held-out pairs" in card
    assert card.startswith("---\nlibrary_name: sentence-transformers")
    assert not (config.out.parent / "student.partial").exists()


def test_no_epochs_leave_the_transplant_in_an_empty_folder(config: DistillConfig) -> None:
    config.out.mkdir()
    made = distill(updated(config, epochs=0))
    assert made.record["steps"] == 0
    assert made.record["start"]["kind"] == "transplant"


def test_student_is_grown_by_the_weights_of_a_dictionary(config: DistillConfig, tmp_path: Path) -> None:
    entries = {"maize": ["mahindi"], "beans": ["mahindi", "maharage", "kunde"], "lion": ["simba"], "sleep": ["lala"]}
    told = "".join(
        f"<entry><form><orth>{word}</orth></form>"
        + "".join(f'<cit type="trans"><quote>{each}</quote></cit>' for each in found)
        + "</entry>"
        for word, found in entries.items()
    )
    (tmp_path / "eng-swh.tei").write_text(f"<TEI>{told}</TEI>", encoding="utf-8")
    source = config.bitext[0].model_copy(update={"path": tmp_path / "eng-swh.tei"})
    config = updated(config, epochs=0).model_copy(
        update={"bitext": (source,), "validation": config.validation.model_copy(update={"held_out": 0})}
    )
    made = distill(config)
    bitext = read_bitext(source)
    teacher = load_encoder(made.directory / "teacher")
    found, expected, unweighted = (
        backbone(encoder).model.get_input_embeddings().weight
        for encoder in (
            load_encoder(made.directory),
            *(
                transplant(teacher, bitext.pairs, weights=weights, **config.transplant.model_dump()).student
                for weights in (pair_weights([bitext]), None)
            ),
        )
    )
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(found, unweighted)


def test_checkpoint_student_of_the_teachers_size_is_trained(config: DistillConfig, tiny_encoder_dir: Path) -> None:
    made = distill(config.model_copy(update={"student": str(tiny_encoder_dir), "dimensions": None}))
    assert made.record["start"] == {"kind": "checkpoint", "name": str(tiny_encoder_dir)}
    assert made.record["models"]["student"]["name"] == str(tiny_encoder_dir)
    assert made.record["inputs"]["student_sha256"] == model_digest(tiny_encoder_dir) != made.record["student_sha256"]
    projected = distill(
        config.model_copy(update={"student": str(tiny_encoder_dir), "out": config.out.with_name("other")})
    )
    assert MultiVectorEncoder(str(projected.directory), device="cpu").get_embedding_dimension() == 16


def test_what_is_there_is_not_touched_unless_told(config: DistillConfig) -> None:
    config.out.mkdir()
    (config.out / "precious").touch()
    with pytest.raises(ConfigError, match="--overwrite"):
        distill(config)
    with pytest.raises(ConfigError, match="is not a model directory of kivuko"):
        distill(config, overwrite=True)
    assert (config.out / "precious").exists()
    with pytest.raises(ConfigError, match="no unfinished run"):
        distill(config.model_copy(update={"out": config.out.with_name("none")}), resume=True)


def test_licence_of_the_teacher_goes_with_the_student(config: DistillConfig, tmp_path: Path) -> None:
    teacher = tmp_path / "teacher"
    shutil.copytree(config.teacher, teacher)
    (teacher / "README.md").write_text("---\nlicense: apache-2.0\n---\n# By somebody\n", encoding="utf-8")
    made = distill(updated(config.model_copy(update={"teacher": str(teacher)}), epochs=0))
    assert made.record["models"]["teacher"]["license"] == "apache-2.0"
    assert "| apache-2.0 |" in (made.directory / "README.md").read_text(encoding="utf-8")
    assert "By somebody" in (made.directory / "teacher" / "README.md").read_text(encoding="utf-8")


def test_two_runs_cannot_write_the_same_directory(config: DistillConfig) -> None:
    before = sorted(config.out.parent.iterdir())
    with exclusive(config.out), pytest.raises(ConfigError, match="Another process is writing"):
        distill(config)
    assert sorted(config.out.parent.iterdir()) == before


@pytest.mark.parametrize("limit", [500, 20_000, 250_000], ids=["plan", "models", "checkpoint"])
def test_full_disk_leaves_nothing_half_written(
    config: DistillConfig, limit: int, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    before = sorted(config.out.parent.iterdir())
    with full_disk(limit), pytest.raises(DataError, match=r"student cannot be written.*Free some space"):
        distill(config)
    assert sorted(config.out.parent.iterdir()) == before


def test_model_that_cannot_be_replaced_stays(config: DistillConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    config = updated(config, epochs=0)
    before = distill(config).record["student_sha256"]
    rename = os.rename

    def refuse_the_new(source: Path, target: Path) -> None:
        if Path(source).name == "model":
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "rename", refuse_the_new)
    monkeypatch.setattr(staging, "_exchange", lambda one, other: False)  # as of a file system that cannot
    with pytest.raises(DataError, match="No space left"):
        distill(updated(config, seed=1), overwrite=True)
    assert model_digest(config.out) == before
    assert not list(config.out.parent.glob(".*"))


def test_model_that_a_killed_process_moved_aside_is_found_again(config: DistillConfig) -> None:
    aside = config.out.with_name(".student.old")
    aside.mkdir()
    (aside / "kivuko.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match="--overwrite"):
        distill(config)
    assert (config.out / "kivuko.json").is_file()


def test_folder_that_is_no_unfinished_run_is_not_removed(config: DistillConfig) -> None:
    partial = config.out.with_name("student.partial")
    partial.mkdir()
    (partial / "precious").touch()
    with pytest.raises(ConfigError, match="not an unfinished run of kivuko"):
        distill(config, overwrite=True)
    assert (partial / "precious").exists()


def run_in_the_background(config: DistillConfig, path: Path, *flags: str) -> subprocess.Popen[bytes]:
    """Start `kivuko distill` on the config, written as the TOML that a user would write."""
    training = "\n".join(
        f"{key} = {json.dumps(value)}" for key, value in config.training.model_dump(exclude_none=True).items()
    )
    path.write_text(
        f'teacher = "{config.teacher}"\ntarget = ["sw"]\nout = "{config.out}"\ndimensions = 16\n'
        f'[[bitext]]\npath = "{config.bitext[0].path}"\nlanguage = "sw"\n'
        f"[transplant]\nvocabulary_size = 320\n[validation]\nheld_out = 4\n[training]\n{training}\n",
        encoding="utf-8",
    )
    return subprocess.Popen(
        [sys.executable, "-m", "kivuko", "distill", str(path), *flags],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


@pytest.mark.timeout(900)  # two processes that import torch, perhaps on a busy machine
def test_run_that_was_killed_ends_with_the_same_weights(config: DistillConfig, tmp_path: Path) -> None:
    config = updated(config, epochs=12, dropout=0.1, threads=1)
    whole = distill(config.model_copy(update={"out": tmp_path / "whole"})).directory

    process = run_in_the_background(config, tmp_path / "config.toml")
    checkpoints = tmp_path / "student.partial" / "checkpoints"
    while not list(checkpoints.glob("checkpoint-*/complete")):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not config.out.exists()

    spent = {"minutes": 1000.0, "cpu_minutes": 2000.0, "peak_memory_mib": 3_000_000}
    (tmp_path / "student.partial" / "cost.json").write_text(json.dumps(spent), encoding="utf-8")
    resumed = run_in_the_background(config, tmp_path / "config.toml", "--resume")
    _, errors = resumed.communicate()
    assert resumed.returncode == 0, errors.decode()
    expected, found = load_file(whole / "model.safetensors"), load_file(config.out / "model.safetensors")
    assert {name: float((found[name] - expected[name]).abs().max()) for name in expected} == dict.fromkeys(
        expected, 0.0
    )
    record = json.loads((config.out / "kivuko.json").read_text(encoding="utf-8"))
    assert 1000 < record["minutes"] < 1100
    assert 2000 < record["cpu_minutes"] < 2100
    assert record["peak_memory_mib"] == 3_000_000


def test_resume_with_another_config_names_what_differs(config: DistillConfig) -> None:
    partial = config.out.with_name("student.partial")
    distill(config)
    config.out.rename(config.out.with_name("done"))
    partial.mkdir()
    record = json.loads((config.out.with_name("done") / "kivuko.json").read_text(encoding="utf-8"))
    (partial / "plan.json").write_text(
        json.dumps({key: record[key] for key in ("kivuko", "config", "inputs", "versions")}), encoding="utf-8"
    )
    with pytest.raises(ConfigError, match=r"another config\.training\.epochs"):
        distill(updated(config, epochs=2), resume=True)
    with pytest.raises(ConfigError, match="--resume"):
        distill(config)


def test_two_languages_share_a_student(config: DistillConfig, tmp_path: Path, bitext: Path) -> None:
    somali = tmp_path / "en-so.tsv"
    somali.write_text("A lion\tLibaax\nWater\tBiyo\n" * 6, encoding="utf-8")
    sources = [{"path": str(bitext), "language": "sw"}, {"path": str(somali), "language": "so", "weight": 2}]
    values = config.model_dump(mode="json") | {"bitext": sources, "target": ["sw", "so"]}
    made = distill(parse_config(DistillConfig, values, origin="test"))
    student = MultiVectorEncoder(str(made.directory), device="cpu")
    assert student.tokenizer.tokenize("libaax") == ["libaax"]
