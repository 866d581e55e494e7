"""One bound on everything that moves at the same time, shared by all images."""

import queue
import threading
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count, repeat

from bundle.errors import AirgapError, ProblemsError
from bundle.oci.descriptor import Descriptor

Step = Callable[[], None]


class Transfers:
    """At most `jobs` steps at once, whoever asks and from whichever thread. Steps must not ask for others themselves.

    The largest of those that wait goes first, whoever asked for it: what is left for the end is then small, and no
    large blob goes on alone while the other workers have nothing to do. Equal ones go in the order they were asked for.
    Steps that move the same thing go one after the other, and none of them keeps a worker while it waits for that.

    The workers are daemon threads: steps leave nothing half-written under a final name, so an exit need not wait for
    a connection that stalls.
    """

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self._waiting: queue.PriorityQueue[_Waiting] = queue.PriorityQueue()
        self._numbers = count()
        self._stopped = threading.Event()
        self._guard = threading.Lock()
        self._workers = 0
        self._behind: dict[Hashable, list[_Waiting]] = {}  # by what is moved now: the steps that wait for it

    def move_all(self, move: Callable[[Descriptor], None], blobs: Collection[Descriptor]) -> None:
        """Have `move` called with each of the blobs, as `run_all` runs steps."""
        steps = [partial(move, blob) for blob in blobs]
        self.run_all(steps, [blob.size for blob in blobs], [blob.digest for blob in blobs])

    def run_all(self, steps: Sequence[Step], sizes: Sequence[int] = (), things: Sequence[Hashable] = ()) -> None:
        """Run the steps, of these `sizes` in bytes (0 where none is given), and wait for them all.

        `things` say what each of them moves; no two steps that move the same run at once. After a failure those not
        yet begun are left out.

        Raises what failed: the error itself when there was one, a ProblemsError when there were several different.
        """
        self._start(len(steps))
        batch = _Batch(len(steps))
        for step, size, thing in zip(steps, sizes or repeat(0), things or repeat(None), strict=False):
            self._waiting.put(_Waiting(order=(-size, next(self._numbers)), batch=batch, step=step, thing=thing))
        try:
            batch.done.wait()
        except BaseException:
            self.stop()
            raise
        batch.raise_errors()
        self.check()

    def check(self) -> None:
        """For long steps to call now and then: raises KeyboardInterrupt once the run is being stopped."""
        if self._stopped.is_set():
            raise KeyboardInterrupt

    def stop(self) -> None:
        """Begin no further step and end those that check; for an interrupted run."""
        self._stopped.set()

    def _start(self, wanted: int) -> None:
        with self._guard:
            while wanted and self._workers < self.jobs:
                self._workers += 1
                wanted -= 1
                threading.Thread(target=self._work, name=f"transfer-{self._workers}", daemon=True).start()

    def _work(self) -> None:
        while True:
            waiting = self._waiting.get()
            if not self._take(waiting):
                continue
            batch, step = waiting.batch, waiting.step
            error: BaseException | None = None
            if not self._stopped.is_set() and not batch.failed:
                try:
                    step()
                except BaseException as err:  # carried over to the thread that waits
                    error = err
            self._leave(waiting)
            batch.finish(error)
            # An idle worker must not hold on to what the last step held.
            del waiting, batch, step, error

    def _take(self, waiting: "_Waiting") -> bool:
        """Whether the step may go now; else it is queued again when what it moves is no longer moved by another."""
        if waiting.thing is None:
            return True
        with self._guard:
            behind = self._behind.get(waiting.thing)
            if behind is None:
                self._behind[waiting.thing] = []
            else:
                behind.append(waiting)
        return behind is None

    def _leave(self, waiting: "_Waiting") -> None:
        with self._guard:
            behind = self._behind.pop(waiting.thing, ())
        for each in behind:
            self._waiting.put(each)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class _Waiting:
    """A step of a batch, and its place in the queue."""

    order: tuple[int, int]
    batch: "_Batch" = field(compare=False)
    step: Step = field(compare=False)
    thing: Hashable = field(compare=False)


class _Batch:
    """The steps of one call: how many are unfinished, what failed."""

    def __init__(self, size: int) -> None:
        self.done = threading.Event()
        self._unfinished = size
        self._errors: list[BaseException] = []
        self._guard = threading.Lock()
        if not size:
            self.done.set()

    @property
    def failed(self) -> bool:
        return bool(self._errors)

    def finish(self, error: BaseException | None) -> None:
        with self._guard:
            if error:
                self._errors.append(error)
            self._unfinished -= 1
            if not self._unfinished:
                self.done.set()

    def raise_errors(self) -> None:
        errors = {str(error): error for error in self._errors}
        if not errors:
            return
        unexpected = [error for error in errors.values() if not isinstance(error, AirgapError)]
        if unexpected or len(errors) == 1:
            raise (unexpected or list(errors.values()))[0]
        raise ProblemsError(f"{len(errors)} transfers failed", list(errors)) from next(iter(errors.values()))
