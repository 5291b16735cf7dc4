"""Commands about camera response functions."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hdrdata.command import FILE
from hdrdata.files.disk import write_bytes, write_json

if TYPE_CHECKING:
    import hdrdata.cameras.crf

GREY, HALF = 0.18, 0.5  # exposures at which a curve is printed


@click.group()
def crf() -> None:
    """Camera response functions."""


@crf.command("list")
def list_crfs() -> None:
    """List the camera responses that have a name, with their values at two exposures.

    \b
    What 18 % grey becomes in each camera:
        hdrdata crf list
    """
    from hdrdata.cameras.crf_names import named_crfs

    click.echo(f"{'name':28}{'f(0.18)':>8}{'f(0.5)':>8}")
    for name, response in named_crfs().items():
        click.echo(f"{name:28}{_values(response)}")


@crf.command("select")
@click.argument("file", type=FILE)
@click.option("--k", type=click.IntRange(1), default=5, show_default=True, help="Number of curves to choose.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the random starts and draws.")
@click.option("--spread", type=click.FloatRange(0), multiple=True, metavar="DEVIATION",
              help="Of an EMoR file, which is a basis: standard deviation of the first weight, of the second ... "
                   "Repeatable.")  # fmt: skip
@click.option("--count", type=click.IntRange(1), default=200, show_default=True,
              help="Rising curves to draw of an EMoR file.")  # fmt: skip
@click.option("-o", "--out", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the choice and its clusters to this .json or .csv, too.")  # fmt: skip
def select_crfs(file: Path, k: int, seed: int, spread: tuple[float, ...], count: int, out: Path | None) -> None:
    """Choose the K curves that best stand for those of a DoRF file, as DrTMO's five were chosen, and print a recipe.

    Curves are clustered by k-means; of each cluster the curve nearest to its mean is taken. The same file, K and seed
    give the same choice.

    \b
    Five of the 201 curves of DoRF, for `recipe: {name: ..., crfs: ..., evs: ...}` in params.yaml:
        hdrdata crf select dorfCurves.txt --k 5
    Five of 200 curves drawn from the EMoR model:
        hdrdata crf select emor.txt --k 5 --spread 1 --spread 0.5 --spread 0.2
    """
    import numpy as np
    import yaml

    from hdrdata.cameras.curves.crf_choice import choose_representatives, curve_set

    if out and out.suffix.lower() not in (".json", ".csv"):
        raise ValueError(f"{out}: expected a name that ends with .json or .csv")
    curves = curve_set(file, spread, count, seed)
    chosen = choose_representatives({name: response for name, (response, _) in curves.items()}, k, seed)
    choices = [curves[one.name][1].model_dump(mode="json") for one in chosen]
    width = max(len(one.name) for one in chosen) + 2
    click.echo(f"{'name':{width}}{'curves':>8}{'f(0.18)':>8}{'f(0.5)':>8}")
    for one in chosen:
        click.echo(f"{one.name:{width}}{len(one.members):8}{_values(one.response)}")
    click.echo(yaml.safe_dump({"crfs": choices}, sort_keys=False, default_flow_style=None, width=200), nl=False)
    rows = [
        {"name": one.name, "curves": len(one.members), "f_018": grey, "f_05": half, "crf": choice,
         "members": list(one.members)}
        for one, choice in zip(chosen, choices, strict=True)
        for grey, half in [np.round(one.response(np.array([GREY, HALF])), 6).tolist()]
    ]  # fmt: skip
    if out and out.suffix.lower() == ".json":
        write_json(out, {"file": str(file), "k": k, "seed": seed, "representatives": rows})
    elif out:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["name", "curves", "f_018", "f_05", "members"])
        writer.writerows([*list(row.values())[:4], " ".join(row["members"])] for row in rows)
        write_bytes(out, text.getvalue().encode())


@crf.command("plot")
@click.argument("names", nargs=-1)
@click.option("-o", "--out", type=click.Path(dir_okay=False, path_type=Path), required=True,
              help="The chart, .svg or .png.")  # fmt: skip
@click.option("--file", type=FILE, help="DoRF or EMoR file; its curves are drawn in grey, and can be named.")
@click.option("--measured", is_flag=True, help="Also draw the measured cameras and phones, in grey.")
@click.option("--log", "stops", is_flag=True, help="Exposure in stops below saturation, and not linear.")
def plot_crfs(names: tuple[str, ...], out: Path, file: Path | None, measured: bool, stops: bool) -> None:
    """Draw the camera responses NAMES over exposure; without NAMES all of `hdrdata crf list`, or those of the file.

    \b
    Two film curves and the display's, over stops:
        hdrdata crf plot gold-200cdblue gamma14 srgb -o crfs.svg --log
    """
    from hdrdata.cameras.crf_files import read_curves
    from hdrdata.cameras.crf_names import named_crfs
    from hdrdata.cameras.measured import MODELS, measured_crf
    from hdrdata.publish.crf_chart import draw_curves

    held = read_curves(file) if file else {}
    if measured:
        held = {**{model: measured_crf(model) for model in MODELS}, **held}
    known = {**named_crfs(), **held}
    for name in names:
        if name not in known:
            raise ValueError(f"unknown CRF '{name}'; known: {', '.join(known)}")
    if not names:
        names = tuple(() if len(held) > 1 else held or known)
    draw_curves(
        out,
        {name: known[name] for name in names},
        {name: curve for name, curve in held.items() if name not in names},
        stops=stops,
    )
    click.echo(f"{out}: {len(dict.fromkeys(names)) + sum(name not in names for name in held)} curves")


def _values(response: "hdrdata.cameras.crf.CameraResponse") -> str:
    import numpy as np

    grey, half = response(np.array([GREY, HALF]))
    return f"{grey:8.3f}{half:8.3f}"
