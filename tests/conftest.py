"""How many examples the property tests try: some by default, and always the same, whatever ran before; with
HYPOTHESIS_PROFILE=few a dozen of them; with HYPOTHESIS_PROFILE=deep many, and others every time. What stops a
change must be found again by who made it; the search for what nobody has found yet is the deep one's."""

import asyncio
import gc
import importlib
import inspect
import os
import signal
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.internal.conjecture import providers
from realtape.replay import run
from support.packages import PACKAGES, ROOT

pytest_plugins = ["pytester"]
if "REALTAPE_TEST_NOISE" in os.environ:  # `make test-noisy`
    pytest_plugins.append("support.noisy")

# Who is started in the background of a shell has Ctrl-C ignored, and so have all that he starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What the tests start says the same wherever it runs: pytest and argparse, for two, write in other words or
# other colours where these are set.
for name in ("CI", "BUILD_NUMBER", "COLUMNS", "FORCE_COLOR", "NO_COLOR", "PY_COLORS", "PYTEST_ADDOPTS"):
    os.environ.pop(name, None)

# The machine's speed says nothing about an example: the test's own timeout bounds it.
_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]

# Which parts of a found example could be others (`explain`) costs four times what finding and shrinking it
# does, and `find` tells nobody.
_PHASES = [phase for phase in Phase if phase is not Phase.explain]

settings.register_profile(
    "default", max_examples=25, derandomize=True, deadline=None, phases=_PHASES, suppress_health_check=_SLOW
)
settings.register_profile("few", settings.get_profile("default"), max_examples=12)
settings.register_profile(
    "deep", max_examples=5000, deadline=None, phases=_PHASES, suppress_health_check=_SLOW
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

if settings().derandomize:
    # Hypothesis draws constants that it finds in those modules of ours that are loaded: the same seed gave
    # other examples after a change anywhere, and after other tests of the same worker. No setting stops it.
    known: Any = providers
    assert callable(known._get_local_constants), "this hypothesis finds its constants otherwise"
    known._get_local_constants = lambda: known._local_constants  # which are none


@pytest.fixture(scope="session")
def all_modules() -> None:
    """What a run of pytester imports is forgotten after it, and imported again there are two of it: doors
    would keep the one, and who asks the module have the other. So nothing is left for them to import."""
    importlib.import_module("sqlalchemy.ext.asyncio")
    for path in (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[-1] != "__main__" and "pytest_plugin" not in parts:  # pytest imports its plugins itself
            with suppress(ImportError):  # some need a newer SDK than the oldest; who asks for it hears of it
                importlib.import_module(".".join(("realtape", *parts)).removesuffix(".__init__"))


@pytest.fixture
def pytester(all_modules: None, pytester: pytest.Pytester) -> pytest.Pytester:
    return pytester


# Of what is imported nothing goes again. Looking for what might costs a third of the SDK's import, and a good
# part of every test.
gc.disable()


def pytest_collection_finish() -> None:
    """What there is now stays; of what the tests leave behind, circles are collected, but not after every 700
    new objects: that costs a tenth of the suite. A test of what is let go collects by itself."""
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest comes first: at the end all cores but one would wait for it."""
    items.sort(key=lambda item: item.path.name != "test_tutorial.py")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an `async def` test on virtual time, where all that it sees is exact; where it is marked
    `real_time`, on an ordinary loop."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    main = pyfuncitem.obj(**arguments)
    if pyfuncitem.get_closest_marker("real_time") is None:
        run(main)
    else:
        asyncio.run(main)
    return True
