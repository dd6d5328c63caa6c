"""The package's names: none hides a module, and all are listed, documented and have an example."""

import importlib
import pkgutil

from eqlib import data


def test_no_public_name_hides_a_module():
    for module in pkgutil.iter_modules(data.__path__):
        assert getattr(data, module.name, None) is importlib.import_module(f"eqlib.data.{module.name}"), module.name


def test_every_public_name_is_there_and_documented():
    assert data.__all__ == sorted(data.__all__)
    for name in data.__all__:
        assert "\n    >>> " in (getattr(data, name).__doc__ or ""), name
