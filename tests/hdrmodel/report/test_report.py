"""The report: a page that stands alone, says what the numbers allow, and names what is missing."""

import base64
import csv
import json
import re
import shutil
import subprocess
import zlib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hdrdata.cameras.exposure import WHITE
from hdrdata.files.disk import write_json
from hdrdata.files.exr import write_exr
from hdrdata.files.ldr import write_png
from hdrmodel.metrics.table import SETS as METRIC_SETS
from hdrmodel.report.brief import format_brief
from hdrmodel.report.charts import MINUS, NO_VALUE, Axis, decades, fit_axis, format_number, round_steps, thin
from hdrmodel.report.figures import Method, bar_chart, curve_of
from hdrmodel.report.inputs import metrics_of, read_variant
from hdrmodel.report.page import format_duration, read_variants, write_report
from hdrmodel.report.pictures import SATURATED, Crop, choose_crops, choose_scenes, encode_rgbe, pack_radiance, shrink
from hdrmodel.scores.intervals import difference_interval
from hdrmodel.scores.methods import SETS
from stages.report import main as report_stage

# name, set, alignment, unit, digits, higher is better, resolution
COLUMNS = {
    "psnr_ldr": ("PSNR", "ldr", None, "dB", 2, True, 0.3),
    "ssim_ldr": ("SSIM", "ldr", None, "", 3, True, None),
    "lpips_ldr": ("LPIPS", "ldr", None, "", 3, False, None),
    "psnr_tonemapped": ("PSNR", "tonemapped", None, "dB", 2, True, 0.3),
    "ssim_tonemapped": ("SSIM", "tonemapped", None, "", 3, True, None),
    "psnr_pu21_none": ("PU21-PSNR", "hdr", "none", "dB", 2, True, 3.5),
    "psnr_pu21_gain": ("PU21-PSNR", "hdr", "gain", "dB", 2, True, 3.5),
    "psnr_pu21_crf": ("PU21-PSNR", "hdr", "crf", "dB", 2, True, 3.5),
}
KEYS = [*COLUMNS]
SEEDED = ("network", "step0", "network_debevec", "network_mertens")  # the methods that depend on the seed
ABSENT = "install lpips and put the AlexNet weights where torch looks for them"
# in the order of COLUMNS
MEANS = {
    "base": {
        "network": (21.30, 0.913, None, 23.1, 0.921, 17.1, 27.4, 31.0),
        "step0": (9.10, 0.402, None, 14.2, 0.611, 11.0, 19.9, 22.2),
        "network_debevec": (None, None, None, 22.6, 0.915, 16.8, 26.3, 30.2),
        "network_mertens": (None, None, None, 19.5, 0.887, None, None, None),
    },
    "spatial": {
        "network": (21.45, 0.915, None, 22.7, 0.918, 17.3, 27.9, 31.4),
        "step0": (8.80, 0.391, None, 14.0, 0.600, 10.9, 19.5, 22.1),
    },
    "expandnet": {
        "network": (19.55, 0.871, None, 21.8, 0.902, 15.5, 22.1, 28.0),
        "step0": (7.70, 0.300, None, 13.0, 0.500, 10.0, 18.0, 21.0),
    },
    "theirs": {"network": (None, None, None, 24.4, 0.931, 18.8, 31.9, 33.5)},
}
KINDS = {"expandnet": "baseline", "theirs": "predictions"}
SHARED_ROWS = {
    "clipped_constant": (20.9, 0.862, None, 24.1, 0.931, 17.05, 27.2, 31.3),
    "clipped_constant_srgb": (19.2, 0.843, None, 22.5, 0.911, 16.3, 25.4, 30.1),
    "clipped_best": (None, None, None, 24.3, 0.933, 17.4, 28.0, 31.9),
    "input_crf": (20.6, 0.861, None, 24.0, 0.93, 17.0, 27.1, 31.2),
    "input_srgb": (18.9, 0.842, None, 22.4, 0.91, 16.2, 25.3, 30.0),
    "oracle": (None, None, None, 38.2, 0.991, 40.5, 44.0, 45.1),
}
PROTOCOL = {
    "ldr": "Each generated exposure against the true one, display-referred, peak 1.",
    "tonemapped": "Merged and true radiance, tone-mapped by Reinhard's operator.",
    "clipped": "log2 of the estimate over the truth.",
    "hdr": "PU21 on absolute light, peak 256.",
    "merge": "Debevec and Malik's weights.",
    "responses": "known, sRGB, estimated.",
    "floors": "clipped values times 1.25.",
    "intervals": "95 %, by bootstrap over scenes.",
    "alignments": "none; one gain; the 20 parameters of Hanji et al.",
}
BOOTSTRAP = {"resamples": 500, "seed": 3}
SIDE = 48  # of the pictures; a crop has 12


