"""The teaching kit: what it refers to exists, its printed pages are what the command writes, exam keys are right."""

import csv
import json
import math
import re
import statistics
from collections import Counter
from html import unescape
from itertools import pairwise
from urllib.parse import unquote

import nbformat
import numpy as np
import pytest
from scipy import stats

from ccalib.errors import CcaError
from ccalib.lessons import student
from ccalib.lessons.build import NOTEBOOKS, ROOT, names_in
from ccalib.lessons.site.glossary import sections
from ccalib.lessons.teaching import byhand, exam, grade, sheet
from ccalib.lessons.teaching.__main__ import main
from ccalib.lessons.teaching.reasoning import REASONING

KIT = NOTEBOOKS / "teaching"
PAGES = sorted(KIT.glob("*.md"))
LINKS = re.compile(r"\]\(([^)\s]+)\)|href=\"([^\"]+)\"")
LESSONS = names_in(NOTEBOOKS)


def links(text):
    return [first or second for first, second in LINKS.findall(text)]


# ---- texts ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def anchors():
    return {name: set(sections(NOTEBOOKS / "source" / f"{name}.py")) for name in LESSONS}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page, anchors):
    found = [link for link in links(page.read_text()) if not link.startswith("http")]
    for link in found:
        path, _, anchor = link.partition("#")
        target = (page.parent / unquote(path)).resolve()
        assert target.is_file() and target.is_relative_to(ROOT), link
        if target.suffix == ".ipynb" and anchor:
            assert unquote(anchor) in anchors[target.stem], f"{link}: no such heading"
        elif anchor:
            assert anchor in {h.lower().replace(" ", "-") for h in re.findall(r"^#+ (.+)$", target.read_text(), re.M)}


def test_routes_stop_where_they_should():
    short = (KIT / "route_90_minutes.md").read_text()
    rows = re.findall(r"^\| (\d+)–(\d+) \|", short, re.M)
    assert rows[0][0] == "0" and rows[-1][1] == "90"
    assert all(before[1] == after[0] for before, after in pairwise(rows))
    seen = {link.split("#")[0] for link in links(short)}
    assert {"../00_tour.ipynb", "../04_causal_context.ipynb", "../05_cca_loss.ipynb"} <= seen
    four = (KIT / "route_four_sessions.md").read_text()
    sessions = four.split("## Session ")[1:]
    assert len(sessions) == 4
    for session in sessions:
        assert sum(map(int, re.findall(r"^\| (\d+) \|", session, re.M))) == 90
        assert "**Homework" in session and "../exercises/" in session


def test_tickets_self_check_and_rubric_are_complete():
    lesson = re.compile(r"^## (\d\d) (.*?)(?=^## |\Z)", re.M | re.S)
    questions, answers = (
        {number: re.findall(r"^(\d)\. ", text, re.M) for number, text in lesson.findall((KIT / name).read_text())}
        for name in ("exit_tickets.md", "exit_tickets_answers.md")
    )
    assert list(questions) == [name[:2] for name in LESSONS] and questions == answers
    assert all(numbers in (["1", "2"], ["1", "2", "3"]) for numbers in questions.values())
    assert (KIT / "exit_tickets_answers.md").read_text().count("*After:*") == sum(map(len, answers.values()))
    check = (KIT / "self_check.md").read_text()
    assert re.findall(r"^\*\*(\d+)\.\*\*", check, re.M) == [str(i) for i in range(1, 11)]
    assert check.count("<details>") == check.count("</details>") == check.count("<i>Missed?</i>") == 10
    rubric = (KIT / "rubric.md").read_text().split("\n## ")[1:]
    assert [part.splitlines()[0] for part in rubric[:-1]] == [asked.kind for asked in REASONING]
    assert all(re.findall(r"^- \*\*(\w+)\.\*\*", part, re.M) == ["Weak", "Sound", "Excellent"] for part in rubric)


def test_kit_names_commands_that_exist(capsys):
    from ccalib.lessons.teaching import __main__ as command

    told = "\n".join(page.read_text() for page in PAGES)
    kinds = set(re.findall(r"-m ccalib\.lessons\.teaching (\w+)", told))
    assert kinds == {"sheet", "exam", "grade"}
    for kind in kinds:
        with pytest.raises(SystemExit) as stop:
            command.main([kind, "--help"])
        assert stop.value.code == 0
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{target}:", makefile, re.M) for target in set(re.findall(r"`make ([a-z]+)`", told)))


