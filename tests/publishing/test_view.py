"""Browsing samples: what is asked for is shown, what is not stored is said, and other sites cannot ask."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from entry_stores import attacked, clean, first_of, partly, write
from html_page import Page, complaints
from odd_stores import ODD, odd_store
from robustbench_eff import evaluate
from robustbench_eff.cli.serve_site import SiteServer
from robustbench_eff.cli.view import server
from robustbench_eff.core.errors import UsageError
from robustbench_eff.publishing.report.content import named_cells
from robustbench_eff.publishing.view.choice import read_choice
from robustbench_eff.publishing.view.clean_images import DataSets
from robustbench_eff.publishing.view.page import samples_page
from robustbench_eff.publishing.view.rows import PER_PAGE, Found, find_samples
from robustbench_eff.storage.outcomes import as_numpy
from robustbench_eff.storage.store import Store

N = 40
PGD = "pgd(eps=8/255)"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two models under two attacks."""
    parts = []
    for model, right, robust in (("first", 36, 10), ("second", 30, 20)):
        given = {"model": model, "model_digest": model}
        parts += [
            clean(first_of(N, right), **given),
            attacked("fgsm(eps=8/255)", first_of(N, right), first_of(N, robust + 5), 8 / 255, **given),
            attacked(
                *(PGD, first_of(N, right), first_of(N, robust), 8 / 255),
                columns={"margin": np.arange(N)[::-1], "num_forwards": [50] * N, "num_backwards": [50] * N},
                **given,
            ),
        ]
    return Store.existing(write(tmp_path_factory.mktemp("view") / "store", parts))


def found(store: Store, **fields: object) -> Found:
    cells = named_cells(store)
    return find_samples(store, cells, read_choice({name: str(value) for name, value in fields.items()}, cells))


@pytest.mark.parametrize(
    ("outcome", "count"), [("", N), ("right", 10), ("fooled", 26), ("wrong", 4), ("differ", 10)], ids=str
)
def test_samples_are_filtered_by_what_became_of_them(two: Store, outcome: str, count: int) -> None:
    of = found(two, model="first", other="second", perturbation=PGD, outcome=outcome)
    assert of.number == count
    expected = {"right": "right", "fooled": "fooled", "wrong": "wrong"}.get(outcome)
    statuses = {row.answers[0].status for row in of.rows if row.answers[0] is not None}
    assert statuses == ({expected} if expected else statuses)
    if outcome == "differ":
        for row in of.rows:
            assert [answer is not None and answer.status for answer in row.answers] == ["fooled", "right"]


def test_samples_are_filtered_by_class_and_sorted_by_margin(two: Store) -> None:
    of = found(two, model="first", perturbation=PGD, **{"class": 3}, order="margin")
    assert of.number == N // 4 and [row.position for row in of.rows] == [*range(39, 0, -4)]
    assert {row.label for row in of.rows} == {"class 3"}


def test_a_row_says_what_beat_the_sample_and_at_what_price(two: Store) -> None:
    rows = found(two, model="first", perturbation=PGD).rows
    answers = [row.answers[0] for row in (rows[3], rows[12], rows[20])]
    assert [answer and answer.beaten_by for answer in answers] == [
        "no attack in the store beat it",
        f"beaten by {PGD}",
        f"beaten by fgsm(eps=8/255), {PGD}",
    ]
    assert answers[2] is not None and answers[2].verdict == "✗ taken for class 1"
    assert (answers[2].margin, answers[2].queries) == ("19", "50 forward, 50 backward")
    assert answers[2].columns["correct_8bit"] == "False"


def test_pages_hold_every_sample_once(two: Store) -> None:
    pages = [[row.position for row in found(two, perturbation=PGD, page=page).rows] for page in (1, 2, 3)]
    assert pages == [[*range(PER_PAGE)], [*range(PER_PAGE, N)], []]


@pytest.mark.parametrize(
    "query",
    ["model=nobody", "perturbation=x", "page=0", "page=x", "page=9999999999", "class=-1", "outcome=y", "colour=red"],
)
def test_what_is_not_there_is_one_sentence(two: Store, query: str) -> None:
    with pytest.raises(UsageError):
        read_choice(dict([query.split("=")]), named_cells(two))


