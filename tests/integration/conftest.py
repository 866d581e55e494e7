"""The real parts as fixtures. A test whose part is missing is skipped, which CI doesn't accept."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar

import pytest

from tests.fixtures.parts.browsers import Browser
from tests.fixtures.parts.clusters import OLDEST, Cluster, kubernetes
from tests.fixtures.parts.cosigns import Cosign
from tests.fixtures.parts.helms import Helm
from tests.fixtures.parts.nodes import Node, real_node
from tests.fixtures.parts.parts import Engine, PartError, Skopeo, docker_engine, grype_env, program, tmpfs
from tests.fixtures.parts.registries import RunningRegistry, TlsFiles, cncf_registry

_T = TypeVar("_T")
_MARKERS = {
    "browser": "browser",
    "registry": "registry",
    "tls_registry": "registry",
    "auth_registry": "registry",
    "engine": "engine",
    "skopeo": "skopeo",
    "cosign": "cosign",
    "grype": "scanner",
    "cluster": "cluster",
    "oldest": "cluster",
    "helm": "cluster",
    "node": "node",
    "running": "node",
    "theatre": "node",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test by the real parts its fixtures start, so that `-m 'not engine'` tells the truth."""
    for item in items:
        for fixture in set(getattr(item, "fixturenames", ())) & _MARKERS.keys():
            item.add_marker(_MARKERS[fixture])


@contextmanager
def _part() -> Iterator[None]:
    try:
        yield
    except PartError as err:
        pytest.skip(str(err))


@contextmanager
def _started(part: AbstractContextManager[_T]) -> Iterator[_T]:
    """A part that runs meanwhile. What fails while the tests go on is no skip."""
    with ExitStack() as stack:
        with _part():
            running = stack.enter_context(part)
        yield running


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """Chromium without a window."""
    with _part():
        return Browser.find(tmp_path_factory.mktemp("browser"))
    raise AssertionError("unreachable: a part that is missing skips")


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    """A CA, and a certificate and key of it for loopback."""
    return TlsFiles.make(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def _registries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], RunningRegistry]]:
    with ExitStack() as stack:

        @cache
        def started(version: int) -> RunningRegistry:
            return stack.enter_context(cncf_registry(tmp_path_factory.mktemp(f"registry-{version}"), version=version))

        yield started


@pytest.fixture
def registry(request: pytest.FixtureRequest, _registries: Callable[[int], RunningRegistry]) -> RunningRegistry:
    """A CNCF registry over plain HTTP, shared by the session: use repository names of your own.

    It is Debian's version 2, and version 3 too for a test that is marked with `each_version`.
    """
    with _part():
        return _registries(getattr(request, "param", 2))
    raise AssertionError("unreachable: a part that is missing skips")


@pytest.fixture(scope="session")
def tls_registry(tmp_path_factory: pytest.TempPathFactory, tls_files: TlsFiles) -> Iterator[RunningRegistry]:
    """A CNCF registry over TLS, its certificate from a CA nobody trusts by default (`.ca`)."""
    with _started(cncf_registry(tmp_path_factory.mktemp("tls-registry"), tls=tls_files)) as running:
        yield running


@pytest.fixture(scope="session")
def auth_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """A CNCF registry over plain HTTP that wants a login (Basic): `.username` and `.password`."""
    with _started(cncf_registry(tmp_path_factory.mktemp("auth-registry"), login=True)) as running:
        yield running


@pytest.fixture(scope="session")
def _engine() -> Iterator[Engine]:
    with _started(docker_engine()) as running:
        yield running


@pytest.fixture
def engine(_engine: Engine) -> Iterator[Engine]:
    """A Docker Engine of the session, emptied after each test."""
    yield _engine
    _engine.clear()


@pytest.fixture(scope="session")
def skopeo(tmp_path_factory: pytest.TempPathFactory) -> Skopeo:
    """The skopeo command."""
    with _part():
        return Skopeo(path=program("skopeo"), home=tmp_path_factory.mktemp("skopeo"))


@pytest.fixture
def grype(tmp_path: Path) -> Mapping[str, str]:
    """The environment of a grype with a database of its own."""
    with _part():
        return grype_env(tmp_path)
    raise AssertionError("unreachable: a part that is missing skips")


@pytest.fixture(scope="session")
def cosign(tmp_path_factory: pytest.TempPathFactory) -> Cosign:
    """The cosign command, with a pair of keys."""
    with _part():
        return Cosign.make(tmp_path_factory.mktemp("cosign"))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Kubernetes with simulated nodes, shared by the session: use namespaces of your own (`new_namespace`)."""
    with _started(kubernetes(tmp_path_factory.mktemp("cluster"))) as running:
        yield running


@pytest.fixture(scope="module")
def oldest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The same of the oldest Kubernetes that is supported, shared by a module."""
    with _started(kubernetes(tmp_path_factory.mktemp("oldest"), programs=OLDEST)) as running:
        yield running


@pytest.fixture(scope="session")
def _node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with _started(real_node(tmp_path_factory.mktemp("node"))) as running:
        yield running


@pytest.fixture
def node(_node: Node) -> Iterator[Node]:
    """A Kubernetes of the session whose pods really run; the test is in its network, where there is nothing else."""
    with _node.entered():
        yield _node


@pytest.fixture(params=[3, 4], ids=["helm 3", "helm 4"])
def helm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Helm:
    """Each of the official helms in turn, with settings and caches of its own."""
    with _part():
        return Helm.make(request.param, tmp_path_factory.mktemp("helm"), cluster)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mounts a tmpfs of so many MiB and returns its path: a disk that fills up."""
    with ExitStack() as stack:

        def mount(megabytes: int) -> Path:
            with _part():
                return stack.enter_context(tmpfs(tmp_path / f"disk-{megabytes}", megabytes))

        yield mount