def test_container_copies_what_students_have():
    text = (KIT / "Containerfile").read_text().replace("\\\n", " ")
    try:
        names = student.handed_out(student.committed())
    except CcaError:
        pytest.skip("not a clone with git")
    copied = [source for line in re.findall(r"^COPY (.+)$", text, re.M) for source in line.split()[:-1]]
    assert {"ccalib", "data", "notebooks"} <= set(copied)
    for source in copied:
        assert any(name == source or name.startswith(f"{source}/") for name in names), source
    user = [line for line in text.splitlines() if line.startswith("USER ")]
    assert user and user[-1] != "USER root" and json.loads(re.search(r"^ENTRYPOINT (.+)$", text, re.M)[1])
    assert "COPY notebooks/solutions" not in text


# ---- the page without a computer ------------------------------------------------------------------------------------


def test_printed_pages_are_what_the_command_writes(tmp_path, capsys):
    assert sheet.stale() == [] and main(["sheet", "--check"]) == 0
    sheet.write(tmp_path)
    (tmp_path / "paper_game.html").write_text("by hand")
    assert sheet.stale(tmp_path) == ["paper_game.html"]
    blank, solved = sheet.pages().values()
    assert "given" not in blank.split("</style>")[1] and 'class="blank"' not in solved
    assert blank.split("</style>")[1].count("<div>A = ") == 16


def test_printed_numbers_by_another_way():
    found = sheet.numbers()
    pairs = [n / 16 for row in sheet.CARDS for n in row]
    conditional = sum(
        sum(row) / 16 * stats.entropy([n / sum(row) for n in row], base=2) for row in sheet.CARDS
    )  # the mean of the rows' entropies, where the page uses the chain rule
    assert math.isclose(found["joint"].b_given_a, conditional)
    assert math.isclose(found["joint"].both, stats.entropy(pairs, base=2))
    assert math.isclose(found["joint"].gain, stats.entropy([10, 6], base=2) - conditional)
    words = found["words"]
    assert sum(2.0 ** -len(word) for word in words) == 1
    assert not any(a != b and a.startswith(b) for a in words for b in words)
    assert [table.gain for *_, table in found["others"]] == [0, 1, 0]
    # the message's interval: all four-symbol messages in order, each as wide as its chances
    low = 0.0
    for message in sorted(a + b + c + d for a in "abcd" for b in "abcd" for c in "abcd" for d in "abcd"):
        width = math.prod(sheet.CHANCES[s] / 10 for s in message)
        if message == sheet.WRITTEN:
            break
        low += width
    assert math.isclose(float(found["intervals"][-1][1]), low) and math.isclose(float(found["end"]), low + width)
    assert low <= int(found["decimal"]) / 10 ** len(found["decimal"]) < low + width
    assert low <= int(found["binary"], 2) / 2 ** len(found["binary"]) < low + width
    fewer = len(found["decimal"]) - 1
    assert not any(low <= n / 10**fewer < low + width for n in range(10**fewer))
    assert math.isclose(found["price"], -math.log2(width))
    assert byhand.read_number(found["number"], 4, sheet.CHANCES) == sheet.READ != found["misread"]
    state, popped = found["pushed"][-1][1], ""
    while state != 1:
        symbol = max((s for s in "abcd" if found["starts"][s] <= state % 10), key=found["starts"].get)
        state = state // 10 * sheet.CHANCES[symbol] + state % 10 - found["starts"][symbol]
        popped += symbol
    assert popped == sheet.STACKED
    with pytest.raises(CcaError, match="not powers of two"):
        byhand.code_words([3, 5])


# ---- exams ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def copies():
    return exam.copies(7, 12)


def varint(value):
    return max(1, math.ceil(value.bit_length() / 7))


def pixels(g):
    error = float(np.mean([int(e) ** 2 for e in g["error"].ravel()]))
    return [error, 20 * math.log10(255 / math.sqrt(error)), 20 * math.log10(255 / math.sqrt(error / 2))]


def transform(g):
    high, low = g["variance"] * (1 + g["rho"]), g["variance"] * (1 - g["rho"])
    phi = math.radians(g["angle"])
    turn = np.array([[math.cos(phi), math.sin(phi)], [-math.sin(phi), math.cos(phi)]])
    s = turn @ np.diag([high, low]) @ turn.T
    gain = -0.5 * math.log2(1 - s[0, 1] ** 2 / (s[0, 0] * s[1, 1]))
    return [(high, low), 100 * high / (high + low), gain, 0.5 * math.log2(np.linalg.det(s) / (high * low))]


def code_length(g):
    cost = sum(math.log2(16 / g["chances"][s]) for s in g["message"])
    least = 8 * stats.entropy(list(Counter(g["message"].tolist()).values()), base=2)
    return [cost, least, (cost - least) / 8]