def write_variant(
    runs: Path,
    scores: Path,
    name: str,
    scenes: tuple[str, ...] = ("church", "street"),
    seeds: tuple[int, ...] = (0,),
) -> None:
    """Write what train and evaluate leave of one variant, by their contracts; MEANS is the mean over the seeds.

    The scenes differ by 2 dB, and by the same for all methods, so that paired differences are those of MEANS exactly;
    but SSIM of the LDR set, by which spatial is better in the one scene and worse in the other.
    """
    kind = KINDS.get(name, "attention")
    seeds = () if kind == "predictions" else seeds
    methods = MEANS[name] | SHARED_ROWS
    off_by = {seed: 0.4 * (place - (len(seeds) - 1) / 2) for place, seed in enumerate(seeds)}  # two: -0.2 and 0.2
    cases = [(m, s, v) for m, v in methods.items() for s in (off_by if m in SEEDED and seeds else [""])]
    by_ev = {
        m: {str(ev / 2): {"psnr": v[0] - abs(ev), "ssim": v[1], "lpips": None} for ev in range(-4, 5) if ev}
        for m, v in methods.items()
        if v[0]
    }
    means = {method: dict(zip(KEYS, values, strict=True)) for method, values in methods.items()}
    facts = ("name", "set", "alignment", "unit", "digits", "higher_is_better", "resolution")
    write_json(
        scores / name / "summary.json",
        {
            "format": "scores-3",
            "variant": name,
            "kind": kind,
            "seeds": seeds,
            "stacks": len(scenes),
            "scenes": len(scenes),
            "pictures": 8 * len(scenes),
            "protocol": PROTOCOL,
            "columns": {
                key: dict(zip(facts, column, strict=True)) | {"metric": key.rpartition("_")[0]}
                for key, column in COLUMNS.items()
            },
            "absent": {"lpips": ABSENT},
            "scores": means,
            "intervals": {
                method: {
                    key: None if value is None or len(scenes) < 2 else move((value,), -0.5) + move((value,), 0.5)
                    for key, value in of_method.items()
                }
                for method, of_method in means.items()
            },
            "scores_by_seed": {
                str(seed): {
                    method: dict(zip(KEYS, move(methods[method], off_by[seed]), strict=True))
                    for method in SEEDED
                    if method in methods
                }
                for seed in seeds
            },
            "strata": [
                {"label": "0-1 %", "low": 0.0, "high": 0.01, "pictures": 0, "scenes": 0, "scores": {}},
                {
                    "label": "5-20 %",
                    "low": 0.05,
                    "high": 0.2,
                    "pictures": len(scenes),
                    "scenes": len(scenes),
                    "scores": {m: dict(zip(KEYS, move(v, -0.25), strict=True)) for m, v in methods.items()},
                },
            ],
            "by_ev": by_ev,
            "costs": {
                "parameters": 432000 if seeds else None,
                "gmacs": 21.75 if seeds else None,
                "size": 256 if seeds else None,
                "seconds_per_stack": 0.031 if seeds else None,
                "device": "cpu (2 threads)" if seeds else None,
            },
            "clipped_factors": {"known": 1.25, "srgb": 1.3, "pictures": 40},
            "bootstrap": BOOTSTRAP,
            "lpips": f"absent: {ABSENT}",
            "data": "cd34" * 16,
            "versions": {"torch": "2.11.0", "numpy": "2.3.1"},
            "command": f"python -m stages.evaluate {name}",
        },
    )
    with (scores / name / "per_picture.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["key", "scene", "view", "crf", "method", "seed", "clipped_share", *KEYS])
        for number, scene in enumerate(scenes):
            side = number - (len(scenes) - 1) / 2  # two scenes: a mean 1 below and 1 above
            for method, seed, values in cases:
                row = ["" if v is None else v for v in move(values, 2 * side + off_by.get(seed, 0))]
                if name == "spatial" and method == "network":
                    row[1] += 0.02 * side
                writer.writerow([f"{scene}-000_gamma", scene, f"{scene}-000", "gamma", method, seed, 0.1, *row])
    for scene in scenes:
        write_pictures(scores / name / "pictures" / f"{scene}-000_gamma", kind)
    if kind != "predictions":
        write_runs(runs / name, name, seeds)


def write_pictures(folder: Path, kind: str) -> None:
    """A ramp whose upper left corner saturates the input and whose lower right one has texture."""
    ramp = np.repeat(np.linspace(0, 200, SIDE * SIDE).reshape(SIDE, SIDE, 1).astype(np.uint8), 3, axis=2)
    source, textured = ramp.copy(), ramp.copy()
    source[2:14, 3:15] = 254
    textured[30:42:2, 31:43] = 255
    radiance = (np.exp2(np.linspace(-6, 4, SIDE * SIDE * 3)).reshape(SIDE, SIDE, 3)).astype(np.float16)
    for picture, pixels in (("input", source), ("network", ramp), ("truth", textured)):
        write_png(folder / f"{picture}.png", pixels)
    write_exr(folder / "network.exr", radiance / 2)
    write_exr(folder / "truth.exr", radiance)
    for strip in ("stack", "truth_stack") if kind == "attention" else ():
        write_png(folder / f"{strip}.png", np.tile(ramp, (1, 9, 1)))


def write_runs(folder: Path, name: str, seeds: tuple[int, ...]) -> None:
    """What train leaves."""
    terms = ("total", "reconstruction", "representation", "perceptual", "total_variation")
    validation = [
        {"step": s, "psnr_ldr": 9.1 + 12 * s / 200, "psnr_ldr_by_ev": {"-2": 8.0, "2": None}} for s in range(0, 201, 50)
    ]
    for place, seed in enumerate(seeds):
        write_json(
            folder / str(seed) / "run.json",
            {
                "variant": name,
                "seed": seed,
                "parameters": 432000,
                "config": {"steps": 200, "batch": 4, "crop": 128, "width": 0.25},
                "trunk": {"name": "vgg16-stlpips", "sha256": "ab12" * 16},
                "data": "cd34" * 16,
                "hours": 0.04 + 0.02 * place,
                "steps_per_second": 1.9,
                "peak_memory_mb": None,
                "device": "cpu",
                "validation": validation,
                "loss": [
                    {"step": s} | {t: 300.0 / (s * (k + 1)) for k, t in enumerate(terms)} for s in range(10, 201, 10)
                ],
                "versions": {"torch": "2.11.0"},
            },
        )


def move(values: tuple[float | None, ...], by: float) -> list[float | None]:
    """Scores in dB moved by so much, the others, [0, 1], by a twentieth of it."""
    return [v if v is None else round(v + by * (1 if v > 1 else 0.05), 6) for v in values]


@pytest.fixture
def inputs(tmp_path) -> tuple[Path, Path]:
    runs, scores = tmp_path / "runs", tmp_path / "scores"
    for name in ("base", "spatial"):
        write_variant(runs, scores, name)
    return runs, scores


class Page(HTMLParser):
    """What a test asks of a page: its elements, its text, and the cells of its tables."""

    VOID = ("meta", "img", "br", "link", "input")

    def __init__(self, path: Path):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID and not self.get_starttag_text().endswith("/>"):
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        if self.get_starttag_text().endswith("/>") and self.open[-1] != tag:
            return
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        if "script" in self.open or "style" in self.open:
            return
        self.text += data
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def table(self, head: str) -> dict[str, list[str]]:
        """The rows, by their first cell, of the first table whose first cell starts so."""
        rows = next(table for table in self.tables if table[0][0].startswith(head))
        return {row[0]: row[1:] for row in rows}

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


def write_page(inputs, out: Path, variants=("base", "spatial"), seeds=(0,)) -> Page:
    return Page(write_report(*inputs, out, variants, seeds))


def test_the_page_asks_for_nothing_outside_itself(inputs, tmp_path):
    page = write_page(inputs, tmp_path / "report")
    assert page.open == []
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == ["index.html", "plots"]
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        assert "src" not in attributes or re.match("data:image/(jpeg|png);base64,", attributes["src"])
        assert "href" not in attributes or attributes["href"].startswith("#")
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv"))
    assert policy.startswith("default-src 'none'")
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link["href"][1:] for link in page.all("a")} <= {*ids}
    assert {label["for"] for label in page.all("label") if "for" in label} <= {*ids}
    assert not re.search("https?://|url\\(|@import", (tmp_path / "report" / "index.html").read_text())


