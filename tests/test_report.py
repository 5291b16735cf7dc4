"""The report: a page that stands alone, says what the numbers allow, and names what is missing."""

import csv
import json
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from hdrdata.disk import write_json
from hdrdata.files import write_png
from hdrmodel.charts import MINUS, Axis, decades, fit_axis, round_steps, thin
from hdrmodel.report import (
    METHODS,
    METRICS,
    NO_VALUE,
    SEEDED,
    curve_of,
    format_duration,
    format_number,
    write_report,
)
from stages.report import main as report_stage

KEYS = [metric.key for metric in METRICS]
ABSENT = "absent: install lpips and put the AlexNet weights where torch looks for them"
# psnr_ldr, ssim_ldr, lpips_ldr, psnr_tonemapped, ssim_tonemapped, psnr_pu21_gain
MEANS = {
    "none": {"network": (21.30, 0.913, None, 23.1, 0.921, 27.4), "step0": (9.10, 0.402, None, 14.2, 0.611, 19.9)},
    "spatial": {"network": (21.45, 0.915, None, 22.7, 0.918, 27.9), "step0": (8.80, 0.391, None, 14.0, 0.600, 19.5)},
}
SHARED_ROWS = {
    "input_crf": (20.6, 0.861, None, 24.0, 0.93, 27.1),
    "input_srgb": (18.9, 0.842, None, 22.4, 0.91, 25.3),
    "oracle": (None, None, None, 38.2, 0.991, 44.0),
}
PROTOCOL = {
    "ldr": "Each generated exposure against the true one, display-referred, peak 1.",
    "tonemapped": "Merged and true radiance, tone-mapped by Reinhard's operator.",
    "hdr": "PU21 with gain alignment, peak 256.",
    "merge": "Debevec and Malik's weights.",
}


