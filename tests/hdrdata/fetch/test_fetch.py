"""Fetching ends with the right bytes whatever the server does, or says which file it has not and why."""

import csv
import gzip
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from http_server import http_server

import hdrdata.fetch.web
from hdrdata.cli import main
from hdrdata.fetch.catalogs import read_catalog
from hdrdata.fetch.polyhaven import choose_panoramas, find_files, location_group
from hdrdata.fetch.transfers import CHUNK_BYTES, LOCK, Wanted, fetch_files
from hdrdata.fetch.web import Failure, Patience, Web
from hdrdata.files.exr import write_exr
from hdrdata.files.locks import folder_lock, this_process
from hdrdata.files.radiance import read_radiance
from hdrdata.scenes.scan import scan_scenes
from hdrdata.scenes.sidecar import read_sidecar

QUICK = Patience(attempts=4, pause_seconds=0.01, timeout_seconds=0.4)
NAMES = ("bay_01", "alley", "bay_02", "cave")
EXR = "/file/ph-assets/HDRIs/exr/2k/{}_2k.exr"


@pytest.fixture
def server():
    with http_server() as place:
        yield place


@pytest.fixture
def contents() -> dict[str, bytes]:
    return {name: random.Random(name).randbytes(250_000 + 5_000 * len(name)) for name in NAMES}


@pytest.fixture
def quick(monkeypatch):
    """The command with little patience."""
    monkeypatch.setattr(hdrdata.fetch.web, "Patience", lambda **_: QUICK)


def fetch(out: Path, *options: object):
    return CliRunner().invoke(main, ["fetch", *map(str, options), "--out", str(out)])


def fetch_polyhaven(server, out, *options, count=3):
    return fetch(out, "polyhaven", "--count", count, "--api", server.url, *options)


def said(result) -> str:
    """The last line of the output; before it stands the progress bar."""
    return result.stdout.splitlines()[-1]


def visible(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "scenes.csv"}


def test_polyhaven_gives_checked_files_with_their_licences_and_a_second_run_fetches_none(server, contents, tmp_path):
    server.add_polyhaven(contents)
    result = fetch_polyhaven(server, tmp_path)
    assert result.exit_code == 0, result.output
    chosen = ("alley", "bay_01", "bay_02")  # the first three by name
    megabytes = sum(len(contents[name]) for name in chosen) / 1e6
    assert said(result) == f"{tmp_path}: 3 fetched ({megabytes:.1f} MB), 0 kept; licences in scenes.csv"
    assert "Powered by Poly Haven" in result.stdout  # a term of its API
    assert visible(tmp_path) == {f"{name}_2k.exr": contents[name] for name in chosen}
    assert {agent.split("/")[0] for _, _, agent in server.requests} == {"hdr-attnet"}  # another term
    rows = read_sidecar(tmp_path / "scenes.csv")
    assert rows["bay_02_2k.exr"] == {
        "file": "bay_02_2k.exr", "location_group": "bay", "kind": "pano", "licence": "CC0-1.0", "scale": "",
        "author": "Greg Zaal", "source": "https://polyhaven.com/a/bay_02", "url": server.url + EXR.format("bay_02"),
        "sha256": hashlib.sha256(contents["bay_02"]).hexdigest(),
    }  # fmt: skip
    before, sidecar = len(server.requests), (tmp_path / "scenes.csv").read_bytes()
    result = fetch_polyhaven(server, tmp_path)
    assert said(result).startswith(f"{tmp_path}: 0 fetched (0.0 MB), 3 kept;")
    asked = {path for path, _, _ in server.requests[before:]}
    assert asked == {"/assets", *(f"/files/{name}" for name in chosen)}
    assert (tmp_path / "scenes.csv").read_bytes() == sidecar


