# Tokens of every leaf, then the plan: the one checkpoint, because run keys depend on token counts. Where the swarm grows
# in rounds there is a plan for each, and those after the first depend on the proposal that the runs before them led to.
# `update`, here and in all rules that make artefacts: one that is there is whole, and Snakemake removes it before no job. It may
# have appeared since the graph was made, in a store that several projects share, and be read already; on a cluster all jobs of
# a submission are tried again, also those that were done.
rule tokens:
    output:
        update("store/tokens/{key}/manifest.json"),
    log:
        "logs/tokens/{key}.log",
    benchmark:
        "benchmark/tokens/{key}.tsv"
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(120),
    message:
        "Tokens of one leaf ({wildcards.key})"
    shell:
        "exec olmix make --log {log} tokens {wildcards.key} --threads {threads}"


rule items:
    output:
        update(flow.items),
    log:
        "logs/items.log",
    benchmark:
        "benchmark/items.tsv"
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(30),
    message:
        "Items of the evaluation suite"
    shell:
        "exec olmix make --log {log} items"


checkpoint plan:
    input:
        ancient(flow.inputs_of_plan),
    output:
        update("store/plan/{key}/manifest.json"),
    log:
        "logs/plan/{key}.log",
    benchmark:
        "benchmark/plan/{key}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "Plan the swarm"
    shell:
        "exec olmix make --log {log} plan {wildcards.key}"


flow.await_plan = checkpoints.plan.get


# Says which plan is today's, also where that plan has been made before: DVC has nothing else to see it by.
rule today:
    input:
        ancient(flow.plan_to_make),
    output:
        flow.stamp("plan"),
    log:
        "logs/today.log",
    benchmark:
        "benchmark/today.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "Mark today's plan"
    shell:
        "exec olmix make --log {log} today"


rule planned:
    input:
        ancient(flow.plan_to_make),
        rules.today.output,
    message:
        "The swarm is planned"


rule corpus:
    input:
        ancient(flow.tokens()),
        ancient(flow.items_to_make),
    message:
        "All leaves are tokenised"
