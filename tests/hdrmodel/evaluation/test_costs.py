"""What a network costs, against the paper's figures and against counts by hand."""

import functools

import pytest
import torch
from variant_names import PREDICTING

from hdrmodel.cli.tables import format_baselines, format_summary, format_table
from hdrmodel.evaluation.costs import network_costs, summarize_baseline, summarize_network
from hdrmodel.networks.hdr_attnet import HDRAttNet, NetworkConfig, count_parameters
from hdrmodel.networks.radiance_network import BaselineConfig
from hdrmodel.networks.weights import initial_network

PIXELS = [(512 >> level) ** 2 for level in range(7)]  # of the seven levels of a 512x512 picture
WIDTHS = [32, 64, 128, 256, 512, 512, 512]  # of N2 and N3, down
DECODED = [32, 32, 64, 128, 256, 512]  # what the decoder makes at levels 1 to 6


@functools.cache  # a count takes most of a second
def summary_of(attention="base", width=1.0, size=512):
    return summarize_network(NetworkConfig(attention=attention, preset="attnet", width=width), size)


def test_the_network_without_attention_costs_what_the_paper_s_does():
    summary = summary_of()
    assert [unet.parameters for unet in summary.unets.values()] == [6_916_131, 27_639_372, 27_639_372]
    assert summary.parameters == 62_194_875
    gigamacs = {name: convolutions / 1e9 for name, (convolutions, _) in summary.macs().items()}
    # computed from the released program of Le et al. 2023; an exposure is N1 + N2, a stack N1 + 8 N2
    expected = {"N1": 10.37, "N2": 41.22, "N3": 41.22, "exposure": 51.59, "stack": 340.16}
    assert gigamacs == pytest.approx(expected, abs=0.005)
    assert summary.attention_parameters == 0 and not summary.modules
    assert all(attention == 0 for _, attention in summary.macs().values())


def test_expandnet_costs_its_convolutions():
    """By hand: weights times pixels of the output, of the local, the dilated, the global branch and the fusion."""
    pixels = 512 * 512
    local = (3 * 64 + 64 * 128) * 9 * pixels
    dilation = (3 + 3 * 64) * 64 * 9 * pixels
    whole = 3 * 64 * 9 * 128**2 + 64 * 64 * 9 * (64**2 + 32**2 + 16**2 + 8**2 + 4**2) + 64 * 64 * 16
    fuse = (256 * 64 + 64 * 3) * pixels
    summary = summarize_baseline(BaselineConfig(baseline="expandnet", width=1.0), 512)
    assert summary.parameters == 456_899
    assert summary.macs == local + dilation + whole + fuse
    assert summary.as_json() == {
        "baseline": "expandnet", "width": 1.0, "size": 512, "parameters": 456_899, "macs": summary.macs
    }  # fmt: skip


@pytest.mark.parametrize("name", PREDICTING)
def test_a_baseline_of_a_picture_of_any_size_is_counted(name):
    config = BaselineConfig(baseline=name, width=0.05)
    small, large = (summarize_baseline(config, size) for size in (1, 65))
    assert 0 < small.macs <= large.macs
    assert any(f"{large.parameters:,}" in line for line in format_baselines([large]))
    with pytest.raises(ValueError, match=r"0x0 pixels: expected a side from 1 to 32768"):
        summarize_baseline(config, 0)


def test_the_costs_of_a_network_are_those_of_its_whole_reconstruction():
    network = initial_network("self", "attnet", 0.05, seed=0)
    macs = summarize_network(network.config, 64).macs()["stack"]
    assert network_costs(network, 64) == (count_parameters(network), sum(macs) / 1e9)
    baseline = initial_network("hdrunet", "attnet", 0.05, seed=0)
    macs = summarize_baseline(baseline.config, 64).macs
    assert network_costs(baseline, 64) == (count_parameters(baseline), macs / 1e9)


