"""BD-rates and the plot from made-up results: what was run here and the literature stay apart."""

import csv
from pathlib import Path

import numpy as np
import pytest

from ccalib import style
from ccalib.evaluation import card, kodak, plot, reference
from ccalib.evaluation.summary import OURS, report, summarize


def made_up(hashes: dict, curves: dict) -> dict:
    """Results whose every image has the same figures."""
    files = {
        name: {
            str(i): {
                image: {"bytes": 1, "bpp": bpp, "psnr": db, "ms_ssim": None, "encode_s": 1.0, "decode_s": 2.0}
                for image in hashes
            }
            for i, (bpp, db) in enumerate(points)
        }
        for name, points in curves.items()
    }
    result = {"set": "Kodak", "hardware": "an abacus", "images": hashes, "files": files}
    summarize(result)
    return result


@pytest.fixture(scope="module")
def hashes():
    with open(Path(kodak.__file__).with_name("kodak.tsv")) as file:
        return {row["file"]: row["sha256_rgb_pixels"] for row in csv.DictReader(file, delimiter="\t")}


@pytest.fixture(scope="module")
def result(hashes):
    """Ours is BPG's curve at 0.9 of the rate; WebP is ours at twice the rate."""
    ours = [(0.9 * bpp, db) for bpp, db in reference.curves(hashes)["bpg"]["points"]]
    return made_up(hashes, {OURS: ours, "webp": [(2 * bpp, db) for bpp, db in ours]})


def test_bd_rates_of_the_literature_are_kept_apart(result):
    assert set(result["bd_rate_psnr"]) == {"webp"}
    assert result["bd_rate_psnr"]["webp"]["mean_curves"]["percent"] == pytest.approx(-50)
    assert result["bd_rate_psnr"]["webp"]["per_image"] == {"percent": pytest.approx(-50), "images": 24}
    sourced = result["sourced"]["bd_rate_psnr"]
    assert sourced["bpg"]["mean_curves"]["percent"] == pytest.approx(-10)
    assert sourced["cca"]["mean_curves"]["percent"] > 10 and "CCA" in sourced["cca"]["source"]
    for text in (report(result), card.table(result)):
        here, literature = text.split("literature", 1)
        assert "webp" in here and "-50.0 %" in here and "BPG" not in here
        assert "BPG" in literature and "-10.0 %" in literature and "webp" not in literature


def test_refined_curves_meet_ours_and_the_live_ones(hashes):
    points, own = [(0.1, 28), (0.2, 30), (0.4, 33), (0.8, 36)], f"{OURS} small, effort 30"
    curves = {OURS: points, own: [(0.9 * bpp, db) for bpp, db in points], "webp": [(2 * bpp, db) for bpp, db in points]}
    result = made_up(hashes, curves)
    assert set(result["bd_rate_psnr"]) == {"webp"} and set(result["bd_rate_refined"]) == {own}
    found = {name: e["mean_curves"]["percent"] for name, e in result["bd_rate_refined"][own].items()}
    assert found == {OURS: pytest.approx(-10), "webp": pytest.approx(-55)}
    assert result["bd_rate_refined"][own][OURS]["per_image"]["percent"] == pytest.approx(-10)
    assert f"BD-rate (PSNR) of {own}" in report(result) and "-55.0 %" in report(result)
    assert own in plot.words(result)
    rows = card.table(result).splitlines()
    assert rows[0].endswith(" BD-rate with effort 30 |") and rows[2].startswith("| webp | -50.0 % |")
    assert rows[2].endswith(" -55.0 % |") and all(row.count("|") == 6 for row in rows if row)
    sourced = [result["sourced"]["bd_rate_psnr"], result["sourced"]["bd_rate_refined"][own]]
    plain, refined = (1 + entries["vtm"]["mean_curves"]["percent"] / 100 for entries in sourced)
    assert refined == pytest.approx(0.9 * plain)


