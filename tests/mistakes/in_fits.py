"""Mistakes in a fit configuration and its tables, before anything is fitted."""

from collections.abc import Callable

from tests.interop.small_swarm import DOMAINS, Files, build
from tests.mistakes.case import Case, a_folder, a_pipe, both, nothing, put

FIT = "fit --config fit.yaml --output-dir out"


def set_cell(table, run, column, value):
    table[1 + run][table[0].index(column)] = value


def rename_column(table, old, new):
    table[0][table[0].index(old)] = new


def nest_wrongly(files):
    files.config["token_counts"] = files.config["priors"].pop("token_counts")


def prefix(files, domains):
    files.config["priors"] = {"relative_sizes": {f"dclm:{name}": 1 / 3 for name in domains}}


MISTAKES: dict[str, tuple[Callable[[Files], object], str]] = {
    "a misspelled section": (
        lambda f: f.change(regresion={"type": "log_linear"}),
        "fit.yaml: regresion: unknown field; did you mean regression?; allowed here: constraints, eval, filtering, priors, proposer, regression, swarm",
    ),
    "a misspelled field": (
        lambda f: f.change(proposer={"klreg": 1}),
        "fit.yaml: proposer.klreg: unknown field; did you mean kl_reg?; allowed here: fit_only, kl_reg, make_worst_mix, temperature, type, use_natural_kl",
    ),
    "an unknown field": (
        lambda f: f.change(constraints={"margin": 1}),
        "fit.yaml: constraints.margin: unknown field; allowed here: enabled, repetition_factor, target_tokens",
    ),
    "token counts beside priors": (
        nest_wrongly,
        "fit.yaml: token_counts: found at the top level; it belongs below priors: write it as priors.token_counts, indented below `priors:`",
    ),
    "a field in another section": (
        lambda f: f.change(regression={"kl_reg": 1}),
        "fit.yaml: regression.kl_reg: found in regression; it belongs below proposer: write it as proposer.kl_reg, indented below `proposer:`",
    ),
    "no swarm": (lambda f: f.config.pop("swarm"), "fit.yaml: swarm: required field is missing"),
    "no priors": (lambda f: f.change(priors=None), "fit.yaml: priors: required field is missing"),
    "empty priors": (
        lambda f: f.change(priors=[]),
        "fit.yaml: priors: found []: a section is expected, with fields such as relative_sizes, token_counts, total_tokens",
    ),
    "priors of nothing": (
        lambda f: f.config.update(priors={}),
        "fit.yaml: priors: relative_sizes and token_counts are both missing; one of them names the domains",
    ),
    "a file that is not there": (
        lambda f: f.change(swarm={"ratios": "rations.csv"}),
        "fit.yaml: swarm.ratios: found 'rations.csv', which does not exist; looked for rations.csv",
    ),
    "an unknown regression": (
        lambda f: f.change(regression={"type": "loglinear"}),
        "fit.yaml: regression.type: found 'loglinear'; did you mean log_linear?; allowed: auto, autoscale, bimix, blend, gp, kernel, lightgbm, log_linear, natural, ridge, search",
    ),
    "a bad penalty": (
        lambda f: f.change(regression={"penalty": -1}),
        "fit.yaml: regression.penalty: found -1: auto, or a number of at least 0, is allowed",
    ),
    "a penalty of null": (
        lambda f: f.change(regression={"penalty": None}),
        "fit.yaml: regression.penalty: found None: auto, or a number of at least 0, is allowed",
    ),
    "one mixture": (
        lambda f: [row.__setitem__(slice(3, 6), [0.2, 0.3, 0.5]) for row in f.ratios[1:]],
        "ratios.csv: 30 runs of one mixture: the law cannot be identified; add runs of other mixtures",
    ),
    "a fixed weight without a prior": (
        lambda f: (
            f.config["priors"].update(relative_sizes={"web": 0, "code": 0.5, "books": 0.5}),
            f.change(filtering={"fixed_weight": {"web": 0.5}}),
        ),
        "fit.yaml: filtering.fixed_weight: found 0.5 for web, which has no share in priors; allowed with proposer.kl_reg 0 only",
    ),
    "a weight above its cap": (
        lambda f: f.change(
            constraints={"enabled": True, "target_tokens": "2M"}, filtering={"fixed_weight": {"code": 0.5}}
        ),
        "fit.yaml: filtering.fixed_weight: found 0.5 for code, whose cap is 0.3",
    ),
    "several splits": (
        lambda f: f.change(regression={"train_split": [0.5, 0.5]}),
        "fit.yaml: regression.train_split: found [0.5, 0.5]: a list of 2; one number is allowed, as the tables hold one swarm",
    ),
    "half a run": (
        lambda f: f.change(regression={"train_split": 1.5}),
        "fit.yaml: regression.train_split: found 1.5: a fraction up to 1 or a whole number of runs is allowed",
    ),
    "more runs than there are": (
        lambda f: f.change(regression={"train_split": 64}),
        "fit.yaml: regression.train_split: found 64 for 30 runs; allowed: at most that many, or a fraction",
    ),
    "all runs held out": (
        lambda f: f.change(regression={"n_test": 30}),
        "fit.yaml: regression.n_test: found 30 for 30 runs; allowed: fewer",
    ),
    "too few runs": (
        lambda f: f.change(regression={"train_split": 3}),
        "ratios.csv: 3 runs for 3 domains: the law cannot be identified, it has 4 parameters per task; add at least 1 runs (3 (m + 1) = 12 are advised) or merge domains",
    ),
    "an unknown proposer": (
        lambda f: f.change(proposer={"type": "exakt"}),
        "fit.yaml: proposer.type: found 'exakt': input should be 'auto', 'exact', 'gradient', 'simulation' or 'search'",
    ),
    "KL without a solver for it": (
        lambda f: f.change(proposer={"type": "simulation"}),
        "fit.yaml: proposer.kl_reg: found 0.1 with proposer.type simulation; allowed with auto, exact, gradient",
    ),
    "temperature without simulation": (
        lambda f: f.change(proposer={"temperature": 0.5}),
        "fit.yaml: proposer.temperature: found 0.5 with proposer.type exact; allowed with simulation",
    ),
    "the worst mixture, exactly": (
        lambda f: f.change(proposer={"make_worst_mix": True}),
        "fit.yaml: proposer.make_worst_mix: found True with proposer.type exact; allowed with auto, gradient, simulation, search",
    ),
    "search on laws": (
        lambda f: f.change(proposer={"type": "search", "kl_reg": None}),
        "fit.yaml: proposer.type: found 'search' with regression.type log_linear; allowed for these laws: auto, exact, gradient, simulation",
    ),
    "families that are not named": (
        lambda f: f.change(regression={"aggregate_task_families": True}),
        "fit.yaml: regression.aggregate_task_families: found true without eval.tasks; list the families there, or set false",
    ),
    "caps without a target": (
        lambda f: f.change(constraints={"enabled": True}),
        "fit.yaml: constraints.target_tokens: found nothing with constraints.enabled true; allowed: a number of tokens",
    ),
    "caps without tokens": (
        lambda f: (
            f.config["priors"].pop("token_counts"),
            f.change(constraints={"enabled": True, "target_tokens": 100}),
        ),
        "fit.yaml: priors.token_counts: found nothing with constraints.enabled true; allowed: the tokens of every domain",
    ),
    "a natural reference without tokens": (
        lambda f: (f.config["priors"].pop("token_counts"), f.change(proposer={"use_natural_kl": True})),
        "fit.yaml: priors.token_counts: found nothing with proposer.use_natural_kl true; allowed: the tokens of every domain",
    ),
    "caps below one": (
        lambda f: f.change(constraints={"enabled": True, "target_tokens": 8_000_000}),
        "fit.yaml: constraints: caps sum to 0.5, at least 1 is needed (repetition_factor 4 x token_counts / target_tokens 8,000,000); allowed: a smaller target_tokens, a larger repetition_factor, or enabled: false",
    ),
    "other names on both sides": (
        lambda f: prefix(f, DOMAINS),
        "fit.yaml: priors.relative_sizes and the columns of ratios.csv differ: only priors has dclm:books, dclm:code, dclm:web, only the table has books, code, web; names in priors begin with 'dclm:', those on the other side do not; allowed: the same names on both sides",
    ),
    "a column too many": (
        lambda f: f.config["priors"].update(relative_sizes={"web": 1, "code": 0.2}, token_counts={}),
        "fit.yaml: priors.relative_sizes and the columns of ratios.csv differ: only the table has books; allowed: the same names on both sides",
    ),
    "sizes and tokens of other domains": (
        lambda f: f.config["priors"]["token_counts"].pop("web"),
        "fit.yaml: priors: only relative_sizes has web; allowed: the same names",
    ),
    "sizes that cannot be meant": (
        lambda f: f.config["priors"].update(relative_sizes={"web": 60, "code": 15, "books": 25}),
        "fit.yaml: priors.relative_sizes: found shares that sum to 100; allowed: 1, or 0.5 to 1.5, which is renormalised",
    ),
    "a negative size": (
        lambda f: f.config["priors"]["relative_sizes"].update(web=-1),
        "fit.yaml: priors.relative_sizes.web: found -1: input should be greater than or equal to 0",
    ),
    "no tokens at all": (
        lambda f: f.config["priors"].update(token_counts=dict.fromkeys(DOMAINS, 0)),
        "fit.yaml: priors.token_counts: found 0 for all domains; allowed: tokens in at least one",
    ),
    "a metric twice": (
        lambda f: f.change(eval={"tasks": {"qa": ["facts"], "code": ["coding", "facts"]}}),
        "fit.yaml: eval.tasks: facts is listed twice, in qa and code; allowed: once",
    ),
    "an empty family": (lambda f: f.change(eval={"tasks": {"qa": []}}), "fit.yaml: eval.tasks: family qa is empty"),
    "a mapping under offline": (
        lambda f: f.change(eval={"tasks": {"qa": {"a": "facts"}}}),
        "fit.yaml: eval: family qa: type offline needs a list of metrics",
    ),
    "a family without a column": (
        lambda f: f.change(eval={"tasks": {"qa": ["fact"]}}),
        "fit.yaml: eval.tasks: metrics.csv has no column for any metric of family qa, such as 'fact'; did you mean facts?; allowed: coding, facts, reading",
    ),
    "a weight of nothing": (
        lambda f: f.change(filtering={"obj_weights": {"codding": 1}}),
        "fit.yaml: filtering.obj_weights: found 'codding', which is neither a metric of metrics.csv nor a family; did you mean coding?; allowed: coding, facts, reading",
    ),
    "a weight that is code": (
        lambda f: f.change(filtering={"obj_weights": {"coding": "__import__('os')"}}),
        'fit.yaml: filtering.obj_weights.coding: found "__import__(\'os\')": a number, or a fraction such as "7/52.0", is allowed',
    ),
    "a fraction of zero": (
        lambda f: f.change(filtering={"obj_weights": {"coding": "1/0"}}),
        "fit.yaml: filtering.obj_weights.coding: found '1/0': division by zero",
    ),
    "all weights zero": (
        lambda f: f.change(filtering={"obj_weights": dict.fromkeys(("coding", "facts", "reading"), 0)}),
        "fit.yaml: filtering.obj_weights: found 0 for all; allowed: at least one above 0",
    ),
    "everything dropped": (
        lambda f: f.change(filtering={"drop_metrics": ["coding", "facts", "reading"]}),
        "fit.yaml: filtering.drop_metrics: found all metrics of metrics.csv; allowed: all but one",
    ),
    "a fixed weight of nothing": (
        lambda f: f.change(filtering={"fixed_weight": {"webb": 0.1}}),
        "fit.yaml: filtering.fixed_weight: found 'webb', which is no domain; did you mean web?; allowed: books, code, web",
    ),
    "fixed weights of one": (
        lambda f: f.change(filtering={"fixed_weight": {"web": 0.5, "code": 0.5}}),
        "fit.yaml: filtering.fixed_weight: found weights that sum to 1, and a share of 0.25 in priors for all other domains; allowed: less than 1, and more than 0",
    ),
    "a source of nothing": (
        lambda f: f.change(filtering={"keep_sources": ["webb"]}),
        "fit.yaml: filtering.keep_sources: found 'webb', which is no domain; did you mean web?; allowed: books, code, web",
    ),
    "a mixture of no run": (
        lambda f: f.change(filtering={"keep_sources": ["web", "code"]}),
        "fit.yaml: filtering.keep_sources: found no run that mixes all of web, code and nothing else; allowed: domains that some run mixes",
    ),
    "a weight that is no number": (
        lambda f: set_cell(f.ratios, 4, "code", "much"),
        "ratios.csv: run 'run_4', column 'code': found 'much'; allowed: a weight of at least 0",
    ),
    "a weight that is missing": (
        lambda f: set_cell(f.ratios, 4, "code", ""),
        "ratios.csv: run 'run_4', column 'code': found ''; allowed: a weight of at least 0",
    ),
    "a negative weight": (
        lambda f: set_cell(f.ratios, 4, "code", -0.1),
        "ratios.csv: run 'run_4', column 'code': found '-0.1'; allowed: a weight of at least 0",
    ),
    "a sum of .95": (
        lambda f: f.ratios[5].__setitem__(slice(3, 6), [0.3, 0.3, 0.35]),
        "ratios.csv: run 'run_4': weights sum to 0.95; allowed: 1, within 0.01",
    ),
    "a score that is no number": (
        lambda f: set_cell(f.metrics, 6, "facts", "crashed"),
        "metrics.csv: run 'run_6', column 'facts': found 'crashed'; allowed: a finite number, or nothing; a column that is no metric can be named in filtering.drop_metrics",
    ),
    "an infinite score": (
        lambda f: set_cell(f.metrics, 6, "facts", "inf"),
        "metrics.csv: run 'run_6', column 'facts': found 'inf'; allowed: a finite number, or nothing; a column that is no metric can be named in filtering.drop_metrics",
    ),
    "a negative score": (
        lambda f: set_cell(f.metrics, 6, "facts", -2),
        "metrics.csv: run 'run_6', column 'facts': found -2; allowed for log-linear laws: at least 0, such as bits per byte; drop the metric, add a constant to it, or choose another regression.type",
    ),
    "a run twice": (
        lambda f: f.metrics.append(f.metrics[3]),
        "metrics.csv: run 'run_2' is given twice, in lines 4 and 32; allowed: once",
    ),
    "a column twice": (
        lambda f: rename_column(f.metrics, "facts", "coding"),
        "metrics.csv: column 'coding' is given twice; allowed: once",
    ),
    "no ids": (
        lambda f: (rename_column(f.metrics, "run", "experiment"), rename_column(f.metrics, "index", "id")),
        "metrics.csv: no column of run ids; found experiment, name, id, coding, facts, reading; allowed: a column named run, run_id or index",
    ),
    "no id": (
        lambda f: set_cell(f.metrics, 6, "run", ""),
        "metrics.csv: line 8, column 'run': found ''; allowed: a run id",
    ),
    "ids of two kinds": (
        lambda f: rename_column(f.metrics, "run", "experiment"),
        "the tables have no run in common: found 'run_0' in column 'run' of ratios.csv, '0' in column 'index' of metrics.csv; allowed: the same run ids",
    ),
    "a short row": (lambda f: f.ratios[3].pop(), "ratios.csv: line 4: found 5 cells; allowed: 6, as in the header"),
    "no runs": (
        lambda f: f.ratios.__delitem__(slice(1, None)),
        "ratios.csv: found 0 runs and 3 columns of values; allowed: at least one",
    ),
    "every run lacks something": (
        lambda f: [set_cell(f.metrics, k, ("coding", "facts", "reading")[k % 3], "") for k in range(30)],
        "metrics.csv: every metric is missing in more than 10% of the runs",
    ),
}


