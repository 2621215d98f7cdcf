# The comparison of design choices on the runs of the plan; asked for by name, no part of `all`.
rule study:
    input:
        ancient(flow.evaluations),
        ancient(flow.law),
    output:
        "results/study.html",
        "results/study.csv",
        "results/study.json",
        flow.study_stamp,
    log:
        "logs/study.log",
    benchmark:
        "benchmark/study.tsv"
    threads: 8
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(60),
    message:
        "Compare design choices: results/study.html"
    shell:
        "exec olmix make --log {log} study --threads {threads}"
