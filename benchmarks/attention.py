"""Does attention help? The tables and figures of docs/experiments/attention.md, of score files that lie beside it.

    python benchmarks/attention.py keep data/runs data/scores     what `dvc repro` of the profile made, as small files
    python benchmarks/attention.py pictures data/runs SHARDS --view VIEW    one stack, by every attention
    python benchmarks/attention.py page                           the tables and the curves, of the small files alone

`page` writes between the page's marks `<!-- name -->` and `<!-- end -->`; a second run writes the same.
"""

import threads  # noqa: F401  # isort: skip

import csv
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import click
import cv2
import numpy as np

from hdrdata.files.disk import write_bytes, write_json
from hdrmodel.report.charts import line_chart
from hdrmodel.report.inputs import PEERS
from hdrmodel.report.literature import PAPER_SCORES
from hdrmodel.scores.folder import FACTS, PER_PICTURE, SUMMARY, Scores, read_scores
from hdrmodel.scores.intervals import Difference, Table, difference_interval
from hdrmodel.scores.methods import labels_of

HOME = Path(__file__).resolve().parent.parent / "docs" / "experiments" / "attention"
ATTENTIONS = tuple(PAPER_SCORES)
COLUMNS = ("psnr_ldr", "ssim_ldr", "psnr_tonemapped", "psnr_pu21_gain")
FLOOR = "clipped_constant"
KEPT = ("network", FLOOR)  # rows that differences are made of; means of all others stand in the summaries
STRONG = ("#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999", "#8c564b")
DECIBELS = 0.5  # the difference to detect
DRAWS, RESAMPLES = 150, 200  # of one number of scenes and seeds; of each draw's interval


FLOORS = labels_of("floor")


def read_all(home: Path) -> dict[str, Scores]:
    """The scores of each network, the attentions first."""
    names = [*ATTENTIONS, *PEERS]
    return {name: read_scores(home / "scores" / name) for name in names if (home / "scores" / name).is_dir()}


def compare(a: Scores, b: Scores, column: str, of_b: str = "network") -> Difference:
    facts = a.columns[column]
    tables = (one.pictures.table(column, one.pictures.of(method)) for one, method in ((a, "network"), (b, of_b)))
    return difference_interval(*tables, facts.higher_is_better, facts.resolution, facts.unit)


def with_interval(scores: Scores, method: str, column: str) -> str:
    value, digits = scores.summary.scores[method][column], scores.columns[column].digits
    if value is None:
        return ""
    interval = scores.summary.intervals[method][column]
    return f"{value:.{digits}f}" + (f" [{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]" if interval else "")


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def heads(scores: Scores, columns: Sequence[str]) -> list[str]:
    words = {"ldr": "LDR", "tonemapped": "tone-mapped", "hdr": "HDR"}
    names = []
    for column in columns:
        facts = scores.columns[column]
        align = f", {facts.alignment}" if facts.alignment else ""
        unit = f" ({facts.unit})" if facts.unit else ""
        names.append(f"{words[facts.set]} {facts.name}{align}{unit}")
    return names


def results(all_scores: dict[str, Scores]) -> str:
    first = all_scores["base"]
    rows = [
        [PEERS.get(name, name), str(len(scores.summary.seeds)), *(with_interval(scores, "network", c) for c in COLUMNS)]
        for name, scores in all_scores.items()
    ]
    floors = {**FLOORS, "clipped_best": "best constant a picture (a bound)", "oracle": "true stack, merged"}
    rows += [[label, "", *(with_interval(first, name, c) for c in COLUMNS)] for name, label in floors.items()]
    return markdown(["", "seeds", *heads(first, COLUMNS)], rows)


def differences(all_scores: dict[str, Scores], other: str) -> str:
    """Each network less the network without attention, or less the floor."""
    base, rows = all_scores["base"], []
    for name, scores in all_scores.items():
        if name == other:
            continue
        cells = []
        for column in COLUMNS:
            found = compare(scores, base, column) if other == "base" else compare(scores, scores, column, other)
            interval, digits = found.interval, scores.columns[column].digits
            verdict = "not separable"
            if found.separable:
                verdict = "better" if (interval.value > 0) == scores.columns[column].higher_is_better else "worse"
            cells.append(
                f"{interval.value:+.{digits}f} [{interval.low:+.{digits}f}, {interval.high:+.{digits}f}] {verdict}"
            )
        rows.append([PEERS.get(name, name), *cells])
    return markdown([f"less {FLOORS.get(other, other)}", *heads(base, COLUMNS)], rows)


