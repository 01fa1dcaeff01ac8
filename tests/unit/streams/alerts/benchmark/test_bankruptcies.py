"""Daily mentions around bankruptcies."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from streams.alerts.benchmark.bankruptcies import Bankruptcy, judge, read_bankruptcies
from streams.alerts.benchmark.tables import bankruptcy_tables, markdown
from streams.alerts.detectors.return_period import ReturnPeriod
from streams.alerts.rules.detectors import ReturnPeriodSpec
from streams.errors import BellwetherError

MENTIONS = Path(__file__).resolve().parents[6] / "shared" / "data" / "streams" / "bankruptcy_mentions.csv.gz"


def detector() -> ReturnPeriod:
    return ReturnPeriod(ReturnPeriodSpec(type="return_period"), "documents")


def company(**days: float) -> Bankruptcy:
    mentions = 20.0 + np.arange(61) % 3
    for day, value in days.items():
        mentions[int(day.removeprefix("day"))] = value
    return Bankruptcy("Acme", date(2020, 5, 1), mentions)


def test_the_first_alert_is_counted_from_the_day() -> None:
    assert judge(company(day30=400.0), detector()).first == 0
    assert judge(company(day25=400.0, day30=4_000.0), detector()).first == -5
    assert judge(company(), detector()).first is None


def test_alerts_far_from_the_day_are_false_and_its_aftermath_is_neither() -> None:
    assert judge(company(day15=400.0), detector()).false == 1
    assert judge(company(day50=400.0), detector()).false == 1
    assert judge(company(day38=400.0), detector()).false == 0
    assert judge(company(day3=400.0), detector()).false == 0  # before the warm-up is over


def test_a_handful_of_mentions_is_no_alert() -> None:
    quiet = Bankruptcy("Acme", date(2020, 5, 1), np.zeros(61))
    quiet.mentions[30] = 9.0
    assert judge(quiet, detector()).first is None
    quiet.mentions[30] = 30.0
    assert judge(quiet, detector()).first == 0


def test_days_without_a_row_had_no_mention(tmp_path: Path) -> None:
    path = tmp_path / "mentions.csv.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write(
            'company,date,freq,when,Date of Bankruptcy\nAcme,01/05/2020,7,after,"May 1, 2020"\nAcme,02/04/2020,3,before,"May 1, 2020"\n'
        )
    (one,) = read_bankruptcies(path)
    assert (one.company, one.day) == ("Acme", date(2020, 5, 1))
    assert one.mentions[30] == 7.0
    assert one.mentions[1] == 3.0
    assert one.mentions.sum() == 10.0
    path.write_bytes(b"not gzip")
    with pytest.raises(BellwetherError, match="no daily mentions"):
        read_bankruptcies(path)


@pytest.mark.skipif(not MENTIONS.is_file(), reason="../shared/data/streams/bankruptcy_mentions.csv.gz is absent")
def test_most_loud_bankruptcies_are_noticed_by_the_day() -> None:
    outcomes = [judge(one, detector()) for one in read_bankruptcies(MENTIONS)]
    loud = [one for one in outcomes if one.most >= 20]
    assert len(outcomes) == 33
    assert sum(one.first is not None for one in loud) >= 0.75 * len(loud)
    assert sum(one.first is not None and one.first <= 0 for one in loud) >= 0.7 * len(loud)
    assert sum(one.false for one in outcomes) / (sum(one.judged_days for one in outcomes) / 30.0) < 1.0
    page = markdown(bankruptcy_tables(outcomes))
    assert "| Sears | 3526 | -5 | 1 |" in page