def test_the_same_inputs_give_the_same_bytes(inputs, tmp_path):
    for name in ("a", "b"):
        write_report(*inputs, tmp_path / name, ("base", "spatial"), (0,))
    first, second = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in ("a", "b")
    )
    assert first == second and len(first) > 5


def test_the_page_opens_with_a_table_of_five_rows_and_the_terminal_has_ten(inputs, tmp_path):
    page = write_page(inputs, tmp_path)
    table = page.tables[0]
    assert [row[0] for row in table] == ["Summary", "LDR input, known CRF", "clipped x constant, known CRF", "spatial"]
    assert table[3][1] == "27.90"  # PU21-PSNR after a gain, of the better variant
    read = read_variants(*inputs, ("base", "spatial"), (0,))
    lines = format_brief(read, metrics_of(read[0].summary))
    assert [line.split("  ")[0] for line in lines[3:5]] == ["base", "spatial"] and len(lines) <= 12
    assert "PU21-PSNR dB" in lines[0]


def test_the_main_table_has_the_variants_the_floors_the_classical_merges_and_the_ceiling(inputs, tmp_path):
    page = write_page(inputs, tmp_path)
    rows = page.tables[1]  # after the summary
    assert rows[0] == ["Method", "LDR set", "Tone-mapped set"]
    assert [row[0] for row in rows[2:]] == [
        "base",
        "spatial",
        "clipped x constant, known CRF",
        "clipped x constant, as sRGB",
        "LDR input, known CRF",
        "LDR input, as sRGB",
        "base, Debevec",
        "base, Mertens",
        "bound: best constant a picture",
        "oracle: true stack",
    ]
    base = page.table("Method")["base"]
    assert base[0] == f"21.3020.80{NO_VALUE}21.80"  # 95 % interval: 0.5 below and above
    assert base[3] == f"23.10†22.60{NO_VALUE}23.60"  # clipped values times a constant have 24.1
    assert page.table("Method")["base, Mertens"][3] == f"19.50†19.00{NO_VALUE}20.00"
    assert page.table("Method")["LDR input, as sRGB"][3] == f"22.4021.90{NO_VALUE}22.90"  # a floor is not below itself
    assert rows[-1][1:4] == [NO_VALUE] * 3
    assert (
        sum(row[0].endswith("step 0") for table in page.tables for row in table) == 8 + 4
    )  # folded, 3 alignments; by exposure


def test_each_alignment_has_its_own_table_and_one_is_chosen(inputs, tmp_path):
    page = write_page(inputs, tmp_path)
    tables = {table[0][1]: table for table in reversed(page.tables) if table[0][1:2] and "alignment" in table[0][1]}
    for alignment, words, place in (("none", "none", 5), ("gain", "gain", 6), ("crf", "CRF", 7)):
        row = tables[f"HDR set, alignment: {words}"][2]
        assert row[1].startswith(f"{MEANS['base']['network'][place]:.2f}"), alignment
    radios = page.all("input")[:3]
    assert [radio["value"] for radio in radios] == ["none", "gain", "crf"]
    assert [radio["value"] for radio in radios if "checked" in radio] == ["gain"]


def test_only_the_best_value_that_is_separable_from_all_others_is_bold(inputs, tmp_path):
    def bold(page: Page) -> int:
        return sum("best" in a.get("class", "").split() for a in page.all("td"))

    # tone-mapped PSNR (0.4 dB) and SSIM; not LDR PSNR (0.15 dB of 0.3), nor LDR SSIM (better in one scene of two), nor
    # PU21-PSNR (under 3.5 dB)
    assert bold(write_page(inputs, tmp_path / "two")) == 2
    assert bold(write_page(inputs, tmp_path / "one", ("base",))) == 0


def test_an_absent_metric_is_said_with_the_way_to_get_it(inputs, tmp_path):
    page = write_page(inputs, tmp_path)
    assert f"LPIPS is absent: {ABSENT}" in page.words
    assert page.tables[1][1][2].endswith("absent: see below")


def test_differences_have_interval_wins_and_verdict_with_its_reason(inputs, tmp_path):
    page = write_page(inputs, tmp_path)
    table = next(table for table in page.tables if table[0][1:3] == ["base", "spatial"])
    assert table[0][3:] == ["Difference", "95 % interval", "Winsof pictures", "Verdict"]
    rows = {" ".join(row[0].split()): row[1:] for row in table[1:]}
    # 21.45 - 21.30 in every scene
    resolution = "not separable: under the metric's resolution of 0.3 dB"
    assert rows["PSNR ↑ LDR"] == ["21.30", "21.45", "+0.15 dB", "+0.15 to +0.15", "100 %", resolution]
    assert rows["PSNR ↑ tone-mapped"] == [
        "23.10",
        "22.70",
        f"{MINUS}0.40 dB",
        f"{MINUS}0.40 to {MINUS}0.40",
        "0 %",
        "worse",
    ]
    # 0.002 - 0.01 and 0.002 + 0.01
    assert (
        rows["SSIM ↑ LDR"][2::2] == ["+0.002", "50 %"]
        and rows["SSIM ↑ LDR"][5] == "not separable: the interval holds 0"
    )
    assert rows["PU21-PSNR ↑ HDR, CRF-aligned"][2] == "+0.40 dB"
    assert not any(name.startswith("LPIPS") for name in rows)
    others = [table[0][2] for table in page.tables if table[0][1:2] == ["base"]]
    floors = ["clipped x constant, known CRF", "clipped x constant, as sRGB"]
    assert others == ["spatial", *floors, "LDR input, known CRF", "LDR input, as sRGB"]


