from pathlib import Path

import pytest
import torch

from kivuko.errors import ConfigError
from kivuko.evaluation.alignment_methods import AlignedPair, WordLink
from kivuko.report.alignment import aligned_record, pharaoh_line, print_aligned, tsv_lines
from kivuko.report.alignment_plot import alignment_page, check_alignment_plot, write_alignment_plot

PAIR = AlignedPair(
    ("The", "boat", "[red]sank"),
    ("Mashua", "hiyo", "ilizama"),
    torch.zeros(3, 3),
    (WordLink(1, 0, 0.875), WordLink(2, 2, 1.0)),
)


def test_links_are_written_in_three_ways() -> None:
    assert pharaoh_line(PAIR) == "1-0 2-2"
    assert tsv_lines(7, PAIR) == ["7\t1\t0\tboat\tMashua\t0.8750", "7\t2\t2\t[red]sank\tilizama\t1.0000"]
    assert aligned_record(PAIR) == {
        "english": ["The", "boat", "[red]sank"],
        "translation": ["Mashua", "hiyo", "ilizama"],
        "links": [[1, 0, 0.875], [2, 2, 1.0]],
    }


def test_table_shows_links_and_the_words_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    print_aligned(PAIR)
    rows = [line.replace("│", " ").split() for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert rows == [["The", "-"], ["boat", "Mashua", "0.88"], ["[red]sank", "ilizama", "1.00"], ["-", "hiyo"]]


ARABIC = AlignedPair(("a", "<b>doctor</b>"), ("طبيب", "جديد"), torch.eye(2) / 2, (WordLink(0, 1, 0.5),))


def test_page_marks_links_escapes_words_and_asks_for_nothing() -> None:
    page = alignment_page([PAIR, ARABIC])
    assert page.count('class="link') == 3
    assert ">0.88<" in page
    assert "&lt;b&gt;doctor" in page
    assert "http://" not in page
    assert "https://" not in page
    assert "default-src 'none'" in page


def test_words_of_a_right_to_left_script_run_that_way() -> None:
    assert 'dir="rtl"' in alignment_page([ARABIC])
    assert 'dir="rtl"' not in alignment_page([PAIR])


@pytest.mark.parametrize(
    ("words", "message"), [(("طبيب", "جديد"), "right-to-left"), (("ሐኪም", "መድኃኒት"), "lacks letters")]
)
def test_png_that_could_not_be_read_is_refused_and_leaves_nothing(
    tmp_path: Path, words: tuple[str, str], message: str
) -> None:
    pair = AlignedPair(("a", "doctor"), words, torch.eye(2), ())
    with pytest.raises(ConfigError, match=message):
        write_alignment_plot([pair], tmp_path / "plot.png")
    assert not list(tmp_path.iterdir())


def test_png_without_matplotlib_is_refused_before_any_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"kivuko\[report\]"):
        check_alignment_plot(tmp_path / "plot.png", one=True)
