"""What a run has learned of hosts."""

import pytest

from bundle.errors import NetworkError, RegistryError
from clients.registry._learned import Learned

URL = "https://registry.test/v2/app/referrers/x"


def refused(status: int, host: str) -> RegistryError:
    return RegistryError(f"image 'a': {host} answered {status}", status=status, host=host, hint="wait")


def ask(learned: Learned, error: RegistryError | None, subject: str, asked: list[str]) -> object:
    def answer() -> None:
        asked.append(subject)
        if error:
            raise error

    return learned.referring("registry.test", URL, answer, subject)


@pytest.mark.parametrize(
    ("status", "host", "again"),
    [(429, "registry.test", False), (403, "elsewhere.test", False), (403, "registry.test", True)],
    ids=["too much to do", "another host", "this repository only"],
)
def test_a_refusal_that_is_not_of_one_repository_is_not_asked_for_again(status: int, host: str, again: bool) -> None:
    learned, asked = Learned(), list[str]()
    for subject in ("image 'a'", "image 'b'"):
        with pytest.raises(RegistryError, match=f"{host} answered {status}") as caught:
            ask(learned, refused(status, host), subject, asked)
    assert len(asked) == (2 if again else 1)
    if not again:
        assert (caught.value.what, caught.value.status) == (f"image 'b': {host} answered {status}", status)
        assert caught.value.hint == "wait"


def test_no_api_is_asked_once() -> None:
    learned, asked = Learned(), list[str]()
    assert ask(learned, None, "image 'a'", asked) is None
    assert ask(learned, None, "image 'b'", asked) is None
    assert asked == ["image 'a'"]


def test_a_host_that_can_not_be_reached_says_so_of_the_one_who_asks() -> None:
    learned = Learned()
    learned.check_reachable("registry.test", "image 'a'")
    assert learned.unreachable("registry.test") == ""
    learned.note_unreachable("registry.test", NetworkError("image 'a': no route", hint="check"), "image 'a'")
    assert learned.unreachable("registry.test") == "no route"
    with pytest.raises(NetworkError, match=r"^image 'b': no route\n  next: check"):
        learned.check_reachable("registry.test", "image 'b'")