def seeds(all_scores: dict[str, Scores]) -> str:
    rows = []
    for name, scores in all_scores.items():
        by_seed = scores.summary.scores_by_seed
        values = (
            [by_seed[seed]["network"][column] for seed in sorted(by_seed)] for column in ("psnr_ldr", "psnr_pu21_gain")
        )
        rows.append([PEERS.get(name, name), *(" ".join(f"{value:.2f}" for value in row) for row in values)])
    return markdown(["each seed", *heads(all_scores["base"], ("psnr_ldr", "psnr_pu21_gain"))], rows)


def paper(all_scores: dict[str, Scores]) -> str:
    """Table 3 of the paper beside ours, both also less their own base."""
    columns = {"PSNR": ("psnr_ldr", 2), "SSIM": ("ssim_ldr", 3)}
    rows = []
    for name, numbers in PAPER_SCORES.items():
        cells = []
        for place, (column, digits) in enumerate(columns.values()):
            ours, base = (all_scores[one].summary.scores["network"][column] for one in (name, "base"))
            for value, less in ((numbers[place], PAPER_SCORES["base"][place]), (ours, base)):
                cells.append(f"{value:.{digits}f} ({value - less:+.{digits}f})")
        rows.append([name, *cells])
    return markdown(["", *(f"{metric}, {whose}" for metric in columns for whose in ("paper", "ours"))], rows)


def clipping(all_scores: dict[str, Scores], column: str = "psnr_pu21_gain") -> str:
    """One metric by the share of the input that clips."""
    first = all_scores["base"].summary.strata
    rows = [
        [PEERS.get(name, name), *(f"{stratum.scores['network'][column]:.2f}" for stratum in scores.summary.strata)]
        for name, scores in all_scores.items()
    ]
    rows += [
        [FLOORS.get(method, method), *(f"{stratum.scores[method][column]:.2f}" for stratum in first)]
        for method in ("input_crf", FLOOR)
    ]
    return markdown(["", *(f"{one.label} ({one.pictures} stacks)" for one in first)], rows)


def costs(all_scores: dict[str, Scores], runs: dict[str, list[dict]]) -> str:
    rows = []
    for name, scores in all_scores.items():
        cost = scores.summary.costs
        minutes = [60 * run["hours"] for run in runs[name]]
        numbers = (f"{cost.parameters:,}", f"{cost.gmacs:.1f}", f"{cost.seconds_per_stack:.2f}")
        rows.append([PEERS.get(name, name), *numbers, f"{min(minutes):.0f} to {max(minutes):.0f}"])
    size = all_scores["base"].summary.costs.size
    return markdown(["", "parameters", f"GMACs a stack, {size}x{size}", "seconds a stack", "minutes of training"], rows)


def settled(runs: dict[str, list[dict]]) -> str:
    """What validation gained in the last quarter of the steps."""
    rows = []
    for name, of_seeds in runs.items():
        steps = [point["step"] for point in of_seeds[0]["validation"]]
        values = np.array([[point["psnr_ldr"] for point in run["validation"]] for run in of_seeds]).mean(axis=0)
        quarters = [int(np.argmin(np.abs(np.array(steps) - share * steps[-1]))) for share in (0, 0.25, 0.5, 0.75, 1)]
        rows.append([PEERS.get(name, name), *(f"{values[place]:.2f}" for place in quarters),
                     f"{values[quarters[4]] - values[quarters[3]]:+.2f}"])  # fmt: skip
    return markdown(["validation LDR PSNR (dB)", *(f"step {steps[q]}" for q in quarters), "last quarter"], rows)


def enough(all_scores: dict[str, Scores], column: str = "psnr_ldr") -> str:
    """Return how often a true difference of 0.5 dB is detected, by numbers of scenes and seeds."""
    draw = np.random.default_rng(0)
    tables = [one.pictures.table(column, one.pictures.of("network")) for one in all_scores.values()
              if len(one.summary.seeds) > 1]  # fmt: skip
    rows = []
    for count, number in product((25, 50, 100), (3, 10, 20, 40)):
        detected = 0
        for _ in range(DRAWS):
            one, other = draw.choice(len(tables), 2, replace=False)
            names = draw.choice(np.unique(tables[0].scene), count)
            a, b = (drawn(tables[place], names, draw, number) for place in (one, other))
            shift = DECIBELS - float(np.mean(tables[one].values) - np.mean(tables[other].values))
            found = difference_interval(replace(a, values=a.values + shift), b, True, None, "dB", resamples=RESAMPLES)
            detected += found.separable and found.interval.value > 0
        rows.append([str(count), str(number), f"{detected / DRAWS:.0%}"])
    return markdown(["scenes", "seeds each", f"a difference of {DECIBELS} dB is detected"], rows)


