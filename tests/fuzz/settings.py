"""How many examples the fuzz tests run: a few in CI, EQLIB_FUZZ of each where that is set."""

import os

from hypothesis import HealthCheck, settings

MANY = int(os.environ.get("EQLIB_FUZZ", "0"))


def examples(few: int = 40) -> settings:
    """The same few examples each time, or so many new ones."""
    unhealthy = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    how = {"deadline": None, "suppress_health_check": unhealthy, "database": None}
    return settings(max_examples=MANY or few, derandomize=not MANY, **how)
