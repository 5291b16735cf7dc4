"""What others send: malformed pictures, tars that lie, decoders that crash. One line each, bounded memory."""

import gzip
import io
import json
import os
import struct
import subprocess
import sys
import tarfile

import cv2
import numpy as np
import OpenEXR
import pytest
import tifffile
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from shared_files import ROOT

from hdrdata.cli.root import main
from hdrdata.files.claims import check_tiff_claim
from hdrdata.files.hdr.rgbe import read_radiance_picture
from hdrdata.files.radiance import read_light, read_radiance, repair_radiance
from hdrdata.integrity.tar_walk import printable, tar_faults, walk_tar
from hdrdata.integrity.verify import verify_tars
from hdrdata.samples.layout import END_BLOCKS
from hdrdata.work.processes import map_in_processes


def member(name: str, content: bytes = b"x", **changes) -> bytes:
    """One member of a tar: header and content."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in changes.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


def sample(key: str) -> bytes:
    return member(f"{key}.json", b"{}") + member(f"{key}.png", b"p" * 700)


def with_checksum(header: bytes) -> bytes:
    header = header[:148] + b" " * 8 + header[156:]
    return header[:148] + b"%06o\0 " % sum(header) + header[156:]


def huge(claim: bytes) -> bytes:
    header = member("a.bin")[:512]
    return with_checksum(header[:124] + claim + header[136:]) + b"x" * 512


def pax(records: str) -> bytes:
    content = b"".join(
        f"{len(record) + 4 if len(record) + 4 < 100 else len(record) + 5} {record}\n".encode()
        for record in records.split(";")
    )
    return member("pax", content, type=tarfile.XHDTYPE) + member("a.png")


SOUND = sample("a") + sample("b")
BAD_TARS = {
    "parent": (member("../../evil.png") + END_BLOCKS, "would leave the folder"),
    "absolute": (member("/etc/evil.png") + END_BLOCKS, "would leave the folder"),
    "backslash": (member("..\\evil.png") + END_BLOCKS, "would leave the folder"),
    "symbolic link": (member("a.png", b"", type=tarfile.SYMTYPE, linkname="/etc") + END_BLOCKS, "a symbolic link"),
    "hard link": (member("a.png", b"", type=tarfile.LNKTYPE, linkname="b") + END_BLOCKS, "a hard link"),
    "device": (member("a.png", b"", type=tarfile.CHRTYPE) + END_BLOCKS, "a character device"),
    "block device": (member("a.png", b"", type=tarfile.BLKTYPE) + END_BLOCKS, "a block device"),
    "fifo": (member("a.png", b"", type=tarfile.FIFOTYPE) + END_BLOCKS, "a fifo"),
    "sparse": (member("a.png", b"", type=tarfile.GNUTYPE_SPARSE) + END_BLOCKS, "a sparse file"),
    "sparse by PAX": (pax("GNU.sparse.major=1") + END_BLOCKS, "a sparse file"),
    "8 GB in octal": (huge(b"77777777777\0") + END_BLOCKS, "8589934591 bytes from byte 512; the tar ends at 2048"),
    "2^62 in binary": (huge(b"\x80\0\0\0" + struct.pack(">Q", 2**62)) + END_BLOCKS, "4611686018427387904 bytes"),
    "2^62 by PAX": (pax(f"size={2**62}") + END_BLOCKS, "4611686018427387904 bytes"),
    "no number by PAX": (pax("size=-5") + END_BLOCKS, "size '-5' in its PAX header"),
    "damaged PAX": (member("p", b"999 a=b\n", type=tarfile.XHDTYPE) + END_BLOCKS, "damaged PAX header"),
    "huge PAX": (member("p", b" " * 70000, type=tarfile.XHDTYPE) + END_BLOCKS, "expected at most 65536"),
    "huge long name": (member("p", b"n" * 70000, type=tarfile.GNUTYPE_LONGNAME) + END_BLOCKS, "expected at most 65536"),
    "twice": (sample("a") + member("a.png") + END_BLOCKS, "sample a: member 'a.png' occurs twice"),
    "key again": (SOUND + sample("a") + END_BLOCKS, "sample a: its members do not lie together"),
    "interleaved": (member("a.json") + member("b.json") + member("a.png") + member("b.png") + END_BLOCKS,
                    "sample a: its members do not lie together"),
    "dotted": (SOUND + sample("IMG_2.3") + END_BLOCKS, "sample IMG_2: '3.json': a dot within the key"),
    "a file less": (SOUND + member("c.json") + END_BLOCKS, "sample c: has the members json; the first"),
    "no extension": (SOUND + member("readme") + END_BLOCKS, "member 'readme': has no key and extension"),
    "escape codes": (member("a\x1b[2J\n.png") + END_BLOCKS, r"member 'a\x1b[2J\n.png': has characters"),
    "empty": (b"", "0 bytes that are not a tar"),
    "text": (b"no tar at all\n" * 200, "no tar header at byte 0"),
    "gzip bomb": (gzip.compress(bytes(50_000_000)), "not a tar (packed?)"),
    "cut in a header": (SOUND[:-1024][:-300], "cut short"),
    "cut in a payload": (SOUND[:-700], "the tar ends at"),
    "cut at a boundary": (SOUND, "ends at byte 5120 without closing blocks"),
    "one closing block": (SOUND + bytes(512), "with one closing block of two"),
    "flipped header bit": (bytes([SOUND[0] ^ 1]) + SOUND[1:] + END_BLOCKS, "wrong checksum"),
    "more after its end": (SOUND + END_BLOCKS + sample("c"), "more bytes after its end at byte 6144"),
    "an empty block within": (sample("a") + bytes(512) + sample("b") + END_BLOCKS, "an empty block at byte 2560"),
    "zeroed tail": (SOUND + bytes(20000), "18976 bytes of zeros after its end"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_TARS)
def test_a_tar_that_lies_is_told_in_a_line_and_nothing_is_unpacked(tmp_path, name):
    content, reason = BAD_TARS[name]
    path = tmp_path / "in" / "foreign.tar"
    path.parent.mkdir()
    path.write_bytes(content)
    faults = [str(fault) for fault in verify_tars([path], workers=None).faults]
    assert any(reason in fault for fault in faults), faults
    assert all(fault.isprintable() for fault in faults)
    assert [*tmp_path.rglob("*")] == [path.parent, path]


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@given(st.lists(st.tuples(st.text("abc/", max_size=150), st.integers(0, 1500)), max_size=8))
def test_a_sound_tar_of_any_program_is_seen_as_python_sees_it(format, files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=format) as tar:
        for name, size in files:
            info = tarfile.TarInfo(f"x{name}.png")
            info.size = size
            try:
                tar.addfile(info, io.BytesIO(bytes(size)))
            except ValueError:  # too long for this format
                assert format == tarfile.USTAR_FORMAT
    packed.seek(0)
    with tarfile.open(fileobj=packed) as tar:
        wanted = [(info.name, info.offset_data, info.size) for info in tar]
    found = walk_tar(packed, len(packed.getvalue()))
    assert [(entry.name, entry.offset, entry.size) for entry in found] == wanted


@given(st.integers(0, len(SOUND) + 1023), st.integers(0, 255), st.booleans())
def test_no_byte_of_a_tar_makes_the_walk_fail_otherwise(tmp_path_factory, place, value, cut):
    content = bytearray(SOUND + END_BLOCKS)
    content[place] = value
    path = tmp_path_factory.mktemp("tar") / "a.tar"
    path.write_bytes(content[:place] if cut else content)
    samples, faults = tar_faults(path)
    assert samples <= 3 and all(reason.isprintable() for _, reason in faults)


def test_the_faults_of_one_tar_are_listed_up_to_a_hundred(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(b"".join(member("../a.png") for _ in range(150)) + END_BLOCKS)
    _, faults = tar_faults(path)
    assert len(faults) == 101 and "more faults" in faults[-1][1]
    assert printable("a" * 300) == "a" * 197 + "..."


def test_the_command_looks_through_tars_of_anybody(tmp_path):
    (tmp_path / "good.tar").write_bytes(SOUND + END_BLOCKS)
    (tmp_path / "bad.tar").write_bytes(SOUND)
    good = CliRunner().invoke(main, ["verify", str(tmp_path / "good.tar")])
    assert good.output == "1 tars: all 2 samples are whole\n"
    both = CliRunner().invoke(main, ["verify", str(tmp_path / "good.tar"), str(tmp_path / "bad.tar")])
    assert both.exit_code == 1
    assert both.stderr.splitlines()[0].startswith(f"{tmp_path}/bad.tar, sample b: ends at byte 5120")


def crash_on_odd(number: int) -> int:
    if number % 2:
        os.kill(os.getpid(), 11)
    return number * 10


def test_a_crash_is_the_result_of_the_task_that_crashed_and_of_no_other():
    results = dict(map_in_processes(crash_on_odd, [0, 1, 2, 4, 6], workers=2))
    assert isinstance(results.pop(1), ChildProcessError)
    assert results == {0: 0, 2: 20, 4: 40, 6: 60}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.hdr", b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 30000 +X 30000\n\x02\x02", "claims 30000x30000 pixels"),
        ("a.hdr", b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 8000 +X 8000\n\x02\x02", "in a file of 53 bytes: damaged"),
        ("a.hdr", b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 0 +X 8000\n\x02\x02", "expected at least one"),
        ("a.hdr", b"\x89PNG\r\n\x1a\n" + bytes(100), "expected #?RADIANCE"),
        ("a.pfm", b"PF\n999999999 999999999\n-1.0\n" + bytes(12), "expected at most 268435456 pixels"),
        ("a.pfm", b"PF\n100 100\n-1.0\n" + bytes(12), "cut short: 28 bytes, expected 120016"),
        ("a.tif", b"\x89PNG\r\n\x1a\n" + bytes(100), "no sound TIFF directory"),
        ("a.tif", b"II*\0" + struct.pack("<I", 2**32 - 1), "no sound TIFF directory"),
        ("a.tif", b"II+\0\x08\0\0\0" + struct.pack("<Q", 2**64 - 1), "no sound TIFF directory"),
        ("a.tif", b"II*\0" + struct.pack("<IHHHIIHHII", 8, 2, 256, 4, 1, 2**17, 257, 4, 1, 2**17),
         "claims 131072x131072"),
    ],
)  # fmt: skip
def test_a_claim_that_no_file_can_keep_is_refused_before_it_is_decoded(tmp_path, name, content, reason):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.\w+: ") as error:
        read_radiance(path)
    assert reason in str(error.value) and "\n" not in str(error.value)


def test_an_exr_header_that_claims_a_giant_is_refused(tmp_path):
    path = tmp_path / "a.exr"
    with OpenEXR.File({"type": OpenEXR.scanlineimage}, {"RGB": np.ones((4, 4, 3), np.float16)}) as file:
        file.write(str(path))
    content = path.read_bytes()
    window = struct.pack("<4i", 0, 0, 3, 3)
    assert content.count(window) == 2  # of data and display
    for last, reason in [
        (2**15, "expected at most 268435456"),
        (2**13, "damaged"),
        (-5, "expected at least one|readable"),
    ]:
        path.write_bytes(content.replace(window, struct.pack("<4i", 0, 0, last, last)))
        with pytest.raises(ValueError, match=rf"a\.exr: .*({reason})"):
            read_radiance(path)


def test_tiff_claims_of_both_orders_and_kinds_are_read(tmp_path):
    for number, options in enumerate([{}, {"bigtiff": True}, {"byteorder": ">"}, {"bigtiff": True, "byteorder": ">"}]):
        path = tmp_path / f"{number}.tif"
        tifffile.imwrite(path, np.full((5, 7, 3), 2, np.float32), photometric="rgb", **options)
        check_tiff_claim(path)
        assert read_radiance(path).shape == (5, 7, 3)


@pytest.mark.parametrize("band", [1, 100, 1000, 10**6])
def test_a_radiance_picture_in_bands_is_that_of_opencv(tmp_path, scene_radiance, monkeypatch, band):
    monkeypatch.setattr("hdrdata.files.hdr.rgbe.BAND_PIXELS", band)
    path = tmp_path / "a.hdr"
    cv2.imwrite(str(path), scene_radiance(0, 60, 100))
    wanted = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[:, :, ::-1]
    assert np.array_equal(read_radiance_picture(path)[0], wanted)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"a\.hdr: its lines are damaged"):
        read_radiance_picture(path)


def test_repairs_of_half_floats_are_those_of_floats():
    values = np.array([0.5, -0.0, -1, np.nan, np.inf, -np.inf, 7, 65504], np.float32)
    picture = np.random.default_rng(0).choice(values, (40, 30, 3))
    single, counts = repair_radiance(picture.copy())
    half, same = repair_radiance(picture.astype(np.float16))
    assert counts == same and (single == half).all()
    assert counts.negative == ((picture < 0).any(axis=2)).sum()


@pytest.mark.parametrize("dtype, bits, nan", [
    (np.float16, np.uint16, 0x7C01), (np.float32, np.uint32, 0x7F800001), (np.float64, np.uint64, 0x7FF0000000000001),
])  # fmt: skip
def test_signalling_nan_is_repaired_without_a_warning(tmp_path, dtype, bits, nan):
    picture = np.ones((8, 8, 3), dtype)
    picture[3, 4] = -1
    picture.view(bits)[0, 0] = nan
    tifffile.imwrite(tmp_path / "a.tif", picture, photometric="rgb")
    _, repairs = read_light(tmp_path / "a.tif")
    assert (repairs.nan, repairs.negative) == (1, 1)


def test_a_slice_of_the_fuzzing_finds_no_crash():
    """A few cases of each format of benchmarks/fuzz_readers.py but weights and predictions, which import PyTorch."""
    kinds = ("exr", "hdr", "pfm", "tiff", "photo", "gainmap")
    kinds += ("index", "shards", "journal", "recipe", "catalog", "sidecar")
    program = [sys.executable, str(ROOT / "benchmarks" / "fuzz_readers.py"), "--cases", "180", "--seed", "2", "--json"]
    formats = [word for kind in kinds for word in ("--format", kind)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run([*program, *formats], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    printed = json.loads(result.stdout)
    assert printed["findings"] == []
    assert {kind: sum(counts.values()) for kind, counts in printed["table"].items()} == dict.fromkeys(kinds, 15)
    assert all(counts["refused in a line"] for counts in printed["table"].values())
    assert all(printed["table"][kind]["read"] for kind in kinds[:6])


PEAK = """
import resource, sys
from pathlib import Path
from hdrdata.integrity.tar_walk import tar_faults
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
faults = tar_faults(Path(sys.argv[1]))
print(len(faults[1]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_large_tar_takes_little_memory(tmp_path):
    path = tmp_path / "large.tar"
    with path.open("wb") as file:  # sparse on disk: one member of 4 GB, and 128 MB of zeros after the end
        info = tarfile.TarInfo("a.bin")
        info.size = 2**32
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.seek(2**32 + 512 + 2**27)
        file.write(b"\0")
    result = subprocess.run(
        [sys.executable, "-c", PEAK, str(path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    faults, kilobytes = map(int, result.stdout.split())
    assert faults == 1 and kilobytes < 50_000