def test_a_choice_is_by_name_by_seed_by_category_and_by_size(server, contents):
    server.add_polyhaven(contents)
    assets = json.loads(server.files["/assets"])
    assets["cave"]["max_resolution"] = [1024, 512]
    assets["../up"] = assets["alley"]
    server.files["/assets"] = json.dumps(assets).encode()
    web = Web(QUICK)

    def choose(**changes):
        given = {"count": 9, "resolution": "2k", "category": None, "seed": None, **changes}
        return list(choose_panoramas(web, server.url, **given))

    assert choose() == ["alley", "bay_01", "bay_02"]  # cave is too small, ../up no name of a file
    assert choose(resolution="1k") == ["alley", "bay_01", "bay_02", "cave"]
    assert choose(category="night", resolution="1k") == ["alley", "cave"]
    assert choose(category="streets & town") == choose()
    assert choose(count=2) == ["alley", "bay_01"]
    orders = {tuple(choose(seed=seed, resolution="1k")) for seed in range(8)}
    assert len(orders) > 1 and choose(seed=3) == choose(seed=3)
    with pytest.raises(ValueError, match="of the category 'moon'; known: midday, night, outdoor"):
        choose(category="moon")
    with pytest.raises(ValueError, match="none of 5 assets is published in 24k"):
        choose(resolution="24k")


def test_panoramas_of_one_place_share_a_group():
    assert location_group("brown_photostudio_07", None) == "brown_photostudio"
    assert location_group("kiara_1_dawn", None) == location_group("kiara_9_dusk", None) == "kiara"
    assert location_group("belfast_sunset_puresky", None) == location_group("belfast_sunset", []) == "belfast_sunset"
    assert location_group("kiara_1_dawn", [-26.0317, 28.0459]) == "-26.03,28.05"
    assert location_group("kiara_1_dawn", ["x", 1]) == "kiara"


def test_passing_failures_are_waited_out_and_a_cut_transfer_goes_on(server, contents, tmp_path, quick):
    server.add_polyhaven(contents)
    server.failures = {
        "/assets": ["500"],
        "/files/alley": ["503", "429"],
        EXR.format("alley"): ["500", "cut", "cut"],  # each cut is a step forward
        EXR.format("bay_01"): ["stall"],
        EXR.format("bay_02"): ["cut", "no ranges"],
    }
    result = fetch_polyhaven(server, tmp_path)
    assert result.exit_code == 0, result.output
    assert visible(tmp_path) == {f"{name}_2k.exr": contents[name] for name in ("alley", "bay_01", "bay_02")}
    ranges = server.ranges(EXR.format("alley"))
    begins = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in ranges[2:]]
    assert ranges[:2] == [None, None] and len(begins) == 2 and begins == sorted(set(begins))
    lost = len(contents["alley"]) * 2 // 3 - begins[0]
    assert 0 <= lost < CHUNK_BYTES
    assert server.ranges(EXR.format("bay_01"))[1] is not None
    assert len(server.ranges(EXR.format("bay_02"))) == 2  # the whole of it came the second time


def test_a_file_that_fails_is_named_and_the_others_are_done(server, contents, tmp_path, quick):
    server.add_polyhaven(contents)
    tree = json.loads(server.files["/files/bay_02"])
    tree["hdri"]["2k"]["exr"]["md5"] = "0" * 32
    server.files["/files/bay_02"] = json.dumps(tree).encode()
    server.files["/files/bay_01"] = b'{"hdri": {"1k": {}}}'
    server.failures[EXR.format("cave")] = ["404"]
    result = fetch_polyhaven(server, tmp_path, count=4)
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit)
    digest = hashlib.md5(contents["bay_02"]).hexdigest()
    assert result.stderr.splitlines() == [
        "failed: bay_01_2k.exr: not published in 2k; there are: 1k",
        f"failed: bay_02_2k.exr: its md5 is {digest}; expected {'0' * 32}",
        "failed: cave_2k.exr: the server answered 404 Not Found",
        "Error: 3 files failed; run it again to continue",
    ]
    assert visible(tmp_path).keys() == {"alley_2k.exr"}
    assert list(read_sidecar(tmp_path / "scenes.csv")) == ["alley_2k.exr"]
    assert len(server.ranges(EXR.format("bay_02"))) == 2  # twice whole, then it is the source's mistake


def test_a_server_that_stays_broken_is_given_up(server, contents, tmp_path, quick):
    server.add_polyhaven(contents)
    server.failures = {EXR.format("alley"): ["500"] * 9}
    result = fetch_polyhaven(server, tmp_path, count=1)
    assert "failed: alley_2k.exr: the server answered 500 Internal Server Error (4 times)" in result.stderr
    server.failures["/assets"] = ["503"] * 9
    result = fetch_polyhaven(server, tmp_path)
    (line,) = result.stderr.splitlines()
    assert line.endswith("/assets?type=hdris: the server answered 503 Service Unavailable (4 times)")
    result = fetch(tmp_path, "polyhaven", "--count", 1, "--api", "http://127.0.0.1:9")
    assert "no connection to the server (4 times)" in result.stderr
    for answer in (b"[]", b"<html>", b'{"a": 1}'):
        server.files["/assets"], server.failures = answer, {}
        (line,) = fetch_polyhaven(server, tmp_path).stderr.splitlines()
        assert "not a list of assets" in line or "something that is not JSON" in line


