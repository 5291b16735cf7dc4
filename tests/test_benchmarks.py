"""Benchmarks that must work the first time, because the machine that they are for is lent; and a page made by one."""

import json
import os
import re
import shutil
import subprocess
import sys

from shared_files import ROOT


def test_all_that_a_gpu_has_to_show_runs_on_a_cpu_at_a_small_size(dataset, tmp_path):
    program = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), str(dataset.shards), "--out", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [*program, "--tiny", "--device", "cpu", "--minutes", "1"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert list(found) == ["machine", "tables", "agreement", "resume", "speed", "prediction", "training"]
    assert found["tables"]["equal"] and found["resume"]["equal_to_the_bit"]
    assert found["agreement"]["base"]["x"] == found["agreement"]["base"]["weights"] == 0  # the CPU beside itself
    assert found["speed"]["variants"]["base"]["fp32"]["steps_per_second"] > 0
    assert found["speed"]["goals"]["steps_per_second"]["figure"] > 0 and found["speed"]["flops_a_step"] > 0
    assert found["training"]["light"]["means"]["truth in clipped"] > found["training"]["light"]["means"]["own light"]
    assert (tmp_path / "lightunet.safetensors").stat().st_size < 16_000_000


def test_the_page_on_attention_is_made_of_the_files_beside_it(tmp_path):
    folder = ROOT / "docs" / "experiments"
    shutil.copytree(folder, tmp_path / "experiments")
    page = tmp_path / "experiments" / "attention.md"
    numbers = re.compile(r"[-+]?\d+\.\d+")
    page.write_text(re.sub(r"(<!-- \w+ -->\n).*?(\n<!-- end -->)", r"\1\2", page.read_text(), flags=re.DOTALL))
    assert len(numbers.findall(page.read_text())) < 40  # its tables are gone
    program = [sys.executable, str(ROOT / "benchmarks" / "attention.py"), "page"]
    places = ["--home", str(page.with_suffix("")), "--to", str(page)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run([*program, *places], env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    for path in (page, page.with_suffix("") / "curves.svg"):
        assert path.read_text() == (folder / path.relative_to(tmp_path / "experiments")).read_text()
