# One proxy run and one evaluation per mixture. Evaluations have keys of their own: new tasks train nothing again.
# Starting a process costs as much as training for seconds: a job trains several runs and stages all but its own, which
# their jobs then only put in place, as evaluation jobs do with the scores.
rule proxy:
    input:
        ancient(flow.inputs_of_run),
    output:
        update("store/proxy/{key}/manifest.json"),
    log:
        "logs/proxy/{key}.log",
    benchmark:
        "benchmark/proxy/{key}.tsv"
    threads: 1
    resources:
        mem_mb=flow.memory,
        gpu_mb=flow.gpu_memory,
        runtime=flow.minutes_to_train,
    params:
        also=lambda wildcards: [f"--also {key}" for key in flow.more_runs(wildcards)],
    message:
        "Train a proxy ({wildcards.key})"
    shell:
        "exec olmix make --log {log} proxy {wildcards.key} {params.also} --threads {threads} --gpu-mb {resources.gpu_mb}"


rule evaluation:
    input:
        ancient(flow.run_of_evaluation),
    output:
        update("store/evaluation/{key}/manifest.json"),
    log:
        "logs/evaluation/{key}.log",
    benchmark:
        "benchmark/evaluation/{key}.tsv"
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        gpu_mb=flow.gpu_memory_to_score,
        runtime=flow.minutes_to_score,
    message:
        "Evaluate a proxy ({wildcards.key})"
    shell:
        "exec olmix make --log {log} evaluation {wildcards.key} --threads {threads} --gpu-mb {resources.gpu_mb}"


rule swarm_table:
    input:
        ancient(flow.evaluations),
    output:
        "results/swarm.csv",
        flow.stamp("swarm"),
    log:
        "logs/swarm_table.log",
    benchmark:
        "benchmark/swarm_table.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "Write results/swarm.csv"
    shell:
        "exec olmix make --log {log} swarm-table"


rule swarm:
    input:
        ancient(flow.runs),
        ancient(flow.evaluations),
        rules.swarm_table.output,
    message:
        "The swarm is trained and evaluated"
