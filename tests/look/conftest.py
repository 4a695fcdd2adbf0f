import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from read_digits import Digits, trained


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Digits:
    """A net that reads digits."""
    return trained(tmp_path_factory.mktemp("digits"), shuffled=False)


@pytest.fixture(scope="session")
def shuffled(tmp_path_factory: pytest.TempPathFactory) -> Digits:
    """A net trained on digits with shuffled labels."""
    return trained(tmp_path_factory.mktemp("shuffled"), shuffled=True)
