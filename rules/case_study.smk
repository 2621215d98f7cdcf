# Five updates by every strategy, judged at target size; asked for by name, no part of `all`. Each step is a project of its own
# in case_study/work, made by the product as anyone would; all share one store, so that no run is trained twice.
rule case_study_step:
    input:
        ancient(flow.steps_before),
    output:
        "case_study/work/steps/{key}.json",
    log:
        "logs/case_study_step/{key}.log",
    benchmark:
        "benchmark/case_study_step/{key}.tsv"
    threads: 1
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(240),
    message:
        "An update of the case study ({wildcards.key})"
    shell:
        "exec olmix make --log {log} case-study-step {wildcards.key} --threads {threads}"


rule case_study_target:
    input:
        ancient(flow.last_steps),
    output:
        "case_study/work/targets/{key}.csv",
    log:
        "logs/case_study_target/{key}.log",
    benchmark:
        "benchmark/case_study_target/{key}.tsv"
    threads: workflow.cores
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(240),
    message:
        "Models of the case study on given mixtures ({wildcards.key})"
    shell:
        "exec olmix make --log {log} case-study-target {wildcards.key} --threads {threads}"


rule case_study_page:
    input:
        ancient(flow.case_study),
    output:
        "results/case_study.html",
        "results/case_study.csv",
        "results/case_study.json",
        "results/case_study.md",
        flow.case_study_stamp,
    log:
        "logs/case_study_page.log",
    benchmark:
        "benchmark/case_study_page.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "What reuse saved and what it lost: results/case_study.html"
    shell:
        "exec olmix make --log {log} case-study"


rule case_study:
    input:
        ancient(flow.case_study),
        rules.case_study_page.output,
    message:
        "The case study is done"
