"""What is told of pods that fail, and when; what heals by itself is not cut short. On a node whose pods really run.

All begin at once, so many at a time; each test looks at what has become of one.
"""

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bundle.charts.package import package_chart
from bundle.errors import AirgapError
from clients.cluster.helm import Helm
from clients.cluster.kubectl import Kubectl
from clients.cluster.pods.watch import Watch
from clients.cluster.rollout import install_release
from clients.cluster.waiting import await_ready
from tests.fixtures.fates import FAILING, HEALING, TIMEOUT, Fate, filled
from tests.fixtures.images.busybox import busybox_image
from tests.fixtures.parts.clusters import asset, free_ports
from tests.fixtures.parts.nodes import Node
from tests.fixtures.parts.registries import TlsFiles, cncf_registry
from tests.fixtures.places import CHARTS

_AT_ONCE = 8
_LOOKS = 4.0  # seconds between two; many look at once here


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was told in the end, empty when all came up, and the seconds until then."""

    said: str
    next: str
    seconds: float


class Theatre:
    """The node with registries of several kinds, where fates are played."""

    def __init__(self, node: Node, place: Path, hosts: Mapping[str, str], *, late: Callable[[], object]) -> None:
        self.node = node
        self.place = place
        self.hosts = hosts
        self.late = late
        self.chart = place / "fate-1.0.0.tgz"
        self.chart.write_bytes(package_chart(CHARTS / "fate", name="fate", subject="chart 'fate'"))

    def play(self, fate: Fate) -> Outcome:
        """Install its release as the step `helm:NAME` does, and wait as `health:NAME` does."""
        namespace = f"fate-{fate.name}"
        self.node.kubectl("create", "namespace", namespace)
        self.node.kubectl("label", "namespace", namespace, "fate=1", *(f"{k}={v}" for k, v in fate.labels.items()))
        self.node.kubectl("wait", "--for=create", "serviceaccount/default", "-n", namespace, "--timeout=60s")
        values = self.place / f"{fate.name}.json"
        values.write_text(json.dumps(self.filled(fate.values)))
        kubectl = Kubectl(asset("kubectl"), kubeconfig=self.node.kubeconfig)
        helm = Helm(asset("helm4"), kubeconfig=self.node.kubeconfig)
        watching = Watch("web", namespace=namespace, cluster=kubectl)
        coming = threading.Timer(fate.after, self.bring, (namespace, fate))
        coming.start()
        begun = time.monotonic()
        try:
            install_release(helm, watching, self.chart, before=0, values=values, timeout=fate.timeout, interval=_LOOKS)
            await_ready(watching, timeout=fate.timeout, interval=_LOOKS)
        except AirgapError as err:
            return Outcome(said=err.what, next=err.hint, seconds=time.monotonic() - begun)
        finally:
            coming.join()
            self.node.kubectl("delete", "namespace", namespace, "--wait=false")
        return Outcome(said="", next="", seconds=time.monotonic() - begun)

    def bring(self, namespace: str, fate: Fate) -> None:
        """What it waits for comes."""
        if fate.name == "late-registry":
            self.late()
        for each in fate.late:
            self.node.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(each))

    def filled(self, values: Any) -> Any:
        """The values with the hosts in them."""
        if isinstance(values, str):
            return filled(values, self.hosts)
        if isinstance(values, Mapping):
            return {key: self.filled(value) for key, value in values.items()}
        return [self.filled(each) for each in values] if isinstance(values, list | tuple) else values


@pytest.fixture(scope="module")
def theatre(_node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    place = tmp_path_factory.mktemp("fates")
    with ExitStack() as stack:
        stack.enter_context(_node.entered())
        unknown = stack.enter_context(cncf_registry(place / "unknown", tls=TlsFiles.make(place)))
        (port,) = free_ports(1)
        for registry in (_node.registry, _node.guarded, unknown):
            registry.put(busybox_image(), "tools/busybox", "1")
        with cncf_registry(place / "late", port=port) as before:
            before.put(busybox_image(), "tools/busybox", "1")
        _node.trust(_node.guarded)
        _node.trust(unknown, ca=_node.guarded.ca)
        hosts = {"registry": _node.registry.host, "guarded": _node.guarded.host, "unknown": unknown.host}
        hung = stack.enter_context(socket.create_server(("127.0.0.1", 0)))  # takes connections, and never answers
        hosts |= {"hung": f"127.0.0.1:{hung.getsockname()[1]}"}
        hosts |= {"late": f"127.0.0.1:{port}", "username": _node.guarded.username}
        # Its programs end with the thread that started them: this one lives as long as they are wanted.
        starter = stack.enter_context(ThreadPoolExecutor(1))
        late = cncf_registry(place / "late", port=port)
        yield Theatre(_node, place, hosts, late=lambda: starter.submit(stack.enter_context, late).result())


@pytest.fixture(scope="module")
def outcomes(theatre: Theatre, request: pytest.FixtureRequest) -> Iterator[Mapping[str, "Future[Outcome]"]]:
    """What becomes of those that are asked for, all at work by now; those that take long begin first."""
    asked = [getattr(item, "callspec", None) for item in request.session.items]
    names = {each.params["fate"].name for each in asked if each and "fate" in each.params}
    order = sorted((*FAILING, *HEALING), key=lambda fate: -fate.takes)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield {fate.name: pool.submit(theatre.play, fate) for fate in order if fate.name in names}


@pytest.mark.parametrize("fate", FAILING, ids=lambda fate: fate.name)
def test_it_is_told_with_its_cause_and_the_next_step(
    outcomes: Mapping[str, "Future[Outcome]"], theatre: Theatre, fate: Fate
) -> None:
    outcome = outcomes[fate.name].result()
    print(f"{fate.name}: {outcome.seconds:.0f} s: {outcome.said}\nnext: {outcome.next}")
    assert re.search(_pattern(theatre, fate.says), outcome.said), outcome
    assert re.search(_pattern(theatre, fate.next), outcome.next), outcome
    assert outcome.seconds < TIMEOUT, "told by its cause, not because the time of its release was up"


@pytest.mark.parametrize("fate", HEALING, ids=lambda fate: fate.name)
def test_what_heals_by_itself_is_not_cut_short(outcomes: Mapping[str, "Future[Outcome]"], fate: Fate) -> None:
    outcome = outcomes[fate.name].result()
    assert outcome.said == ""


def _pattern(theatre: Theatre, text: str) -> str:
    return str(theatre.filled(text))
