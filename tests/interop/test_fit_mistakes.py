"""A mistake in a fit configuration or its tables gives one clear line and exit code 2, before anything is fitted."""

import pytest

from tests.interop.small_swarm import DOMAINS, build, run_command


@pytest.fixture
def files(tmp_path):
    return build(tmp_path)


def set_cell(table, run, column, value):
    table[1 + run][table[0].index(column)] = value


def rename_column(table, old, new):
    table[0][table[0].index(old)] = new


def nest_wrongly(files):
    files.config["token_counts"] = files.config["priors"].pop("token_counts")


def prefix(files, domains):
    files.config["priors"] = {"relative_sizes": {f"dclm:{name}": 1 / 3 for name in domains}}


MISTAKES = {
    "a misspelled section": (
        lambda f: f.change(regresion={"type": "log_linear"}),
        "regresion: unknown field; did you mean regression?",
    ),
    "a misspelled field": (
        lambda f: f.change(proposer={"klreg": 1}),
        "proposer.klreg: unknown field; did you mean kl_reg?",
    ),
    "an unknown field": (
        lambda f: f.change(constraints={"margin": 1}),
        "constraints.margin: unknown field; allowed here: enabled, repetition_factor, target_tokens",
    ),
    "token counts beside priors": (
        nest_wrongly,
        "token_counts: found at the top level; it belongs below priors: write it as priors.token_counts",
    ),
    "a field in another section": (
        lambda f: f.change(regression={"kl_reg": 1}),
        "regression.kl_reg: found in regression; it belongs below proposer",
    ),
    "no swarm": (lambda f: f.config.pop("swarm"), "swarm: required field is missing"),
    "no priors": (lambda f: f.change(priors=None), "priors: required field is missing"),
    "empty priors": (lambda f: f.change(priors=[]), "priors: found []: a section is expected"),
    "priors of nothing": (
        lambda f: f.config.update(priors={}),
        "priors: relative_sizes and token_counts are both missing",
    ),
    "a file that is not there": (
        lambda f: f.change(swarm={"ratios": "rations.csv"}),
        "swarm.ratios: found 'rations.csv', which does not exist; looked for",
    ),
    "an unknown regression": (
        lambda f: f.change(regression={"type": "loglinear"}),
        "regression.type: found 'loglinear'; did you mean log_linear?",
    ),
    "a bad penalty": (lambda f: f.change(regression={"penalty": -1}), "regression.penalty"),
    "a penalty of null": (
        lambda f: f.change(regression={"penalty": None}),
        "regression.penalty: found None: auto, or a number of at least 0, is allowed",
    ),
    "one mixture": (
        lambda f: [row.__setitem__(slice(3, 6), [0.2, 0.3, 0.5]) for row in f.ratios[1:]],
        "ratios.csv: 30 runs of one mixture: the law cannot be identified",
    ),
    "a fixed weight without a prior": (
        lambda f: (
            f.config["priors"].update(relative_sizes={"web": 0, "code": 0.5, "books": 0.5}),
            f.change(filtering={"fixed_weight": {"web": 0.5}}),
        ),
        "filtering.fixed_weight: found 0.5 for web, which has no share in priors",
    ),
    "a weight above its cap": (
        lambda f: f.change(
            constraints={"enabled": True, "target_tokens": "2M"}, filtering={"fixed_weight": {"code": 0.5}}
        ),
        "filtering.fixed_weight: found 0.5 for code, whose cap is 0.3",
    ),
    "several splits": (
        lambda f: f.change(regression={"train_split": [0.5, 0.5]}),
        "regression.train_split: found [0.5, 0.5]: a list of 2",
    ),
    "half a run": (
        lambda f: f.change(regression={"train_split": 1.5}),
        "regression.train_split: found 1.5: a fraction up to 1 or a whole number",
    ),
    "more runs than there are": (
        lambda f: f.change(regression={"train_split": 64}),
        "regression.train_split: found 64 for 30 runs",
    ),
    "all runs held out": (
        lambda f: f.change(regression={"n_test": 30}),
        "regression.n_test: found 30 for 30 runs; allowed: fewer",
    ),
    "too few runs": (
        lambda f: f.change(regression={"train_split": 3}),
        "3 runs for 3 domains: the law cannot be identified",
    ),
    "an unknown proposer": (
        lambda f: f.change(proposer={"type": "exakt"}),
        "proposer.type: found 'exakt': input should be",
    ),
    "KL without a solver for it": (
        lambda f: f.change(proposer={"type": "simulation"}),
        "proposer.kl_reg: found 0.1 with proposer.type simulation; allowed with",
    ),
    "temperature without simulation": (
        lambda f: f.change(proposer={"temperature": 0.5}),
        "proposer.temperature: found 0.5 with proposer.type exact; allowed with simulation",
    ),
    "the worst mixture, exactly": (
        lambda f: f.change(proposer={"make_worst_mix": True}),
        "proposer.make_worst_mix: found True with proposer.type exact; allowed with",
    ),
    "search on laws": (
        lambda f: f.change(proposer={"type": "search", "kl_reg": None}),
        "proposer.type: found 'search' with regression.type log_linear; allowed for these laws: auto, exact, gradient",
    ),
    "families that are not named": (
        lambda f: f.change(regression={"aggregate_task_families": True}),
        "regression.aggregate_task_families: found true without eval.tasks",
    ),
    "caps without a target": (
        lambda f: f.change(constraints={"enabled": True}),
        "constraints.target_tokens: found nothing with constraints.enabled true",
    ),
    "caps without tokens": (
        lambda f: (
            f.config["priors"].pop("token_counts"),
            f.change(constraints={"enabled": True, "target_tokens": 100}),
        ),
        "priors.token_counts: found nothing with constraints.enabled true",
    ),
    "a natural reference without tokens": (
        lambda f: (f.config["priors"].pop("token_counts"), f.change(proposer={"use_natural_kl": True})),
        "priors.token_counts: found nothing with proposer.use_natural_kl true",
    ),
    "caps below one": (
        lambda f: f.change(constraints={"enabled": True, "target_tokens": 8_000_000}),
        "caps sum to 0.5, at least 1 is needed (repetition_factor 4 x token_counts / target_tokens 8,000,000)",
    ),
    "other names on both sides": (
        lambda f: prefix(f, DOMAINS),
        "dclm:web, only the table has books, code, web; names in priors begin with 'dclm:'",
    ),
    "a column too many": (
        lambda f: f.config["priors"].update(relative_sizes={"web": 1, "code": 0.2}, token_counts={}),
        "only the table has books; allowed: the same names on both sides",
    ),
    "sizes and tokens of other domains": (
        lambda f: f.config["priors"]["token_counts"].pop("web"),
        "priors: only relative_sizes has web; allowed: the same names",
    ),
    "sizes that cannot be meant": (
        lambda f: f.config["priors"].update(relative_sizes={"web": 60, "code": 15, "books": 25}),
        "priors.relative_sizes: found shares that sum to 100; allowed: 1, or 0.5 to 1.5",
    ),
    "a negative size": (
        lambda f: f.config["priors"]["relative_sizes"].update(web=-1),
        "priors.relative_sizes.web: found -1",
    ),
    "no tokens at all": (
        lambda f: f.config["priors"].update(token_counts=dict.fromkeys(DOMAINS, 0)),
        "priors.token_counts: found 0 for all domains",
    ),
    "a metric twice": (
        lambda f: f.change(eval={"tasks": {"qa": ["facts"], "code": ["coding", "facts"]}}),
        "eval.tasks: facts is listed twice, in qa and code",
    ),
    "an empty family": (lambda f: f.change(eval={"tasks": {"qa": []}}), "eval.tasks: family qa is empty"),
    "a mapping under offline": (
        lambda f: f.change(eval={"tasks": {"qa": {"a": "facts"}}}),
        "eval: family qa: type offline needs a list of metrics",
    ),
    "a family without a column": (
        lambda f: f.change(eval={"tasks": {"qa": ["fact"]}}),
        "has no column for any metric of family qa, such as 'fact'; did you mean facts?",
    ),
    "a weight of nothing": (
        lambda f: f.change(filtering={"obj_weights": {"codding": 1}}),
        "filtering.obj_weights: found 'codding', which is neither a metric of",
    ),
    "a weight that is code": (
        lambda f: f.change(filtering={"obj_weights": {"coding": "__import__('os')"}}),
        "filtering.obj_weights.coding: found \"__import__('os')\"",
    ),
    "a fraction of zero": (
        lambda f: f.change(filtering={"obj_weights": {"coding": "1/0"}}),
        "filtering.obj_weights.coding: found '1/0': division by zero",
    ),
    "all weights zero": (
        lambda f: f.change(filtering={"obj_weights": dict.fromkeys(("coding", "facts", "reading"), 0)}),
        "filtering.obj_weights: found 0 for all",
    ),
    "everything dropped": (
        lambda f: f.change(filtering={"drop_metrics": ["coding", "facts", "reading"]}),
        "filtering.drop_metrics: found all metrics of",
    ),
    "a fixed weight of nothing": (
        lambda f: f.change(filtering={"fixed_weight": {"webb": 0.1}}),
        "filtering.fixed_weight: found 'webb', which is no domain; did you mean web?",
    ),
    "fixed weights of one": (
        lambda f: f.change(filtering={"fixed_weight": {"web": 0.5, "code": 0.5}}),
        "filtering.fixed_weight: found weights that sum to 1",
    ),
    "a source of nothing": (
        lambda f: f.change(filtering={"keep_sources": ["webb"]}),
        "filtering.keep_sources: found 'webb', which is no domain; did you mean web?",
    ),
    "a mixture of no run": (
        lambda f: f.change(filtering={"keep_sources": ["web", "code"]}),
        "filtering.keep_sources: found no run that mixes all of web, code and nothing else",
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
        "metrics.csv: run 'run_6', column 'facts': found 'crashed'; allowed: a finite number, or nothing; a column",
    ),
    "an infinite score": (
        lambda f: set_cell(f.metrics, 6, "facts", "inf"),
        "metrics.csv: run 'run_6', column 'facts': found 'inf'",
    ),
    "a negative score": (
        lambda f: set_cell(f.metrics, 6, "facts", -2),
        "run 'run_6', column 'facts': found -2; allowed for log-linear laws: at least 0",
    ),
    "a run twice": (
        lambda f: f.metrics.append(f.metrics[3]),
        "metrics.csv: run 'run_2' is given twice, in lines 4 and 32",
    ),
    "a column twice": (
        lambda f: rename_column(f.metrics, "facts", "coding"),
        "metrics.csv: column 'coding' is given twice",
    ),
    "no ids": (
        lambda f: (rename_column(f.metrics, "run", "experiment"), rename_column(f.metrics, "index", "id")),
        "metrics.csv: no column of run ids; found experiment, name, id, coding",
    ),
    "no id": (
        lambda f: set_cell(f.metrics, 6, "run", ""),
        "metrics.csv: line 8, column 'run': found ''; allowed: a run id",
    ),
    "ids of two kinds": (
        lambda f: rename_column(f.metrics, "run", "experiment"),
        "the tables have no run in common: found 'run_0' in column 'run' of",
    ),
    "a short row": (lambda f: f.ratios[3].pop(), "ratios.csv: line 4: found 5 cells; allowed: 6, as in the header"),
    "no runs": (lambda f: f.ratios.__delitem__(slice(1, None)), "ratios.csv: found 0 runs"),
    "every run lacks something": (
        lambda f: [set_cell(f.metrics, k, ("coding", "facts", "reading")[k % 3], "") for k in range(30)],
        "metrics.csv: every metric is missing in more than 10% of the runs",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(files, monkeypatch, capsys, name):
    mistake, message = MISTAKES[name]
    mistake(files)
    code, out, err = run_command(
        monkeypatch, capsys, "fit", "--config", files.write(), "--output-dir", files.folder / "out"
    )
    lines = err.strip().splitlines()
    assert code == 2, err
    assert message in lines[-1]
    assert lines[-1].startswith("olmix: ")
    assert out == ""
    assert not (files.folder / "out/law").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "swarm: required field is missing"),
        ("swarm: [\n", "fit.yaml:2: not valid YAML"),
        ("- a\n", "holds a list, a mapping of fields is expected"),
        ("swarm: {ratios: r.csv, ratios: s.csv}\n", "key 'ratios' is given twice"),
    ],
)
def test_broken_configurations(tmp_path, monkeypatch, capsys, content, message):
    (tmp_path / "fit.yaml").write_text(content)
    code, _, err = run_command(monkeypatch, capsys, "fit", "--config", tmp_path / "fit.yaml", "--output-dir", tmp_path)
    assert code == 2
    assert message in err


def test_an_output_folder_that_is_a_file(files, monkeypatch, capsys):
    (files.folder / "out").write_text("")
    code, _, err = run_command(
        monkeypatch, capsys, "fit", "--config", files.write(), "--output-dir", files.folder / "out"
    )
    assert code == 2
    assert "out: cannot be made: File exists; allowed: a folder" in err


def test_a_configuration_that_is_not_there(tmp_path, monkeypatch, capsys):
    code, _, err = run_command(monkeypatch, capsys, "fit", "--config", tmp_path / "no.yaml", "--output-dir", tmp_path)
    assert code == 2
    assert "no.yaml: no such file" in err
