"""The case study at miniature size: two updates, three strategies, a target model, proxies of one size."""

import json
import math
import shutil

import pytest
import yaml

from olmix.case_study.claims import claims, kept, saving
from olmix.case_study.spec import CaseStudy
from olmix.case_study.step import read_record
from olmix.case_study.table import Estimate, collect_results
from olmix.case_study.write import gap_rows, to_markdown
from olmix.errors import InputError, WorkError
from olmix.report.format import number
from tests.miniature import PARAMS, ROOT, build, planned_jobs, snakemake, write_yaml

STAGES = ["1-start", "2-add", "3-remove"]
STUDY = {
    "stages": STAGES,
    "seeds": [1],
    "strategies": {
        "none": {"params": {"reuse": {"strategy": "none", "evidence": False}}},
        "full": {"params": {"reuse": {"strategy": "full", "evidence": False}}},
        "none-c1": {
            "last_only": True,
            "params": {"swarm": {"runs_per_parameter": 1}, "reuse": {"strategy": "none", "evidence": False}},
        },
    },
    "target": {
        "model": {"layers": 1, "heads": 2, "width": 48, "mlp_width": 96, "tied_embeddings": True},
        "tokens": 10_240,
        "seeds": 2,
    },
    "fidelity": {"mixtures": 3, "sizes": {"same": {"model": PARAMS["proxy"]["model"], "tokens": 8192}}},
}


def build_study(folder):
    """The miniature project with a case study."""
    build(folder)
    web, code = (yaml.safe_load((folder / f"domains/{name}.yaml").read_text()) for name in ("web", "code"))
    maths = yaml.safe_load((folder / "domains/maths.yaml").read_text())
    sets = {"1-start": {"web": web}, "2-add": {"web": web, "code": code, "maths": maths}}
    sets["3-remove"] = {"web": web, "code": code}
    for stage, sources in sets.items():
        for name, source in sources.items():
            write_yaml(folder / f"case_study/stages/{stage}/{name}.yaml", source)
    write_yaml(folder / "case_study/case_study.yaml", STUDY)
    params = yaml.safe_load((folder / "params.yaml").read_text())
    write_yaml(folder / "case_study/params.yaml", params | {"validation": {"seeds": 1}})
    return folder


@pytest.fixture(scope="module")
def studied(made_once):
    def fill(folder):
        build_study(folder)
        done = snakemake(folder, "case_study")
        assert done.returncode == 0, done.stderr[-3000:]

    return made_once("studied", fill)


def test_an_estimate_is_a_mean_with_its_standard_error():
    estimate = Estimate.of([1.0, 2.0, 6.0])
    assert estimate.mean == 3
    assert estimate.error == pytest.approx((7 / 3) ** 0.5)


def test_every_step_is_an_accepted_mixture_of_the_product(studied):
    study = CaseStudy.load(studied)
    assert len(study.steps) == 3 + 3 + 1
    record = read_record(study, study.chain("full", 1)[1])
    assert record.mixture.parent == "0001-1-start"
    assert record.mixture.strategy == "full"
    assert record.mixture.update["added"] == ["code", "maths"]
    assert read_record(study, study.chain("full", 1)[2]).kept_whole
    assert (studied / "case_study/work/projects/full-1/mixtures/0003-3-remove.yaml").is_file()


