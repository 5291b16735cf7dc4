"""The viewer: a page that shows one HDR file's light as formulas say, and what that light is like."""

import base64
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import pytest
from browser import Browser, find_browser
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import ExifTags, Image

from hdrdata.cameras.crf_names import named_crfs
from hdrdata.files.disk import sha256_of
from hdrdata.files.exr import write_exr
from hdrdata.files.ldr import write_png
from hdrdata.files.radiance import read_radiance
from hdrmodel.outputs.bands import Scale
from hdrmodel.outputs.formats import FORMATS, write_output
from hdrmodel.prediction.renditions import response_facts
from hdrmodel.viewer.labels import bars_path, format_light, format_share, format_short
from hdrmodel.viewer.page import write_viewer
from hdrmodel.viewer.page_light import BINS, false_colors, luminance_of, measure_light, pack_light, shrink_light

HEIGHT, WIDTH = 40, 60
HOSTILE = "\"'><img src=x onerror=\"document.title='ran'\">&amp;{{ 7 * 7 }}\N{GRINNING FACE}"
DRAWN = """new Promise((done) => {
  const look = () => canvas.dataset.shown ? done() : setTimeout(look, 5);
  look();
})"""


def make_scene() -> np.ndarray:
    """Half floats from 2^-11 to 2^7, with some black, 1.0, and equal to whole stops."""
    draw = np.random.default_rng(5)
    radiance = np.exp2(draw.uniform(-11, 7, (HEIGHT, WIDTH, 1)) + draw.uniform(-1, 1, (HEIGHT, WIDTH, 3)))
    radiance[0, :10] = 0
    radiance[1, :10] = 1
    radiance[2, :10] = np.exp2(np.arange(-5, 5))[:, None]
    return radiance.astype(np.float16)


def page_of(tmp_path: Path, radiance: np.ndarray, **attributes: str | float) -> str:
    write_exr(tmp_path / "one.exr", radiance, attributes)
    return write_viewer(tmp_path / "one.exr", tmp_path / "one.html", None).read_text()


