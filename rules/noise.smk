# Repeats that measure the noise; asked for by name, no part of `all`. The job that shows them writes the report again, which
# holds what they found.
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
    localrule: True
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
