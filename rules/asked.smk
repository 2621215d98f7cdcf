# Asked for by name, no part of `all`: repeats that measure the noise, and the larger model that the mixture is for. The
# jobs that show them write the report again, which holds what they found.
rule noise_table:
    input:
        ancient(flow.repeats),
        ancient(flow.evaluations),
    output:
        "results/noise.csv",
        "results/noise.json",
        flow.noise_stamp,
    log:
        "logs/noise_table.log",
    benchmark:
        "benchmark/noise_table.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "Noise between seeds: results/noise.json"
    shell:
        "exec olmix make --log {log} noise"


rule noise:
    input:
        ancient(flow.repeats),
        rules.noise_table.output,
    message:
        "The noise between seeds is measured"


rule target_table:
    input:
        ancient(flow.target),
    output:
        "results/target.csv",
        "results/target.json",
        flow.target_stamp,
    log:
        "logs/target_table.log",
    benchmark:
        "benchmark/target_table.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "The mixture at target size: results/target.json"
    shell:
        "exec olmix make --log {log} target"


rule target:
    input:
        ancient(flow.target),
        rules.target_table.output,
    message:
        "The target model is trained and evaluated"