# In the browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Browser]:
    program = find_browser()
    if program is None:
        pytest.skip("there is no Chromium on this machine")
    opened = Browser(program, tmp_path_factory.mktemp("user"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("viewer")
    photo = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    photo[:, :, 1] = 200
    write_png(folder / "photo.png", photo)
    attributes = {"hdrmodel.input": "photo.png", "hdrmodel.input_sha256": sha256_of(folder / "photo.png")}
    write_exr(folder / "scene.exr", make_scene(), {**attributes, "whiteLuminance": 80.0})
    return write_viewer(folder / "scene.exr", folder / "scene.html", None)


@pytest.fixture
def opened(browser, page) -> Iterator[Browser]:
    browser.open(page)
    browser.run(DRAWN)
    yield browser
    assert [line for line in browser.said if "willReadFrequently" not in line] == []  # advice on how the test reads
    assert [address for address in browser.asked if not address.startswith("data:")] == [page.as_uri()]


def show(browser: Browser, tonemap: str, ev: float) -> np.ndarray:
    """The canvas under one display and exposure."""
    browser.run(f"""new Promise((done) => {{
      document.querySelector('input[value={tonemap}]').click();
      slider.value = {ev};
      slider.dispatchEvent(new Event("input"));
      const look = () => canvas.dataset.shown === "{tonemap} " + Number(slider.value) ? done() : setTimeout(look, 5);
      look();
    }})""")
    return pixels_of(browser, "canvas")


def pixels_of(browser: Browser, canvas: str) -> np.ndarray:
    script = f"""(() => {{
      const canvas = document.getElementById("{canvas}"), pen = canvas.getContext("2d");
      const bytes = pen.getImageData(0, 0, canvas.width, canvas.height).data;
      return canvas.height + " " + canvas.width + " " + bytes.join(" ");
    }})()"""
    height, width, *levels = map(int, browser.run(script).split())
    pixels = np.array(levels).reshape(height, width, 4)
    assert (pixels[:, :, 3] == 255).all()
    return pixels[:, :, :3]


def srgb(linear: np.ndarray) -> np.ndarray:
    linear = np.minimum(linear, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("ev", [0, -4.5, 3.3])
def test_the_canvas_shows_the_tone_maps_as_their_formulas_say(opened, ev):
    light = make_scene().astype(np.float64)
    luminance = light @ [0.2126, 0.7152, 0.0722]
    # Half a level is rounding; Reinhard's is looked up in 65,535 steps, at most 12.92 x 255 / 65,535 / 2 = 0.03 more.
    exposed = light * 2.0**ev
    assert abs(show(opened, "none", ev) - srgb(exposed)).max() <= 0.501
    narkowicz = exposed * (2.51 * exposed + 0.03) / (exposed * (2.43 * exposed + 0.59) + 0.14)
    assert abs(show(opened, "aces", ev) - srgb(narkowicz)).max() <= 0.501
    world, white = luminance * 2.0**ev, luminance.max() * 2.0**ev
    display = world * (1 + world / white**2) / (1 + world)
    ratio = np.divide(display, luminance, out=np.zeros_like(display), where=luminance > 0)
    assert abs(show(opened, "reinhard", ev) - srgb(light * ratio[:, :, None])).max() <= 0.54


def test_false_colours_are_those_of_the_scale_whatever_the_exposure(opened, page):
    luminance = luminance_of(make_scene().astype(np.float32))
    measures = measure_light(make_scene().astype(np.float32), page)
    colors = false_colors(measures.low, measures.high)
    stops = np.frexp(luminance)[1] - 1  # the whole stop at or below, exact
    wanted = colors[np.clip(stops - measures.low, 0, len(colors) - 1)]
    wanted[luminance == 0] = 0
    assert (show(opened, "stops", 0) == wanted).all()
    assert (show(opened, "stops", -2) == wanted).all()
    assert (pixels_of(opened, "ramp")[0] == np.repeat(colors, BINS, axis=0)).all()
    assert opened.run("slider.disabled && document.querySelector('[data-map=stops]').offsetHeight > 0")


def test_the_strip_shows_what_a_grey_of_each_stop_looks_like(opened):
    low, high = (opened.run(name) for name in ("low", "high"))
    grey = np.exp2(low + (np.arange((high - low) * BINS) + 0.5) / BINS) * 2.0**1.5
    show(opened, "none", 1.5)
    assert abs(pixels_of(opened, "ramp")[0] - srgb(grey)[:, None]).max() <= 0.501


def test_the_read_out_is_the_pixel_under_the_pointer(opened):
    light = make_scene().astype(np.float64)
    opened.run("document.activeElement.blur()")
    opened.press("1")
    left, top = (opened.run(name) for name in ("leftEdge", "topEdge"))
    for x, y in ((33, 21), (3, 1), (5, 0)):
        opened.mouse("mouseMoved", left + x + 0.5, top + y + 0.5)
        words = opened.run("find('point').innerText").split()
        found = dict(zip(words[:12:2], words[1:12:2], strict=True))
        assert (found["x"], found["y"]) == (str(x), str(y))
        assert [float(found[name]) for name in "RGB"] == pytest.approx(light[y, x], rel=6e-4)  # four digits
        luminance = light[y, x] @ [0.2126, 0.7152, 0.0722]
        assert float(found["Y"]) == pytest.approx(luminance, rel=6e-4)
        if luminance > 0:
            assert float(words[12].replace("\N{MINUS SIGN}", "-")) == pytest.approx(np.log2(luminance), abs=0.006)
            assert float(words[14]) == pytest.approx(80 * luminance, rel=6e-4) and words[15] == "cd/m²"
        else:
            assert words[12:14] == ["no", "light"]


def test_the_clipped_share_is_that_of_the_pixels_at_each_step_of_the_slider(opened):
    luminance = luminance_of(make_scene().astype(np.float32)).astype(np.float64)
    for ev in (0, -2, 1, 2.7):
        show(opened, "none", ev)
        clipped = int((luminance >= 2.0**-ev).sum())
        assert opened.run("Number(find('clipped').dataset.pixels)") == clipped
        assert opened.run("find('clipped').textContent") == format_share(clipped, HEIGHT * WIDTH)


def test_keys_do_what_the_list_of_keys_says(opened):
    state = """[slider.value, chosen("map"), chosen("view"), find("ev").textContent,
                slider.getAttribute("aria-valuetext")].join("|")"""
    opened.run("document.activeElement.blur()")
    assert opened.run(state) == "0|none|split|0.0 EV|0.0 EV"
    opened.press("e")
    opened.press("E", shift=True)
    opened.press("E", shift=True)
    assert opened.run(state).startswith("-0.5|none|split|\N{MINUS SIGN}0.5 EV|")
    opened.press("a")
    assert opened.run("Number(slider.value) === auto && auto !== 0 && find('auto').disabled")
    opened.press("r")
    opened.press("t")
    opened.press("p")
    assert opened.run(state).startswith("0|reinhard|photo|")
    opened.run("slider.focus()")
    opened.press("ArrowRight")
    opened.press("ArrowUp")
    assert opened.run(state).startswith("0.2|reinhard|photo|+0.2 EV")
    opened.press("f")
    fitted = opened.run("scale")
    opened.press("1")
    assert opened.run("find('percent').textContent") == "100 %"
    opened.press("+")
    assert opened.run("scale") == 1.5 and fitted > 1.5
    opened.run("stage.focus()")
    opened.press("ArrowRight")
    opened.press("ArrowDown", shift=True)
    assert opened.run("[point.x, point.y, find('point').ariaLive, find('probe').hidden].join()") == "31,30,polite,false"


def test_the_wheel_zooms_about_the_pointer_and_dragging_pans(opened):
    at = "(([x, y]) => [(x - leftEdge) / scale, (y - topEdge) / scale])([400, 360])"
    before, scale = opened.run(at), opened.run("scale")
    opened.mouse("mouseWheel", 400, 360, deltaX=0, deltaY=-480)
    assert opened.run("scale") == pytest.approx(4 * scale)
    assert opened.run(at) == pytest.approx(before, abs=1e-6)
    edge = opened.run("leftEdge")
    opened.mouse("mouseMoved", 400, 360)
    opened.mouse("mousePressed", 400, 360, button="left", buttons=1, clickCount=1)
    opened.mouse("mouseMoved", 380, 360, button="left", buttons=1)
    opened.mouse("mouseReleased", 380, 360, button="left", clickCount=1)
    assert opened.run("leftEdge") == pytest.approx(edge - 20)


def test_the_photograph_is_left_of_the_divider(opened):
    def colour(x: float, y: float) -> np.ndarray:
        opened.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        png = np.frombuffer(base64.b64decode(opened.screenshot()), np.uint8)
        return cv2.imdecode(png, cv2.IMREAD_COLOR_RGB)[int(y), int(x)].astype(int)

    width, height = opened.run("stage.clientWidth"), opened.run("stage.clientHeight")
    y = height / 2 - 60
    green = [0, 200, 0]
    assert abs(colour(width / 2 - 30, y) - green).max() <= 3  # a JPEG's
    assert abs(colour(width / 2 + 30, y) - green).max() > 20
    opened.run("find('divider').focus()")
    for _ in range(10):
        opened.press("ArrowRight")
    assert opened.run("find('divider').getAttribute('aria-valuenow')") == "60"
    assert abs(colour(width / 2 + 30, y) - green).max() <= 3
    opened.mouse("mousePressed", 0.6 * width, height / 2, button="left", buttons=1, clickCount=1)
    opened.mouse("mouseMoved", 0.2 * width, height / 2, button="left", buttons=1)
    opened.mouse("mouseReleased", 0.2 * width, height / 2, button="left", clickCount=1)
    assert opened.run("find('divider').getAttribute('aria-valuenow')") == "20"
    assert abs(colour(width / 2 - 30, y) - green).max() > 20
    opened.run("document.querySelector('input[value=photo]').click()")
    assert abs(colour(width / 2 + 200, y) - green).max() <= 3


def test_nothing_is_without_a_name_and_a_narrow_page_does_not_scroll_sideways(browser, page):
    browser.open(page, 390, 844)
    browser.run(DRAWN)
    assert browser.run("document.documentElement.scrollWidth") == 390
    unnamed = """[...document.querySelectorAll("button, input, [tabindex], [role], img")].filter((one) => !(
      one.ariaLabel || one.alt || one.textContent.trim() || one.getAttribute("aria-labelledby") || one.closest("label")
    )).map((one) => one.outerHTML.slice(0, 80))"""
    assert browser.run(unnamed) == []


def test_without_a_script_there_is_a_still_and_a_sentence(browser, page):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(page)
    browser.call("Emulation.setScriptExecutionDisabled", value=False)
    seen = "['.still', '#no-script', '#bars', '#exposure', '#canvas'].map((one) => {}).join()".format(
        "Number(document.querySelector(one).getBoundingClientRect().height > 0)"
    )
    assert browser.run(seen) == "1,1,1,0,0"
    assert "tone-mapped by Reinhard" in browser.run("document.body.innerText")


def test_hostile_names_are_only_words(browser, tmp_path):
    name = HOSTILE.replace("/", "") + ".exr"
    attributes = {"a </script><script>document.title='ran'</script>": "</script><!--" + HOSTILE, "b": "x" * 5000}
    write_exr(tmp_path / "plain.exr", make_scene(), attributes)
    (tmp_path / "plain.exr").rename(tmp_path / name)
    browser.open(write_viewer(tmp_path / name, tmp_path / "page.html", None))
    browser.run(DRAWN)
    assert browser.run("document.title") == f"{name}: HDR viewer"
    assert browser.run("document.querySelector('h1').textContent") == name
    words = browser.run("[...document.querySelectorAll('.words > *')].map((one) => one.textContent)")
    assert words == [
        "a </script><script>document.title='ran'</script>",
        "</script><!--" + HOSTILE,
        "b",
        "x" * 397 + "...",
    ]
    assert browser.run("document.images.length") == 1 and browser.said == []


@pytest.mark.parametrize("shape", [(1, 1), (37, 4001), (4001, 37), (1, 300)])
def test_pictures_of_any_shape_are_drawn(browser, tmp_path, shape):
    radiance = np.exp2(np.linspace(-3, 3, shape[0] * shape[1])).reshape(*shape, 1).repeat(3, 2).astype(np.float16)
    write_exr(tmp_path / "one.exr", radiance)
    browser.open(write_viewer(tmp_path / "one.exr", tmp_path / "one.html", None))
    browser.run(DRAWN)
    assert browser.run("scale * width <= stage.clientWidth && scale * height <= stage.clientHeight")
    if shape == (1, 1):
        assert browser.said == [] and pixels_of(browser, "canvas")[0, 0] == pytest.approx(srgb(np.full(3, 0.125)), 0.01)


# Without a browser


def unpack(packed: str, unit: float, height: int, width: int) -> np.ndarray:
    """What the page's script does."""
    planes = np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.uint8).reshape(2, 3, height, width)
    folded = planes[0].astype(np.int64) << 8 | planes[1]
    bits = (folded >> 1 ^ -(folded & 1)).cumsum(axis=2)
    bits[[0, 2]] += bits[1]
    return unit * (bits & 65535).astype(np.uint16).view(np.float16).transpose(1, 2, 0).astype(np.float64)


SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 5), st.just(3))


