"""The command `hdrmodel info`."""

import json
from pathlib import Path

import click

from hdrdata.command import OneLineErrors
from hdrmodel.networks.names import LARGEST_WIDTH, PRESET_NAMES, VARIANT_WORDS


@click.command(cls=OneLineErrors)
@click.argument("weights", type=click.Path(path_type=Path), required=False)
@click.option("--variant", "--attention", "variant", metavar="NAME",
              help=f"HDR-AttNet with an attention: {VARIANT_WORDS}. Default: a table of all.")  # fmt: skip
@click.option("--preset", metavar="NAME",
              help=f"HDR-AttNet's activations: one of {', '.join(PRESET_NAMES)}. Default: attnet.")  # fmt: skip
@click.option("--width", type=float, metavar="FACTOR",
              help=f"Multiplies all numbers of channels; above 0, at most {LARGEST_WIDTH}. "
                   "Default: 1, the paper's.")  # fmt: skip
@click.option("--size", type=int, default=512, show_default=True, metavar="PIXELS",
              help="Height and width of the picture for which work is counted.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON, with work in MACs.")
def info(
    weights: Path | None, variant: str | None, preset: str | None, width: float | None, size: int, as_json: bool
) -> None:
    """Say what a file of WEIGHTS holds, or what a network would cost: parameters, multiplications, attention.

    \b
    A file, and its network:
        hdrmodel info data/runs/spatial/0/weights.safetensors
    A network of the paper's size, without a file:
        hdrmodel info --attention spatial
        hdrmodel info --variant expandnet
    All variants beside each other:
        hdrmodel info
    """
    from hdrmodel.cli.tables import describe, format_any, format_baselines, format_table
    from hdrmodel.evaluation.costs import summarize
    from hdrmodel.networks.attention import ATTENTIONS
    from hdrmodel.networks.variants import VARIANTS, find_variant
    from hdrmodel.networks.weights import load_weights

    if weights is not None:
        given = {"--variant": variant, "--preset": preset, "--width": width}
        if unwanted := [name for name, value in given.items() if value is not None]:
            raise ValueError(f"{weights}: a file says itself what its network is; leave out {', '.join(unwanted)}")
        network, header = load_weights(weights)
        summary = summarize(network.config, size)
        facts = {**header, "parameters": f"{summary.parameters:,}"}
        content = {"file": header, **summary.as_json()}
        lines = [*(f"{name}: {value}" for name, value in facts.items()), "", *format_any(summary)]
    elif variant is not None:
        if find_variant(variant) is not None and preset is not None:
            raise ValueError(f"--preset {preset}: is HDR-AttNet's; leave it out for {variant}, which has none")
        summary = summarize(describe(variant, preset, width), size)
        content, lines = summary.as_json(), format_any(summary)
    else:
        summaries = [summarize(describe(name, preset, width), size) for name in VARIANTS]
        content = [summary.as_json() for summary in summaries]
        ours = len(ATTENTIONS)
        lines = [*format_table(summaries[:ours]), "", *format_baselines(summaries[ours:])]
    click.echo(json.dumps(content, indent=2) if as_json else "\n".join(lines))
