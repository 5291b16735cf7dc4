"""Preview: a page that needs nothing else, and shows what the shards hold."""

import base64
import re
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from imported_dataset import copy_form, write_imported

import hdrdata.publish.preview
from hdrdata.publish.contents import Contents, HeldView
from hdrdata.publish.preview import choose_views, write_page, write_sheet
from hdrdata.stream.shard_reader import Shards


def views_of(scenes: dict[str, int]) -> list[HeldView]:
    return [HeldView(f"{scene}_{i}", scene, scene, "train", "", "pano", (0,), None, None)
            for scene, count in scenes.items() for i in range(count)]  # fmt: skip


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 6), min_size=1), st.integers(1, 30), st.integers(0, 9)
)
def test_no_scene_is_seen_twice_before_all_are_seen_once(scenes, count, seed):
    views = views_of(scenes)
    chosen = choose_views(views, count, seed)
    assert len(chosen) == min(count, len(views)) == len({view.key for view in chosen})
    assert chosen == [view for view in views if view in chosen]
    seen = [sum(view.scene == scene for view in chosen) for scene in scenes]
    fullest = max(seen)
    assert all(found >= min(fullest - 1, scenes[scene]) for scene, found in zip(scenes, seen, strict=True))


def test_another_seed_shows_other_views_and_a_new_scene_takes_at_most_its_place():
    views = views_of(dict.fromkeys("abcdefghijklmnop", 3))
    first = choose_views(views, 8, 0)
    assert choose_views(views, 8, 0) == first != choose_views(views, 8, 1)
    more = choose_views(views + views_of({"z": 3}), 8, 0)
    assert len(set(first) - set(more)) <= 1


def pictures_of(page: str) -> list[np.ndarray]:
    jpegs = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    return [cv2.imdecode(np.frombuffer(base64.b64decode(jpeg), np.uint8), cv2.IMREAD_COLOR) for jpeg in jpegs]


def test_a_page_needs_no_other_file_and_shows_each_view_under_each_camera(dataset, tmp_path):
    page = tmp_path / "new" / "preview.html"
    assert write_page(Contents(dataset.shards), page, views=4, seed=0) == 4
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href)=\"(?!data:)|url\(|https?:|@import", text)
    assert "default-src 'none'" in text
    strips = pictures_of(text)
    assert len(strips) == 4 * 5
    for strip in strips:
        height, width = strip.shape[:2]
        assert width == 9 * height
        means = [strip[:, i * height : (i + 1) * height].mean() for i in range(9)]
        assert all(later > earlier - 1 for earlier, later in pairwise(means))  # JPEG: a level or so
    assert text.count("<option ") == 5
    assert len(re.findall(r"<h2>[a-z0-9_-]+</h2>", text)) == 4
    assert write_page(Contents(dataset.shards), tmp_path / "again.html", views=4, seed=0) == 4
    assert (tmp_path / "again.html").read_bytes() == page.read_bytes()


def test_the_saturated_share_is_that_of_the_whole_picture(dataset, tmp_path):
    write_page(Contents(dataset.shards), tmp_path / "page.html", views=1, seed=0)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    (key,) = re.findall(r"<h2>([a-z0-9_-]+)</h2>", text)
    (part,) = re.findall(r'<div class="facts">\s*<span>(\w+)</span>', text)
    shards = Shards(dataset.shards, part, "pixels")
    first = next(s for s in map(shards.stack, range(len(shards))) if s.view == key and s.crf == sorted(shards.crfs)[0])
    shards.close()
    shown = re.findall(r"EV</span>([^<]+)</span>", text)[:9]
    assert shown == [hdrdata.publish.preview.percent(float((ldr == 254).mean())) for ldr in first.stack]


def test_a_page_is_the_same_from_either_form_but_for_the_stops(dataset, tmp_path):
    for form in ("pixels", "radiance"):
        write_page(
            Contents(copy_form(dataset.shards, tmp_path / form, form)), tmp_path / f"{form}.html", views=3, seed=0
        )
    pixels, radiance = ((tmp_path / f"{form}.html").read_text() for form in ("pixels", "radiance"))
    assert "stops</span>" in radiance and "stops</span>" not in pixels
    assert re.sub(r"<span>[\d.]+ stops</span>", "", radiance).split() == pixels.split()


def test_a_page_stays_small_however_many_views_it_shows(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(hdrdata.publish.preview, "PAGE_BYTES", 150_000)  # the data set of the tests is small, too
    page = tmp_path / "page.html"
    assert write_page(Contents(dataset.shards), page, views=100, seed=0) == 19
    assert len(re.sub(r"base64,[^\"]+", "", page.read_text())) < 19 * 5_000
    assert sum(map(len, re.findall(r"base64,[^\"]+", page.read_text()))) <= 150_000


def test_an_import_without_tables_is_shown(dataset, tmp_path):
    write_page(Contents(write_imported(dataset.shards, tmp_path / "old")), tmp_path / "page.html", views=9, seed=0)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert len(pictures_of(text)) == 5 * len(re.findall("<article>", text)) > 0
    assert "licence not stated" in text and "recipe <code>imported</code>" in text


def test_a_sheet_shows_the_pictures_themselves(dataset, tmp_path):
    seen = write_sheet(Contents(dataset.shards), tmp_path / "sheet.png", views=3, seed=0, height=32)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))[:, :, ::-1]
    margin, gap = hdrdata.publish.preview.MARGIN, hdrdata.publish.preview.GAP
    assert sheet.shape[1] == 2 * margin + 9 * 32 + 8 * gap
    one = seen[0]  # its first camera; views of 32 pixels are not resized
    shards = Shards(dataset.shards, one.view.part, "radiance")
    stack = shards.expand(shards.radiance(one.view.numbers[0]), sorted(shards.crfs)[0]).stack
    shards.close()
    top = margin + hdrdata.publish.preview.LINE + 2
    for place, ldr in enumerate(stack):
        left = margin + place * (32 + gap)
        assert (sheet[top : top + 32, left : left + 32] == ldr).all()
    with pytest.raises(ValueError, match=r"sheet\.gif: '\.gif'; expected a name that ends in \.jpg or \.png"):
        write_sheet(Contents(dataset.shards), tmp_path / "sheet.gif", views=3, seed=0)
