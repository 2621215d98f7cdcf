# Olmix: from text domains to an optimised mixture. `snakemake --cores N` makes everything; see README.md.
import sys
from pathlib import Path

from olmix.errors import InputError, WorkError
from olmix.process import (
    LOCK,
    die_with_dvc,
    hold_lock,
    prepare_jobs,
    run_snakemake,
    stop_without_deadlock,
)
from olmix.workflow import Workflow, per_attempt

die_with_dvc()
prepare_jobs()
try:
    flow = Workflow.load(without_failed="without_failed" in config)
except InputError as error:
    print(f"olmix: {error}", file=sys.stderr)
    sys.exit(2)
except WorkError as error:
    print(f"olmix: {error}", file=sys.stderr)
    sys.exit(1)


include: "rules/corpus.smk"
include: "rules/swarm.smk"
include: "rules/mixture.smk"
include: "rules/report.smk"
include: "rules/study.smk"
include: "rules/noise.smk"
include: "rules/target.smk"
include: "rules/case_study.smk"


wildcard_constraints:
    key="[0-9a-f]{20}",


rule all:
    default_target: True
    input:
        ancient(flow.everything),
        results=rules.today.output
        + rules.swarm_table.output
        + rules.mixture.output
        + rules.report.output,
    message:
        "Done: results/mixture.yaml, results/report.html"


onstart:
    global lock
    stop_without_deadlock()
    try:
        lock = hold_lock(LOCK)
    except WorkError as error:
        print(f"olmix: {error}", file=sys.stderr)
        sys.exit(1)
    Path("logs/input-error.txt").unlink(missing_ok=True)


onsuccess:
    for name, problem in flow.failures().items():
        print(
            f"olmix: done without {name}, which failed: {problem}; the same command tries it again",
            file=sys.stderr,
        )


# A mistake in the user's input that only a job could find ends like one found while reading the project: one line, exit 2.
# Runs that failed do not sink the swarm: all the others have been made by now, and a second pass goes on with them.
onerror:
    if Path("logs/input-error.txt").exists():
        print(
            f"olmix: {Path('logs/input-error.txt').read_text().strip()}",
            file=sys.stderr,
        )
        sys.exit(2)
    if flow.failures() and not flow.without_failed:
        print("olmix: going on without the runs that failed", file=sys.stderr)
        lock.close()
        sys.exit(run_snakemake([*sys.argv[1:], "--config", "without_failed=1"]))
    print(
        "olmix: failed; the log of the failed job is named above. To go on: the same command again",
        file=sys.stderr,
    )
