import gzip
import io
import lzma
import os
import tarfile
from pathlib import Path

import polib
import pytest

from kivuko.data.bitext import SentencePair
from kivuko.data.readers import BitextFile, BitextFormat, ReaderOptions, streams
from kivuko.data.readers import packages as subject
from kivuko.errors import ConfigError, DataError

PO = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\nmsgid "%s"\nmsgstr "%s"\n'
SWAHILI = ReaderOptions(BitextFormat.GETTEXT, "sw")
OPEN, CLOSE = SentencePair("Open", "Fungua"), SentencePair("Close", "Funga")


def catalog(english: str, translation: str) -> bytes:
    return (PO % (english, translation)).encode()


def compiled(english: str, translation: str) -> bytes:
    return polib.pofile(PO % (english, translation)).to_binary()


def tree(folder: Path) -> Path:
    for name, content in (
        ("locale/sw/LC_MESSAGES/app.mo", compiled("Open", "Fungua")),
        ("po/app-sw.po", catalog("Close", "Funga")),
        ("po/fr.po", catalog("Close", "Fermer")),
        ("po/sw.txt", b"no catalogue"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def debian(path: Path, members: dict[str, bytes], *, suffix: str = ".xz") -> Path:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    packed = lzma.compress(data.getvalue()) if suffix == ".xz" else data.getvalue()
    parts = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", f"data.tar{suffix}": packed}
    with path.open("wb") as file:
        file.write(b"!<arch>\n")
        for name, content in parts.items():
            file.write(f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode())
            file.write(content + b"\n" * (len(content) % 2))
    return path


def test_catalogues_of_a_folder_are_found_by_language(tmp_path: Path) -> None:
    assert list(BitextFile(tree(tmp_path), SWAHILI).pairs()) == [OPEN, CLOSE]


def test_catalogue_with_two_names_is_read_once(tmp_path: Path) -> None:
    folder = tree(tmp_path)
    (folder / "locale/sw/LC_MESSAGES/same.mo").symlink_to("app.mo")
    assert list(BitextFile(folder, SWAHILI).pairs()) == [OPEN, CLOSE]


@pytest.mark.parametrize("suffix", [".xz", ""])
def test_catalogues_of_a_debian_package_are_read_without_unpacking(tmp_path: Path, suffix: str) -> None:
    members = {
        "./usr/share/locale/sw/LC_MESSAGES/app.mo": compiled("Open", "Fungua"),
        "../../sw.po": b"",
        "a/fr.po": b"",
    }
    path = debian(tmp_path / "app.deb", members, suffix=suffix)
    assert list(BitextFile(path, ReaderOptions(language="sw")).pairs()) == [OPEN]
    assert list(tmp_path.iterdir()) == [path]


def test_installed_python_package_is_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path / "kamusi")
    information = tmp_path / "kamusi-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: kamusi\nVersion: 1.0\n", encoding="utf-8")
    (information / "RECORD").write_text("kamusi/po/app-sw.po,,\nkamusi/po/fr.po,,\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert list(BitextFile(Path("kamusi"), SWAHILI).pairs()) == [CLOSE]


def test_installed_debian_package_is_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [str(path) for path in tree(tmp_path / "root").rglob("*")]
    (tmp_path / "app:amd64.list").write_text("\n".join(files) + "\n", encoding="utf-8")
    monkeypatch.setattr(subject, "DPKG", tmp_path)
    assert set(BitextFile(Path("app"), SWAHILI).pairs()) == {OPEN, CLOSE}


def test_broken_catalogue_is_one_flaw_among_the_others(tmp_path: Path) -> None:
    (tree(tmp_path) / "po" / "sw.mo").write_bytes(b"broken")
    flaws = [record.flaw for record in BitextFile(tmp_path, SWAHILI)]
    assert flaws == ["", "", "no readable gettext catalogue"]


def test_damaged_catalogue_is_one_flaw_whatever_its_name(tmp_path: Path) -> None:
    folder = tree(tmp_path) / "sw"
    folder.mkdir()
    (folder / "b.po.gz").write_bytes(gzip.compress(catalog("Yes", "Ndiyo"))[:-20])
    (folder / os.fsdecode(b"\xff-x.mo")).write_bytes(b"broken")
    found = list(BitextFile(tmp_path, SWAHILI))
    assert [record.flaw for record in found] == [
        "",
        "",
        "no readable gettext catalogue",
        "no readable gettext catalogue",
    ]
    assert [record.english for record in found[2:]] == ["sw/b.po.gz", "sw/?-x.mo"]


def test_catalogue_that_is_too_long_is_one_flaw_among_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "MAX_CATALOG_BYTES", 1_000)
    members = {"po/a/sw.po": catalog("x" * 1_000, "y"), "po/b/sw.po": catalog("Open", "Fungua")}
    path = debian(tmp_path / "app.deb", members)
    folder = tmp_path / "folder"
    for name, content in members.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(content)
    for source in (path, folder):
        long, read = BitextFile(source, SWAHILI)
        assert (long.english, long.flaw) == ("po/a/sw.po", subject._LONG)
        assert read.english == "Open"


def test_catalogue_that_is_an_archive_bomb_stops_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "FREE_BYTES", 10_000)
    bomb = {"sw/a.po": catalog("Open", "Fungua"), "sw/b.po": b"\0" * 60_000_000, "sw/c.po": catalog("Close", "Funga")}
    path = debian(tmp_path / "app.deb", bomb)
    with pytest.raises(DataError, match="archive bomb"):
        list(BitextFile(path, SWAHILI))