@given(arrays(np.float16, SHAPES, elements=st.floats(0, 65504, width=16)))
def test_half_floats_are_packed_to_the_bit(radiance):
    radiance[0, 0, 0] = max(radiance[0, 0, 0], np.float16(6e-8))  # a black picture is refused before
    packed, unit, exact = pack_light(radiance.astype(np.float32))
    assert exact and (unpack(packed, unit, *radiance.shape[:2]) == radiance).all()


@given(arrays(np.float32, SHAPES, elements=st.floats(0, 2.0**126, width=32, allow_subnormal=False)))
def test_floats_are_packed_within_a_2048th_over_29_stops(radiance):
    radiance[0, 0, 0] = max(radiance[0, 0, 0], np.float32(1e-30))
    packed, unit, _ = pack_light(radiance)
    back = unpack(packed, unit, *radiance.shape[:2])
    kept = radiance > radiance.max() * 2.0**-29
    assert (abs(back - radiance)[kept] <= radiance[kept].astype(np.float64) / 2048).all()


def test_the_histogram_and_the_figures_are_those_of_numpy(tmp_path):
    radiance = make_scene().astype(np.float32)
    measures = measure_light(radiance, tmp_path)
    luminance = radiance.astype(np.float64) @ [0.2126, 0.7152, 0.0722]
    light = luminance[luminance > 0]
    edges = np.arange(measures.low * BINS, measures.high * BINS + 1) / BINS
    inside = luminance_of(radiance)
    counts, _ = np.histogram(np.log2(inside[inside > 0].astype(np.float64)), edges)
    assert measures.counts == tuple(counts)
    assert sum(counts) + measures.darker + measures.black == measures.pixels == HEIGHT * WIDTH
    assert measures.black == 10 and measures.high == 8
    assert (measures.smallest, measures.largest) == pytest.approx((light.min(), light.max()))
    assert measures.percentiles == pytest.approx(tuple(np.percentile(light, [0.1, 1, 99.9])), rel=1e-5)
    assert measures.log_mean == pytest.approx(np.exp(np.log(light).mean()))
    assert measures.above_any == int((radiance >= 1).any(axis=2).sum())
    assert measures.above == int((inside >= 1).sum())


