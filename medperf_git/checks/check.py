"""``check(base, head) -> Report``: the one verdict on a transition.

A pure function of two trees: no network, no clock, no working folder. Its cost follows the
change. The rules run in the order below; a record that a rule refuses is left alone by later
ones, so that each defect is reported once, for its own reason:

1. paths: a readable tree, only additions, plain files, known places, nothing of the control
   plane among them
2. bytes: canonical, by schema, in agreement with the path
3. references: resolve, stand, have the right role; everybody named is registered
4. kinds: keys kept, policy, images, preparation, tests, metrics
5. signatures: sound, asked for, by active keys, over these bytes, by different people

Example:
    >>> from medperf_git.store.tree import MemoryTree
    >>> check(Snapshot(MemoryTree({})), Snapshot(MemoryTree({}))).verdict
    'complete'
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from medperf_git.checks import (
    control_rules,
    record_rules,
    reference_rules,
    result_rules,
    science_rules,
    signature_rules,
    tree_rules,
)
from medperf_git.checks.report import Finding, Report
from medperf_git.checks.rule import Rule
from medperf_git.checks.transition import Transition
from medperf_git.errors import CanonicalError, MpgitError, RecordError, RegistryError, TrustError
from medperf_git.store.paths import REGISTRY
from medperf_git.store.snapshot import Snapshot

RULES: Final[tuple[Rule, ...]] = (
    # 1. paths
    tree_rules.ReadableTree(),
    tree_rules.OnlyAdditions(),
    tree_rules.RegularFiles(),
    tree_rules.KnownPaths(),
    control_rules.SeparateControlPlane(),
    tree_rules.StraySignatures(),
    tree_rules.NextRevision(),
    # 2. bytes
    record_rules.CanonicalBytes(),
    record_rules.Schema(),
    record_rules.BodyAgreesWithPath(),
    tree_rules.Genesis(),
    # 3. references
    reference_rules.ReferenceResolves(),
    reference_rules.ReferenceStands(),
    reference_rules.ReferenceRole(),
    reference_rules.KnownParticipants(),
    # 4. kinds
    record_rules.KeysKept(),
    signature_rules.PublicKeys(),
    control_rules.ControlPlaneSigned(),
    science_rules.PolicyOpen(),
    science_rules.AdmittedImages(),
    science_rules.PreparedForBenchmark(),
    science_rules.CompatibilityTested(),
    result_rules.AssociationsAgree(),
    result_rules.MetricsConform(),
    result_rules.EnoughCases(),
    result_rules.CasesOfDataset(),
    result_rules.WhatRan(),
    # 5. signatures
    signature_rules.SignatureFormat(),
    signature_rules.SignatureWanted(),
    signature_rules.SignatureKey(),
    signature_rules.SignatureFits(),
    signature_rules.OneKeyOnePerson(),
)

UNREADABLE: Final = (CanonicalError, RecordError, RegistryError, TrustError)


def check(base: Snapshot, head: Snapshot, rules: Sequence[Rule] = RULES) -> Report:
    """The verdict on the transition from `base` to `head`.

    Args:
        base: what stands; keys, roots and policies are read from it alone.
        head: what is proposed.
        rules: all of them; tests switch single rules off to see that each is needed.

    Returns:
        The findings of every rule and the approvals of every added record.

    Raises:
        GitError: the base itself can't be read; nothing was judged.
    """
    transition = Transition(base, head)
    findings: list[Finding] = []
    for rule in rules:
        findings.extend(_judge(rule, transition))
    statuses = []
    for place, record in sorted(transition.judged(), key=lambda pair: pair[0]):
        try:
            statuses.append(signature_rules.status_of(transition, place, record))
        except UNREADABLE as error:  # what should decide about it stands in the base, damaged
            findings.append(Finding("base", error.place or REGISTRY, _cant(error)))
    return Report(
        base.commit or "", head.commit or "", tuple(sorted(set(findings))), tuple(statuses)
    )


def _judge(rule: Rule, transition: Transition) -> list[Finding]:
    """What a rule finds; a rule that stumbles over a record refuses the transition."""
    try:
        return list(rule.check(transition))
    except UNREADABLE as error:
        return [rule.finding(error.place or REGISTRY, _cant(error))]


def _cant(error: MpgitError) -> str:
    return f"can't be judged: {error.message}"
