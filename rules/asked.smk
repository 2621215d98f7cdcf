# Asked for by name, no part of `all`: repeats that measure the noise, and the larger model that the mixture is for. Their
# jobs write the report again, which shows what they found.
rule noise:
    input:
        ancient(flow.repeats),
        ancient(flow.evaluations),
    output:
        "results/noise.csv",
        "results/noise.json",
        flow.noise_stamp,
    log:
        "logs/noise.log",
    benchmark:
        "benchmark/noise.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "Noise between seeds: results/noise.json"
    shell:
        "exec olmix make --log {log} noise"


rule target:
    input:
        ancient(flow.target),
        ancient(flow.proposal),
    output:
        "results/target.csv",
        "results/target.json",
        flow.target_stamp,
    log:
        "logs/target.log",
    benchmark:
        "benchmark/target.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "The mixture at target size: results/target.json"
    shell:
        "exec olmix make --log {log} target"