@pytest.mark.parametrize(
    "changes", [{"url": "file:///etc/passwd"}, {"md5": "x"}, {"size": "1"}, {"size": 0}, {"url": None}, {"md5": 3}]
)
def test_an_entry_of_another_shape_is_told(server, contents, changes):
    server.add_polyhaven(contents, **changes)
    files, failures = find_files(Web(QUICK), server.url, {"alley": {}}, "2k", "exr", 1)
    assert files == [] and list(failures) == ["alley_2k.exr"]


def wanted(server, name: str, content: bytes, *, digest=True, size=True) -> Wanted:
    server.files[f"/{name}"] = content
    checksum = ("sha256", hashlib.sha256(content).hexdigest()) if digest else None
    return Wanted(name, f"{server.url}/{name}", len(content) if size else None, checksum, {"licence": "mine"})


@pytest.mark.parametrize("etags", [True, False])
@pytest.mark.parametrize("digest", [True, False])
def test_a_part_of_a_file_that_changed_at_the_source_is_not_gone_on_with(server, tmp_path, etags, digest):
    old, new = (random.Random(seed).randbytes(150_000) for seed in (1, 2))
    server.etags = etags
    file = wanted(server, "a.exr", old, digest=digest, size=False)
    server.failures["/a.exr"] = ["cut", "404"]
    assert fetch_files([file], tmp_path, Web(QUICK), 1).failures
    assert (tmp_path / ".partial-a.exr").stat().st_size == CHUNK_BYTES  # of 100,000 that came
    file = wanted(server, "a.exr", new, digest=digest, size=False)
    assert fetch_files([file], tmp_path, Web(QUICK), 1).new == ["a.exr"]
    assert visible(tmp_path) == {"a.exr": new}


def test_a_file_of_unknown_length_needs_a_checksum(server, tmp_path):
    content = random.Random(1).randbytes(10_000)
    for digest in (True, False):
        file = wanted(server, f"{digest}.exr", content, digest=digest, size=False)
        server.failures[f"/{file.name}"] = ["no length"]
        failures = fetch_files([file], tmp_path, Web(QUICK), 1).failures
        reason = "neither the server states a length nor the list a sha256: a truncated file would not be detected"
        assert failures == ({} if digest else {file.name: reason})


def test_a_damaged_file_is_fetched_again_and_a_strangers_is_not_touched(server, tmp_path):
    content = random.Random(1).randbytes(20_000)
    for digest in (True, False):
        file = wanted(server, f"{digest}.exr", content, digest=digest)
        path = tmp_path / file.name
        path.write_bytes(b"mine")
        fetched = fetch_files([file], tmp_path, Web(QUICK), 1)
        assert fetched.failures == {file.name: "a file of this name exists, with other content; move it away"}
        assert path.read_bytes() == b"mine"
        path.write_bytes(content)  # left by a run that was killed before it wrote the row
        assert not fetch_files([file], tmp_path, Web(QUICK), 1).failures
        changed = content[:-1] + bytes([content[-1] ^ 1])
        path.write_bytes(changed)  # by damage, or by its owner: it is kept under another name
        fetched = fetch_files([file], tmp_path, Web(QUICK), 1)
        assert fetched.new == [file.name]
        assert (tmp_path / fetched.moved[file.name]).read_bytes() == changed
        assert fetch_files([file], tmp_path, Web(QUICK), 1).kept == [file.name]
        assert path.read_bytes() == content


