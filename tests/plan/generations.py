"""Generations of a domain set without files or training: leaves by name, accepted mixtures, and plans of them."""

from olmix.domains.fingerprint import File, Leaf
from olmix.domains.schema import LeafSpec, Lineage, Reader
from olmix.evaluation.suite import Suite, SuiteTask, Task
from olmix.params import Params
from olmix.plan.history import AcceptedMixture, evidence_table, lineage, short_digest
from olmix.plan.planner import make_plan
from olmix.plan.request import Request
from olmix.schema import parse

PARAMS = {
    "tokenizer": {"digest": "t"},
    "target": {"tokens": 500_000, "repetition": 2},
    "swarm": {"runs_per_parameter": 2, "topics": {"min_strength": 0.5, "max_strength": 5, "minimum_weight": 0.02}},
    "proxy": {"tokens": 10_000, "sequence_length": 32, "batch_size": 4},
}
NOTHING = {"runs": 0, "tokens": 0, "flops": 0, "seconds": 0}
SUITE = Suite(tuple(SuiteTask(n, "f", w, (), Task(files=["x"]), "suite") for n, w in (("easy", 0.25), ("hard", 0.75))))


def params(**changes):
    merged = {name: PARAMS.get(name, {}) | changes.get(name, {}) for name in {*PARAMS, *changes}}
    return parse(merged, Params, "params.yaml")


def leaf(name, content=None, files=None, **origin):
    """A leaf; by default its content and its only file are made from its name."""
    source, _, topic = name.partition(":")
    spec = LeafSpec(source, topic or None, Reader(), ("x",), f"domains/{source}.yaml: files", Lineage(**origin))
    content = content or f"content of {name}"
    found = tuple(File(f, f, "jsonl") for f in (files or [content]))
    return Leaf(spec, found, content)


def accepted(name, leaves, weights=None, parent=None, virtual=None, runs=(), tokens=100_000, law="l"):
    """An accepted mixture; equal weights by default."""
    weights = weights or {x.name: 1 / len(leaves) for x in leaves}
    mixture = parse(
        {
            "parent": parent,
            "accepted": "2026-01-01",
            "plan": "p",
            "law": law,
            "proposal": "q",
            "params": "r",
            "suite": "s",
            "target": {},
            "objective": 1.0,
            "strategy": "none",
            "update": {},
            "virtual": virtual or {},
            "weights": weights,
            "leaves": {
                x.name: {
                    "content": x.content,
                    "tokens": tokens,
                    "prior": 0.1,
                    "cap": 1,
                    "epochs": 1,
                    "files": " ".join(sorted(short_digest(f.identity) for f in x.files)),
                }
                for x in leaves
            },
            "ledger": {"spent": NOTHING, "full_recomputation": NOTHING, "saved": NOTHING},
            "runs": evidence_table(runs),
        },
        AcceptedMixture,
        name,
    )
    mixture._name = name
    return mixture


def plan(leaves, history=(), tokens=100_000, suite=SUITE, imports=(), **changes):
    """Today's plan of leaves after a history; tokens: of every leaf, or by content."""
    leaves = sorted(leaves, key=lambda x: x.name)
    ancestors = tuple(lineage(history, [x.content for x in leaves]))
    request = Request(tuple(leaves), params(**changes), suite, ancestors, imports)
    count = (lambda x: tokens) if isinstance(tokens, int) else (lambda x: tokens[x.content])
    facts = [{"documents": 10, "bytes": 99, "tokens": count(x)} for x in leaves]
    return make_plan(request, facts, vocabulary=300)
