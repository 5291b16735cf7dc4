"""The command `hdrmodel info`: a file, a network, or all attentions; one line for a mistake."""

import functools
import json

import pytest
from run_command import printed_by, run
from variant_names import PREDICTING

import hdrmodel.evaluation.costs
from hdrmodel.cli import main
from hdrmodel.networks.attention import ATTENTIONS
from hdrmodel.networks.weights import initial_network, save_weights

info, printed = functools.partial(run, main, "info"), functools.partial(printed_by, main, "info")


@pytest.fixture(scope="module", autouse=True)
def count_once():
    """Count the same network once: it takes most of a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hdrmodel.evaluation.costs, "summarize", functools.cache(hdrmodel.evaluation.costs.summarize))
        yield


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_weights(path, initial_network("spatial", "base2023", 0.05, seed=0), {"variant": "spatial"})
    return path


def test_info_of_a_name_tells_what_the_network_of_the_paper_s_size_costs():
    text = printed("--attention", "spatial")
    rows = [line.split() for line in text.splitlines()]
    assert text.startswith("attention spatial, preset attnet, width 1\n")
    assert ["network", "6,916,365", "27,639,606", "27,639,606", "62,195,577"] in rows
    assert ["convolutions", "10.37", "41.22", "41.22", "51.59", "340.16"] in rows
    assert ["encoder", "level", "1", "block", "18", "18", "18"] in rows


def test_info_of_a_file_tells_its_header_and_its_network(weights):
    text = printed(weights, "--size", 64)
    parameters = sum(value.numel() for value in initial_network("spatial", "base2023", 0.05, seed=0).parameters())
    assert "variant: spatial\n" in text and f"parameters: {parameters:,}\n" in text
    assert "attention spatial, preset base2023, width 0.05\n" in text
    assert "GMACs at 64x64 " in text
    plain = json.loads(printed(weights, "--size", 64, "--json"))
    assert plain["file"]["variant"] == "spatial"
    assert plain["parameters"]["all"] == parameters
    assert (plain["attention"], plain["preset"], plain["width"]) == ("spatial", "base2023", 0.05)


def test_info_of_a_baseline_tells_what_it_costs(tmp_path):
    rows = [line.split() for line in printed("--variant", "expandnet").splitlines()]
    assert ["expandnet", "456,899", "53.80"] in rows  # counted by hand in test_summary.py
    path = tmp_path / "w.safetensors"
    save_weights(path, initial_network("expandnet", "attnet", 0.05, seed=0), {"variant": "expandnet"})
    plain = json.loads(printed(path, "--size", 64, "--json"))
    assert (plain["file"]["network"], plain["baseline"]) == ({"baseline": "expandnet", "width": 0.05}, "expandnet")
    assert f"parameters: {plain['parameters']:,}\n" in printed(path, "--size", 64)


def test_info_without_arguments_is_a_table_of_all_variants():
    rows = [line.split() for line in printed("--width", 0.05, "--size", 64).splitlines()]
    names = [row[0] for row in rows if row and row[0] in (*ATTENTIONS, *PREDICTING)]
    assert names == [*ATTENTIONS, *PREDICTING]


def test_info_as_json_holds_a_network_or_a_list_of_them():
    small = ("--width", 0.05, "--size", 64, "--json")
    one, every = json.loads(printed("--attention", "self", *small)), json.loads(printed(*small))
    assert [network.get("attention") or network["baseline"] for network in every] == [*ATTENTIONS, *PREDICTING]
    assert every[list(ATTENTIONS).index("self")] == one
    assert one["sites"].keys() == {"encoder level 7"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--attention", "cbam"], "unknown variant 'cbam'; known are ['base', 'spatial'"),
        (["--variant", "hdrunet", "--preset", "attnet"], "--preset attnet: is HDR-AttNet's; leave it out for hdrunet"),
        (["--attention", "base", "--preset", "gelu"], "unknown preset 'gelu'; known are ['attnet'"),
        (["--preset", "gelu"], "unknown preset 'gelu'; known are ['attnet'"),
        (["--width", "0"], "--width 0: expected a number above 0 and at most 4"),
        (["--attention", "base", "--width", "-1"], "--width -1: expected a number above 0 and at most 4"),
        (["--attention", "base", "--width", "nan"], "--width nan: expected a number above 0 and at most 4"),
        (["--attention", "base", "--width", "5"], "--width 5: expected a number above 0 and at most 4"),
        (["--size", "0"], "0x0 pixels: expected a side from 1 to 32768"),
        (["none.safetensors"], "none.safetensors: not a readable safetensors file"),
        (
            ["w.safetensors", "--attention", "base"],
            "w.safetensors: the file describes its network; leave",
        ),
        (["w.safetensors", "--preset", "attnet", "--width", "1"], "leave out --preset, --width"),
    ],
)
def test_a_mistake_is_one_line(arguments, message):
    result = info(*arguments)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    (line,) = result.output.strip().splitlines()
    assert line.startswith("Error: ") and message in line
