"""Intervals: they cover the truth as often as they say, obey laws, and agree with numbers worked out by hand."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betainc

from hdrmodel.scores.intervals import Table, difference_interval, mean_interval
from hdrmodel.scores.strata import STRATA, stratum_label, stratum_of

SIMULATIONS, RESAMPLES = 400, 400
FEWER = 250  # simulations, where each takes longer


def band(simulations: int) -> float:
    """Return how far the share of covering intervals may lie from 95 %: binomial, left once in a thousand times."""
    return 3.3 * math.sqrt(0.95 * 0.05 / simulations)


def table(values, scene, seed=None, picture=None) -> Table:
    values = np.asarray(values, np.float64)
    picture = [f"p{number:03d}" for number in range(len(values))] if picture is None else picture
    seed = [""] * len(values) if seed is None else seed
    return Table(values, *(np.array(list(names), str) for names in (scene, picture, seed)))


def crossed(values: np.ndarray, scene: np.ndarray) -> Table:
    """A table of (pictures, seeds)."""
    pictures, seeds = values.shape
    picture = np.repeat([f"p{number:03d}" for number in range(pictures)], seeds)
    return table(values.ravel(), np.repeat(scene, seeds), np.tile(np.arange(seeds), pictures), picture)


def scenes_of(generator: np.random.Generator, count: int) -> np.ndarray:
    """The scene of each picture: 2 to 6 pictures a scene."""
    return np.repeat(np.arange(count), generator.integers(2, 7, count))


EFFECTS = {
    "normal": lambda generator, count: generator.normal(0, 2, count),
    "exponential": lambda generator, count: generator.exponential(2, count) - 2,
}


@pytest.mark.parametrize(("scenes", "effect"), [(2, "normal"), (5, "normal"), (10, "normal"), (30, "exponential")])
def test_the_interval_of_a_mean_covers_the_truth_at_its_nominal_rate(scenes, effect):
    """The mean over pictures of scenes of unequal size; the truth is 20. Percentiles cover 51, 84, 89 and 92 %."""
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(SIMULATIONS):
        scene = scenes_of(generator, scenes)
        values = 20 + EFFECTS[effect](generator, scenes)[scene] + generator.normal(0, 1, len(scene))
        interval = mean_interval(table(values, scene), RESAMPLES)
        covered += interval.low <= 20 <= interval.high
    assert abs(covered / SIMULATIONS - 0.95) < band(SIMULATIONS)


@pytest.mark.parametrize("seeds", [1, 3, 5])
def test_the_interval_of_a_difference_covers_the_truth_at_its_nominal_rate(seeds):
    """Two variants on the same pictures, whose difficulty both share; each scene and each seed favours one of them.

    The truth is 0.5 dB, for all scenes and all seeds; with one seed a variant no seed effect is drawn. Of the rest
    within a cell the two levels both count a share (Owen 2007), so that intervals with seeds may cover a little more.
    """
    generator = np.random.default_rng(2)
    covered = 0
    for _ in range(FEWER):
        scene = scenes_of(generator, 10)
        difficulty = generator.normal(20, 3, 10)[scene] + generator.normal(0, 2, len(scene))
        favour = 0.5 + generator.normal(0, 0.5, 10)[scene]
        drawn = [
            generator.normal(0, 0.3 * (seeds > 1), seeds) + generator.normal(0, 0.3, (len(scene), seeds))
            for _ in range(2)
        ]
        a, b = (difficulty + favour)[:, None] + drawn[0], difficulty[:, None] + drawn[1]
        interval = difference_interval(crossed(a, scene), crossed(b, scene), True, None, resamples=RESAMPLES).interval
        covered += interval.low <= 0.5 <= interval.high
    assert -band(FEWER) < covered / FEWER - 0.95 < band(FEWER) + 0.01


def test_seeds_taken_for_pictures_would_cover_too_little():
    """That the level of seeds is there for a reason: without it the same intervals fail."""
    generator = np.random.default_rng(3)
    with_seeds = without = 0
    for _ in range(FEWER):
        scene = scenes_of(generator, 12)
        values = generator.normal(0, 0.3, 12)[scene][:, None] + generator.normal(0, 0.3, 3)
        whole = mean_interval(crossed(values, scene), RESAMPLES)
        means = mean_interval(table(values.mean(axis=1), scene), RESAMPLES)
        with_seeds += whole.low <= 0 <= whole.high
        without += means.low <= 0 <= means.high
    assert without / FEWER < 0.8
    assert abs(with_seeds / FEWER - 0.95) < band(FEWER) + 0.01


def test_two_scenes_by_hand():
    """Scenes (1, 3) and (6): mean 10/3, excess -8/3 and 8/3, each 8/9 of the three pictures; e^2 = 2 * 2 * (8/9)^2.

    e = 16/9; t of one degree of freedom at 97.5 % is tan(0.475 pi) = 12.7062.
    """
    interval = mean_interval(table([1, 3, 6], ["a", "a", "b"]))
    assert interval.value == pytest.approx(10 / 3)
    half = math.tan(0.475 * math.pi) * 16 / 9
    assert (interval.low, interval.high) == pytest.approx((10 / 3 - half, 10 / 3 + half), rel=1e-6)


def test_two_scenes_and_two_seeds_by_hand():
    """[[0, 2], [4, 6]]: scenes' means 1 and 5 about 3, e^2 = 2 * (1 + 1) = 4; seeds' 2 and 4, e^2 = 2 * (1/4 + 1/4).

    Satterthwaite: (4 + 1)^2 / (4^2 / 1 + 1^2 / 1) = 25/17 = n degrees of freedom; Student's distribution by the
    incomplete beta function: P(T < t) = 1 - I(n / (n + t^2); n / 2, 1 / 2) / 2.
    """
    interval = mean_interval(crossed(np.array([[0.0, 2.0], [4.0, 6.0]]), np.array(["a", "b"])))
    t = (interval.high - 3) / math.sqrt(5)
    freedom = 25 / 17
    assert 1 - betainc(freedom / 2, 0.5, freedom / (freedom + t**2)) / 2 == pytest.approx(0.975, abs=1e-9)
    assert interval.low == pytest.approx(6 - interval.high)


def test_bootstrap_t_agrees_with_a_row_by_row_one():
    """The same formula by concatenating the rows of drawn scenes, with other random numbers."""
    generator = np.random.default_rng(4)
    scene = scenes_of(generator, 12)
    values = 20 + generator.exponential(2, 12)[scene] + generator.normal(0, 1, len(scene))

    def mean_and_error(drawn: list[np.ndarray]) -> tuple[float, float]:
        rows = np.concatenate(drawn)
        excess = np.array([(one - rows.mean()).sum() for one in drawn])
        return rows.mean(), math.sqrt(len(drawn) / (len(drawn) - 1) * (excess**2).sum()) / len(rows)

    clusters = [values[scene == number] for number in range(12)]
    mean, error = mean_and_error(clusters)
    ratios = []
    for _ in range(3000):
        drawn_mean, drawn_error = mean_and_error([clusters[k] for k in generator.integers(12, size=12)])
        ratios.append((drawn_mean - mean) / drawn_error)
    low, high = np.quantile(ratios, [0.025, 0.975])
    interval = mean_interval(table(values, scene), 3000)
    # the quantiles of 3,000 ratios have a standard error of about 0.05 (above the mean) and 0.15 (below it)
    assert (interval.low - mean) / error == pytest.approx(-high, abs=0.2)
    assert (interval.high - mean) / error == pytest.approx(-low, abs=0.4)
    assert interval.high - mean > mean - interval.low  # the long tail is above


SCORES = st.floats(-50, 50).map(lambda value: round(value, 3))


@st.composite
def pairs(draw) -> tuple[Table, Table]:
    """Two tables of the same pictures in 1 to 12 scenes, each of 1 to 6 seeds; some values missing or infinite."""
    scenes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=12))
    scene = np.repeat(np.arange(len(scenes)), scenes)
    tables = []
    for _ in range(2):
        seeds = draw(st.sampled_from([1, 1, 2, 6]))
        score = st.one_of(SCORES, SCORES, SCORES, SCORES, st.sampled_from([math.nan, math.inf]))
        values = draw(st.lists(score, min_size=len(scene) * seeds, max_size=len(scene) * seeds))
        tables.append(crossed(np.array(values).reshape(len(scene), seeds), scene))
    return tables[0], tables[1]


def shifted(given_table: Table, by: float) -> Table:
    return Table(given_table.values + by, given_table.scene, given_table.picture, given_table.seed)


def bounds(interval) -> tuple[float, ...]:
    return tuple(math.nan if bound is None else bound for bound in (interval.value, interval.low, interval.high))


@given(pairs())
def test_an_interval_holds_its_point_and_exists_from_two_scenes_on(tables):
    for one in tables:
        interval = mean_interval(one, 200)
        finite = np.isfinite(one.values)
        if finite.any():
            assert interval.value == pytest.approx(one.values[finite].mean())
        if len(np.unique(one.scene[finite])) < 2:
            assert interval.low is None and interval.high is None
        else:
            assert interval.low <= interval.value <= interval.high
            assert math.isfinite(interval.low) and math.isfinite(interval.high)


@given(pairs(), st.floats(-20, 20))
def test_shifting_all_scores_of_a_shifts_the_difference(tables, by):
    a, b = tables
    before = difference_interval(a, b, True, None, resamples=200).interval
    after = difference_interval(shifted(a, by), b, True, None, resamples=200).interval
    expected = [bound + by for bound in bounds(before)]
    assert bounds(after) == pytest.approx(expected, abs=1e-6, rel=1e-6, nan_ok=True)


@given(pairs())
def test_swapping_a_and_b_negates_the_difference(tables):
    a, b = tables
    ab, ba = (difference_interval(*pair, True, None, resamples=200) for pair in ((a, b), (b, a)))
    assert ba.interval.value == pytest.approx(-ab.interval.value, nan_ok=True)
    assert ba.win_rate == pytest.approx(1 - ab.win_rate, nan_ok=True)
    assert ba.separable == ab.separable and ba.why == ab.why
    if ab.interval.low is not None:
        assert bounds(ba.interval)[1:] == pytest.approx([-ab.interval.high, -ab.interval.low], abs=1e-9)


@given(pairs(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(tables, random):
    def permuted(one: Table) -> Table:
        order = list(range(len(one.values)))
        random.shuffle(order)
        return Table(one.values[order], one.scene[order], one.picture[order], one.seed[order])

    a, b = tables
    assert bounds(mean_interval(permuted(a), 200)) == pytest.approx(bounds(mean_interval(a, 200)), abs=0, nan_ok=True)
    here, there = (
        difference_interval(*pair, True, 1.0, resamples=200) for pair in ((a, b), (permuted(a), permuted(b)))
    )
    assert bounds(here.interval) == pytest.approx(bounds(there.interval), abs=0, nan_ok=True)
    assert here.why == there.why


def test_what_both_share_does_not_widen_the_difference():
    """Pairing: scenes differ by tens of dB, the two methods by 1 dB with little noise."""
    generator = np.random.default_rng(5)
    scene = scenes_of(generator, 10)
    shared = generator.normal(0, 20, 10)[scene]
    a, b = (table(shared + more + generator.normal(0, 0.1, len(scene)), scene) for more in (1.0, 0.0))
    paired = difference_interval(a, b, True, 0.3, "dB")
    assert paired.interval.high - paired.interval.low < 0.2
    assert mean_interval(a).high - mean_interval(a).low > 20
    assert paired.separable and paired.why == ""


def test_seeds_of_the_same_networks_are_drawn_together():
    """Two methods of the same three networks, whose seeds shift both alike."""
    generator = np.random.default_rng(6)
    scene = scenes_of(generator, 10)
    seeds = generator.normal(0, 5, 3)
    a = 1.0 + seeds + generator.normal(0, 0.1, (len(scene), 3))
    b = seeds + generator.normal(0, 0.1, (len(scene), 3))
    together = difference_interval(crossed(a, scene), crossed(b, scene), True, None, same_seeds=True)
    apart = difference_interval(crossed(a, scene), crossed(b, scene), True, None)
    assert together.separable and not apart.separable
    assert together.interval.value == pytest.approx(apart.interval.value)


def test_the_difference_is_told_apart_or_why_not():
    scene = np.repeat(np.arange(10), 2)
    noise = np.tile([0.1, -0.1, 0.2, -0.2], 5)
    zero = table(np.zeros(20), scene)
    clear = difference_interval(table(1 + noise, scene), zero, True, 0.3, "dB")
    assert (clear.separable, clear.why, clear.win_rate) == (True, "", 1.0)
    assert difference_interval(table(1 + noise, scene), zero, False, None).win_rate == 0.0
    small = difference_interval(table(1 + noise, scene), zero, True, 3.5, "dB")
    assert (small.separable, small.why) == (False, "under the metric's resolution of 3.5 dB")
    nothing = difference_interval(table(noise, scene), zero, True, 0.3, "dB")
    assert (nothing.separable, nothing.why) == (False, "the interval holds 0")
    one = difference_interval(table(1 + noise, scene * 0), table(np.zeros(20), scene * 0), True, None)
    assert (one.separable, one.why, one.interval.low, one.scenes) == (False, "one scene", None, 1)
    same = difference_interval(zero, zero, True, None)
    assert (same.why, same.win_rate, bounds(same.interval)) == ("the interval holds 0", 0.5, (0, 0, 0))


def test_infinite_and_missing_scores_are_left_out_in_pairs():
    scene = ["a", "a", "b", "b", "c"]
    a = table([1.0, math.inf, 3.0, 4.0, 5.0], scene)
    b = table([0.0, 1.0, math.nan, 2.0, 2.5], scene)
    difference = difference_interval(a, b, True, None)
    assert (difference.pictures, difference.scenes) == (3, 3)
    assert (difference.mean_a, difference.mean_b) == pytest.approx((10 / 3, 1.5))
    assert difference.interval.value == pytest.approx(10 / 3 - 1.5)
    assert mean_interval(a).value == pytest.approx(13 / 4)
    none = difference_interval(a, table([math.nan] * 5, scene), True, None)
    assert none.pictures == 0 and math.isnan(none.interval.value) and not none.separable
    assert none.why == "no picture has a finite value of both"
    assert math.isnan(mean_interval(table([math.inf], ["a"])).value)


def test_only_pictures_of_both_are_paired_by_key():
    a = table([5.0, 1.0, 2.0], ["x", "y", "z"], picture=["p", "q", "r"])
    b = table([2.0, 0.5, 9.0], ["z", "y", "w"], picture=["r", "q", "s"])
    difference = difference_interval(a, b, True, None)
    assert difference.pictures == 2 and difference.interval.value == pytest.approx((1 - 0.5 + 2 - 2) / 2)
    assert difference.win_rate == 0.75  # one better, one equal


def test_a_scene_that_carries_all_the_spread_gives_a_finite_interval():
    """Most resamples of nine equal scenes and one other leave that one out, and have no spread to divide by."""
    interval = mean_interval(table([1.0] * 9 + [11.0], np.arange(10)))
    # t of nine degrees of freedom, 2.2622; e = s / sqrt(10) = 1
    assert (interval.low, interval.high) == pytest.approx((2 - 2.2622, 2 + 2.2622), abs=1e-3)


def test_the_same_seed_gives_the_same_interval_and_another_nearly():
    generator = np.random.default_rng(7)
    scores = table(generator.normal(0, 1, 60), np.repeat(np.arange(20), 3))
    first, again, other = (mean_interval(scores, seed=seed) for seed in (0, 0, 1))
    assert first == again != other
    assert bounds(first) == pytest.approx(bounds(other), abs=0.05)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: mean_interval(table([1, 2], "ab", picture="pp")), "'p': of the scenes 'b' and 'a'; expected one"),
        (lambda: mean_interval(table([1, 2], "aa", "00", "pp")), "picture 'p': 2 values of the seed '0'; expected one"),
        (lambda: mean_interval(table([1, 2], "ab"), 99), "99 resamples; expected at least 100"),
        (lambda: mean_interval(table([1, 2], "ab"), level=95.0), "level 95; expected a number in"),
        (
            lambda: difference_interval(table([1, 2], "ab"), table([1, 2], "ac"), True, None),
            "picture 'p001': of scene 'b' in one table and of 'c' in the other",
        ),
        (lambda: stratum_of(np.array([0.5, 1.5])), "clipped share 1.5; expected a number in"),
    ],
)
def test_wrong_tables_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


def test_every_clipped_share_has_one_stratum():
    shares = np.array([0.0, 0.00999, 0.01, 0.04, 0.05, 0.19, 0.2, 1.0])
    assert stratum_of(shares).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert [stratum_label(*borders) for borders in STRATA] == ["0-1 %", "1-5 %", "5-20 %", "20-100 %"]
    assert all(high == low for (_, high), (low, _) in pairwise(STRATA))
