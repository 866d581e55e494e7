"""A spec's own steps between releases; that they ran, and what they printed, is kept in the cluster."""

import json
from collections.abc import Iterator
from functools import partial

from schema.site.actions import ActionCall, ActionRecord, record_name, run_action
from schema.spec.install import ActionSpec
from tasks.runtime.step import Step
from tasks.site.receiver import Receiver

LAST_OUTPUTS = "AIRGAP_LAST_OUTPUTS"


def action_steps(receiver: Receiver) -> Iterator[Step]:
    """`action:<name>`: the action has run with these inputs."""
    install = receiver.carried.plan.install
    names = {action.name for action in install.actions}
    for action in install.actions:
        before = [f"action:{name}" if name in names else f"health:{name}" for name in action.after]
        yield Step(
            base="action",
            name=action.name,
            doc=f"run {' '.join(action.run)}",
            action=partial(_run, receiver, action),
            inputs=dict,
            ready=partial(_has_not_run, receiver, action),
            live=True,
            after=["transfer", "secret", "namespace", *before],
        )


def _call(receiver: Receiver, action: ActionSpec) -> ActionCall:
    return ActionCall.of(action, receiver.facts, base=receiver.carried.base)


def _has_not_run(receiver: Receiver, action: ActionSpec) -> str:
    record = receiver.cluster.record(action)
    if record is None:
        return f"action {action.name!r} has not run yet"
    return "" if record.covers(_call(receiver, action)) else f"action {action.name!r} has other inputs now"


def _remembered(receiver: Receiver, action: ActionSpec) -> dict[str, str]:
    """What the action printed the last time, for it to go on from: some of it may be told only once."""
    record = receiver.cluster.record(action) if action.outputs else None
    return {LAST_OUTPUTS: json.dumps(record.outputs)} if record else {}


def _run(receiver: Receiver, action: ActionSpec) -> None:
    from clients.programs.process import masked, run

    namespace = receiver.cluster.record_namespace(action)
    call = _call(receiver, action)
    outputs = run_action(
        call,
        partial(run, tied=True),  # killed with us, so that the next run's is the only one
        receiver.known,
        environ={**receiver.cluster.programs.env, **_remembered(receiver, action)},
        mask=lambda text: masked(text, receiver.known),
    )
    receiver.cluster.kubectl.apply([ActionRecord.of(call, outputs).to_object(namespace, receiver.known)])
    receiver.cluster.changed_secret(record_name(action.name), namespace)
    told = f"{len(outputs)} outputs kept in secret {record_name(action.name)!r}" if outputs else "done"
    receiver.project.note(f"action:{action.name}", told)