def centered(g):
    symbols = [math.floor(y - m + 0.5) for y, m in zip(g["y"], g["mean"])]
    decoded = [s + m for s, m in zip(symbols, g["mean"])]
    lost = sum((a - y) ** 2 for a, y in zip(decoded, g["y"]))
    return [tuple(symbols), tuple(decoded), lost, sum((math.floor(y + 0.5) - y) ** 2 for y in g["y"])]


def table_of_two(g):
    p = g["counts"] / g["counts"].sum()
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    h = lambda values: -sum(v * math.log2(v) for v in values)
    conditional = sum(r * h(row / r) for r, row in zip(rows, p))
    return [(h(rows), h(columns)), h(p.ravel()), conditional, h(columns) - conditional]


def file_bytes(g):
    header = 12 + sum(map(varint, (g["steps"], g["width"], g["height"], 5))) + 2
    header += sum(varint(n) + 6 for n in g["lengths"])
    size = header + sum(g["lengths"])
    ends = np.cumsum([header, *g["lengths"]])
    whole = int((ends <= g["at"]).sum()) - 2  # without the header and z
    return [(header, size), 8 * size / (g["width"] * g["height"]), whole, int(g["at"] - ends[whole + 1])]


def rulers(g):
    gains = [b - a for a, b in zip(g["with"], g["without"])]
    context = sum(g["z"][1:]) - sum(g["with"][1:])
    return [tuple(gains[1:]), 100 * abs(gains[0]) / g["with"][0], sum(gains[1:]), context]


def schedule(g):
    total = sum(i ** g["k"] for i in range(1, g["G"] + 1))
    sizes = [g["M"] * i ** g["k"] // total for i in range(1, g["G"])]
    return [(*sizes, g["M"] - sum(sizes)), sum(sizes), g["G"] + 1]


def water(g):
    low, high = 1e-6, max(g["variances"])
    for _ in range(200):  # bisection for the level
        level = math.sqrt(low * high)
        bits = sum(max(0.0, 0.5 * math.log2(v / level)) for v in g["variances"])
        low, high = (level, high) if bits > g["bits"] else (low, level)
    return [tuple(max(0.0, 0.5 * math.log2(v / level)) for v in g["variances"]), level]


def seeds(g):
    values = list(map(float, g["values"]))
    mean, n = statistics.mean(values), len(values)
    half = {3: 4.302653, 4: 3.182446}[n] * statistics.stdev(values) / math.sqrt(n)  # from a printed table
    return [mean, (mean - half, mean + half), "yes" if mean + half < 0 else "no"]


def one_training(g):
    at = lambda q: math.exp(math.log(g["low"]) + q / 6 * math.log(g["high"] / g["low"]))
    ratio = math.sqrt(g["high"] / g["low"])
    return [math.sqrt(g["low"] * g["high"]), at(g["q"]), ratio, math.log(ratio) / math.log(2)]


def curves(g):
    low, high = max(c[0][1] for c in g.values()), min(c[-1][1] for c in g.values())
    grid = np.linspace(low, high, 1001)
    logs = {n: np.interp(grid, [db for _, db in c], [math.log(r) for r, _ in c]) for n, c in g.items()}
    mean = float((logs["B"] - logs["A"]).mean())
    return [(low, high), 100 * (math.exp(mean) - 1), 100 * (math.exp(-mean) - 1)]


def work(g):
    def kmac(channels):
        weights = [g["kernel"] ** 2, g["kernel"] ** 2, 1]
        positions = [4, 16, 16]
        return [w * a * b / p / 1000 for w, (a, b), p in zip(weights, pairwise(channels), positions)]

    each = kmac(g["channels"])
    return [tuple(each), sum(each), sum(kmac((3, *(2 * n for n in g["channels"][1:]))))]


BY_ANOTHER_WAY = {f.__name__: f for f in (pixels, transform, code_length, centered, table_of_two, file_bytes, rulers,
                                          schedule, water, seeds, one_training, curves, work)}  # fmt: skip


@pytest.mark.parametrize("kind", list(BY_ANOTHER_WAY))
def test_key_by_another_way(copies, kind):
    for copy in copies:
        (question,) = [q for q in copy.questions if q.kind == kind]
        expected = BY_ANOTHER_WAY[kind](question.given)
        assert len(expected) == len(question.parts)
        for part, wanted in zip(question.parts, expected):
            if isinstance(wanted, str):
                assert part.answer == wanted
            else:
                assert np.allclose(part.answer, wanted, rtol=1e-6, atol=2e-5), (copy.number, part.ask)
                assert np.all(np.isfinite(part.answer))


def test_every_kind_has_a_second_computation(copies):
    assert [q.kind for q in copies[0].questions] == [f for f in (m.__name__ for m in exam.MAKERS)]
    assert set(BY_ANOTHER_WAY) == {q.kind for q in copies[0].questions}
    lessons = set(re.findall(r"\d\d", " ".join(q.lesson for q in [*copies[0].questions, *REASONING])))
    assert lessons == {name[:2] for name in LESSONS}


def test_copies_differ_and_no_number_is_degenerate(copies):
    for number, maker in enumerate(exam.MAKERS):
        texts = [
            (q.text, q.table and tuple(map(tuple, q.table)), q.figure) for q in (c.questions[number] for c in copies)
        ]
        assert len(set(map(str, texts))) >= 0.75 * len(copies), maker.__name__
    for copy in copies:
        of = {q.kind: q for q in copy.questions}
        assert of["table_of_two"].given["counts"].min() > 0
        assert abs(of["curves"].parts[1].answer) > 8 and of["transform"].parts[2].answer > 0.02
        assert of["code_length"].parts[2].answer > 0
        low, high = of["seeds"].parts[1].answer
        assert abs(high) > 0.1 and low < high  # no interval that ends at 0 by a hair
        rests = [
            v % 1 for v in (*of["centered"].given["y"], *(of["centered"].given["y"] - of["centered"].given["mean"]))
        ]
        assert all(abs(rest - 0.5) > 0.05 for rest in rests)  # no half to round
        rates = of["water"].parts[0].answer
        assert 0 in rates and sum(rate > 0 for rate in rates) >= 2
    claims = {q.parts[2].answer for c in copies for q in c.questions if q.kind == "seeds"}
    assert claims == {"yes", "no"}


def test_the_same_seed_is_the_same_exam(tmp_path, capsys):
    for folder, seed in (("a", 7), ("b", 7), ("c", 8)):
        assert main(["exam", "--seed", str(seed), "--copies", "2", "-o", str(tmp_path / folder)]) == 0
    read = lambda folder, name: (tmp_path / folder / name).read_text()
    for name in ("exam.html", "key.html", "answers.json"):
        assert read("a", name) == read("b", name) != read("c", name)
    key, blank = read("a", "key.html"), read("a", "exam.html")
    assert "given" not in blank.split("</style>")[1]
    printed = [unescape(text) for text in re.findall(r'<span class="given">(.*?)</span>', key)]
    made = [str(part) for copy in exam.copies(7, 2) for q in copy.questions for part in q.parts]
    assert printed == made and "{" not in blank.split("</style>")[1]
    answers = json.loads(read("a", "answers.json"))
    assert [one["copy"] for one in answers["copies"]] == [1, 2]
    assert answers["copies"][0]["answers"]["schedule"][0] == list(exam.copies(7, 1)[0].questions[7].parts[0].answer)
    assert main(["exam", "--seed", "-1", "-o", str(tmp_path)]) == 1
    assert "seed -1" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["exam", "--seed", "1", "-o", str(tmp_path / "file")]) == 1