def hidden(channels):
    return max(channels // 16, 4)


SPATIAL = 18 * (sum(PIXELS) + sum(PIXELS[:6]))  # a 3x3 window over two maps at each pixel of 13 blocks
CHANNEL = sum(2 * channels * hidden(channels) for channels in WIDTHS + DECODED)  # two layers a block
BOTTLENECK = sum(2 * pixels * channels * hidden(channels) for pixels, channels in zip(PIXELS, WIDTHS, strict=True))
# at 8x8 pixels: queries and keys of 64 channels, values of 512, then Q K' and the product with V
SELF = 64 * 512 * (64 + 64 + 512) + 64 * 64 * (64 + 512)


@pytest.mark.parametrize(
    ("attention", "parameters", "macs", "modules"),
    [
        ("base", 62_194_875, 0, {}),
        ("spatial", 62_195_577, SPATIAL, {"SpatialGate": 39}),
        ("channel", 62_548_447, CHANNEL, {"SqueezeExcitation": 39}),
        ("bottleneck", 62_446_383, BOTTLENECK, {"BottleneckGate": 21}),
        ("se", 62_548_447, CHANNEL, {"SqueezeExcitation": 39}),
        ("self", 62_933_758, SELF, {"SelfAttention": 3}),
    ],
)
def test_an_attention_is_counted_apart(attention, parameters, macs, modules):
    summary, base = summary_of(attention), summary_of()
    assert summary.parameters == parameters
    assert summary.attention_parameters == parameters - 62_194_875
    assert summary.modules == modules
    assert summary.unets["N2"].attention_macs == summary.unets["N3"].attention_macs == macs
    assert summary.unets["N2"].convolution_macs == base.unets["N2"].convolution_macs
    for unet in summary.unets.values():
        assert sum(unet.sites.values()) == unet.attention_parameters


def test_self_attention_over_a_large_picture_has_at_most_1024_keys():
    macs = summary_of("self", size=4096).unets["N2"].attention_macs  # 64x64 queries, 32x32 keys and values
    assert macs == 4096 * 512 * 64 + 1024 * 512 * (64 + 512) + 4096 * 1024 * (64 + 512)


def test_a_picture_costs_what_its_padded_self_does():
    odd, even = (summary_of("self", 0.05, size) for size in (65, 128))
    assert odd.unets == even.unets
    assert any("GMACs at 65x65 (padded: 128x128)" in line for line in format_summary(odd))


@pytest.mark.parametrize("attention", ["base", "self"])
def test_the_parameters_are_those_of_the_network_itself(attention):
    summary = summary_of(attention, 0.05)
    assert summary.parameters == count_parameters(HDRAttNet(summary.config))


def test_counting_draws_no_random_numbers():
    before = torch.random.get_rng_state()
    summarize_network(NetworkConfig(attention="self", preset="attnet", width=0.05), 64)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("size", [0, -512, 32769])
def test_an_impossible_size_is_refused(size):
    with pytest.raises(ValueError, match=rf"{size}x{size} pixels: expected a side from 1 to 32768"):
        summary_of(size=size)


def test_the_lines_and_the_json_of_a_network_agree():
    summary = summary_of("bottleneck")
    plain, lines = summary.as_json(), [line.split() for line in format_summary(summary)]
    assert plain["parameters"] == {"N1": 6_944_727, "N2": 27_750_828, "N3": 27_750_828, "all": 62_446_383}
    assert ["network", *(f"{count:,}" for count in plain["parameters"].values())] in lines
    assert ["convolutions", *(f"{macs / 1e9:.2f}" for macs in plain["convolution_macs"].values())] in lines
    assert ["attention", *(f"{macs / 1e9:.4f}" for macs in plain["attention_macs"].values())] in lines
    # at level 1 N1 has 16 channels and N2 32, both with 4 hidden: 2 * 4 * channels + 4 + channels
    assert plain["sites"]["skip level 1"] == {"N1": 148, "N2": 292, "N3": 292}
    assert ["skip", "level", "1", "148", "292", "292"] in lines
    assert plain["places"] == ["skip", "deepest"]


def test_the_table_holds_what_each_attention_adds():
    lines = format_table([summary_of(attention) for attention in ("base", "self")])
    assert ["base", "62,194,875", "0", "0", "51.59", "0", "-"] in [line.split() for line in lines]
    # 738,883 / 62,194,875 = 1.188 %
    assert any(line.split()[:5] == ["self", "62,933,758", "738,883", "1.188", "%"] for line in lines)


def test_no_line_is_wider_than_120_columns():
    largest = summary_of("se", 4, 32767)
    assert max(len(line) for line in [*format_summary(largest), *format_table([summary_of(), largest])]) <= 120
