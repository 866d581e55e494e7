"""What a run has learned of hosts, so that optional questions are not put to them again and again."""

from collections.abc import Callable

from bundle.errors import NetworkError, RegistryError
from bundle.oci.descriptor import Descriptor
from clients.http.addresses import netloc
from clients.http.retry import TRANSIENT_STATUSES

Listing = tuple[Descriptor, ...] | None
"""What refers to a manifest; None from a host without the referrers API."""


class Learned:
    """Of all hosts of a run; used by several threads at once, where the worst is a question too many."""

    def __init__(self) -> None:
        self._unreachable: dict[str, NetworkError] = {}
        self._refusing: dict[str, RegistryError] = {}
        self._without_referrers: set[str] = set()

    def note_unreachable(self, host: str, err: NetworkError, subject: str) -> None:
        """Remember that a host could not be reached when `subject` was asked for."""
        self._unreachable[host] = NetworkError(err.what.removeprefix(f"{subject}: "), hint=err.hint)

    def unreachable(self, host: str) -> str:
        """Why a host could not be reached; empty for one that was not found so."""
        known = self._unreachable.get(host)
        return known.what if known else ""

    def check_reachable(self, host: str, subject: str) -> None:
        """Raise the NetworkError of a host that could not be reached, for another subject."""
        if known := self._unreachable.get(host):
            raise NetworkError(f"{subject}: {known.what}", hint=known.hint)

    def referring(self, host: str, url: str, ask: Callable[[], Listing], subject: str) -> Listing:
        """The answer of a host's referrers API at `url`; None where it has none.

        A host without the API is asked once in a run, and so is one that has too much to do, or that leaves the answer
        to another host which refuses.
        """
        if host in self._without_referrers:
            return None
        if known := self._refusing.get(host):
            what = f"{subject}: {known.what}"
            raise RegistryError(what, status=known.status, code=known.code, hint=known.hint, host=known.host)
        try:
            found = ask()
        except RegistryError as err:
            if err.status in TRANSIENT_STATUSES or err.host != netloc(url):
                what = err.what.removeprefix(f"{subject}: ")
                self._refusing[host] = RegistryError(
                    what, status=err.status, code=err.code, hint=err.hint, host=err.host
                )
            raise
        if found is None:
            self._without_referrers.add(host)
        return found