def test_the_luminance_of_a_grey_is_the_grey():
    grey = np.float32([[0.1, 1.0, 3e38, 1e-40]])[:, :, None].repeat(3, axis=2)
    assert (luminance_of(grey) == grey[:, :, 0]).all()


def test_the_automatic_exposure_makes_the_mean_grey(tmp_path):
    # 0.18 / 0.045 is two stops; 1e-9 needs 27.4, and the slider ends where 99 % of the pixels are white: 30
    assert measure_light(np.full((2, 2, 3), 0.045, np.float32), tmp_path).auto_ev == 2.0
    dark = measure_light(np.full((2, 2, 3), 1e-9, np.float32), tmp_path)
    assert (dark.auto_ev, dark.evs) == (27.4, (-2, 30))


def test_false_colours_grow_lighter_and_fall_once_at_one():
    colors = false_colors(-9, 8)
    assert len(colors) == 17 and colors[0].tolist() == [0, 34, 78] and colors[8].tolist() == [254, 232, 56]  # cividis
    lightness = np.cbrt((colors / 255.0) ** 2.2 @ [0.2126, 0.7152, 0.0722])
    assert (np.diff(lightness) > 0).tolist() == [True] * 8 + [False] + [True] * 7
    assert lightness[9] < lightness[8] / 2
    assert false_colors(-40, 1).shape == (41, 3) and false_colors(-2, 38).shape == (40, 3)