def write_variant(
    runs: Path,
    scores: Path,
    name: str,
    scenes: tuple[str, ...] = ("church", "street"),
    seeds: tuple[int, ...] = (0,),
) -> None:
    """Write what train and evaluate leave of one variant, by their contracts; MEANS is the mean over the seeds."""
    methods = dict(zip(METHODS, [MEANS[name]["network"], MEANS[name]["step0"], *SHARED_ROWS.values()], strict=True))
    off_by = {seed: 0.4 * (place - (len(seeds) - 1) / 2) for place, seed in enumerate(seeds)}  # two: -0.2 and 0.2
    cases = [(m, s, v) for m, v in methods.items() for s in (off_by if m in SEEDED else [""])]
    by_ev = {m: {str(ev / 2): v[0] - abs(ev) for ev in range(-4, 5) if ev} for m, v in methods.items() if v[0]}
    write_json(
        scores / name / "summary.json",
        {
            "variant": name,
            "seeds": seeds,
            "stacks": len(scenes),
            "scenes": len(scenes),
            "pictures": 8 * len(scenes),
            "protocol": PROTOCOL,
            "lpips": ABSENT,
            "scores": {method: dict(zip(KEYS, values, strict=True)) for method, values in methods.items()},
            "scores_by_seed": {
                str(seed): {
                    method: dict(zip(KEYS, move(methods[method], off_by[seed]), strict=True)) for method in SEEDED
                }
                for seed in seeds
            },
            "psnr_ldr_by_ev": by_ev | {"oracle": {}},
            "versions": {"torch": "2.11.0", "numpy": "2.3.1"},
            "seconds_per_stack": 0.031,
        },
    )
    with (scores / name / "per_picture.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["key", "scene", "view", "crf", "method", "seed", "clipped_share", *KEYS])
        for number, scene in enumerate(scenes):
            for method, seed, values in cases:
                shift = (number - (len(scenes) - 1) / 2) * 2  # two scenes: a mean 1 below and 1 above
                row = ["" if v is None else v for v in move(values, shift + off_by.get(seed, 0))]
                writer.writerow([f"{scene}-000_gamma", scene, f"{scene}-000", "gamma", method, seed, 0.1, *row])
    ramp = np.repeat(np.linspace(0, 255, 24 * 24 * 3).reshape(24, 24, 3).astype(np.uint8), 2, axis=0)
    for scene in scenes:
        folder = scores / name / "pictures" / f"{scene}-000_gamma"
        for picture in ("input", "network", "truth"):
            write_png(folder / f"{picture}.png", ramp)
        for strip in ("stack", "truth_stack"):
            write_png(folder / f"{strip}.png", np.tile(ramp, (1, 9, 1)))
    terms = ("total", "reconstruction", "representation", "perceptual", "total_variation")
    validation = [
        {"step": s, "psnr_ldr": 9.1 + 12 * s / 200, "psnr_ldr_by_ev": {"-2": 8.0, "2": None}} for s in range(0, 201, 50)
    ]
    for place, seed in enumerate(seeds):
        write_json(
            runs / name / str(seed) / "run.json",
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
    return [v if v is None else v + by * (1 if v > 1 else 0.05) for v in values]


@pytest.fixture
def inputs(tmp_path) -> tuple[Path, Path]:
    runs, scores = tmp_path / "runs", tmp_path / "scores"
    for name in MEANS:
        write_variant(runs, scores, name)
    return runs, scores


class Page(HTMLParser):
    """What a test asks of a page: its elements, and the cells of its first table."""

    VOID = ("meta", "img", "br", "link", "input")

    def __init__(self, path: Path):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.tables = 0
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID and not self.get_starttag_text().endswith("/>"):
            self.open.append(tag)
        self.tables += tag == "table"
        if self.tables == 1 and tag == "tr":
            self.rows.append([])
        if self.tables == 1 and tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        if self.get_starttag_text().endswith("/>") and self.open[-1] != tag:
            return
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        if "script" in self.open or "style" in self.open:
            return
        self.text += data
        if self.tables == 1 and ("td" in self.open or "th" in self.open):
            self.rows[-1][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def write_page(inputs, out: Path, variants=("none", "spatial"), seeds=(0,)) -> Page:
    return Page(write_report(*inputs, out, variants, seeds))


def test_the_page_asks_for_nothing_outside_itself(inputs, tmp_path):
    page = write_page(inputs, tmp_path / "report")
    assert page.open == []
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["index.html"]
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        assert "src" not in attributes or attributes["src"].startswith("data:image/jpeg;base64,")
        assert "href" not in attributes or attributes["href"].startswith("#")
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv"))
    assert policy.startswith("default-src 'none'")
    targets = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    assert {link["href"][1:] for link in page.all("a")} <= targets


def test_the_same_inputs_give_the_same_bytes(inputs, tmp_path):
    first, second = (write_report(*inputs, tmp_path / name, ("none", "spatial"), (0,)) for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


def test_the_table_has_a_row_a_variant_its_step_0_the_floor_and_the_ceiling(inputs, tmp_path):
    page = write_page(inputs, tmp_path)
    assert [row[0] for row in page.rows] == [
        "Method",
        "none (base)",
        "spatial",
        "none (base), step 0",
        "spatial, step 0",
        "LDR input, known CRF",
        "LDR input, as sRGB",
        "oracle: true stack",
    ]
    none, spatial = page.rows[1], page.rows[2]
    assert none[1] == "21.30+12.20"  # 21.30, and 21.30 - 9.10
    assert none[4] == "23.10†+8.90"  # the input under its known CRF has 24.0
    assert "†" not in none[1]  # 21.30 is over the input as sRGB, 18.90
    assert spatial[6] == "27.90+8.40"
    assert page.rows[-1][1:4] == [NO_VALUE] * 3


def test_the_best_trained_value_of_a_column_is_bold_and_alone_none_is(inputs, tmp_path):
    bold = [a for a in write_page(inputs, tmp_path / "two").all("td") if a.get("class") == "best"]
    assert len(bold) == 5  # six columns, LPIPS is empty
    assert not any(a.get("class") == "best" for a in write_page(inputs, tmp_path / "one", ("none",)).all("td"))


def test_absent_lpips_is_said_with_the_way_to_get_it(inputs, tmp_path):
    page = write_page(inputs, tmp_path)
    assert f"LPIPS is {ABSENT}" in page.text  # its text, whatever is bold
    assert "absent: see below" in page.rows[0][3]


def test_the_page_says_what_differences_do_not_say(inputs, tmp_path):
    text = " ".join(write_page(inputs, tmp_path).text.split())
    assert "PSNR (LDR) differs by 0.15 dB: within the 0.3 dB under which a difference says nothing" in text
    assert "PSNR (tone-mapped) differs by 0.40 dB: beyond" in text  # 23.1 - 22.7
    assert "differs by 0.50 dB: within the 3.5 dB" in text
    assert "One seed a variant is not a ranking." in text
    # none: five scores; better than the floor in PSNR LDR, SSIM LDR and PU21-PSNR
    assert "none (base): training improves 5 of 5 scores over step 0; 3 of 5 are better" in text


def test_several_seeds_have_their_mean_and_range_and_a_curve_each(tmp_path):
    inputs = tmp_path / "runs", tmp_path / "scores"
    for name in MEANS:
        write_variant(*inputs, name, seeds=(0, 10, 2))
    page = write_page(inputs, tmp_path, seeds=(0, 10, 2))
    assert page.rows[1][1] == "21.30(20.90\N{EN DASH}21.70)+12.20"  # three seeds: the mean, 0.4 below and above
    assert page.rows[3][1] == "9.10(8.70\N{EN DASH}9.50)"
    assert page.rows[5][1] == "20.60"  # without a network there is no seed
    text = " ".join(page.text.split())
    assert "Each was trained with 3 seeds (0, 10, 2); scores are means over them." in text
    # tone-mapped: none 22.7 to 23.5, spatial 22.3 to 23.1
    assert "the ranges of the best, none (base), and the next, spatial, over their seeds overlap" in text
    assert "One seed" not in text and "one seed each" not in text
    charts = [svg["aria-label"] for svg in page.all("svg") if svg.get("aria-label", "").startswith("Line chart: ")]
    assert len(charts) == 1 + 1 + 5  # by EV, validation, five losses
    assert all("none (base), seed 0, none (base), seed 10, none (base), seed 2, spatial" in c for c in charts[1:])
    colors = [path["class"] for path in page.all("path") if path.get("class", "").endswith("seed")]
    assert {"curve v0 seed", "curve v1 seed"} <= set(colors)
    assert "216 s" in text  # the mean of 0.04, 0.06 and 0.08 h
    assert "20.30 dB LDR" not in text and "19.90 dB LDR" in text  # the picture is the first seed's: 21.3 - 1 - 0.4


def test_every_picture_and_chart_has_a_text(inputs, tmp_path):
    page = write_page(inputs, tmp_path)
    pictures = [picture for picture in page.all("img") if "src" in picture]
    assert len(pictures) == 2 * (1 + 2 + 1 + 2 + 1)  # scenes x (input, ours, truth; strips: ours, truth)
    assert all(picture["alt"] for picture in pictures)
    charts = [svg for svg in page.all("svg") if svg.get("aria-hidden") != "true"]
    assert len(charts) == 5 + 1 + 1 + 5  # bars without LPIPS, by EV, validation, five losses
    assert all(svg["aria-label"] and svg["role"] == "img" for svg in charts)


def test_whiskers_span_the_means_of_the_scenes(inputs, tmp_path):
    assert "spatial: 21.45 dB; scenes 20.45 to 22.45" in write_page(inputs, tmp_path).text


def test_one_scene_has_no_whiskers(tmp_path):
    write_variant(tmp_path / "runs", tmp_path / "scores", "none", scenes=("church",))
    page = write_page((tmp_path / "runs", tmp_path / "scores"), tmp_path, ("none",))
    assert "none here: one scene only" in page.text
    assert not any(path.get("class") == "whisker" for path in page.all("path"))


def test_a_run_without_pictures_or_a_trunk_has_its_page(inputs, tmp_path):
    shutil.rmtree(inputs[1] / "none" / "pictures")
    run = inputs[0] / "none" / "0" / "run.json"
    write_json(run, json.loads(run.read_text()) | {"trunk": None, "config": {"loss": {"perceptual": 0}}})
    page = write_page(inputs, tmp_path, ("none",))
    assert "The evaluation wrote no pictures." in page.text
    assert "loss.perceptual" in page.text


def test_text_of_the_inputs_is_escaped(inputs, tmp_path):
    summary = inputs[1] / "none" / "summary.json"
    summary.write_text(summary.read_text().replace("absent: install", "absent: <script>alert(1)</script>"))
    assert len(write_page(inputs, tmp_path).all("script")) == 1


@pytest.mark.parametrize(
    "missing",
    [
        "scores/spatial/summary.json",
        "scores/none/per_picture.csv",
        "runs/spatial/0/run.json",
        "scores/spatial/pictures/street-000_gamma/stack.png",
        "scores/none/pictures/church-000_gamma",
    ],
)
def test_a_missing_input_is_named_and_nothing_is_written(inputs, tmp_path, missing):
    path = tmp_path / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(ValueError, match=str(path)) as error:
        write_report(*inputs, tmp_path / "report", ("none", "spatial"), (0,))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "report").exists()


def test_inputs_that_break_their_contract_are_named(inputs, tmp_path):
    summary = inputs[1] / "none" / "summary.json"
    content = json.loads(summary.read_text())
    write_json(summary, content | {"stacks": "many"})
    with pytest.raises(ValueError, match=r"none/summary\.json: summary\.stacks: .*got 'many'"):
        write_report(*inputs, tmp_path, ("none",), (0,))
    write_json(summary, content)
    with pytest.raises(ValueError, match=r"none/summary\.json: scores of the seeds \[0\]; wanted \[0, 1\]"):
        write_report(*inputs, tmp_path, ("none",), (0, 1))
    del content["scores"]["oracle"]
    write_json(summary, content)
    with pytest.raises(ValueError, match="no 'oracle'"):
        write_report(*inputs, tmp_path, ("none",), (0,))


def test_variants_scored_on_other_stacks_are_refused(inputs, tmp_path):
    write_variant(*inputs, "spatial", scenes=("church", "tower"))
    with pytest.raises(ValueError, match=r"spatial/per_picture\.csv: scores other stacks than .*none/per_picture\.csv"):
        write_report(*inputs, tmp_path, ("none", "spatial"), (0,))


def test_the_stage_reads_the_variants_and_seeds_of_params(inputs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    Path("params.yaml").write_text("variants: [none]\nseeds: [0]\n")
    result = run(report_stage, ["runs", "scores", "report"])
    assert result.exit_code == 0 and result.output.startswith("report/index.html: none; seed 0;")
    Path("params.yaml").write_text("variants: [none, se]\nseeds: [0]\n")
    result = run(report_stage, ["runs", "scores", "report"])
    assert result.exit_code == 1 and "scores/se/summary.json: no such file" in result.output
    Path("params.yaml").write_text("scan: {}\n")
    assert "variants: wanted a list of names" in run(report_stage, ["runs", "scores", "report"]).output
    for wrong in ("[0, 0]", "[true]", "[-1]", "[]", "0"):
        Path("params.yaml").write_text(f"variants: [none]\nseeds: {wrong}\n")
        assert "seeds: wanted a list of whole numbers" in run(report_stage, ["runs", "scores", "report"]).output


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
    page = write_report(*inputs, tmp_path / "report", ("none", "spatial"), (0,))
    tried = """<script>
      const press = (key) => dialog.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
      const dialog = document.querySelector("dialog");
      const caption = () => document.getElementById("enlarged-caption").textContent.split(" ")[0];
      const found = [document.getElementById("hint").hidden, dialog.open];
      document.querySelector(".zoom").click();
      found.push(dialog.open, caption());
      press("ArrowLeft");
      found.push(caption(), dialog.querySelector("img").src.startsWith("data:image/jpeg"));
      dialog.querySelector("[data-close]").click();
      found.push(dialog.open, document.documentElement.scrollWidth <= innerWidth);
      document.title = "found " + found.join(" ");
    </script>"""
    trial = tmp_path / "trial.html"
    trial.write_text(page.read_text().replace("</body>", tried + "</body>"))
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
    command += ["--disable-background-networking", "--disable-component-update", f"--user-data-dir={tmp_path / 'user'}"]
    command += ["--window-size=500,900", "--dump-dom", trial.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    # no hint is hidden, closed, open on the input, back round to the truth, a picture, closed, no sideways scrolling
    assert "<title>found false false true Input Truth true false true</title>" in done.stdout
