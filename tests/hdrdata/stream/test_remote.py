"""Shards behind a URL: a real server, whose failures are those of networks."""

import collections
import contextlib
import gc
import hashlib
import os
import re
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, repeat
from pathlib import Path

import numpy as np
import pytest
from http_server import serving_in_a_thread

import hdrdata.stream.remote
from hdrdata.files.disk import read_json, write_json
from hdrdata.samples.layout import IntegrityError
from hdrdata.stream.cache import CachedFolder
from hdrdata.stream.columns import ShardFile
from hdrdata.stream.remote import LocalFolder, RemoteFolder, Retry
from hdrdata.stream.shard_reader import Shards
from hdrdata.stream.stack_reader import open_stacks

QUICK = Retry(attempts=3, pause_seconds=0.001, timeout_seconds=0.2)


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder with Range requests, and fails where its server says so: one fault for each request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server, path = self.server, Path(self.translate_path(self.path))
        asked = self.headers["Range"]
        server.requests.append((path.name, asked))
        fault = next(server.faults, None) if path.suffix == ".tar" else None
        if fault == "hang":
            time.sleep(3 * QUICK.timeout_seconds)
        if fault == "503" or not path.is_file():
            return self.send_error(503 if path.is_file() else 404)
        content, status, headers = path.read_bytes(), 200, {}
        if asked and server.ranges:
            first, last = re.fullmatch(r"bytes=(\d+)-(\d*)", asked).groups()
            total = len(content)
            if int(first) >= total:
                return self.send_error(416)
            content = content[int(first) : int(last) + 1 if last else None]
            status, headers = 206, {"Content-Range": f"bytes {first}-{int(first) + len(content) - 1}/{total}"}
        if fault == "wrong":
            middle = len(content) // 2
            content = content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :]
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):  # of a reader that has given up
            if fault == "cut":
                self.wfile.write(content[: len(content) // 2])
                self.close_connection = True
                return None
            self.wfile.write(content)
        server.sent += len(content)
        return None

    def log_message(self, *message):
        pass


@contextlib.contextmanager
def serving(folder):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    server.faults, server.requests, server.ranges, server.sent = iter(()), [], True, 0
    server.url = f"http://127.0.0.1:{server.server_port}"
    with serving_in_a_thread(server):
        yield server


@pytest.fixture
def server(dataset):
    with serving(dataset.shards) as running:
        yield running


def open_quickly(server, **arguments):
    return open_stacks(server.url, **{"part": "val", "form": "pixels", "retry": QUICK, **arguments})


def shard_requests(server):
    return [request for request in server.requests if request[0].endswith(".tar")]


@pytest.mark.parametrize("form", ["pixels", "radiance"])
def test_a_web_server_gives_the_stacks_of_the_disk(server, dataset, form):
    with open_quickly(server, form=form) as remote, open_stacks(dataset.shards, part="val", form=form) as local:
        assert len(remote) == len(local) > 0
        for ours, theirs in zip(remote, local, strict=True):
            assert (ours.key, ours.view, ours.scene, ours.crf, ours.evs) == (
                theirs.key, theirs.view, theirs.scene, theirs.crf, theirs.evs
            )  # fmt: skip
            assert np.array_equal(ours.stack, theirs.stack)


def test_two_of_nine_exposures_cost_the_bytes_of_two(server, monkeypatch):
    monkeypatch.setattr(RemoteFolder, "gap", 1023)  # pictures of 32 pixels are smaller than the gap of 64 kB
    reader = open_quickly(server, exposures="ai")
    reader[0]  # checks the shard, and reads the JSON of its view
    members = reader.datasets[0].samples[1][1].members
    server.sent, server.requests = 0, []
    assert reader[1].evs == (-2.0, 2.0)
    assert server.sent == members["a.png"].size + members["i.png"].size
    assert len(server.requests) == 2
    reader.close()


@pytest.mark.parametrize(("exposures", "requests"), [("ab", 1), ("abef", 2), (None, 1)])
def test_neighbours_come_in_one_request(server, monkeypatch, exposures, requests):
    monkeypatch.setattr(RemoteFolder, "gap", 1023)
    reader = open_quickly(server, exposures=exposures)
    reader[0]
    server.requests = []
    reader[1]
    assert len(server.requests) == requests
    reader.close()


@pytest.mark.parametrize("faults", [["503", "503"], ["cut"], ["hang"], ["wrong"], ["cut", "503"]], ids="-".join)
def test_what_fails_in_passing_is_read_again(server, dataset, faults):
    reader, expected = open_quickly(server), open_stacks(dataset.shards, part="val", form="pixels")[1]
    reader[0]
    server.faults = chain(faults, repeat(None))
    server.requests = []
    assert np.array_equal(reader[1].stack, expected.stack)
    assert len(server.requests) == len(faults) + 1
    reader.close()


def test_bytes_that_stay_wrong_are_read_twice_and_raise_with_shard_and_sample(server):
    reader = open_quickly(server)
    reader[0]
    server.faults, server.requests = repeat("wrong"), []
    shard, layout = reader.datasets[0].samples[1]
    with pytest.raises(IntegrityError, match=rf"{server.url}/{shard}, sample {layout.key}: damaged: crc32c"):
        reader[1]
    assert len(server.requests) == 2
    reader.close()


def test_a_server_that_stays_away_is_an_error_that_names_the_url_and_is_never_skipped(server):
    reader = open_quickly(server, on_error="skip")
    server.faults = repeat("503")
    shard = reader.datasets[0].samples[0][0]
    with pytest.raises(OSError, match=rf"{server.url}/{shard}: ConnectionError: HTTP 503 \(attempt 3 of 3\)"):
        list(reader)
    assert len(shard_requests(server)) == 3
    reader.close()


def test_a_server_without_ranges_is_refused_but_for_the_cache(server, tmp_path):
    server.ranges = False
    with pytest.raises(ValueError, match=r"ignores Range requests .* expected cache=FOLDER"):
        open_quickly(server)[0]
    server.requests = []
    with open_quickly(server, cache=tmp_path) as reader:
        assert len(list(reader)) == len(reader)
        assert len(shard_requests(server)) == len({shard for shard, _ in reader.datasets[0].samples})


def test_a_shard_that_the_server_has_not_is_named_and_may_be_skipped(dataset_copy):
    victim = next((dataset_copy.shards / "pixels").glob("*-train-*"))
    victim.unlink()
    with serving(dataset_copy.shards) as server, open_quickly(server, part="train", on_error="skip") as reader:
        with pytest.warns(UserWarning, match=rf"stacks skipped; first {server.url}/pixels/{victim.name}: missing"):
            kept = [sample.key for sample in reader]
        assert kept + [lost.key for lost in reader.skipped] != []
        assert len(kept) + len(reader.skipped) == len(reader)
        assert {lost.shard for lost in reader.skipped} == {f"pixels/{victim.name}"}
        lost = [number for number in range(len(reader)) if reader.key(number) == reader.skipped[0].key]
        with pytest.raises(IntegrityError, match=r"missing; the index has it \(opened for sample "):
            reader[lost[0]]


@pytest.mark.parametrize("faults", [[], ["cut"], ["wrong"], ["503", "hang"]], ids="-".join)
def test_a_cached_shard_is_downloaded_whole_and_checked_and_read_from_then_on(
    server, dataset, tmp_path, monkeypatch, faults
):
    monkeypatch.setattr(hdrdata.stream.remote, "CHUNK", 1000)  # what is lost of a download that is cut
    server.faults = chain(faults, repeat(None))
    expected = list(open_stacks(dataset.shards, part="val", form="radiance"))
    for _ in range(2):
        with open_quickly(server, form="radiance", cache=tmp_path) as reader:
            assert all(np.array_equal(a.stack, b.stack) for a, b in zip(reader, expected, strict=True))
    digests = {row["files"][name]["sha256"] for name, row in reader.datasets[0].index["rows"].items()}
    copies = {path.stem for path in tmp_path.glob("*.tar")}
    assert copies and copies < digests
    assert len(shard_requests(server)) == len(copies) + len(faults)
    assert not list(tmp_path.glob("*.partial"))
    if faults == ["cut"]:  # the rest alone was asked for
        assert re.fullmatch(r"bytes=[1-9]\d*-", shard_requests(server)[1][1])


def test_a_download_that_was_killed_goes_on_where_it_was(server, dataset, tmp_path):
    rows = read_json(dataset.shards / "index.json")["rows"]
    name, row = next((name, row) for name, row in rows.items() if (row["form"], row["part"]) == ("radiance", "val"))
    content = (dataset.shards / name).read_bytes()
    (tmp_path / f"{row['files'][name]['sha256']}.partial").write_bytes(content[:5000])
    with open_quickly(server, form="radiance", cache=tmp_path) as reader:
        reader[0]
    assert shard_requests(server) == [(Path(name).name, "bytes=5000-")]


def test_a_download_that_stays_wrong_raises(server, tmp_path):
    server.faults = repeat("wrong")
    with open_quickly(server, cache=tmp_path) as reader, pytest.raises(IntegrityError, match=r"\.tar: damaged: sha256"):
        reader[0]
    assert not list(tmp_path.glob("*.tar"))


def test_a_copy_that_the_disk_spoiled_is_downloaded_again(server, dataset, tmp_path):
    with open_quickly(server, form="radiance", cache=tmp_path) as reader:
        expected = reader[0].stack
        name, layout = reader.datasets[0].samples[0]
        copy = tmp_path / f"{reader.datasets[0].index['rows'][name]['files'][name]['sha256']}.tar"
    content = bytearray(copy.read_bytes())
    content[layout.offset + layout.length // 2] ^= 1
    copy.write_bytes(content)
    with open_quickly(server, form="radiance", cache=tmp_path) as reader:
        assert np.array_equal(reader[0].stack, expected)
    assert copy.read_bytes() == (dataset.shards / name).read_bytes()


def test_a_full_cache_removes_the_copy_that_was_not_read_for_the_longest_time(dataset, tmp_path):
    source, cache, files = tmp_path / "source", tmp_path / "cache", {}
    source.mkdir()
    for name, size in (("a", 100), ("b", 110), ("c", 120)):
        content = name.encode() * size
        (source / name).write_bytes(content)
        files[name] = ShardFile(name, "pixels", "train", size, hashlib.sha256(content).hexdigest(), 1)
    with pytest.warns(UserWarning, match="cache_limit: 70% of the shards' 330 bytes fit"):
        folder = CachedFolder(LocalFolder(source), cache, files, limit=232)  # any two
    (cache / "notes.txt").write_text("of another program" * 99)
    held = []
    for name in "abacb":  # c removes b, which was read before a; then b removes a
        assert folder.read(name, 5, 3) == name.encode() * 3
        held.append("".join(one for one, file in files.items() if (cache / f"{file.sha256}.tar").exists()))
        time.sleep(0.02)  # a file system's clock may tick each 10 ms
    assert held == ["a", "ab", "ab", "ac", "bc"]
    assert (cache / "notes.txt").exists() and not list(cache.glob("*.partial"))
    with pytest.raises(ValueError, match=r"cache_limit 119 bytes; expected at least the 120 of .*c$"):
        CachedFolder(LocalFolder(source), cache, files, limit=119)
    with pytest.raises(ValueError, match="cache_limit 1 without cache; expected a folder"):
        open_stacks(dataset.shards, part="train", cache_limit=1)


READ = """
import sys
from hdrdata.stream.stack_reader import open_stacks
stacks = open_stacks(sys.argv[1], part="val", form="radiance", cache=sys.argv[2])
print(sum(int(sample.stack.sum()) for sample in stacks))
"""


def test_many_processes_share_a_cache_and_download_each_shard_once(server, dataset, tmp_path):
    command = [sys.executable, "-c", READ, server.url, str(tmp_path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    sums = {int(process.communicate(timeout=120)[0]) for process in running}
    assert sums == {sum(int(s.stack.sum()) for s in open_stacks(dataset.shards, part="val", form="radiance"))}
    assert set(collections.Counter(name for name, _ in shard_requests(server)).values()) == {1}


def test_braces_name_shards_of_a_server(server):
    names = sorted(name for name in read_index_rows(server) if name.startswith("pixels/tiny-train"))
    first = names[0].removesuffix(".tar")[:-1] + "{" + names[0][-5] + ".." + names[0][-5] + "}.tar"
    with open_stacks(f"{server.url}/{first}", retry=QUICK) as some, open_quickly(server, part="train") as every:
        assert 0 < len(some) < len(every)
        assert [some.key(n) for n in range(len(some))] == [every.key(n) for n in range(len(some))]
        assert some[0].stack.shape == (9, 32, 32, 3)


def read_index_rows(server):
    return Shards(server.url, "train", "pixels", retry=QUICK).index["rows"]


def test_threads_share_a_reader(server):
    with open_quickly(server) as reader:
        expected = [sample.stack.sum() for sample in reader]
        found = {}

        def read(first):
            for number in range(first, len(reader), 4):
                found[number] = reader[number].stack.sum()

        threads = [threading.Thread(target=read, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [found[number] for number in range(len(reader))] == expected


HOSTILE = {
    "a shard outside the folder": (lambda row, name: {f"../{name}": row}, r"expected a path inside the folder"),
    "an absolute shard": (lambda row, name: {f"/etc/{name}": row}, r"expected a path inside the folder"),
    "a digest that is a path": (
        lambda row, name: {name: row | {"files": {name: {"size": 9999, "sha256": "../../x"}}}},
        r"rows\..*sha256",
    ),
    "a sample beyond its shard": (
        lambda row, name: {name: row | {"files": {name: row["files"][name] | {"size": 2000}}}},
        r"sample .*: reaches beyond its bounds",
    ),
    "a member outside its sample": (
        lambda row, name: {name: row | {"samples": [row["samples"][0] | {"members": {"json": [0, 1 << 40, 7]}}]}},
        r"sample .*: reaches beyond its bounds",
    ),
    "no samples": (lambda row, name: {name: {key: row[key] for key in row if key != "samples"}}, r"Field required"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_index_that_cannot_be_true_is_refused_in_one_line(dataset, tmp_path, name):
    change, message = HOSTILE[name]
    index = read_json(dataset.shards / "index.json")
    shard, row = next(iter(index["rows"].items()))
    write_json(tmp_path / "index.json", {**index, "rows": change(row, shard)})
    with pytest.raises(ValueError, match=message) as caught:
        Shards(tmp_path, None, "auto")
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_store_is_read_like_a_folder(dataset, monkeypatch, tmp_path):
    pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    import boto3

    store = moto.ThreadedMotoServer(port=0, verbose=False)
    store.start()
    host, port = store.get_host_and_port()
    for variable, value in {
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }.items():
        monkeypatch.setenv(variable, value)
    try:
        client = boto3.client("s3")
        client.create_bucket(Bucket="bucket")
        rows = read_json(dataset.shards / "index.json")["rows"]
        for name in ["index.json", *(name for name, row in rows.items() if row["part"] == "val")]:
            client.put_object(Bucket="bucket", Key=f"hdr/{name}", Body=(dataset.shards / name).read_bytes())
        for cache in (None, tmp_path):
            expected = open_stacks(dataset.shards, part="val", exposures=(0, 2))
            with open_stacks("s3://bucket/hdr", part="val", exposures=(0, 2), cache=cache, retry=QUICK) as reader:
                for ours, theirs in zip(reader, expected, strict=True):
                    assert ours.key == theirs.key and np.array_equal(ours.stack, theirs.stack)
        with pytest.raises(IntegrityError, match=r"^s3://bucket/hdr/.*train.*: missing"):
            open_stacks("s3://bucket/hdr", part="train", retry=QUICK)[0]
    finally:
        store.stop()


def test_readers_leave_no_file_open(dataset):
    def open_shards():
        """What other tests left open may close at any moment: only files of this dataset count."""
        targets = []
        for entry in os.listdir("/dev/fd"):
            with contextlib.suppress(OSError):
                targets.append(os.readlink(f"/dev/fd/{entry}"))
        return sorted(target for target in targets if target.startswith(str(dataset.shards)))

    gc.collect()
    before = open_shards()
    for _ in range(3):
        reader = open_stacks(dataset.shards, part="train")
        next(iter(reader))
        assert len(open_shards()) > len(before)
        list(reader)
        del reader
        gc.collect()
    assert open_shards() == before
