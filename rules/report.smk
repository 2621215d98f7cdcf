# The page that people look at, and the numbers that DVC compares.
rule report:
    input:
        ancient(flow.evaluations_beside_law),
        ancient(flow.law),
        ancient(flow.proposal),
        ancient(flow.validations),
    output:
        "results/report.html",
        "results/mixture.svg",
        "results/metrics.json",
        flow.stamp("report"),
    log:
        "logs/report.log",
    benchmark:
        "benchmark/report.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "Write results/report.html, results/mixture.svg and results/metrics.json"
    shell:
        "exec olmix make --log {log} report"