def test_the_page_says_what_the_numbers_say(inputs, tmp_path):
    words = write_page(inputs, tmp_path).words
    # none: seven scores; better than the floor in PSNR and SSIM of the LDR set, PU21-PSNR unaligned and by gain
    told = "base: 4 of 7 scores are better than doing nothing, which is the LDR input, clipped values times a constant,"
    assert f"{told} with the same knowledge;" in words
    assert "training improves 7 of 7 scores over step 0." in words
    assert "spatial against base: worse in PSNR (tone-mapped), SSIM (tone-mapped), not separable in 5 of 7" in words
    assert "One seed a variant is not a ranking." in words
    assert "With 2 test scenes" in words


def test_what_is_not_told_the_camera_response_has_rows_and_is_held_against_what_is_not_told_it_either(
    inputs, tmp_path, monkeypatch
):
    blind = {
        "network_srgb": (None, None, None, 21.0, 0.88, 16.0, 25.2, 29.9),
        "network_auto": (None, None, None, 22.6, 0.90, 16.5, 26.0, 30.5),
    }
    monkeypatch.setitem(MEANS, "base", MEANS["base"] | blind)
    monkeypatch.setattr("test_report.SEEDED", (*SEEDED, *blind))
    for name in ("base", "theirs"):
        write_variant(*inputs, name)
    page = write_page(inputs, tmp_path, ("base", "theirs"))
    assert [row[0] for row in page.tables[1][2:6]] == ["base", "theirs (predictions)", "base, as sRGB",
                                                        "base, CRF estimated"]  # fmt: skip
    rows = page.table("Method")
    assert rows["base, as sRGB"][3].startswith("21.00†")  # the constant taken for sRGB has 22.5
    assert rows["base, CRF estimated"][3].startswith("22.6022.10")
    assert rows["theirs (predictions)"][3].startswith("24.4023.90")
    table = next(table for table in page.tables if table[0][1:3] == ["base, CRF estimated", "theirs (predictions)"])
    assert table[1][3] == "+1.80 dB"  # 24.4 - 22.6, tone-mapped
    assert "; as sRGB, 0 of 5; CRF estimated, 4 of 5;" in page.words  # SSIM: 0.90 against 0.911


def test_differences_are_drawn_as_the_evaluation_drew_its_intervals(inputs, tmp_path, monkeypatch):
    drawn = []

    def counted(*tables, **options):
        drawn.append((options["resamples"], options["seed"]))
        return difference_interval(*tables, **options)

    monkeypatch.setattr("hdrmodel.report.changes.difference_interval", counted)
    write_page(inputs, tmp_path)
    assert set(drawn) == {(500, 3)}


def test_the_base_is_the_first_variant_where_none_has_no_attention(inputs, tmp_path):
    write_variant(*inputs, "expandnet")
    page = write_page(inputs, tmp_path, ("spatial", "expandnet"))
    assert "Differences to spatial" in page.words
    # 19.55 - 21.45; and the sign of "better" is the metric's
    assert f"{MINUS}1.90 dB" in page.words
    page = write_page(inputs, tmp_path, ("spatial", "base"))
    assert "Differences to base" in page.words and "spatial against base" in page.words


def test_scores_by_clipped_share(inputs, tmp_path):
    page = write_page(inputs, tmp_path)
    table = page.table("PU21-PSNR (dB) ↑HDR, gain-aligned")
    assert next(iter(table.values())) == [f"0{NO_VALUE}1 %0 pictures, 0 scenes", f"5{NO_VALUE}20 %2 pictures, 2 scenes"]
    assert table["spatial"] == [NO_VALUE, "27.65"]  # 27.9 - 0.25
    assert page.table("PSNR (dB) ↑LDR")["LDR input, as sRGB"] == [NO_VALUE, "18.65"]


def test_the_paper_stands_beside_ours(inputs, tmp_path):
    page = write_page(inputs, tmp_path)
    table = page.table("Attention")
    # metrics.md, section 6
    assert table["base"][:3] == ["21.50", "0.9130", "0.1090"] and table["base"][3] == f"21.3020.80{NO_VALUE}21.80"
    assert table["spatial"][:3] == ["22.30", "0.9310", "0.0928"] and table["spatial"][6].startswith("22.70")
    assert table["self (not trained)"] == ["21.20", "0.9090", "0.1040", *[NO_VALUE] * 5]
    hours = page.table("Variant")
    assert hours["spatial"] == ["19.5", "0.04", "200", "4", "cpu"]
    assert hours["base"][0] == NO_VALUE and hours["self (not trained)"][:2] == ["28.5", NO_VALUE]
    assert "200 000 steps of batch 8 on one V100 16 GB" in page.words
    assert page.table("SI-HDR")["ExpandDiff-B"] == ["22.61", "30.15"]
    assert "These are of other data." in page.words


def test_costs(inputs, tmp_path):
    costs = next(table for table in write_page(inputs, tmp_path).tables if table[0][2:3] == ["GMACsa picture"])
    assert costs[1] == ["base", "432\N{NARROW NO-BREAK SPACE}000", "21.75", "256", "31", "cpu (2 threads)"]


def test_baselines_and_predictions_have_the_rows_that_they_have(inputs, tmp_path):
    for name in ("expandnet", "theirs"):
        write_variant(*inputs, name, seeds=(0, 1))
    for name in ("base", "spatial"):
        write_variant(*inputs, name, seeds=(0, 1))
    page = write_page(inputs, tmp_path, ("base", "spatial", "expandnet", "theirs"), (0, 1))
    rows = page.table("Method")
    assert [*rows][2:6] == ["base", "spatial", "ExpandNet", "theirs (predictions)"]
    assert rows["theirs (predictions)"][:3] == [NO_VALUE] * 3 and rows["ExpandNet"][0].startswith("19.55")
    costs = next(table for table in page.tables if table[0][2:3] == ["GMACsa picture"])
    assert costs[4] == ["theirs (predictions)", *[NO_VALUE] * 4, "another program's"]
    table = next(table for table in page.tables if table[0][1:3] == ["base", "theirs (predictions)"])
    assert len(table) == 1 + 5 and table[5][3] == "+2.50 dB"  # no LDR set; 33.5 - 31.0, no seeds against two
    assert (
        "theirs: python -m" not in page.words and "theirs (predictions): python -m stages.evaluate theirs" in page.words
    )
    pictures = [image["alt"] for image in page.all("img") if image.get("alt", "").startswith("Tone-mapped")]
    assert len(pictures) == 2 * 4
    assert not any("theirs" in image.get("alt", "") and "exposures" in image["alt"] for image in page.all("img"))


