"""Clients against a registry that does wrong on demand."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from bundle.oci.locations import HostSettings
from bundle.oci.reference import Reference
from clients.http.credentials import Credentials
from clients.http.retry import RetryPolicy
from clients.http.transport import Transport
from clients.registry.repository import Registries, RegistryRepository
from tests.fixtures.connections import MakeTransport, RecordingMeter
from tests.fixtures.servers.faulty_registry import FaultyRegistry, faulty_registry


@pytest.fixture
def meter() -> RecordingMeter:
    return RecordingMeter()


@pytest.fixture
def pauses() -> list[float]:
    """The seconds that were waited between attempts, without waiting them."""
    return []


@pytest.fixture
def policy(pauses: list[float]) -> RetryPolicy:
    return RetryPolicy(attempts=3, sleep=pauses.append, random=lambda: 1.0)


@pytest.fixture
def other() -> Iterator[FaultyRegistry]:
    """A second host."""
    with faulty_registry() as registry:
        yield registry


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def certificate(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("certificate") / "server.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(path)
    return path


@pytest.fixture(scope="session")
def ca(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture
def make_transport(policy: RetryPolicy, meter: RecordingMeter) -> Iterator[MakeTransport]:
    """Makes transports to hosts with settings; they are closed in the end."""
    with ExitStack() as stack:

        def make(
            hosts: dict[str, HostSettings],
            *,
            read_timeout: float = 20.0,
            store_timeout: float = 20.0,
            answer_timeout: float = 20.0,
            least_rate: float = 1024.0,
            rate_time: float = 120.0,
            **environment: str,
        ) -> Transport:
            transport = Transport(
                hosts,
                retry=policy,
                meter=meter,
                read_timeout=read_timeout,
                store_timeout=store_timeout,
                answer_timeout=answer_timeout,
                least_rate=least_rate,
                rate_time=rate_time,
                environment=environment,
            )
            return stack.enter_context(transport)

        yield make


@pytest.fixture
def transport(make_transport: MakeTransport, faulty: FaultyRegistry, other: FaultyRegistry) -> Transport:
    """Reaches both stand-ins by plain HTTP."""
    plain = HostSettings(plain_http=True)
    return make_transport({faulty.host: plain, other.host: plain})


@pytest.fixture
def logins(tmp_path: Path) -> Path:
    """A docker configuration without logins."""
    path = tmp_path / "docker" / "config.json"
    path.parent.mkdir()
    path.write_text("{}")
    return path


@pytest.fixture
def registries(transport: Transport, logins: Path, meter: RecordingMeter) -> Registries:
    return Registries(transport, credentials=Credentials({"DOCKER_CONFIG": str(logins.parent)}), meter=meter)


@pytest.fixture
def app(registries: Registries, faulty: FaultyRegistry) -> RegistryRepository:
    """Image `team/app:1` of the stand-in."""
    return registries.repository(Reference.parse(f"{faulty.host}/team/app:1"), subject="image 'app'")