# ---- grading --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_grading_runs_our_checks_on_their_cells(tmp_path, capsys):
    name = "02_bytes"
    for who, kind in (("ada", "solutions"), ("bob", "exercises"), ("eve", "exercises")):
        (tmp_path / who).mkdir()
        notebook = nbformat.read(NOTEBOOKS / kind / f"{name}.ipynb", as_version=4)
        if who == "eve":  # her own check passes everything, and one property holds
            mine = "def check(*anything): print('passed')\n\ndef code_length(symbols, p):\n    return 3 * len(symbols)"
            notebook.cells.append(nbformat.v4.new_code_cell(mine))
        nbformat.write(notebook, tmp_path / who / f"{name}.ipynb")
    out = tmp_path / "marks.csv"
    assert main(["grade", str(tmp_path), "-o", str(out)]) == 0
    with open(out) as file:
        rows = list(csv.DictReader(file))
    got = Counter({who: 0 for who in ("ada", "bob", "eve")})
    for row in rows:
        got[row["notebook"].split("/")[0]] += int(row["point"])
    assert len(rows) == 18 and got == {"ada": 6, "bob": 0, "eve": 1}
    assert {row["said"].split(": ")[1] for row in rows if row["notebook"].startswith("bob")} == {"not attempted"}


def test_grading_refuses_what_is_no_exercise(tmp_path):
    with pytest.raises(CcaError, match="no notebooks below"):
        grade.grade(tmp_path, tmp_path / "marks.csv")
    (tmp_path / "mine.ipynb").write_text("{}")
    with pytest.raises(CcaError, match="no exercise of that name; there are 01_transforms"):
        grade.grade(tmp_path, tmp_path / "marks.csv")
    (tmp_path / "mine.ipynb").rename(tmp_path / "01_transforms.ipynb")
    with pytest.raises(CcaError, match="not a notebook"):
        grade.grade(tmp_path, tmp_path / "marks.csv")