PROGRESS = {"one mixture": 1, "too few runs": 2}
"""Only the fit itself finds these."""


def of_swarm(mistake):
    """The mistake in the files of a swarm."""

    def change(folder):
        files = build(folder)
        mistake(files)
        files.write()

    return change


CASES = [
    *(
        Case(what, of_swarm(mistake), FIT, message, progress=PROGRESS.get(what, 0))
        for what, (mistake, message) in MISTAKES.items()
    ),
    *(
        Case(what, both(of_swarm(nothing), change), FIT, message)
        for what, change, message in [
            ("an empty configuration", put("fit.yaml", ""), "fit.yaml: swarm: required field is missing"),
            (
                "a broken configuration",
                put("fit.yaml", "swarm: [\n"),
                "fit.yaml:2: not valid YAML: did not find expected node content",
            ),
            (
                "a configuration of a list",
                put("fit.yaml", "- a\n"),
                "fit.yaml: holds a list, a mapping of fields is expected",
            ),
            (
                "a table twice",
                put("fit.yaml", "swarm: {ratios: r.csv, ratios: s.csv}\n"),
                "fit.yaml:1: not valid YAML: key 'ratios' is given twice",
            ),
            (
                "a tag of Python in a configuration",
                put("fit.yaml", "swarm: !!python/object/apply:os.system ['touch pwned']\n"),
                "fit.yaml:1: not valid YAML: could not determine a constructor for the tag 'tag:yaml.org,2002:python/object/apply:os.system'",
            ),
            ("a pipe for a configuration", a_pipe("fit.yaml"), "fit.yaml: found a pipe; allowed: a YAML file"),
            ("a folder for a table", a_folder("ratios.csv"), "ratios.csv: found a folder; allowed: a CSV file"),
            ("a pipe for a table", a_pipe("metrics.csv"), "metrics.csv: found a pipe; allowed: a CSV file"),
            (
                "an empty table",
                put("ratios.csv", ""),
                "ratios.csv: found nothing; allowed: a header and a line per run",
            ),
            ("a table not UTF-8", put("ratios.csv", b"run,web\ncaf\xe9,1\n"), "ratios.csv: byte 11 is not UTF-8"),
            (
                "an output folder that is a file",
                put("out", ""),
                "--output-dir out: cannot be made: File exists; allowed: a folder",
            ),
        ]
    ),
]