def test_several_seeds_have_their_means_and_a_curve_each(tmp_path):
    inputs = tmp_path / "runs", tmp_path / "scores"
    for name in ("base", "spatial"):
        write_variant(*inputs, name, seeds=(0, 10, 2))
    page = write_page(inputs, tmp_path, seeds=(0, 10, 2))
    rows = [row for table in page.tables if table[0][:2] == ["Variant", "Seed"] for row in table]
    assert [row[:3] for row in rows[1:4]] == [
        ["base", "0", "20.90"],  # three seeds: 0.4 below the mean, it, 0.4 above
        ["base", "10", "21.30"],
        ["base", "2", "21.70"],
    ]
    words = page.words
    assert "Each was trained with 3 seeds (0, 10, 2); scores are means over them." in words
    assert "Means over 3 seeds" in words and "One seed" not in words
    charts = [svg["aria-label"] for svg in page.all("svg") if svg.get("aria-label", "").startswith("Line chart: ")]
    assert len(charts) == 2 + 1 + 5  # PSNR and SSIM by EV, validation, five losses
    assert all("base, seed 0, base, seed 10, base, seed 2, spatial" in c for c in charts[2:])
    colors = [path["class"] for path in page.all("path") if path.get("class", "").endswith("seed")]
    assert {"curve v0 seed", "curve v1 seed"} <= set(colors)
    assert "216 s" in words  # the mean of 0.04, 0.06 and 0.08 h
    assert "20.30 dB LDR" not in words and "19.90 dB LDR" in words  # the picture is the first seed's: 21.3 - 1 - 0.4


def test_every_picture_and_chart_has_a_text(inputs, tmp_path):
    page = write_page(inputs, tmp_path)
    pictures = [picture for picture in page.all("img") if "src" in picture]
    # scenes x (input, ours, truth, each with two crops; strips: ours, truth)
    assert len(pictures) == 2 * (3 * (1 + 2 + 1) + 2 + 1)
    assert all(picture["alt"] for picture in pictures)
    charts = [svg for svg in page.all("svg") if svg.get("aria-hidden") != "true"]
    assert len(charts) == 7 + 7 + 2 + 1 + 5  # bars and differences without LPIPS, by EV, validation, five losses
    assert all(svg["aria-label"] and svg["role"] == "img" for svg in charts)


def test_whiskers_are_the_intervals(inputs, tmp_path):
    page = write_page(inputs, tmp_path)
    assert "spatial: 21.45 dB; 95 % interval 20.95 to 21.95" in page.text
    assert f"spatial: {MINUS}0.40 dB; 95 % interval {MINUS}0.40 to {MINUS}0.40; worse" in page.text


def test_whiskers_far_beyond_the_bars_are_cut(inputs, tmp_path):
    variant = read_variant("base", 0, *inputs, (0,))
    methods = [Method("a", variant, "network", "v0"), Method("oracle", variant, "oracle", "oracle")]
    metric = metrics_of(variant.summary)[KEYS.index("psnr_pu21_gain")]
    variant.summary.intervals["oracle"][metric.key] = (-40.0, 128.0)
    chart = bar_chart(metric, methods, None, None)
    first, second = chart["bars"]
    assert first["caps"] == [*first["whisker"]] and len(first["caps"]) == 2
    assert second["caps"] == [] and second["interval"] == (-40.0, 128.0)
    assert second["whisker"][0] == 148.0 and second["whisker"][1] == 312.0  # where the axis begins and ends
    assert second["width"] > 100  # of 164: 44 of at most 1.25 x 44, and a little air


def test_one_scene_has_no_intervals(tmp_path):
    write_variant(tmp_path / "runs", tmp_path / "scores", "base", scenes=("church",))
    page = write_page((tmp_path / "runs", tmp_path / "scores"), tmp_path, ("base",))
    assert "None are given here: there is one test scene." in page.words
    assert not any(path.get("class") in ("whisker", "spread") for path in page.all("path"))
    assert "not separable: one scene" in page.words


def test_a_run_without_pictures_or_a_trunk_has_its_page(inputs, tmp_path):
    shutil.rmtree(inputs[1] / "base" / "pictures")
    run = inputs[0] / "base" / "0" / "run.json"
    write_json(run, json.loads(run.read_text()) | {"trunk": None, "config": {"loss": {"perceptual": 0}}})
    page = write_page(inputs, tmp_path, ("base",))
    assert "The evaluation wrote no pictures." in page.text
    assert "loss.perceptual" in page.text


def test_text_of_the_inputs_is_escaped(inputs, tmp_path):
    summary = inputs[1] / "base" / "summary.json"
    summary.write_text(summary.read_text().replace("install lpips", "<script>alert(1)</script>"))
    assert len(write_page(inputs, tmp_path).all("script")) == 1


@pytest.mark.parametrize(
    "missing",
    [
        "scores/spatial/summary.json",
        "scores/base/per_picture.csv",
        "runs/spatial/0/run.json",
        "scores/spatial/pictures/street-000_gamma/stack.png",
        "scores/spatial/pictures/street-000_gamma/truth.exr",
        "scores/base/pictures/church-000_gamma",
    ],
)
def test_a_missing_input_is_named_and_nothing_is_written(inputs, tmp_path, missing):
    path = tmp_path / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(ValueError, match=str(path)) as error:
        write_report(*inputs, tmp_path / "report", ("base", "spatial"), (0,))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "report").exists()


