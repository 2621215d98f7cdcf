# From scores to the mixture, and the runs that prove it.
rule law:
    input:
        ancient(flow.evaluations_of_law),
    output:
        update("store/law/{key}/manifest.json"),
    log:
        "logs/law/{key}.log",
    benchmark:
        "benchmark/law/{key}.tsv"
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(60),
    message:
        "Fit the law of every task"
    shell:
        "exec olmix make --log {log} law {wildcards.key}"


rule proposal:
    input:
        ancient(flow.law_of_proposal),
    output:
        update("store/proposal/{key}/manifest.json"),
    log:
        "logs/proposal/{key}.log",
    benchmark:
        "benchmark/proposal/{key}.tsv"
    threads: 1
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(10),
    message:
        "Solve for the best feasible mixture"
    shell:
        "exec olmix make --log {log} proposal {wildcards.key}"


rule mixture:
    input:
        ancient(flow.proposal),
    output:
        "results/mixture.yaml",
        flow.stamp("mixture"),
    log:
        "logs/mixture.log",
    benchmark:
        "benchmark/mixture.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "Write results/mixture.yaml"
    shell:
        "exec olmix make --log {log} mixture"


rule validation:
    input:
        ancient(flow.inputs_of_validation),
    output:
        update("store/validation/{key}/manifest.json"),
    log:
        "logs/validation/{key}.log",
    benchmark:
        "benchmark/validation/{key}.tsv"
    threads: 1
    resources:
        mem_mb=flow.memory,
        gpu_mb=flow.gpu_memory,
        runtime=per_attempt(240),
    message:
        "Train and evaluate the proposal ({wildcards.key})"
    shell:
        "exec olmix make --log {log} validation {wildcards.key} --threads {threads} --gpu-mb {resources.gpu_mb}"


rule fit:
    input:
        ancient(flow.law),
    message:
        "The laws are fitted"


rule solve:
    input:
        ancient(flow.proposal),
        rules.mixture.output,
    message:
        "The mixture is solved"
