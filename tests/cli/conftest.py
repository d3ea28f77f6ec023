"""What the tests of options share."""

import pytest

from tests.cli.option_tables import Runner, runner


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """Return what runs a command line once, in this process, and remembers what it did."""
    return runner(tmp_path_factory.mktemp("inputs"), lambda: tmp_path_factory.mktemp("ran"))