@pytest.mark.parametrize("name", ODD)
def test_every_odd_store_can_be_browsed(name: str, tmp_path: Path) -> None:
    text = samples_page(Store.existing(odd_store(name, tmp_path / "store")), {}, DataSets({}))
    assert [*complaints(Page(text))] == []
    assert "<script" not in text and "<b onmouseover" not in text
    assert ("does not hold an evaluation yet" in text) == (name == "empty")


def test_images_are_shown_where_they_are_and_their_absence_is_said(tmp_path: Path) -> None:
    evaluate("digits_standard", attacks=("fgsm(eps=16/255)",), limit=40, store=tmp_path / "store")
    store = Store.existing(tmp_path / "store")
    page = Page(samples_page(store, {"outcome": "fooled"}, DataSets({})))
    clean_images = [image for image in page.find("img") if str(image.attributes["alt"]).startswith("Clean image of")]
    perturbed = [image for image in page.find("img") if "difference" in str(image.attributes["alt"])]
    assert len(clean_images) == min(PER_PAGE, len(page.find("dl"))) and len(perturbed) == 8
    assert "perturbed image not stored" in page.text
    page = Page(samples_page(store, {}, DataSets({"digits": str(tmp_path / "nowhere")})))
    assert "Clean images are not shown: " in page.text and "clean image not available" in page.text


def test_the_page_of_a_store_grows_with_its_run(tmp_path: Path) -> None:
    whole = attacked(PGD, first_of(N, 36), first_of(N, 10), 8 / 255)
    place = write(tmp_path / "store", [partly(whole, range(12))])
    store = Store.existing(place)
    with store.lock():
        store.write_run("run", {"cells": [whole.cell.id], "command": [], "versions": {}, "status": "started"})
    text = samples_page(Store.existing(place), {}, DataSets({}))
    assert "12 of 40" in text and 'http-equiv="refresh"' in text
    assert 'http-equiv="refresh"' not in samples_page(Store.existing(place), {"live": "no"}, DataSets({}))
    with store.lock():
        store.write_shard(whole.cell.id, partly(whole, range(12, N)).outcomes)
        store.write_run("run", {"cells": [whole.cell.id], "command": [], "versions": {}, "status": "finished"})
    text = samples_page(Store.existing(place), {}, DataSets({}))
    assert "40 of 40" in text and 'http-equiv="refresh"' not in text
    rows = Store.existing(place).outcomes(whole.cell.id)
    assert found(Store.existing(place), outcome="right").number == int(as_numpy(rows["correct"]).sum())


@pytest.fixture(scope="module")
def running(two: Store) -> Iterator[SiteServer]:
    with server(two.place, [], 0) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def ask(running: SiteServer, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(*running.server_address[:2], timeout=60)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    if answer.status == 200:
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert int(answer.headers["Content-Length"]) >= len(text)
    connection.close()
    return answer.status, text


def test_the_server_has_two_pages_for_those_who_name_it(running: SiteServer) -> None:
    status, text = ask(running, "/?outcome=fooled")
    assert status == 200 and "26 samples" in text
    status, text = ask(running, "/report")
    assert status == 200 and "<h2>Results</h2>" in text
    assert ask(running, "/", "HEAD") == (200, "")
    assert ask(running, "/", Host="evil.example")[0] == 421
    assert ask(running, "/report", Host="localhost.evil.example")[0] == 421
    assert ask(running, "/store.json")[0] == 404
    assert ask(running, f"/?{'&'.join(f'x{number}=1' for number in range(60))}")[0] == 404
    assert ask(running, "/", "POST")[0] == 501
    status, text = ask(running, "/?model=%3Cscript%3E")
    assert status == 404 and "&lt;script&gt;" in text and "<script>" not in text


def test_a_damaged_store_is_one_sentence(tmp_path: Path) -> None:
    place = odd_store("one attack", tmp_path / "store")
    with server(str(place), [], 0) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        min(place.glob("cells/*/cell.json")).write_text("{")
        status, text = ask(made, "/")
        made.shutdown()
        thread.join()
    assert status == 500 and "robust-eval store check STORE --repair" in text


def test_a_folder_that_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a store of outcomes"):
        server(str(tmp_path), [], 0)