def test_what_a_user_wrote_into_the_sidecar_stays(server, tmp_path):
    write_exr(tmp_path / "own.exr", np.ones((8, 8, 3), np.float32))
    (tmp_path / "scenes.csv").write_text("file,location_group,notes\nown.exr,quay,rainy\na.exr,pier,\n")
    fetch_files([wanted(server, "a.exr", b"1" * 100)], tmp_path, Web(QUICK), 2)
    rows = read_sidecar(tmp_path / "scenes.csv")
    assert rows["own.exr"]["notes"] == "rainy" and rows["own.exr"]["location_group"] == "quay"
    assert (rows["a.exr"]["location_group"], rows["a.exr"]["licence"]) == ("pier", "mine")
    (tmp_path / "scenes.csv").write_text("file\na.exr\na.exr\n")
    with pytest.raises(ValueError, match=r"scenes\.csv, line 3: 'a\.exr' is listed twice"):
        fetch_files([wanted(server, "b.exr", b"1")], tmp_path, Web(QUICK), 1)


def test_a_catalog_is_fetched_and_scanned_with_its_licences(server, tmp_path):
    write_exr(tmp_path / "source.exr", np.ones((8, 16, 3), np.float32))
    content = (tmp_path / "source.exr").read_bytes()
    server.files["/deep/scene.exr"] = content
    other = random.Random(2).randbytes(3_000)
    server.files["/b"] = other
    catalog = tmp_path / "list.csv"
    with catalog.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "url", "sha256", "licence", "location_group"])
        writer.writerow(
            ["a b.exr", f"{server.url}/deep/scene.exr", hashlib.sha256(content).hexdigest(), "CC-BY-4.0", "x"]
        )
        writer.writerow(["b.hdr", f"{server.url}/b", "", "own", ""])
    out = tmp_path / "scenes"
    result = fetch(out, "--catalog", catalog)
    assert result.exit_code == 0, result.output
    assert visible(out) == {"a b.exr": content, "b.hdr": other}
    scan = scan_scenes(out, sidecar="scenes.csv", seed=0, val_share=0.0, test_share=0.0)
    assert [(scene.path, scene.licence) for scene in scan.scenes] == [("a b.exr", "CC-BY-4.0"), ("b.hdr", "own")]
    assert scan.scenes[0].group == "x" and scan.scenes[1].group.startswith("b-")  # its name and its content
    before = server.sent
    assert "0 fetched (0.0 MB), 2 kept" in said(fetch(out, "--catalog", catalog))
    assert server.sent == before


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name,licence\na.exr,x\n", "line 1: no column url"),
        ("a.exr,http://h/a\n", "line 1: no column name and no column url"),
        ("name,url\n", "no rows; expected one a file"),
        ("", "no column name and no column url"),
        ("name,url\na.exr,http://h/a\n,http://h/a\n", "line 3: name ''"),
        ("name,url\n../a.exr,http://h/a\n", "line 2: name '../a.exr'; expected a file name without a folder"),
        ("name,url\nx/a.exr,http://h/a\n", "line 2: name 'x/a.exr'"),
        ("name,url\n.a.exr,http://h/a\n", "line 2: name '.a.exr'"),
        ("name,url\na.exr.sh,http://h/a\n", "line 2: name 'a.exr.sh'; expected one that ends in .exr .hdr"),
        ("name,url\nscenes.csv,http://h/a\n", "line 2: name 'scenes.csv'"),
        ("name,url\na.exr,http://h/a\nA.EXR,http://h/b\n", "line 3: 'A.EXR' occurs twice"),
        ("name,url\na.exr,file:///etc/passwd\n", "line 2: url 'file:///etc/passwd'; expected http:// or https://"),
        ("name,url\na.exr,http:///a\n", "line 2: url 'http:///a'"),
        ("name,url\na.exr\n", "line 2: url ''"),
        ("name,url,sha256\na.exr,http://h/a,12\n", "line 2: sha256 '12'; expected 64"),
        ("name,url,kind\na.exr,http://h/a,fisheye\n", "line 2: kind 'fisheye'"),
        ("\xff\xfe", "not a readable CSV"),
    ],
)
def test_a_wrong_catalog_is_refused_with_its_line_before_anything_is_fetched(tmp_path, text, reason):
    (tmp_path / "list.csv").write_bytes(text.encode("latin-1"))
    result = fetch(tmp_path / "out", "--catalog", tmp_path / "list.csv")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert "list.csv" in line and reason in line
    assert not (tmp_path / "out").exists()


def test_a_catalog_saved_by_a_spreadsheet_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "list.csv").write_bytes(b"\xef\xbb\xbfname,url\r\na.exr,https://h/a?b=c\r\n")
    assert [file.url for file in read_catalog(tmp_path / "list.csv")] == ["https://h/a?b=c"]