def test_ours_come_first_also_where_they_were_measured_anew(hashes):
    points, own = [(0.1, 28), (0.2, 30), (0.4, 33), (0.8, 36)], f"{OURS} small, effort 30"
    result = made_up(hashes, {"webp": points, "avif": points, own: points, OURS: points})
    assert list(result["curves"]) == [OURS, own, "webp", "avif"]


def test_other_images_meet_no_curve_of_the_literature(hashes, result):
    curves = {name: [(p["bpp"], p["psnr"]) for p in c] for name, c in result["curves"].items()}
    other = made_up({name: "0" * 64 for name in hashes}, curves)  # Kodak by title and file names only
    assert "not Kodak" in other["sourced"]["why"] and "BPG" not in report(other) + card.table(other)
    assert plot.curves_of(other)[1] == {} and "literature" not in plot.words(other)
    assert other["bd_rate_psnr"]["webp"]["mean_curves"]["percent"] == pytest.approx(-50)


@pytest.mark.parametrize("points, why", [
    ([(0.1, 28), (0.2, 30), (0.4, 33)], "at least four"),
    ([(0.1, 8), (0.2, 10), (0.4, 13), (0.8, 15)], "share no quality"),
])  # fmt: skip
def test_where_no_bd_rate_is_possible_it_says_why(hashes, points, why):
    few = made_up(hashes, {OURS: points, "webp": [(0.1, 28), (0.2, 30), (0.4, 33), (0.8, 36)]})
    for entry in (few["bd_rate_psnr"]["webp"], few["sourced"]["bd_rate_psnr"]["vtm"]):
        assert entry["mean_curves"] is None and why in entry["why"]
    assert why in report(few) and why in card.table(few)


def test_an_interrupted_quality_is_no_point(hashes):
    result = made_up(hashes, {OURS: [(0.1, 28), (0.2, 30), (0.4, 33), (0.8, 36)], "webp": [(0.1, 27)]})
    for name in (OURS, "webp"):
        result["files"][name]["0"].pop("kodim01.png")
    summarize(result)
    assert [p["quality"] for p in result["curves"][OURS]] == [1, 2, 3] and "webp" not in result["curves"]


def test_the_plot_tells_what_was_run_from_what_was_read(result):
    axes = plot.draw(result).axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    assert set(lines) == {OURS, "webp"} | {label for _, label, _ in reference.KEPT.values()}
    for label, line in lines.items():
        live = label in (OURS, "webp")
        assert (line.get_marker() not in ("None", None, "")) == live and line.is_dashed() != live
        assert (line.get_linewidth() > 1) == live
    titles = {legend.get_title().get_text() for legend in axes.findobj(style.matplotlib.legend.Legend)}
    assert titles == {plot.LIVE_TITLE, plot.SOURCED_TITLE}
    np.testing.assert_allclose(lines[OURS].get_xydata(), [[p["bpp"], p["psnr"]] for p in result["curves"][OURS]])


def test_the_plot_in_words_has_its_numbers(result, tmp_path):
    plot.plot_curves(result, tmp_path / "curves.png")
    text = (tmp_path / "curves.txt").read_text()
    row = next(line for line in text.splitlines() if line.startswith("webp"))
    rates, levels = zip(*((p["bpp"], p["psnr"]) for p in result["curves"]["webp"]))
    assert f"{np.interp(0.4, rates, levels):.1f}" in row and "run here" in row
    assert "–" in next(line for line in text.splitlines() if line.startswith("CCA")).split("literature")[1]
    assert (tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"


def test_live_curves_have_a_look_of_their_own():
    from ccalib.evaluation.codecs import LIVE

    looks = [style.curve_look(name) for name in (OURS, *LIVE)]
    refined, other = style.curve_look(f"{OURS} small, effort 30"), style.curve_look("another")
    assert refined[0] == looks[0][0] != other[0] and refined not in looks and other not in looks
    assert len({color for color, _ in looks}) == len({marker for _, marker in looks}) == len(looks)
