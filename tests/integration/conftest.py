"""One live `barnabas up` for all clients, and names that no two tests share."""

from collections.abc import Iterator

import pytest

from tests.support.server import cluster_under_test


@pytest.fixture(scope="session")
def bootstrap() -> Iterator[str]:
    with cluster_under_test() as address:
        yield address


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A topic name of the test's own; nobody has created it."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.name)
    return f"{name}-{abs(hash(request.node.nodeid)) % 10**8}"
