# The larger model that the mixture is for; asked for by name, no part of `all`. The job that shows it writes the report again,
# which holds what it found.
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
    localrule: True
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