def test_the_table_says_what_was_measured(studied):
    study = CaseStudy.load(studied)
    results = collect_results(study)
    runs = {each.name: [cost.runs for cost in each.costs.values()] for each in results.strategies}
    c = PARAMS["swarm"]["runs_per_parameter"]
    assert runs["none"] == [-(-c * 3 // 1), -(-c * 5 // 1), -(-c * 4 // 1)]
    assert runs["full"] == [runs["none"][0], -(-c * 4 // 1), 0]
    assert runs["none-c1"] == [3, 5, 4]
    assert [cost.counted for cost in results.strategy("none-c1").costs.values()] == [True, True, False]
    assert saving(results, results.strategy("full")) == 1 - sum(runs["full"]) / sum(runs["none"])
    written = json.loads((studied / "results/case_study.json").read_text())
    assert written["strategies"]["full"]["gain_percent"]["mean"] == pytest.approx(results.strategy("full").gain.mean)
    full, none = (results.strategy(name).gain.mean for name in ("full", "none"))
    assert math.isnan(kept(results, results.strategy("full")).mean) == (none <= 0)
    bpb = {name: estimate.mean for name, estimate in results.natural_families.items()}
    assert results.natural_bpb.mean == pytest.approx(2 / 3 * bpb["science"] + 1 / 3 * bpb["general"])
    bpb = {name: estimate.mean for name, estimate in results.strategy("full").family_bpb.items()}
    assert 2 / 3 * bpb["science"] + 1 / 3 * bpb["general"] == pytest.approx(results.natural_bpb.mean * (1 - full / 100))
    assert math.isnan(results.reference.gain.error)  # one seed
    assert results.distances[0, 0] == 0
    assert results.distances[0, 1] > 0
    losses = results.strategy("full").losses
    assert [(loss.stage, loss.seed) for loss in losses] == [(stage, 1) for stage in STAGES[1:]]
    mine, other = (read_record(study, study.chain(name, 1)[1]) for name in ("full", "none"))
    lost = 1000 * (mine.proposal_bpb - other.proposal_bpb)
    figures = (number(mine.safety.kappa, 2), number(1000 * mine.safety.gap, 1), number(lost, 1))
    assert gap_rows(results) == [("full", "2-add", *figures)]  # laws foresee nothing where a mixture is kept whole
    assert len(results.target_scores) == 5  # prior, proposal and three of the swarm
    assert all(sentence.split(":")[0] in ("Held", "Did not hold") for sentence in claims(results))
    assert "| none-c1 | 12* |" in to_markdown(results)
    page = (studied / "results/case_study.html").read_text()
    assert page.count("<svg") >= 2
    assert "<code>" in page


def test_again_it_does_nothing(studied):
    assert planned_jobs(studied, "case_study") == {}


def test_a_step_that_goes_missing_is_made_again(studied, tmp_path):
    folder = shutil.copytree(studied, tmp_path / "project", symlinks=True)
    study = CaseStudy.load(folder)
    (folder / study.chain("full", 1)[1].path).unlink()
    assert planned_jobs(folder, "case_study")["case_study_step"] == 1


def test_a_step_waits_for_all_mixtures_that_it_starts_from(studied):
    """Not for the last one alone, which may be there while an earlier one is made again."""
    study = CaseStudy.load(studied)
    first, second, third = study.chain("full", 1)
    assert study.needs(third) == [first, second]
    assert study.needs(second) == [first]
    assert study.needs(first) == study.chain("none", 1)[:1]
    assert study.needs(study.chain("none", 1)[0]) == []


def test_strategies_may_have_steps_in_common(studied, tmp_path):
    """Until the stage that it differs at, a strategy goes the way of another; each has its whole chain."""
    folder = shutil.copytree(studied, tmp_path / "project", symlinks=True)
    late = STUDY["strategies"]["full"] | {"at": {STAGES[1]: {"reuse": {"strategy": "none"}}}}
    write_yaml(folder / "case_study/case_study.yaml", STUDY | {"strategies": STUDY["strategies"] | {"late": late}})
    study = CaseStudy.load(folder)
    full, other = study.chain("full", 1), study.chain("late", 1)
    assert [step.stage for step in full] == [step.stage for step in other] == STAGES
    assert [a.key == b.key for a, b in zip(full, other, strict=True)] == [True, False, False]
    assert study.step(other[0].key) is full[0]
    assert study.needs(other[2]) == other[:2]
    assert planned_jobs(folder, "case_study")["case_study_step"] == 2


def test_an_edit_of_a_stage_makes_it_and_what_follows_again(studied, tmp_path):
    folder = shutil.copytree(studied, tmp_path / "project", symlinks=True)
    (folder / "case_study/stages/3-remove/code.yaml").unlink()
    write_yaml(
        folder / "case_study/stages/3-remove/maths.yaml",
        yaml.safe_load((folder / "case_study/stages/2-add/maths.yaml").read_text()),
    )
    assert planned_jobs(folder, "case_study")["case_study_step"] == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reference": "all"}, "reference: found 'all'; allowed: none, full, none-c1"),
        ({"stages": ["1-start", "9-end"]}, "case_study/stages/9-end: no such folder"),
        ({"strategies": {"none": {"at": {"8-split": {}}}}}, "strategies.none.at: '8-split' is no stage"),
        ({"strategies": {"none": {"params": {"swarm": {"sed": 1}}}}}, "strategies.none: swarm.sed: unknown field"),
    ],
)
def test_mistakes_are_named(tmp_path, change, message):
    folder = build_study(tmp_path)
    write_yaml(folder / "case_study/case_study.yaml", STUDY | change)
    with pytest.raises(InputError) as caught:
        CaseStudy.load(folder).key  # noqa: B018
    assert message in str(caught.value)
    done = snakemake(folder, "case_study")
    assert done.returncode == 2
    assert str(caught.value).replace(f"{folder}/", "") in done.stderr


def test_an_ordinary_run_does_not_need_the_study(tmp_path):
    folder = build_study(tmp_path)
    (folder / "case_study/case_study.yaml").write_text("stages: [")
    assert "proxy" not in planned_jobs(folder)
    assert planned_jobs(folder)


def test_a_record_that_cannot_be_read_is_named(studied, tmp_path):
    folder = shutil.copytree(studied, tmp_path / "project", symlinks=True)
    study = CaseStudy.load(folder)
    step = study.chain("full", 1)[1]
    (folder / step.path).write_text("{")
    with pytest.raises(WorkError, match=f"{step.key}.json: cannot be read"):
        read_record(study, step)
    (folder / step.path).unlink()
    with pytest.raises(WorkError, match=f"{step.key}.json: not there; `snakemake case_study` makes it"):
        read_record(study, step)


def test_held_out_documents_are_in_no_stage(studied):
    """The default study, by content, where its texts have been made."""
    if not (ROOT / "data/heldout").is_dir():
        pytest.skip("the default texts have not been made: `make texts`")
    held_out = set()
    for path in (ROOT / "data/heldout").glob("*.jsonl"):
        held_out |= {hash(json.loads(line)["text"]) for line in path.open(encoding="utf-8")}
    assert len(held_out) > 1000
    files = {file.path for leaves in CaseStudy.load(ROOT).stages.values() for leaf in leaves for file in leaf.files}
    seen = 0
    for path in files:
        for line in open(path, encoding="utf-8"):  # noqa: PTH123, SIM115
            seen += 1
            assert hash(json.loads(line)["text"]) not in held_out
    assert seen > 10_000