def test_compressed_catalogue_of_a_debian_package_is_decompressed(tmp_path: Path) -> None:
    packed = gzip.compress(catalog("Open", "Fungua"))
    path = debian(tmp_path / "app.deb", {"sw/a.po.gz": packed[:-9], "sw/z.po.gz": packed})
    assert [record.flaw for record in BitextFile(path, SWAHILI)] == ["no readable gettext catalogue", ""]


def test_package_that_is_cut_between_catalogues_is_refused(tmp_path: Path) -> None:
    members = {"sw/a.po": catalog("Open", "Fungua"), "sw/z.po": catalog("Close", "Funga")}
    path = debian(tmp_path / "app.deb", members, suffix="")
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b"sw/z.po")])
    with pytest.raises(DataError, match="whole"):
        list(BitextFile(path, SWAHILI))


def test_catalogue_of_another_language_is_one_flaw_among_the_others(tmp_path: Path) -> None:
    folder = tree(tmp_path)
    german = catalog("Close", "Schließen").replace(b'UTF-8\\n"', b'UTF-8\\n"\n"Language: de\\n"')
    (folder / "po/more-sw.po").write_bytes(german)
    assert [record[1:4] for record in BitextFile(folder, SWAHILI)][-1] == (
        "po/more-sw.po",
        "",
        "catalogue in another language",
    )


def test_dialects_that_are_read_together_are_told(tmp_path: Path) -> None:
    names = ("zh_CN/LC_MESSAGES/a.mo", "zh_CN/LC_MESSAGES/b.mo", "zh_TW.UTF-8/LC_MESSAGES/a.mo", "zh-tools/a-zh.mo")
    for name in names[:2]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(compiled("Open", "打开"))
    one = ReaderOptions(BitextFormat.GETTEXT, "zh")
    assert len(list(BitextFile(tmp_path, one))) == 2
    for name in names[2:]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(compiled("Open", "開啟"))
    with pytest.warns(UserWarning, match=r"of zh \(1\), zh_CN \(2\), zh_TW \(1\) were read together"):
        assert len(list(BitextFile(tmp_path, one))) == 4
    assert len(list(BitextFile(tmp_path, ReaderOptions(BitextFormat.GETTEXT, "zh_TW")))) == 1


@pytest.mark.parametrize(
    ("marked", "plain"),
    [
        (("_Open", "F_ungua"), OPEN),
        (("&Open", "&Fungua"), OPEN),
        (("Save _As…", "Hifadhi _Kama…"), ("Save As…", "Hifadhi Kama…")),
        (("Sa_ve As", "_Hifadhi Kama"), ("Save As", "Hifadhi Kama")),
        (("E&xit", "終了 (&X)"), ("Exit", "終了")),
        (("_File", "文件(_F)"), ("File", "文件")),
        (("_Édition", "_Hariri"), ("Édition", "Hariri")),
    ],
)
def test_letters_of_menus_are_not_marked(tmp_path: Path, marked: tuple[str, str], plain: tuple[str, str]) -> None:
    (tmp_path / "a.po").write_bytes(catalog(*marked))
    assert list(BitextFile(tmp_path / "a.po").pairs()) == [plain]


@pytest.mark.parametrize(
    ("english", "translation"),
    [
        ("R&D budget", "Bajeti ya R&D"),
        ("R&D budget", "Bajeti ya U&M"),
        ("R&D budget", "Bajeti ya &Utafiti"),
        ("AT&T phones", "Simu za AT&T"),
        ("Questions (Q&A)", "Maswali (Q&A)"),
        ("Set user_name now", "Weka user_name sasa"),
        ("Set user_name now", "Weka jina_la sasa"),
        ("The field _id is missing", "Sehemu ya _id haipo"),
        ("Fish &amp; chips", "Samaki &amp; chipsi"),
        ("Fish &amp; chips", "Samaki&nbsp;na chipsi"),
        ("file_name of _x", "sunan file_name"),
        ("_Open", "&Fungua"),
    ],
)
def test_words_with_the_sign_of_a_menu_letter_keep_it(tmp_path: Path, english: str, translation: str) -> None:
    (tmp_path / "a.po").write_bytes(catalog(english, translation))
    assert list(BitextFile(tmp_path / "a.po").pairs()) == [(english, translation)]


def test_truncated_package_is_refused(tmp_path: Path) -> None:
    path = debian(tmp_path / "app.deb", {"sw.po": catalog("Open", "Fungua") * 50})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="whole"):
        list(BitextFile(path, SWAHILI))
    path.write_bytes(b"!<arch>\nrest")
    with pytest.raises(DataError, match=r"no data\.tar"):
        list(BitextFile(path, SWAHILI))


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no package of this name"):
        list(BitextFile(Path("no-such-package-of-any-kind"), SWAHILI))
    with pytest.raises(DataError, match="no gettext catalogue in 'so'"):
        list(BitextFile(tree(tmp_path), ReaderOptions(BitextFormat.GETTEXT, "so")))
    with pytest.raises(ConfigError, match="--language"):
        list(BitextFile(tmp_path, ReaderOptions(BitextFormat.GETTEXT)))
