"""Folders of scores as the evaluation writes them, of numbers drawn by formula."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

COLUMNS = {
    "psnr_ldr": {"metric": "psnr", "name": "PSNR", "set": "ldr", "alignment": None, "unit": "dB", "digits": 2,
                 "higher_is_better": True, "resolution": 0.3},
    "lpips_ldr": {"metric": "lpips", "name": "LPIPS", "set": "ldr", "alignment": None, "unit": "", "digits": 3,
                  "higher_is_better": False, "resolution": None},
    "psnr_tonemapped": {"metric": "psnr", "name": "PSNR", "set": "tonemapped", "alignment": None, "unit": "dB",
                        "digits": 2, "higher_is_better": True, "resolution": 0.3},
    "psnr_pu21_gain": {"metric": "psnr_pu21", "name": "PU21-PSNR", "set": "hdr", "alignment": "gain", "unit": "dB",
                       "digits": 2, "higher_is_better": True, "resolution": 3.5},
}  # fmt: skip
PROTOCOL = {"ldr": "peak 1", "merge": "Debevec", "tonemapped": "Reinhard", "hdr": "PU21", "intervals": "scenes",
            "alignments": "gain"}  # fmt: skip


def score_rows(
    seeds: Sequence[int] = (0,), scenes: int = 10, views: int = 3, better: float = 0.0, drawn: int = 1
) -> list[dict[str, str]]:
    """Rows of per_picture.csv.

    Pictures differ by scene and view, the same for every method; `drawn` decides a little noise of each method, and
    `better` is how many dB of PSNR (and hundredths less of LPIPS) the network has more. The oracle has no stack.
    """
    pictures, noise = np.random.default_rng(0), np.random.default_rng(drawn)
    rows = []
    for scene in range(scenes):
        level = 20 + 3 * pictures.standard_normal()
        for view in range(views):
            here = level + pictures.standard_normal()
            facts = {"key": f"place{scene}_{view}_film", "scene": f"place{scene}", "view": f"place{scene}_{view}",
                     "crf": "film", "clipped_share": f"{(0.3 * pictures.random()):.6f}"}  # fmt: skip
            methods = [(name, str(seed)) for seed in seeds for name in ("network", "step0")]
            for method, seed in [*methods, ("input_crf", ""), ("oracle", "")]:
                more = {"network": better, "step0": -6.0, "input_crf": 0.0, "oracle": 20.0}[method]
                psnr = here + more + 0.2 * noise.standard_normal(len(COLUMNS))
                values = dict(zip(COLUMNS, psnr, strict=True))
                values["lpips_ldr"] = (60 - values["lpips_ldr"]) / 100
                text = {name: f"{value:.6g}" for name, value in values.items()}
                if method == "oracle":
                    text |= {"psnr_ldr": "", "lpips_ldr": ""}
                rows.append({**facts, "method": method, "seed": seed, **text})
    return rows


def write_scores(folder: Path, rows: list[dict[str, str]], **changes: object) -> Path:
    """Write a folder of scores with these rows; `changes` replace values of summary.json."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "per_picture.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["key", "scene", "view", "crf", "method", "seed", "clipped_share", *COLUMNS])
        writer.writeheader()
        writer.writerows(rows)
    methods = list(dict.fromkeys(row["method"] for row in rows))
    seeds = sorted({int(row["seed"]) for row in rows if row["seed"]})

    def means(method: str, seed: str | None = None) -> dict[str, float | None]:
        ours = [row for row in rows if row["method"] == method and seed in (None, row["seed"])]
        values = {name: [float(row[name]) for row in ours if row[name] not in ("", "inf")] for name in COLUMNS}
        return {name: float(np.mean(known)) if known else None for name, known in values.items()}

    summary = {
        "format": "scores-3",
        "variant": folder.name,
        "kind": "attention",
        "seeds": seeds,
        "stacks": len({row["key"] for row in rows}),
        "scenes": len({row["scene"] for row in rows}),
        "pictures": 8 * len({row["key"] for row in rows}),
        "protocol": PROTOCOL,
        "columns": COLUMNS,
        "absent": {},
        "scores": {method: means(method) for method in methods},
        "intervals": {method: {name: [1.0, 2.0] for name in COLUMNS} for method in methods},
        "scores_by_seed": {
            seed: {method: means(method, str(seed)) for method in ("network", "step0")} for seed in seeds
        },
        "strata": [{"label": "0-1 %", "low": 0.0, "high": 0.01, "pictures": 0, "scenes": 0, "scores": {}}],
        "by_ev": {"network": {"-0.5": {"psnr": 20.0, "ssim": 0.9, "lpips": None}}},
        "costs": {"parameters": 10, "gmacs": 1.5, "size": 256, "seconds_per_stack": 0.5, "device": "cpu"},
        "clipped_factors": {"known": 1.25, "srgb": 1.3, "pictures": 40},
        "bootstrap": {"resamples": 2000, "seed": 0},
        "lpips": "alex 0.1",
        "data": "d",
        "versions": {"numpy": "2"},
        "command": "hdrmodel evaluate",
    } | changes
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return folder