def test_large_pictures_are_shrunk_by_area_and_the_page_says_so(tmp_path):
    radiance = np.ones((40, 60, 3), np.float16)
    radiance[::2] = 3
    write_exr(tmp_path / "one.exr", radiance)
    text = write_viewer(tmp_path / "one.exr", tmp_path / "one.html", None, max_pixels=600).read_text()
    assert "Shown at 30 \N{MULTIPLICATION SIGN} 20 of 60 \N{MULTIPLICATION SIGN} 40 pixels" in text
    packed = re.search('id="light">([^<]*)<', text)[1]
    assert (unpack(packed, 2.0**-14, 20, 30) == 2).all()  # 2 over 2^-14 is 2^15
    assert shrink_light(np.ones((1, 40000, 3), np.float32), 2**30).shape == (1, 16384, 3)
    assert shrink_light(np.ones((1, 1, 3), np.float32), 1).shape == (1, 1, 3)


def test_what_is_no_light_is_repaired_and_said(tmp_path):
    radiance = make_scene().astype(np.float32)
    radiance[5, 5] = (-1, np.nan, np.inf)
    radiance[6, 6, 0] = -np.inf
    text = page_of(tmp_path, radiance)
    assert "Pixels repaired: 2 negative, 1 NaN, 1 infinite." in text
    assert "repaired" not in page_of(tmp_path, make_scene())