def drawn(table: Table, scenes: np.ndarray, draw: np.random.Generator, number: int) -> Table:
    """The rows of scenes, each as often as it is named and then under another name, by `number` seeds drawn again."""
    of_scene = {name: np.flatnonzero(table.scene == name) for name in np.unique(table.scene)}
    rows = np.concatenate([of_scene[name] for name in scenes])
    place = np.repeat(np.arange(len(scenes)), [len(of_scene[name]) for name in scenes])
    pictures = np.unique(table.picture, return_inverse=True)[1][rows] + place * len(table.picture)
    parts = []
    for copy, seed in enumerate(draw.choice(np.unique(table.seed), number)):
        here = table.seed[rows] == seed
        parts.append((table.values[rows][here], place[here], pictures[here], np.full(here.sum(), copy)))
    return Table(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def curves(runs: dict[str, list[dict]], width: int = 720, height: int = 400) -> str:
    """Validation LDR PSNR by step, a line a network, the mean of its seeds, as SVG."""
    series = []
    for name, of_seeds in runs.items():
        steps = [point["step"] for point in of_seeds[0]["validation"]]
        values = np.array([[point["psnr_ldr"] for point in run["validation"]] for run in of_seeds]).mean(axis=0)
        series.append((PEERS.get(name, name), name, list(zip(map(float, steps), map(float, values), strict=True))))
    chart = line_chart("", "step", "dB", series, log=False)
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 450 230" width="{width}" height="{height}" '
             'font-family="sans-serif" font-size="9">', '<rect width="450" height="230" fill="#fff"/>']  # fmt: skip
    lines += [f'<path d="M44 {y}H352" stroke="#ddd"/><text x="40" y="{y + 3}" text-anchor="end">{text}</text>'
              for y, text in chart["y_ticks"]]  # fmt: skip
    lines += [f'<text x="{x}" y="206" text-anchor="middle">{text}</text>' for x, text in chart["x_ticks"]]
    lines.append(
        '<text x="198" y="222" text-anchor="middle">step</text><text x="6" y="16">validation LDR PSNR, dB</text>'
    )
    for place, (line, color) in enumerate(zip(chart["lines"], STRONG, strict=False)):
        for segment in line["segments"]:
            points = " ".join(f"{x},{y}" for x, y in segment)
            lines.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.4"/>')
        y = 30 + 14 * place
        lines.append(
            f'<path d="M358 {y}h12" stroke="{color}" stroke-width="2"/><text x="374" y="{y + 3}">{line["label"]}</text>'
        )
    return "\n".join([*lines, "</svg>"]) + "\n"


def write_page(page: Path, home: Path) -> None:
    """Put the tables between the page's marks, and the curves beside them."""
    scores, runs = read_all(home), json.loads((home / "runs.json").read_text(encoding="utf-8"))
    made = {
        "settled": settled(runs), "results": results(scores), "differences": differences(scores, "base"),
        "floor": differences(scores, FLOOR),
        "seeds": seeds(scores), "paper": paper(scores), "clipping": clipping(scores), "costs": costs(scores, runs),
        "enough": enough(scores),
    }  # fmt: skip
    text = page.read_text(encoding="utf-8")
    for name, table in made.items():
        text, found = re.subn(f"(<!-- {name} -->\n).*?(\n<!-- end -->)", lambda m, t=table: m[1] + t + m[2], text,
                              count=1, flags=re.DOTALL)  # fmt: skip
        if not found:
            raise ValueError(f"{page}: no marks '<!-- {name} -->' and '<!-- end -->'")
    write_bytes(page, text.encode())
    write_bytes(home / "curves.svg", curves(runs).encode())


