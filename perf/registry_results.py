"""Results of a made-up benchmark, a thousand times faster than through the typed models.

A result's YAML is made from a template: the canonical spelling of one record, with a slot where
records differ. On every run, the first result of each benchmark and every `SAMPLE`-th of the
registry is held against `records.codec` and its signature against `trust.sshsig`. The numbers
are chance, and mean nothing.

Example:
    >>> template(reference=True).count("%(auroc_value)s")
    1
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from medperf_git.canonical.document import Document, emit
from medperf_git.canonical.scalars import Scalar, spell
from medperf_git.records.codec import build, decode, encode
from medperf_git.records.schema import schema_file
from medperf_git.store.paths import Place
from medperf_git.trust.sshsig import Signature
from perf.registry_clerk import Clerk, Written
from tests.support.parts import execution

SAMPLE: Final = 10_000
METRICS: Final = ("auroc", "sensitivity", "specificity", "brier")
_PINNED: Final = ("benchmark", "dataset", "model", "dataset_association", "model_association")
_SLOT: Final = "Slot{}Slot"
"""Plain text in YAML, so that nothing of it is quotes or escapes."""
_DEPTH: Final = 8
_DEFAULTS: Final[dict[str, Any]] = {"additional_files": [], "software": {}}
"""Of a step: canonical records spell them out."""
_MIDDLE: Final = {"auroc": 0.75, "sensitivity": 0.7, "specificity": 0.8, "brier": 0.15}

Slots = dict[str, Scalar]
"""What stands in a template's slots."""


class UnfaithfulError(Exception):
    """A template or a signature is not what the product would have written."""


def result_data(slots: Mapping[str, Scalar], *, reference: bool) -> dict[str, Any]:
    """A result as plain data; the reference model has no association."""
    pinned = _PINNED[:-1] if reference else _PINNED
    pins = {p: {"id": slots[p], "revision": 1, "sha256": slots[f"{p}_sha256"]} for p in pinned}
    ran = execution(str(slots["model_image"]), str(slots["metrics_image"]))
    infer, evaluate = ran["steps"]
    return {
        "kind": "result",
        "id": slots["id"],
        "revision": 1,
        **pins,
        "metrics": [_metric(name, slots) for name in METRICS],
        "denominator": {name: slots[name] for name in ("cases", "evaluated", "failed", "excluded")},
        "execution": {
            **ran,
            "finished": slots["finished"],
            "registry_commit": slots["registry_commit"],
            "steps": [
                {**infer, **_DEFAULTS, "seconds": slots["infer_seconds"]},
                {**evaluate, **_DEFAULTS, "seconds": slots["evaluate_seconds"]},
            ],
        },
    }


def _metric(name: str, slots: Mapping[str, Scalar]) -> dict[str, Any]:
    metric = {"id": name, "n": slots["evaluated"]}
    return metric | {field: slots[f"{name}_{field}"] for field in ("value", "low", "high")}


def _names() -> list[str]:
    names = [*_PINNED, *(f"{pinned}_sha256" for pinned in _PINNED), "id", "model_image"]
    names += ["metrics_image", "cases", "evaluated", "failed", "excluded", "finished"]
    names += ["registry_commit", "infer_seconds", "evaluate_seconds"]
    return names + [f"{name}_{field}" for name in METRICS for field in ("value", "low", "high")]


@cache
def template(*, reference: bool) -> str:
    """A result's text, to be filled by `%` with spelled values."""
    slots: Slots = {name: _SLOT.format(name) for name in _names()}
    schema = "../" * _DEPTH + "schemas/" + schema_file("result")
    text = emit(Document(schema, result_data(slots, reference=reference))).decode()
    text = text.replace("%", "%%")
    for name in _names():
        text = text.replace(_SLOT.format(name), f"%({name})s")
    return text


def pin_slots(name: str, written: Written) -> Slots:
    """The slots of a pin."""
    return {name: written.id, f"{name}_sha256": written.sha256}


def measured(chance: random.Random, cases: int) -> Slots:
    """What one execution gave: numbers in range, intervals around them, all cases accounted for."""
    failed, excluded = chance.randrange(3), chance.randrange(cases // 10)
    slots: Slots = {"failed": failed, "excluded": excluded}
    slots["evaluated"] = cases - failed - excluded
    for name, middle in _MIDDLE.items():
        value = middle + 0.24 * (chance.random() - 0.5)
        width = 0.02 + 0.01 * chance.random()
        slots[f"{name}_value"] = round(value, 4)
        slots[f"{name}_low"] = round(value - width, 4)
        slots[f"{name}_high"] = round(value + width, 4)
    slots["infer_seconds"] = round(5 + 600 * chance.random(), 3)
    slots["evaluate_seconds"] = round(1 + 5 * chance.random(), 3)
    return slots


def write_result(clerk: Clerk, owner: str, slots: Slots, *, reference: bool, look: bool) -> Written:
    """One signed result; `look` holds it against what the product itself would do.

    Raises:
        UnfaithfulError: it is something else.
    """
    filled = {name: spell(value) for name, value in slots.items()}
    payload = (template(reference=reference) % filled).encode()
    place = Place("result", str(slots["id"]), 1)
    written = clerk.sign(place, payload, [owner])
    if look:
        _look(clerk, place, written, result_data(slots, reference=reference))
    return written


def _look(clerk: Clerk, place: Place, written: Written, data: dict[str, Any]) -> None:
    (_, payload), (_, signature) = written.files
    record = build("result", data)
    if place.depth != _DEPTH or encode(record, depth=_DEPTH) != payload:
        raise UnfaithfulError(f"the template gives other bytes than the codec: {place.path}")
    if decode(payload, "result", depth=_DEPTH) != record:
        raise UnfaithfulError(f"the codec reads another record: {place.path}")
    Signature.parse(signature).verify(payload, clerk.namespace("result"))