def test_inputs_that_break_their_contract_are_named(inputs, tmp_path):
    summary = inputs[1] / "base" / "summary.json"
    content = json.loads(summary.read_text())
    for broken, wanted in (
        ({"stacks": "many"}, r"base/summary\.json: summary\.stacks: .*got 'many'"),
        ({"format": None}, r"base/summary\.json: format None; expected 'scores-3': evaluate again"),
        ({"protocol": {"ldr": "peak 1"}}, r"base/summary\.json: protocol: no 'merge'; expected ldr, merge, "),
        ({"kind": "guess"}, r"base/summary\.json: summary\.kind: .*got 'guess'"),
    ):
        write_json(summary, content | broken)
        with pytest.raises(ValueError, match=wanted) as error:
            write_report(*inputs, tmp_path, ("base",), (0,))
        assert "\n" not in str(error.value)
    write_json(summary, content)
    with pytest.raises(ValueError, match=r"base/summary\.json: scores of the seeds \[0\]; expected \[0, 1\]"):
        write_report(*inputs, tmp_path, ("base",), (0, 1))
    for method, key in (("oracle", None), ("network", "ssim_ldr")):
        scores = json.loads(json.dumps(content["scores"]))
        scores.pop(method) if key is None else scores[method].pop(key)
        write_json(summary, content | {"scores": scores})
        with pytest.raises(ValueError, match=f"no '{key or method}'"):
            write_report(*inputs, tmp_path, ("base",), (0,))
    write_json(summary, content)
    rows = inputs[1] / "base" / "per_picture.csv"
    text = rows.read_text()
    for broken, wanted in (
        (text.replace("psnr_ldr", "psnr"), r"per_picture\.csv: no column 'psnr_ldr'"),
        (text.replace("20.3,", "high,", 1), r"per_picture\.csv: line 2: psnr_ldr 'high'; expected a number"),
        (text + "church-000_gamma,church\n", r"per_picture\.csv: line 22: 2 fields; expected 15"),
        (text.splitlines()[0], r"per_picture\.csv: no rows"),
    ):
        rows.write_text(broken)
        with pytest.raises(ValueError, match=wanted):
            write_report(*inputs, tmp_path, ("base",), (0,))


def test_pictures_that_break_their_contract_are_named(inputs, tmp_path):
    folder = inputs[1] / "base" / "pictures" / "church-000_gamma"
    write_exr(folder / "network.exr", np.zeros((8, 9, 3), np.float16))
    with pytest.raises(ValueError, match=r"network\.exr: 9x8 pixels; expected 48x48 pixels, as the input"):
        write_report(*inputs, tmp_path, ("base",), (0,))
    write_exr(folder / "network.exr", np.zeros((SIDE, SIDE, 3), np.float32))
    with pytest.raises(ValueError, match=r"network\.exr: float32 pixels"):
        write_report(*inputs, tmp_path, ("base",), (0,))
    (folder / "truth.png").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"truth\.png: "):
        write_report(*inputs, tmp_path, ("base",), (0,))


def test_variants_that_cannot_share_a_table_are_refused(inputs, tmp_path):
    summary = inputs[1] / "spatial" / "summary.json"
    content = json.loads(summary.read_text())
    write_json(summary, content | {"protocol": PROTOCOL | {"hdr": "PU21 with peak 1."}})
    with pytest.raises(ValueError, match=r"spatial/summary\.json: a different protocol than .*base/summary\.json"):
        write_report(*inputs, tmp_path, ("base", "spatial"), (0,))
    fewer = {key: column for key, column in content["columns"].items() if key != "psnr_pu21_crf"}
    write_json(summary, content | {"columns": fewer})
    with pytest.raises(ValueError, match=r"spatial/summary\.json: different columns than .*base/summary\.json"):
        write_report(*inputs, tmp_path, ("base", "spatial"), (0,))
    write_variant(*inputs, "spatial", scenes=("church", "tower"))
    with pytest.raises(
        ValueError, match=r"spatial/per_picture\.csv: scores different stacks than .*base/per_picture\.csv"
    ):
        write_report(*inputs, tmp_path, ("base", "spatial"), (0,))


