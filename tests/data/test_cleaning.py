import random
from pathlib import Path

import pytest
from ir_measures import Qrel

from kivuko.data import cleaning
from kivuko.data.cleaning import clean
from kivuko.data.collections import Collection, Document, Query
from kivuko.data.flaws import CleaningOptions, Reason
from kivuko.data.leakage import JudgedTexts
from kivuko.data.readers import Record

ENGLISH = ["river", "school", "market", "doctor", "bridge", "village", "garden", "letter", "window", "teacher"]
MARATHI = ["नदी", "शाळा", "बाजार", "वैद्य", "पूल", "गाव", "बाग", "पत्र", "खिडकी", "शिक्षक"]
GOOD = [
    (f"The {ENGLISH[i]} is near the {ENGLISH[j]}.", f"{MARATHI[i]} हे {MARATHI[j]} च्या जवळ आहे.")
    for i in range(10)
    for j in range(10)
    if i != j
]


def records(*pairs: tuple[str, str]) -> list[Record]:
    return [Record(number, *pair) for number, pair in enumerate([*GOOD, *pairs], start=1)]


def rejected(tmp_path: Path, *pairs: tuple[str, str], near: float | None = None) -> list[str]:
    report = clean(records(*pairs), tmp_path, options=CleaningOptions(near=near))
    assert report.kept + report.rejected.total() == len(GOOD) + len(pairs)
    return [line.split("\t")[1] for line in (tmp_path / "rejected.tsv").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("english", "translation", "reason"),
    [
        ("Yes.", "", Reason.EMPTY_SIDE),
        ("<b></b>", "होय.", Reason.EMPTY_SIDE),
        ("100 %", "१०० %", Reason.NO_LETTERS),
        ("Copy me.", "copy  me.", Reason.COPY),
        ("%d files", "फायली", Reason.PLACEHOLDERS),
        ("Hello {name}", "नमस्कार {nom}", Reason.PLACEHOLDERS),
        ("The river is wide.", "Mto ni mpana.", Reason.WRONG_SCRIPT),
        ("नदी रुंद आहे", "नदी रुंद आहे का", Reason.WRONG_SCRIPT),
        ("The river is very wide today.", "The river is very wide today. हो", Reason.WRONG_SCRIPT),
        ("The river " * 40, "नदी " * 100, Reason.TOO_LONG),
        ("The river.", "नदी हे गाव च्या जवळ आहे आणि शाळा हे बाग च्या जवळ", Reason.LENGTH_RATIO),
        (*GOOD[0][:1], GOOD[0][1] + " ", Reason.DUPLICATE),
    ],
)
def test_each_flaw_is_named(tmp_path: Path, english: str, translation: str, reason: Reason) -> None:
    assert rejected(tmp_path, (english, translation)) == [reason]


def test_good_pairs_are_all_kept(tmp_path: Path) -> None:
    assert rejected(tmp_path) == []
    kept = (tmp_path / "kept.tsv").read_text(encoding="utf-8").splitlines()
    assert [tuple(line.split("\t")) for line in kept] == GOOD


def test_money_is_no_placeholder_and_a_name_in_both_sides_no_wrong_script(tmp_path: Path) -> None:
    pairs = [
        ("It costs $4 here, 5% less.", "हे येथे चार डॉलर आहे."),
        ("SARS-CoV-2 came.", "SARS-CoV-2 आला."),
        ("The Firefox icon", "Firefoxचे चिन्ह"),
    ]
    assert rejected(tmp_path, *pairs) == []


def test_near_duplicate_is_rejected_only_when_asked(tmp_path: Path) -> None:
    english = "The committee decided yesterday that the new bridge over the river will be built next year."
    translation = "समितीने काल ठरवले की नदीवरील नवीन पूल पुढील वर्षी बांधला जाईल आणि गाव जोडले जाईल."
    pairs = [(english, translation), (english[:-1] + "!", translation[:-1] + "!")]
    assert rejected(tmp_path, *pairs) == []
    assert rejected(tmp_path, pairs[0], pairs[1], near=0.9)[-1:] == [Reason.NEAR_DUPLICATE]