def keep_runs(runs: Path, scores: Path, home: Path) -> None:
    """Copy what tables are made of: summaries, the rows and columns that they show, curves and hours."""
    kept = {}
    for name in (*ATTENTIONS, *PEERS):
        if not (scores / name / SUMMARY).is_file():
            continue
        folder = home / "scores" / name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(scores / name / SUMMARY, folder / SUMMARY)
        columns = (*FACTS, *json.loads((folder / SUMMARY).read_text(encoding="utf-8"))["columns"])
        with (scores / name / PER_PICTURE).open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["method"] in KEPT]
        lines = [",".join(columns), *(",".join(short(row[column]) for column in columns) for row in rows)]
        write_bytes(folder / PER_PICTURE, ("\n".join(lines) + "\n").encode())
        records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((runs / name).glob("*/run.json"))]
        wanted = ("seed", "parameters", "hours", "steps_per_second", "device", "precision", "weights_sha256",
                  "validation", "versions")  # fmt: skip
        kept[name] = [{field: record.get(field) for field in wanted} for record in records]
    write_json(home / "runs.json", kept)


def short(field: str) -> str:
    """A number with six digits; words as they are."""
    try:
        return f"{float(field):.6g}"
    except ValueError:
        return field


def draw_pictures(runs: Path, shards: Path, home: Path, view: str, cell: int = 176) -> None:
    """A row a network: four generated exposures, how far two are from the truth, and the result tone mapped."""
    from light import read_case  # PyTorch, which the tables need nothing of

    from hdrdata.cameras.exposure import expose_view, half_bits
    from hdrdata.files.tonemap import to_uint8, tonemap_reinhard
    from hdrdata.stream.shard_reader import Shards
    from hdrmodel.networks.batches import to_batch
    from hdrmodel.networks.weights import load_weights
    from hdrmodel.reconstruction.reconstruct import reconstruct_by_responses

    source = Shards(shards, "test", "radiance")
    number = source.keys.index(view)
    case, evs = read_case(source, number, 0), (-2.0, -1.0, 0.0, 1.0, 2.0)
    sample = source.radiance(number)
    crf = sorted(source.crfs)[0]
    truth = expose_view(half_bits(sample.radiance), source.tables[crf][[source.evs.index(ev) for ev in evs]])
    rows = {"truth": (truth.astype(np.float32) / 255, case.radiance)}
    for name in ATTENTIONS:
        network, _ = load_weights(runs / name / "0" / "weights.safetensors")
        (made,) = reconstruct_by_responses(network, to_batch(case.input[None]), evs, [case.crf])
        rows[name] = (made.stack, made.radiance)
    lines = []
    for name, (stack, light) in rows.items():
        shown = [stack[0], stack[1], stack[3], stack[4]]
        shown += [np.minimum(4 * np.abs(stack[place] - rows["truth"][0][place]), 1) for place in (0, 4)]
        pictures = [cv2.resize(to_uint8(one), (cell, cell), interpolation=cv2.INTER_AREA) for one in
                    (*shown, tonemap_reinhard(light))]  # fmt: skip
        title = np.full((cell, 84, 3), 255, np.uint8)
        cv2.putText(title, name, (4, cell // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
        lines.append(np.concatenate([title, *pictures], axis=1))
    head = np.full((22, lines[0].shape[1], 3), 255, np.uint8)
    titles = ("EV -2", "EV -1", "EV +1", "EV +2", "4 x |error|, EV -2", "4 x |error|, EV +2", "tone mapped")
    for place, words in enumerate(titles):
        cv2.putText(head, words, (88 + place * cell, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    sheet = np.concatenate([head, *lines])
    write_bytes(
        home / "pictures.jpg", cv2.imencode(".jpg", sheet[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])[1].tobytes()
    )


@click.group(help=__doc__.partition("\n")[0])
def main() -> None:
    pass


@main.command()
@click.argument("runs", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("scores", type=click.Path(exists=True, file_okay=False, path_type=Path))
def keep(runs: Path, scores: Path) -> None:
    """Keep scores and curves as small files."""
    keep_runs(runs, scores, HOME)


@main.command()
@click.argument("runs", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("shards", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--view", required=True, help="Of the shards' test part.")
def pictures(runs: Path, shards: Path, view: str) -> None:
    """Draw pictures.jpg."""
    draw_pictures(runs, shards, HOME, view)


@main.command()
@click.option("--home", type=click.Path(exists=True, file_okay=False, path_type=Path), default=HOME)
@click.option("--to", "page_file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              default=HOME.with_suffix(".md"))  # fmt: skip
def page(home: Path, page_file: Path) -> None:
    """Write the tables and curves.svg."""
    write_page(page_file, home)


if __name__ == "__main__":
    main()