def test_the_page_says_how_exact_it_is(tmp_path):
    assert "the file\N{RIGHT SINGLE QUOTATION MARK}s, to the bit." in page_of(tmp_path, make_scene())
    assert "within 0.05 %" in page_of(tmp_path, make_scene().astype(np.float32) * np.float32(1.1))


def test_facts_of_the_file_are_on_the_page(tmp_path):
    text = page_of(tmp_path, make_scene(), **{"hdrmodel.unit": "1.0 saturates", "whiteLuminance": 203.0})
    assert "60 \N{MULTIPLICATION SIGN} 40" in text and "OpenEXR, ZIP" in text and "203.0 cd/m²" in text
    assert "<dt>hdrmodel.unit</dt><dd>1.0 saturates</dd>" in text and "lineOrder" not in text
    for wrong in (float("nan"), 0.0, -5.0, "bright"):
        text = page_of(tmp_path, make_scene(), whiteLuminance=wrong)
        assert '"white": null' in text and "<dt>1.0 is</dt>" not in text


def test_files_of_other_formats_are_shown(tmp_path):
    bgr = np.ascontiguousarray(make_scene().astype(np.float32)[:, :, ::-1])
    for suffix, name in ((".hdr", "Radiance"), (".pfm", "PFM"), (".tiff", "TIFF")):
        cv2.imwrite(str(tmp_path / f"one{suffix}"), bgr)
        text = write_viewer(tmp_path / f"one{suffix}", tmp_path / "one.html", None).read_text()
        assert f"<dd>{name}</dd>" in text
        packed = re.search('id="light">([^<]*)<', text)[1]
        unit = float(re.search('"unit": ([^,]*)', text)[1])
        back = unpack(packed, unit, HEIGHT, WIDTH)
        assert back == pytest.approx(read_radiance(tmp_path / f"one{suffix}"), rel=1 / 2048, abs=1e-9)


def test_a_photograph_that_is_not_the_input_is_told_and_not_shown(tmp_path):
    write_png(tmp_path / "photo.png", np.full((HEIGHT, WIDTH, 3), 9, np.uint8))
    named = {"hdrmodel.input": "photo.png"}
    assert 'id="divider"' in page_of(tmp_path, make_scene(), **named)
    text = page_of(tmp_path, make_scene(), **named, **{"hdrmodel.input_sha256": "0" * 64})
    assert 'id="divider"' not in text and "photo.png is not shown: has changed since" in text
    write_png(tmp_path / "photo.png", np.full((HEIGHT, HEIGHT, 3), 9, np.uint8))
    text = page_of(tmp_path, make_scene(), **named)
    assert (
        'id="divider"' not in text and "not shown: 40x40 pixels; expected the shape of the HDR picture, 60x40" in text
    )
    for away in (f"../{tmp_path.name}/photo.png", str(tmp_path / "photo.png"), "none.png", "a" * 300, ".."):
        assert "photograph" not in page_of(tmp_path, make_scene(), **{"hdrmodel.input": away}).split("<script")[0]


def shown_photo(text: str) -> np.ndarray:
    jpeg = base64.b64decode(re.search('id="photo"><img src="data:image/jpeg;base64,([^"]*)"', text)[1])
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)


def test_a_larger_photograph_of_the_same_shape_is_shrunk(tmp_path):
    write_png(tmp_path / "photo.png", np.full((2 * HEIGHT, 2 * WIDTH, 3), 77, np.uint8))
    write_exr(tmp_path / "one.exr", make_scene())
    text = write_viewer(tmp_path / "one.exr", tmp_path / "one.html", tmp_path / "photo.png").read_text()
    photo = shown_photo(text)
    assert photo.shape == (HEIGHT, WIDTH, 3) and (photo == 77).all()