def test_the_stage_reads_the_variants_and_seeds_of_params(inputs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    Path("params.yaml").write_text("variants: [base]\nseeds: [0]\n")
    result = run(report_stage, ["runs", "scores", "report"])
    lines = result.output.splitlines()
    assert (
        result.exit_code == 0 and lines[-1] == "report/index.html" and any(line.startswith("base ") for line in lines)
    )
    write_variant(*inputs, "theirs")
    write_json(inputs[1] / "spatial" / "summary.json", {"variant": "spatial"})  # once evaluated, by an older program
    result = run(report_stage, ["runs", "scores", "report"])  # and the predictions that lie beside
    assert result.exit_code == 0 and "\ntheirs (predictions) " in result.output and "\nspatial " not in result.output
    Path("params.yaml").write_text("variants: [base, se]\nseeds: [0]\n")
    result = run(report_stage, ["runs", "scores", "report"])
    assert result.exit_code == 1 and "scores/se/summary.json: no such file" in result.output
    Path("params.yaml").write_text("scan: {}\n")
    assert "variants: expected a list of names" in run(report_stage, ["runs", "scores", "report"]).output
    for wrong in ("[0, 0]", "[true]", "[-1]", "[]", "0"):
        Path("params.yaml").write_text(f"variants: [base]\nseeds: {wrong}\n")
        assert "seeds: expected a list of whole numbers" in run(report_stage, ["runs", "scores", "report"]).output


def test_the_curves_of_all_variants_and_seeds_are_one_file_and_each_variant_has_a_picture(inputs, tmp_path):
    for name in ("base", "spatial"):
        write_variant(*inputs, name, seeds=(0, 1))
    write_variant(*inputs, "theirs")
    picture = inputs[0] / "spatial" / "0" / "dvclive" / "plots" / "images" / "validation.png"
    write_png(picture, np.full((4, 8, 3), 7, np.uint8))
    write_page(inputs, tmp_path, ("base", "spatial", "theirs"), (0, 1))
    rows = json.loads((tmp_path / "plots" / "validation.json").read_text())
    runs = {(row["variant"], row["seed"]) for row in rows}
    assert runs == {(name, seed) for name in ("base", "spatial") for seed in (0, 1)}  # and none of predictions
    run = json.loads((inputs[0] / "spatial" / "1" / "run.json").read_text())
    ours = [(row["step"], row["psnr_ldr"]) for row in rows if (row["variant"], row["seed"]) == ("spatial", 1)]
    assert ours == [(point["step"], point["psnr_ldr"]) for point in run["validation"]] and ours
    assert [path.name for path in (tmp_path / "plots" / "validation").iterdir()] == ["spatial.png"]
    assert (tmp_path / "plots" / "validation" / "spatial.png").read_bytes() == picture.read_bytes()


def test_plots_have_the_numbers_of_the_page(inputs, tmp_path):
    write_page(inputs, tmp_path / "report")
    rows = json.loads((tmp_path / "report" / "plots" / "psnr_ldr.json").read_text())
    assert rows[0] == {"method": "base", "value": 21.3, "low": 20.8, "high": 21.8}
    floors = ["clipped x constant, known CRF", "clipped x constant, as sRGB", "LDR input, known CRF"]
    assert [row["method"] for row in rows] == ["base", "spatial", *floors, "LDR input, as sRGB"]
    assert not (tmp_path / "report" / "plots" / "lpips_ldr.json").exists()


# Pictures


def test_crops_are_where_the_rule_says(inputs, tmp_path):
    write_pictures(tmp_path, "attention")
    source = np.zeros((SIDE, SIDE, 3), np.uint8)
    truth = source.copy()
    source[2:14, 3:15, 1] = 254  # one channel is enough; 253 is not
    source[20:40, 20:40] = 253
    truth[30:42:2, 31:43] = 255
    first, second = choose_crops(source, truth)
    assert first == Crop("A", 3, 2, 12, "most saturated input pixels, 100 % of it")
    # Six lines of twelve pixels: the window above by one holds the first line's upper edge, and all others' both.
    assert (second.left, second.side) == (31, 12) and second.top in (29, 30)
    source[:] = 0
    first, second = choose_crops(source, truth)  # nothing saturates
    assert first.reason == "most texture; no input pixel is saturated" and first.left == 31
    assert abs(first.left - second.left) >= 12 or abs(first.top - second.top) >= 12


@given(
    arrays(
        np.uint8, st.tuples(st.integers(4, 19), st.integers(4, 19), st.just(3)), elements=st.sampled_from([0, 90, 254])
    )
)
def test_crops_lie_inside_do_not_overlap_and_none_has_more_saturated_pixels(source):
    height, width, _ = source.shape
    first, second = choose_crops(source, source)
    for crop in (first, second):
        assert 0 <= crop.left <= width - crop.side and 0 <= crop.top <= height - crop.side
        assert crop.of(source).shape == (min(height, width) // 4, min(height, width) // 4, 3)
    assert abs(first.left - second.left) >= first.side or abs(first.top - second.top) >= first.side
    saturated = (source >= 254).any(axis=2)
    if saturated.any():
        windows = [
            saturated[top : top + first.side, left : left + first.side].sum()
            for top in range(height - first.side + 1)
            for left in range(width - first.side + 1)
        ]
        assert first.of(saturated).sum() == max(windows)


def unpack_radiance(packed: str, height: int, width: int) -> np.ndarray:
    """What the page's script does."""
    planes = np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.uint8).reshape(4, height, width)
    planes = planes.cumsum(axis=1, dtype=np.uint8).cumsum(axis=2, dtype=np.uint8)
    planes[[0, 2]] += planes[1]
    return (planes[:3] * np.exp2(planes[3].astype(np.float64) - 136)).transpose(1, 2, 0)


@given(
    arrays(
        np.float16, st.tuples(st.integers(1, 5), st.integers(1, 5), st.just(3)), elements=st.floats(0, 65504, width=16)
    )
)
def test_packed_radiance_is_within_a_256th_of_the_largest_channel(radiance):
    back = unpack_radiance(pack_radiance(radiance), *radiance.shape[:2])
    light = radiance.astype(np.float64)
    assert (abs(back - light) <= light.max(axis=2, keepdims=True) / 255.5).all()  # from 255.5 on the largest carries


def test_rgbe_bytes():
    # 1 = 128/256 2^1; 0.25 and 0.75 on that scale are 32 and 96. 0.999 rounds to 256/256, which carries to 128/256 2^1.
    radiance = np.array([[[1.0, 0.25, 0.75], [0.999, 0.0, 0.0], [0.0, 0.0, 0.0]]])
    assert encode_rgbe(radiance).tolist() == [[[128, 32, 96, 129], [128, 0, 0, 129], [0, 0, 0, 128]]]


def test_the_light_of_all_scenes_is_shrunk_and_then_left_out(tmp_path):
    inputs = tmp_path / "runs", tmp_path / "scores"
    write_variant(*inputs, "base")
    variant = read_variant("base", 0, *inputs, (0,))
    shown = choose_scenes([variant])
    assert (shown.of, shown.with_radiance) == (2, 2)
    assert shown.longest == 632  # 1,600,000 / (2 scenes x (1 variant + truth)) = 400,000 = 632.5 squared
    shown = choose_scenes([variant] * 14)
    # 15 maps: 163^2 pixels each in both scenes, so 256^2 in one: 15 x 65,536 = 983,040, twice that is too much
    assert (shown.with_radiance, shown.longest) == (1, 256)
    for number in range(12):
        shutil.copytree(variant.pictures / "church-000_gamma", variant.pictures / f"b{number:02}-000_gamma")
    assert (len(choose_scenes([variant]).names), choose_scenes([variant]).of) == (12, 14)
    page = write_page(inputs, tmp_path, ("base",))
    assert "12 of the test stacks, the first of 14 with pictures" in page.words


def test_large_pictures_are_shrunk_by_area():
    assert shrink(np.zeros((600, 900, 3), np.float32), 300).shape == (200, 300, 3)
    picture = np.zeros((2, 2, 3), np.float32)
    picture[0, 0] = 4.0
    assert shrink(picture, 1)[0, 0].tolist() == [1.0, 1.0, 1.0]
    assert shrink(picture, 2) is picture


def test_ticks_are_round_numbers_inside_the_axis():
    assert round_steps(0.0, 27.9) == [0, 5, 10, 15, 20, 25]
    assert round_steps(0.0, 44.0) == [0, 10, 20, 30, 40]  # steps of 5 would be over six
    assert round_steps(-2.0, 2.0) == [-2, -1, 0, 1, 2]
    assert round_steps(0.0, 0.93) == [0, 0.2, 0.4, 0.6, 0.8]
    assert decades(3.0, 60.0) == [5, 10, 20, 50]
    assert fit_axis([0.0, 0.0], 0.0, 10.0, zero=True).at(0.0) == 0  # and no division by the width of nothing
    assert Axis(1.0, 100.0, 0.0, 200.0, log=True).at(10.0) == 100


def test_long_curves_are_averaged_and_short_ones_are_not():
    points = curve_of([{"step": float(s), "total": 2.0 * s} for s in range(480)], "total")
    assert thin(points)[:2] == [(0.5, 1.0), (2.5, 5.0)]  # means of two neighbours
    assert len(thin(points)) == 240
    assert thin(points[:240]) == points[:240]


def test_numbers_are_written_for_readers():
    assert [format_number(v, 2) for v in (-1.5, None, float("inf"))] == [MINUS + "1.50", NO_VALUE, "∞"]
    assert [format_number(v, 1, sign=True) for v in (0.5, 0.01, -0.01)] == ["+0.5", "0.0", "0.0"]
    assert [format_duration(s) for s in (144.0, 1800.0, 70200.0)] == ["144 s", "30 min", "19.5 h"]


def test_a_browser_runs_the_page(inputs, tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no Chromium on this machine")
    page = write_report(*inputs, tmp_path / "report", ("base", "spatial"), (0,))
    tried = """<script>
      const press = (key) => dialog.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
      const dialog = document.querySelector("dialog");
      const caption = () => document.getElementById("enlarged-caption").textContent.split(" ")[0];
      const found = [document.getElementById("hint").hidden, dialog.open];
      const errors = [];
      addEventListener("error", (event) => errors.push(event.message));
      addEventListener("unhandledrejection", (event) => errors.push(String(event.reason)));
      document.querySelector(".zoom").click();
      found.push(dialog.open, caption());
      press("ArrowLeft");
      found.push(caption(), dialog.querySelector("img").src.startsWith("data:image/jpeg"));
      dialog.querySelector("[data-close]").click();
      found.push(dialog.open, document.documentElement.scrollWidth <= innerWidth);

      const seen = (element) => Number(element.offsetHeight > 0);
      const tables = () => [...document.querySelectorAll("#results ~ .side > .aligned")].map(seen).join("");
      found.push(tables());
      document.getElementById("align-crf").click();
      found.push(tables());

      const scene = document.querySelector(".scene"), slider = scene.querySelector("input");
      const label = () => scene.querySelector("output").textContent.replace(" ", "_");
      const canvases = [...scene.querySelectorAll("canvas.light")];  // input, base, spatial, truth
      const pixel = (canvas, x, y) => [...canvas.getContext("2d").getImageData(x, y, 1, 1).data].slice(0, 3).join();
      const exposed = async (ev) => {
        slider.value = ev;
        slider.dispatchEvent(new Event("input"));
        while (scene.dataset.exposed !== String(ev)) await new Promise((done) => setTimeout(done, 5));
      };
      const look = async () => {
        found.push(getComputedStyle(canvases[0]).display, label());
        for (const ev of [0, -4.5, 3]) {
          await exposed(ev);
          found.push(label(), ...canvases.map((canvas) => pixel(canvas, 20, 10)), pixel(canvases[3], 4, 3));
          const crop = canvases[3].closest("figure").parentElement.querySelector(".crop canvas");
          found.push(pixel(crop, 1, 1));  // the crop A begins at 3, 2
        }
        found.push(getComputedStyle(canvases[0]).display, slider.getAttribute("aria-valuetext").replace(" ", "_"));
        scene.querySelector(".exposure button").click();
        found.push(getComputedStyle(canvases[0]).display, label(), slider.value, errors.join() || "fine");
      };
      const tell = () => { document.title = "found " + found.join(" "); };
      look().catch((error) => found.push(String(error))).finally(tell);
    </script>"""
    trial = tmp_path / "trial.html"
    trial.write_text(page.read_text().replace("</body>", tried + "</body>"))
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
    command += ["--disable-background-networking", "--disable-component-update", f"--user-data-dir={tmp_path / 'user'}"]
    command += ["--window-size=500,900", "--virtual-time-budget=20000", "--enable-logging=stderr", "--dump-dom"]
    done = subprocess.run([*command, trial.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    logged = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert all("willReadFrequently" in line for line in logged), logged  # advice on how this test reads pixels
    found = re.search("<title>found (.*)</title>", done.stdout)[1].split()
    # no hint is hidden, closed, open on the input, back round to the truth, a picture, closed, no sideways scrolling
    assert found[:8] == ["false", "false", "true", "Input", "Truth", "true", "false", "true"]
    assert found[8:10] == ["010", "001"]  # the table of the chosen alignment alone: gain, then crf
    assert found[10:12] == ["none", "tone-mapped"]
    radiance = np.exp2(np.linspace(-6, 4, SIDE * SIDE * 3)).reshape(SIDE, SIDE, 3).astype(np.float16).astype(np.float64)
    source = np.linspace(0, 200, SIDE * SIDE).reshape(SIDE, SIDE).astype(np.uint8)[10, 20] / 255
    linear = np.full(3, ((source + 0.055) / 1.055) ** 2.4)
    for place, (ev, label) in enumerate([(0, "0_stops"), (-4.5, f"{MINUS}4.5_stops"), (3, "+3_stops")]):
        words = found[12 + 7 * place : 19 + 7 * place]
        assert words[0] == label
        light = [linear, radiance[10, 20] / 2, radiance[10, 20] / 2, radiance[10, 20], radiance[3, 4], radiance[3, 4]]
        for shown, light_of_pixel in zip(words[1:], light, strict=True):
            exposed = np.minimum(light_of_pixel * 2.0**ev, 1)
            # RGBE is within 1/256 of the light; the sRGB curve, about a 2.4th root, makes half of that, half a level,
            # and rounding another half; its straight part makes less.
            wanted = 255 * np.where(exposed <= 0.0031308, 12.92 * exposed, 1.055 * exposed ** (1 / 2.4) - 0.055)
            assert abs(np.array(shown.split(","), float) - wanted).max() <= 1.02, (ev, shown, wanted)
        assert words[5] == words[6]  # in the crop as in the picture
    assert found[33:] == ["block", "+3_stops", "none", "tone-mapped", "0", "fine"]


def test_a_browser_without_script_shows_the_pictures(inputs, tmp_path):
    page = write_page(inputs, tmp_path)
    controls = [element for element in page.all("div") if element.get("class") == "exposure"]
    assert len(controls) == 2 and all("hidden" in control for control in controls)
    assert "\ncanvas { display: none; }\n" in (tmp_path / "index.html").read_text()


def test_numbers_that_the_report_keeps_without_their_rooms_are_theirs():
    assert SATURATED == WHITE
    assert tuple(SETS) == METRIC_SETS
