"""What the benchmark makes of its measurements."""

import json
from pathlib import Path

import pytest

from bench.cases import ALL
from bench.report import number, table
from bench.rows import ROWS, chosen
from bench.store import Measurement, Store, medians


def measured(case: str, broker: str, number: int, error: str = "", **figures: float) -> Measurement:
    at, commit = "2026-11-21T12:00:00+00:00", "abc"
    return Measurement(case, broker, number, at, commit, figures, error)


CONSUME = [
    measured("consume", broker, number, mib_per_s=rate, cpu_s_per_gib=cpu)
    for broker, rates, cpu in (("kafka", (100, 1000, 110), 2.0), ("barnabas", (330, 320, 1), 1.9))
    for number, rate in enumerate(rates)
]


def test_every_row_has_its_case_and_a_name_of_its_own() -> None:
    assert {row.case for row in ROWS} == set(ALL)
    assert len({row.name for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert {row.ours, row.theirs} <= set(ALL[row.case].brokers)


def test_rows_are_chosen_by_the_beginnings_of_their_names() -> None:
    assert [row.name for row in chosen(["consume"])] == ["consume", "consume-cpu"]
    assert len(chosen([])) == len(ROWS)
    with pytest.raises(ValueError, match="no row is named speed"):
        chosen(["speed"])


def test_the_median_counts_and_not_the_mean() -> None:
    assert medians(CONSUME)["consume"]["kafka"]["mib_per_s"] == 110
    assert medians(CONSUME)["consume"]["barnabas"]["mib_per_s"] == 320


def test_the_table_tells_ratios_targets_and_what_failed() -> None:
    failed = measured("crash", "barnabas", 0, error="barnabas: 3 records lost")
    text = table([*CONSUME, failed], {"machine": "2 processors"})
    assert "| consume | consume, hot | MiB/s | 110 | 320 | 2.91 | ≥ 1 | yes |" in text
    assert "| consume-cpu | consume, hot: CPU | s/GiB | 2.00 | 1.90 | 0.950 | ≤ 1/1.25 | **no** |" not in text
    assert "| consume-cpu | consume, hot: CPU | s/GiB | 2.00 | 1.90 | 0.950 | ≤ 0.8 | **no** |" in text
    assert "| ≤ 1/10 | not measured: barnabas: 3 records lost |" in text
    assert "1 of 2 measured rows hold." in text
    assert "startup" not in text


def test_numbers_have_three_digits_that_count() -> None:
    assert [number(value) for value in (0.0512, 1.234, 45.67, 123.4, 98765.4)] == [
        "0.051",
        "1.23",
        "45.7",
        "123",
        "98,765",
    ]


def test_an_interrupted_run_keeps_what_it_has(tmp_path: Path) -> None:
    for one in CONSUME[:2]:
        Store(tmp_path).keep(one)
    assert Store(tmp_path).kept() == CONSUME[:2]


def test_a_run_of_some_rows_keeps_the_newest_figures_of_the_others(tmp_path: Path) -> None:
    store = Store(tmp_path)
    old = [measured("crash", "kafka", 0, recovery_s=13.0), measured("consume", "kafka", 0, mib_per_s=1.0)]
    content = {"machine": {}, "measurements": [vars(one) for one in old]}
    (tmp_path / "2020-01-01.json").write_text(json.dumps(content))
    store.keep(CONSUME[0])
    assert store.finish(CONSUME, {}) == [old[0], *CONSUME]
    assert store.kept() == []