def test_the_command_wants_one_source():
    for arguments in ([], ["polyhaven"], ["polyhaven", "--catalog", "list.csv"], ["polyhaven", "--count", "0"]):
        assert CliRunner().invoke(main, ["fetch", *arguments]).exit_code == 2


def start_fetch(server, out: Path, **options: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "hdrdata.cli.root", "fetch", "polyhaven", "--count", "4", "--api", server.url]
    command[1:3] = ["-c", "import sys; from hdrdata.cli import main; main(sys.argv[1:])"]
    return subprocess.Popen([*command, "--out", str(out)], stdout=-1, stderr=-1, text=True, **options)


def wait_for_bytes(server, size: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 30
    while server.sent < size and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_killed_goes_on_where_it_ended(server, tmp_path, how):
    contents = {name: random.Random(name).randbytes(400_000) for name in NAMES}
    server.add_polyhaven(contents)
    server.chunk_seconds = 0.002  # 100 chunks a file
    process = start_fetch(server, tmp_path)
    wait_for_bytes(server, 900_000, process)
    process.send_signal(how)
    process.wait()
    output = process.stderr.read()
    process.stdout.close(), process.stderr.close()
    assert process.returncode == {signal.SIGKILL: -9, signal.SIGINT: 130}[how]
    if how == signal.SIGINT:
        assert output.splitlines()[-1] == "interrupted; run it again to continue from here"
    begun = sum(path.stat().st_size for path in tmp_path.glob(".partial-*.exr"))
    assert begun > 0
    server.chunk_seconds, before = 0.0, server.sent
    assert fetch_polyhaven(server, tmp_path, count=4).exit_code == 0
    assert visible(tmp_path) == {f"{name}_2k.exr": content for name, content in contents.items()}
    lists = 20_000  # of the API, at most
    assert server.sent - before < 1_600_000 - begun + lists


def test_a_full_disk_ends_the_run_in_one_line_and_the_next_goes_on(server, contents, tmp_path):
    server.add_polyhaven({name: content * 4 for name, content in contents.items()})

    def limit() -> None:  # a file larger than this fails to grow, as on a full disk
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    process = start_fetch(server, tmp_path, preexec_fn=limit)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.startswith("Error: [Errno 27] File too large: ") and len(errors.splitlines()) == 1
    assert ".partial-" in errors and not [
        path for path in tmp_path.iterdir() if path.suffix == ".exr" and path.name[0] != "."
    ]
    assert fetch_polyhaven(server, tmp_path, count=4).exit_code == 0
    assert visible(tmp_path) == {f"{name}_2k.exr": content * 4 for name, content in contents.items()}


def test_a_disk_without_room_is_told_before_anything_is_fetched(server, contents, tmp_path):
    server.add_polyhaven(contents, size=10**15)
    result = fetch_polyhaven(server, tmp_path)
    assert result.exit_code == 1
    assert "3000000000.0 MB to fetch, but the disk has room for" in result.stderr
    assert not server.ranges(EXR.format("alley"))


def test_a_fetched_scene_is_read(server, tmp_path):
    write_exr(tmp_path / "a.exr", np.full((8, 16, 3), 2.0, np.float32))
    server.add_polyhaven({"alley": (tmp_path / "a.exr").read_bytes()})
    assert fetch_polyhaven(server, tmp_path / "scenes", count=5).stderr == "only 1 panoramas fit\n"
    assert (read_radiance(tmp_path / "scenes" / "alley_2k.exr") == 2).all()
    assert os.stat(tmp_path / "scenes" / "alley_2k.exr").st_mode & 0o777 == 0o644


def test_of_two_processes_in_one_folder_the_second_reports_the_first(server, tmp_path):
    file = wanted(server, "slow.exr", random.Random(1).randbytes(120_000), digest=False, size=False)
    with folder_lock(tmp_path / LOCK):
        (tmp_path / LOCK).write_text(json.dumps(this_process()))
        with pytest.raises(ValueError, match=rf"another run is at work in it \(process {os.getpid()} on .*wait for it"):
            fetch_files([file], tmp_path, Web(QUICK), 1)
    assert not server.requests
    assert fetch_files([file], tmp_path, Web(QUICK), 1).new == ["slow.exr"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scenes.csv", "slow.exr"]


def test_a_second_fetch_meanwhile_is_refused_and_the_first_is_whole(server, tmp_path):
    content = random.Random(1).randbytes(60_000)
    file = wanted(server, "slow.exr", content, digest=False, size=False)
    server.chunk_seconds = 0.1
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(fetch_files, [file], tmp_path, Web(QUICK), 1)
        while not server.sent:
            time.sleep(0.01)
        with pytest.raises(ValueError, match=r"another run is at work in it \(process "):
            fetch_files([file], tmp_path, Web(QUICK), 1)
        server.chunk_seconds = 0.0
        assert first.result().new == ["slow.exr"]
    assert (tmp_path / "slow.exr").read_bytes() == content
    assert read_sidecar(tmp_path / "scenes.csv")["slow.exr"]["sha256"] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("kind", ["link", "hard link", "file", "link to nowhere"])
def test_a_planted_partial_file_is_refused_and_what_it_leads_to_stays(server, tmp_path, kind):
    file = wanted(server, "a.exr", random.Random(1).randbytes(10_000))
    home, folder = tmp_path / "home", tmp_path / "scenes"
    home.mkdir()
    folder.mkdir()
    (home / "thesis").write_text("precious")
    planted = folder / ".partial-a.exr"
    if kind == "link":
        planted.symlink_to(home / "thesis")
    elif kind == "hard link":
        planted.hardlink_to(home / "thesis")
    elif kind == "link to nowhere":
        planted.symlink_to(home / "new")
    else:
        planted.write_text("somebody's")
    before = planted.read_bytes() if planted.exists() else None
    if kind != "file":  # a note makes it ours, but only a file
        (folder / ".partial-a.exr.json").write_text(json.dumps({"url": file.url, "validator": None}))
    (reason,) = fetch_files([file], folder, Web(QUICK), 1).failures.values()
    assert reason == ".partial-a.exr is there, and was not made by this command; move it away"
    assert (home / "thesis").read_text() == "precious" and not (home / "new").exists()
    assert (planted.read_bytes() if planted.exists() else None) == before


def test_what_a_server_packs_is_refused_without_unpacking_it(server, tmp_path):
    bomb = wanted(server, "a.exr", gzip.compress(bytes(10_000_000)), digest=False, size=False)
    server.headers = {"Content-Encoding": "gzip"}
    (reason,) = fetch_files([bomb], tmp_path, Web(QUICK), 1).failures.values()
    assert reason == "the server compresses its answer (gzip), which was not requested"
    with pytest.raises(Failure, match="the server compresses its answer"):
        Web(QUICK).json(bomb.url)


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><html>", b'\n <?xml version="1.0"?>', b'{"error": "quota"}'])
def test_a_web_page_is_no_scene(server, tmp_path, page):
    file = wanted(server, "a.exr", page * 100, digest=False, size=False)
    (reason,) = fetch_files([file], tmp_path, Web(QUICK), 1).failures.values()
    assert "the server sent a page of text" in reason and visible(tmp_path) == {}


def test_a_long_catalog_is_read_in_linear_time(tmp_path):
    def seconds(rows: int) -> float:
        lines = [f"scene{number}.exr,https://h/{number}" for number in range(rows)]
        (tmp_path / "list.csv").write_text("name,url\n" + "\n".join(lines))
        begin = time.process_time()
        assert len(read_catalog(tmp_path / "list.csv")) == rows
        return time.process_time() - begin

    shorter = min(seconds(1_000) for _ in range(3))
    assert min(seconds(16_000) for _ in range(3)) < 100 * shorter  # linear: 16 times; quadratic: 256


def test_cells_that_a_spreadsheet_would_run_are_text_and_are_read_back(server, tmp_path):
    names = ["=1+1.exr", "+a.exr", "-b.exr", "@c.exr", "'=d.exr"]
    files = [wanted(server, name, b"1" * 100) for name in names]
    fetch_files(files, tmp_path, Web(QUICK), 1)
    with (tmp_path / "scenes.csv").open(newline="") as file:
        assert {row[0] for row in csv.reader(file)} == {"file", *(f"'{name}" for name in names)}
    assert sorted(read_sidecar(tmp_path / "scenes.csv")) == sorted(names)
    assert sorted(fetch_files(files, tmp_path, Web(QUICK), 1).kept) == sorted(names)