def test_test_items_are_rejected_by_either_side(tmp_path: Path) -> None:
    english, translation = GOOD[3]
    collection = Collection([Document("d", "", "Else.")], [Query("q", translation)], [Qrel("q", "d", 1)])
    report = clean(records(), tmp_path, options=CleaningOptions(near=None), judged=[JudgedTexts(collection, near=1)])
    assert report.rejected == {Reason.TEST_ITEM: 1}
    assert report.examples[Reason.TEST_ITEM].pair == (english, translation)


def test_record_with_a_flaw_is_unreadable_and_says_why(tmp_path: Path) -> None:
    report = clean([*records(), Record(999, "a\tb", "", "3 columns")], tmp_path, options=CleaningOptions(near=None))
    assert report.rejected == {Reason.UNREADABLE: 1}
    assert (tmp_path / "rejected.tsv").read_text(encoding="utf-8") == "999\tunreadable\t3 columns\ta b\t\n"


def test_same_text_gives_the_same_files(tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        clean(records(GOOD[0], ("x", "")), tmp_path / name)
        contents.append([path.read_bytes() for path in sorted((tmp_path / name).iterdir())])
    assert contents[0] == contents[1]


def test_order_of_arguments_may_differ(tmp_path: Path) -> None:
    assert rejected(tmp_path, ("The %s of %d rivers", "%2$d नद्यांपैकी %1$s")) == []


def test_side_that_comes_again_and_again_is_boilerplate(tmp_path: Path) -> None:
    pairs = [
        (f"Now you are on page {page} here", f"{MARATHI[page % 10]} {MARATHI[page // 10]} {MARATHI[page % 7]} पान")
        for page in range(30)
    ]
    assert rejected(tmp_path, *pairs) == [Reason.BOILERPLATE] * 10


def test_text_of_the_other_language_in_the_same_script_is_found(tmp_path: Path) -> None:
    words = [("river", "mto"), ("school", "shule"), ("market", "soko"), ("village", "kijiji"), ("teacher", "mwalimu")]
    good = [
        (f"The {a[0]} is near the {b[0]} and the {c[0]}.", f"{a[1]} iko karibu na {b[1]} pamoja na {c[1]}.")
        for a in words
        for b in words
        for c in words
    ]
    numbered = [(f"{english} {n}", f"{swahili} {n}") for n in range(2) for english, swahili in good]
    wrong = ("The teacher is near the school.", "The teacher is at the school and the market.")
    lines = [Record(number, *pair) for number, pair in enumerate([*numbered, wrong, wrong[::-1]], start=1)]
    report = clean(lines, tmp_path, options=CleaningOptions(near=None, repeats=None))
    assert report.rejected == {Reason.WRONG_LANGUAGE: 2}
    assert "the translation is as the other side" in (tmp_path / "rejected.tsv").read_text(encoding="utf-8")


def of_two_domains(count: int) -> list[tuple[str, str]]:
    """Return pairs of two vocabularies, one behind the other, and a pair of a third between them."""
    draw = random.Random(0)  # noqa: S311
    words = [
        (("river", "mto"), ("school", "shule"), ("market", "soko"), ("village", "kijiji"), ("old man", "mzee")),
        (("health", "afya"), ("virus", "kirusi"), ("hospital", "hospitali"), ("patient", "mgonjwa"), ("drug", "dawa")),
    ]
    made = []
    for domain in words:
        for _ in range(count):
            chosen = [draw.choice(domain) for _ in range(9)]
            made.append((" ".join(each[0] for each in chosen), " ".join(each[1] for each in chosen)))
    return [*made[:count], ("the letter and window", "kirje ja ikkuna seinä yöllä"), *made[count:]]


@pytest.mark.parametrize("most", [400, 20_000])
def test_language_is_told_alike_in_whatever_order_the_text_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(cleaning, "_MOST_TO_TRAIN_ON", most)
    pairs = of_two_domains(600)
    found = []
    for name, order in (("there", pairs), ("back", pairs[::-1]), ("drawn", random.Random(1).sample(pairs, len(pairs)))):  # noqa: S311
        (tmp_path / name).mkdir()
        lines = [Record(number, *pair) for number, pair in enumerate(order, start=1)]
        report = clean(lines, tmp_path / name, options=CleaningOptions(near=None, repeats=None))
        rejected = (tmp_path / name / "rejected.tsv").read_text(encoding="utf-8").splitlines()
        found.append({line.split("\t", 1)[1] for line in rejected})
        assert report.rejected[Reason.WRONG_LANGUAGE] == 1
    assert found[0] == found[1] == found[2]


def test_pair_of_a_sample_does_not_vouch_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = of_two_domains(200)
    lines = [Record(number, *pair) for number, pair in enumerate(pairs, start=1)]
    details = []
    for most in (len(pairs), len(pairs) - 1):
        monkeypatch.setattr(cleaning, "_MOST_TO_TRAIN_ON", most)
        options = CleaningOptions(deviations=0.3, near=None, repeats=None)
        verdicts = cleaning.judge(lines, cleaning.learn(lines), options=options)
        details.append([float(each.detail.split()[3]) for each in verdicts if each.reason is Reason.WRONG_LANGUAGE])
    assert sum(details[0]) == pytest.approx(sum(details[1]), rel=0.02)


def test_misaligned_run_is_rejected_and_what_is_around_it_kept(tmp_path: Path) -> None:
    lines = [f"Year {number}: {'the river ' * (number * 7 % 11 + 1)}" for number in range(1000, 1200)]
    translated = [f"वर्ष {number}: {'नदी ' * (number * 7 % 11 + 1)}" for number in range(1000, 1200)]
    shifted = [*translated[:80], *translated[81:131], "काहीतरी", *translated[131:]]
    pairs = [Record(number, *pair) for number, pair in enumerate(zip(lines, shifted, strict=True), start=1)]
    report = clean(pairs, tmp_path, options=CleaningOptions(near=None, repeats=None))
    rows = [line.split("\t") for line in (tmp_path / "rejected.tsv").read_text(encoding="utf-8").splitlines()]
    assert {int(row[0]) for row in rows} >= set(range(81, 131))
    misaligned = {int(row[0]) for row in rows if row[1] == Reason.MISALIGNED}
    assert misaligned <= set(range(77, 136))
    assert report.rejected[Reason.MISALIGNED] == len(misaligned) > 10
    assert "the translation is that of record -1" in {row[2] for row in rows}


def test_decisions_do_not_depend_on_where_a_batch_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(0)  # noqa: S311
    words = list(zip(ENGLISH, MARATHI, strict=True))
    pairs = []
    for _ in range(400):
        chosen = [draw.choice(words) for _ in range(draw.randint(1, 6))]
        pairs.append((" ".join(word for word, _ in chosen), " ".join(word for _, word in chosen)))
    pairs += [(f"Page {page}, once more", " ".join(draw.sample(MARATHI, 4))) for page in range(9)]
    contents = []
    for size in (7, 32_768):
        monkeypatch.setattr(cleaning, "_BATCH", size)
        (tmp_path / str(size)).mkdir()
        report = clean(
            records(*pairs), tmp_path / str(size), options=CleaningOptions(deviations=99, near=0.7, repeats=1)
        )
        assert {Reason.DUPLICATE, Reason.NEAR_DUPLICATE, Reason.BOILERPLATE} <= report.rejected.keys()
        contents.append([path.read_bytes() for path in sorted((tmp_path / str(size)).iterdir())])
    assert contents[0] == contents[1]