def test_a_photograph_is_shown_as_it_is_read_for_prediction(tmp_path):
    write_exr(tmp_path / "one.exr", make_scene())
    deep, turned = np.full((HEIGHT, WIDTH, 3), 77 * 257, np.uint16), np.zeros((WIDTH, HEIGHT, 3), np.uint8)
    deep[:, :, 1] = 0
    turned[: WIDTH // 2] = 200
    cv2.imwrite(str(tmp_path / "deep.tif"), deep)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # the stored top is at the right
    Image.fromarray(turned).save(tmp_path / "turned.webp", lossless=True, exif=exif)
    shown = {}
    for name in ("deep.tif", "turned.webp"):
        text = write_viewer(tmp_path / "one.exr", tmp_path / "one.html", tmp_path / name).read_text()
        shown[name] = shown_photo(text).astype(int)
    assert abs(shown["deep.tif"] - [77, 0, 77]).max() <= 2  # a JPEG's
    assert abs(shown["turned.webp"][:, WIDTH // 2 + 8 :] - 200).max() <= 2
    assert shown["turned.webp"][:, : WIDTH // 2 - 8].max() <= 2


def test_a_photograph_that_may_not_be_read_is_told_without_its_folder(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    write_png(tmp_path / "photo.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    monkeypatch.setattr("hdrmodel.viewer.page.sha256_of", refuse)
    text = page_of(tmp_path, make_scene(), **{"hdrmodel.input": "photo.png", "hdrmodel.input_sha256": "0" * 64})
    assert "photo.png is not shown: Permission denied." in text and str(tmp_path) not in text


def test_what_cannot_be_shown_is_one_line_that_names_it(tmp_path):
    write_exr(tmp_path / "one.exr", make_scene())
    write_exr(tmp_path / "black.exr", np.zeros((4, 4, 3), np.float16))
    write_exr(tmp_path / "inf.exr", np.full((4, 4, 3), np.inf, np.float16))
    (tmp_path / "text.exr").write_bytes(b"no picture at all")
    (tmp_path / "text.png").write_bytes(b"no picture at all")
    write_png(tmp_path / "square.png", np.zeros((9, 9, 3), np.uint8))
    page = tmp_path / "one.html"
    for name, photo, out, said in (
        ("black.exr", None, page, r"black\.exr: every pixel is black"),
        ("inf.exr", None, page, r"inf\.exr: every pixel is black"),
        ("text.exr", None, page, r"text\.exr: not a readable OpenEXR file"),
        ("none.exr", None, page, r"none\.exr: no such file"),
        ("one.png", None, page, r"one\.png: no such file"),
        ("one.webp", None, page, r"one\.webp: '\.webp' is not an HDR format"),
        ("one.exr", "text.png", page, r"text\.png: not a readable picture"),
        ("one.exr", "none.png", page, r"none\.png: no such file"),
        ("one.exr", "square.png", page, r"square\.png: 9x9 pixels; expected the shape"),
        ("one.exr", None, tmp_path / "one.exr", r"one\.exr: expected a name that ends in \.html"),
    ):
        with pytest.raises(ValueError, match=said) as refused:
            write_viewer(tmp_path / name, out, photo and tmp_path / photo)
        assert "\n" not in str(refused.value) and not page.exists()
    with pytest.raises(ValueError, match="at most 0 pixels"):
        write_viewer(tmp_path / "one.exr", page, None, max_pixels=0)


def test_the_same_file_gives_the_same_page_which_asks_for_nothing(tmp_path):
    first, second = page_of(tmp_path, make_scene()), page_of(tmp_path, make_scene())
    assert first == second
    assert not re.search(r"https?://|src=\"(?!data:)|@import|url\(", first)


def test_numbers_are_written_for_readers():
    assert [format_light(v) for v in (0.001053, 1.0, 221.83, 65504.0)] == ["0.001053", "1.000", "221.8", "65504"]
    assert [format_light(v) for v in (3e-7, 2.5e9)] == ["3e-07", "2.5e+09"]
    assert [format_short(v) for v in (0.195, 12.6, 100.0)] == ["0.2", "13", "100"]
    assert [format_short(v) for v in (6400.0, 51200.0, 2e7)] == ["6.4k", "51k", "2e+07"]
    assert [format_share(n, 10**6) for n in (0, 1, 100, 10**6)] == ["0 %", "< 0.01 %", "0.01 %", "100.00 %"]
    assert bars_path((4, 0, 1)) == "M0 100V0.0h1V100.0h1V50.0h1V100z"  # roots 2, 0 and 1


def test_the_viewer_does_without_torch():
    script = "import sys, hdrmodel.viewer; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


def test_a_layer_is_shown_by_its_name(tmp_path):
    layers = {
        f"{name}.{letter}": np.full((4, 6), value, np.float32)
        for name, value in (("key", 1), ("rim", 3))
        for letter in "RGB"
    }
    with OpenEXR.File({"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION}, layers) as file:
        file.write(str(tmp_path / "a.exr"))
    with pytest.raises(ValueError, match=r"layers key, rim: several could be the picture"):
        write_viewer(tmp_path / "a.exr", tmp_path / "a.html", None)
    for layer in ("key", "rim"):
        write_viewer(tmp_path / "a.exr", tmp_path / f"{layer}.html", None, layer=layer)
    assert (tmp_path / "key.html").read_bytes() != (tmp_path / "rim.html").read_bytes()


@pytest.mark.parametrize("scale", [1e-30, 1e12, 1e30])
def test_a_scene_in_another_unit_is_shown_and_its_unit_stated(tmp_path, scale):
    light = np.random.default_rng(0).lognormal(0, 1, (20, 32, 3)) * scale
    write_exr(tmp_path / "a.exr", light.astype(np.float32))
    page = write_viewer(tmp_path / "a.exr", tmp_path / "a.html", None)
    assert "because their unit is far from 1" in page.read_text()


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "preview"])
def test_a_browser_shows_every_output_format(browser, tmp_path, name):
    path = tmp_path / f"a{FORMATS[name].suffix}"
    light = np.full((24, 32, 3), 0.25, np.float32)
    light[:, 16:] = 4
    write_output(path, light, name, Scale(), {})
    browser.open(write_viewer(path, tmp_path / "a.html", None))
    browser.run(DRAWN)
    pixel = "[...canvas.getContext('2d').getImageData({}, 12, 1, 1).data.slice(0, 3)]"
    assert np.abs(np.array(browser.run(pixel.format(4))) - 137).max() <= 3  # sRGB of 0.25
    assert browser.run(pixel.format(28)) == [255, 255, 255]
    assert [line for line in browser.said if "willReadFrequently" not in line] == []


def test_scene_light_is_shown_by_the_response_of_the_file_and_predicted_pixels_are_marked(browser, tmp_path):
    camera = named_crfs()["camera"]
    light = np.full((24, 32, 3), float(camera.inverse(np.array([128 / 255]))[0]), np.float32)
    light[:, 16:] = 4
    facts = response_facts(camera, "given by --crf")
    write_output(tmp_path / "a.exr", light, "exr", Scale(), facts)
    write_output(tmp_path / "a.mask.png", light, "mask", Scale(), {}, mask=light > 1)
    browser.open(write_viewer(tmp_path / "a.exr", tmp_path / "a.html", None))
    browser.run(DRAWN)
    level = browser.run("canvas.getContext('2d').getImageData(4, 12, 1, 1).data[0]")
    assert abs(level - 128) <= 1  # the level that the light came from; sRGB shows it as 91
    assert browser.run("find('predicted').hidden")
    browser.run("find('mark').click()")
    assert not browser.run("find('predicted').hidden")
    assert "Mark predicted pixels (50.00" in (tmp_path / "a.html").read_text()
