"""The command `hdrmodel compare`: verdicts on drawn scores whose truth is known, and one line for a mistake."""

import json
from functools import partial

import pytest
from run_command import printed_by, run
from score_files import PROTOCOL, score_rows, write_scores

from hdrmodel.cli import main

compare, printed = partial(run, main, "compare"), partial(printed_by, main, "compare")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """better: 1 dB above none; alike: as none, with other noise."""
    folder = tmp_path_factory.mktemp("scores")
    for number, (name, more) in enumerate({"base": 0.0, "better": 1.0, "alike": 0.0}.items()):
        write_scores(folder / name, score_rows(better=more, drawn=number + 1))
    return folder


def rows_of(text: str) -> dict[tuple[str, str], str]:
    """Metric and set -> the row of the first table."""
    lines = text.split("\n\n")[1].splitlines()
    assert lines[0].split("  ")[0] == "metric" and lines[0].endswith("verdict")
    return {tuple(line.split()[:2]): line for line in (line.replace(" (dB)", "") for line in lines[1:])}


def test_a_better_variant_is_told_so_whatever_the_direction_of_the_metric(folders):
    text = printed(folders / "better", folders / "base")
    assert text.startswith(
        f"A  {folders / 'better'}: network of better, seed 0\nB  {folders / 'base'}: network of base"
    )
    rows = rows_of(text)
    assert rows["PSNR", "LDR"].endswith("100 %  A better")
    assert rows["LPIPS", "LDR"].endswith("A better") and " -0.01" in rows["LPIPS", "LDR"]
    assert rows["PSNR", "tone-mapped"].endswith("A better")
    assert rows["PU21-PSNR", "HDR"].endswith("not separable: under the metric's resolution of 3.5 dB")
    assert rows["PU21-PSNR", "HDR"].split()[2] == "gain"
    assert "30 stacks of 10 scenes; means over" in text
    assert "2000 resamples; A and B from one seed: another may differ by more." in " ".join(text.split())
    swapped = rows_of(printed(folders / "base", folders / "better"))
    assert swapped["PSNR", "LDR"].endswith(" 0 %  B better") and swapped["LPIPS", "LDR"].endswith("B better")


def test_noise_is_no_verdict(folders):
    for row in rows_of(printed(folders / "alike", folders / "base")).values():
        assert "not separable: " in row
    same = json.loads(printed(folders / "base", folders / "base", "--json"))["groups"][0]["columns"]["psnr_ldr"]
    assert (same["difference"], same["low"], same["high"], same["win_rate"]) == (0, 0, 0, 0.5)
    assert same["better"] is None and same["why"] == "the interval holds 0"


def test_json_holds_what_the_table_rounds(folders):
    content = json.loads(printed(folders / "better", folders / "base", "--json", "--resamples", 500))
    assert content["a"] == {"path": str(folders / "better"), "variant": "better", "method": "network", "seeds": ["0"]}
    assert (content["level"], content["resamples"], len(content["groups"])) == (0.95, 500, 1)
    line = content["groups"][0]["columns"]["psnr_ldr"]
    assert line["difference"] == pytest.approx(line["mean_a"] - line["mean_b"])
    assert 0.5 < line["low"] < line["difference"] < line["high"] < 1.5
    assert (line["better"], line["why"], line["stacks"], line["scenes"]) == ("A", "", 30, 10)
    row = rows_of(printed(folders / "better", folders / "base", "--resamples", 500))["PSNR", "LDR"]
    assert f"[{line['low']:+.2f}, {line['high']:+.2f}]" in row and f"{line['difference']:+.2f}" in row


def test_a_network_is_compared_with_doing_nothing_in_the_same_folder(folders):
    content = json.loads(printed(folders / "better", folders / "better", "--method-b", "input_crf", "--json"))
    assert (content["a"]["method"], content["b"]["method"], content["b"]["seeds"]) == ("network", "input_crf", [])
    assert content["groups"][0]["columns"]["psnr_tonemapped"]["better"] == "A"
    oracle = printed(folders / "better", folders / "better", "--method", "oracle", "--method-b", "network")
    assert "No stack has a finite score of both in psnr_ldr, lpips_ldr." in oracle
    assert rows_of(oracle)["PU21-PSNR", "HDR"].endswith("A better")  # 19 dB


def test_strata_part_the_stacks_by_clipped_share(folders):
    text = printed(folders / "better", folders / "base", "--by-clipping")
    for label in ("1-5 %", "5-20 %", "20-100 %"):
        assert f"Clipped share of the input {label}: " in text
    groups = json.loads(printed(folders / "better", folders / "base", "--by-clipping", "--json"))["groups"]
    assert groups[0]["clipped_share"] is None
    assert groups[0]["stacks"] == 30 == sum(group["stacks"] for group in groups[1:])
    means = [(group["columns"]["psnr_ldr"]["mean_a"], group["stacks"]) for group in groups]
    assert means[0][0] == pytest.approx(sum(mean * stacks for mean, stacks in means[1:]) / 30)


