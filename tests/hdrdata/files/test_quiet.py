"""Decoders are quiet, and the process is left as it was, whatever number of threads read at once."""

import os
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image

from hdrdata.files.exr import write_exr
from hdrdata.files.quiet import collected_messages, quiet_decoders
from hdrdata.files.radiance import read_radiance
from hdrdata.photos.photo import read_photo


def state():
    log = cv2.utils.logging.getLogLevel()
    return os.fstat(2).st_ino, sys.stdout, Image.MAX_IMAGE_PIXELS, list(warnings.filters), log


def test_threads_that_read_change_nothing_of_the_process(tmp_path):
    paths = [tmp_path / name for name in ("a.exr", "b.hdr", "c.png", "d.jpg", "cut.jpg", "cut.exr")]
    picture = np.random.default_rng(0).random((32, 32, 3)).astype(np.float32)
    write_exr(paths[0], picture)
    for path in paths[1:4]:
        cv2.imwrite(str(path), picture if path.suffix == ".hdr" else (picture * 255).astype(np.uint8))
    paths[4].write_bytes(paths[3].read_bytes()[:500])
    paths[5].write_bytes(paths[0].read_bytes()[:2000])

    def read(number: int) -> str:
        path = paths[number % len(paths)]
        try:
            (read_radiance if path.suffix in (".exr", ".hdr") else read_photo)(path)
        except ValueError as error:
            return str(error)
        return ""

    before = state()
    with ThreadPoolExecutor(8) as pool:
        errors = list(pool.map(read, range(240)))
    assert state() == before
    for number, error in enumerate(errors):
        assert error.startswith(f"{paths[number % len(paths)]}: ") == paths[number % len(paths)].name.startswith("cut")


def test_what_other_threads_write_meanwhile_arrives_and_a_decoders_lines_do_not(capfd):
    def other() -> None:
        os.write(2, b"from another thread\n")
        print("printed")

    with collected_messages() as messages:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        print("from the bindings")
        os.write(2, b"x.exr: (EXR_ERR_CORRUPT_CHUNK) Unable to decompress\n")
    assert messages.getvalue() == "from the bindings\n"
    assert capfd.readouterr() == ("printed\n", "from another thread\n")


def test_the_last_of_several_to_leave_restores_the_process():
    before = state()
    first, second = quiet_decoders(), quiet_decoders()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert state() != before
    second.__exit__(None, None, None)
    assert state() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_process_that_is_forked_meanwhile_has_its_own_terminal(capfd):
    with quiet_decoders():
        process = os.fork()
        if process == 0:
            os.write(2, b"the child\n")
            os._exit(0)
        os.waitpid(process, 0)
    assert capfd.readouterr().err == "the child\n"
