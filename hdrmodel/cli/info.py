"""The command `hdrmodel info`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hdrdata.command import OneLineErrors

if TYPE_CHECKING:
    from hdrmodel.networks.variants import Config

LARGEST_WIDTH = 4  # 995 million parameters; far above, their number overflows 64 bits


@click.command(cls=OneLineErrors)
@click.argument("weights", type=click.Path(path_type=Path), required=False)
@click.option("--variant", "--attention", "variant", metavar="NAME",
              help="One variant. Default: a table of all.")  # fmt: skip
@click.option("--preset", metavar="NAME",
              help="HDR-AttNet's activations. Default: attnet.")  # fmt: skip
@click.option("--width", type=float, metavar="FACTOR",
              help=f"Factor of all numbers of channels; above 0, at most {LARGEST_WIDTH}. "
                   "Default: 1, the paper's.")  # fmt: skip
@click.option("--size", type=int, default=512, show_default=True, metavar="PIXELS",
              help="Height and width of the image for which work is counted.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON, with work in MACs.")
def info(
    weights: Path | None, variant: str | None, preset: str | None, width: float | None, size: int, as_json: bool
) -> None:
    """Print the content of a file of WEIGHTS, or the costs of a network: parameters, multiplications, attention.

    \b
    A file, and its network:
        hdrmodel info data/runs/spatial/0/weights.safetensors
    A network of the paper's size, without a file:
        hdrmodel info --attention spatial
        hdrmodel info --variant expandnet
    All variants beside each other:
        hdrmodel info
    """
    from hdrmodel.cli.tables import format_any, format_baselines, format_table
    from hdrmodel.evaluation.costs import summarize
    from hdrmodel.networks.variants import VARIANTS, find_variant
    from hdrmodel.networks.weights import load_weights

    if weights is not None:
        given = {"--variant": variant, "--preset": preset, "--width": width}
        if unwanted := [name for name, value in given.items() if value is not None]:
            raise ValueError(f"{weights}: the file describes its network; leave out {', '.join(unwanted)}")
        network, header = load_weights(weights)
        summary = summarize(network.config, size)
        facts = {**header, "parameters": f"{summary.parameters:,}"}
        content = {"file": header, **summary.as_json()}
        lines = [*(f"{name}: {value}" for name, value in facts.items()), "", *format_any(summary)]
    elif variant is not None:
        if preset is not None and not find_variant(variant).config.has_preset:
            raise ValueError(f"--preset {preset}: is HDR-AttNet's; leave it out for {variant}, which has none")
        summary = summarize(describe(variant, preset, width), size)
        content, lines = summary.as_json(), format_any(summary)
    else:
        summaries = [summarize(describe(name, preset, width), size) for name in VARIANTS]
        content = [summary.as_json() for summary in summaries]
        with_preset = [VARIANTS[name].config.has_preset for name in VARIANTS]
        ours: Any = [summary for summary, preset in zip(summaries, with_preset, strict=True) if preset]
        others: Any = [summary for summary, preset in zip(summaries, with_preset, strict=True) if not preset]
        lines = [*format_table(ours), "", *format_baselines(others)]
    click.echo(json.dumps(content, indent=2) if as_json else "\n".join(lines))


def describe(variant: str, preset: str | None, width: float | None) -> "Config":
    """Return what the network of these options is built from; ValueError for an unknown name or width."""
    from hdrmodel.networks.unet import find_preset
    from hdrmodel.networks.variants import describe_network, find_variant

    preset, width = "attnet" if preset is None else preset, 1.0 if width is None else width
    find_variant(variant)  # these refuse an unknown name in one line, pydantic in four
    find_preset(preset)
    if not 0 < width <= LARGEST_WIDTH:
        raise ValueError(f"--width {width:g}: expected a number above 0 and at most {LARGEST_WIDTH}")
    return describe_network(variant, preset, width)