def test_seeds_widen_the_interval_and_are_named(tmp_path):
    rows = score_rows(seeds=(0, 1, 10), better=1.0)
    for row in rows:
        if row["method"] == "network":  # the seeds lie 2 dB apart
            row["psnr_ldr"] = str(float(row["psnr_ldr"]) + 2 * ("0", "1", "10").index(row["seed"]))
    protocol = {**PROTOCOL, "intervals": "scenes and seeds"}  # tells how many seeds there are: no other protocol
    several = write_scores(tmp_path / "several", rows, protocol=protocol)
    one = write_scores(tmp_path / "one", score_rows(drawn=2))
    text = printed(several, one)
    assert "network of several, seeds 0, 1, 10\n" in text
    assert "resamples; B from one seed: another may differ by more." in " ".join(text.split())
    columns = json.loads(printed(several, one, "--json"))["groups"][0]["columns"]
    assert columns["psnr_ldr"]["why"] == "the interval holds 0"  # 3 dB, of three seeds: +- 4.3 * 2 / sqrt(3)
    assert columns["psnr_ldr"]["low"] == pytest.approx(3 - 4.3 * 2 / 3**0.5, abs=0.3)
    assert columns["psnr_tonemapped"]["better"] == "A"


def test_left_out_stacks_and_columns_of_one_alone_are_told(folders, tmp_path):
    rows = score_rows(drawn=3)
    for row in rows[:8]:
        row["psnr_ldr"] = "inf"
    more = json.loads((folders / "base" / "summary.json").read_text())["columns"]
    del more["lpips_ldr"]
    other = write_scores(tmp_path / "other", rows, columns=more, absent={"lpips": "no trunk; get one"})
    text = printed(other, folders / "base")
    assert "psnr_ldr: 2 of 30 stacks left out: infinite or missing." in text
    assert "Only B has lpips_ldr." in text and "lpips is absent: no trunk; get one" in text


def test_one_scene_is_no_verdict(tmp_path):
    for name, better in (("a", 5.0), ("b", 0.0)):
        write_scores(tmp_path / name, score_rows(scenes=1, better=better))
    text = printed(tmp_path / "a", tmp_path / "b")
    assert rows_of(text)["PSNR", "LDR"].endswith(" -   100 %  not separable: one scene")
    assert "3 stacks of 1 scene; means over" in text


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        (
            {"scenes": 9},
            {},
            "different stacks than {b}/per_picture.csv: 3 keys are in only one of them, such as 'place9_0_film'",
        ),
        ({}, {"protocol": {**PROTOCOL, "hdr": "X"}}, "a different protocol than {b}: 'hdr' is 'PU21', and 'X' in A"),
        ({}, {"protocol": {"ldr": "peak 1"}}, "'alignments' is 'gain', and missing in A"),
        ({}, {"lpips": "vgg 0.1"}, "LPIPS by 'alex 0.1', and by 'vgg 0.1' in"),
    ],
)
def test_what_must_not_be_subtracted_is_refused_in_one_line(folders, tmp_path, rows, changes, message):
    a, b = write_scores(tmp_path / "a", score_rows(**rows), **changes), folders / "base"
    result = compare(a, b)
    assert result.exit_code == 1
    (line,) = result.output.strip().splitlines()
    assert line.startswith(f"Error: {b}") and message.format(b=a) in line


def test_another_picture_under_the_same_key_is_refused(folders, tmp_path):
    rows = score_rows()
    for row in rows[4:8]:
        row["clipped_share"] = "0.9"
    result = compare(write_scores(tmp_path / "a", rows), folders / "base")
    assert result.exit_code == 1 and "'place0_1_film' has the clipped share" in result.output
    assert "and 0.9 in" in result.output and len(result.output.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["base", "nowhere"], "nowhere: no such file; expected a folder of scores"),
        (["base", "base", "--method", "magic"], "no method 'magic'; it has network, step0, input_crf, oracle"),
        (["base", "base", "--method-b", "magic"], "no method 'magic'"),
    ],
)
def test_a_mistake_is_one_line(folders, monkeypatch, arguments, message):
    monkeypatch.chdir(folders)
    result = compare(*arguments)
    assert result.exit_code == 1
    (line,) = result.output.strip().splitlines()
    assert line.startswith("Error: ") and message in line


def test_the_help_has_a_sentence_and_examples():
    text = " ".join(printed("--help").split())
    assert (
        "Compare the scores A and B by metric, with intervals: two folders of scores, or their per_picture.csv. "
        in text
    )
    assert " hdrmodel compare data/scores/spatial data/scores/base " in text and "[default: network]" in text


def test_resamples_are_those_of_a_s_evaluation_unless_others_are_asked_for(folders, tmp_path):
    write_scores(tmp_path / "few", score_rows(drawn=1), bootstrap={"resamples": 300, "seed": 5})
    assert json.loads(printed(tmp_path / "few", folders / "base", "--json"))["resamples"] == 300
    assert json.loads(printed(folders / "base", tmp_path / "few", "--json"))["resamples"] == 2000
    assert json.loads(printed(tmp_path / "few", folders / "base", "--json", "--resamples", 400))["resamples"] == 400


def test_what_is_told_the_camera_response_beside_what_is_not_is_said_to_be_unfair(folders, tmp_path):
    write_scores(tmp_path / "theirs", score_rows(), kind="predictions")
    text = " ".join(printed(folders / "base", tmp_path / "theirs").split())
    assert "A uses the known camera response and B does not: a fair comparison is by --method network_srgb" in text
    text = " ".join(printed(tmp_path / "theirs", folders / "base").split())
    assert "B uses the known camera response and A does not: a fair comparison is by --method-b network_srgb" in text
    assert json.loads(printed(folders / "base", tmp_path / "theirs", "--json"))["knows_the_response"] == "A"
    for pair in ((folders / "base", folders / "better"), (tmp_path / "theirs", tmp_path / "theirs")):
        assert "fair comparison" not in printed(*pair)
