import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))])
def test_links_and_pictures_exist(page):
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\(([^)#]+)", text):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), target


def test_every_rule_has_message_log_benchmark_threads_and_resources():
    for path in (ROOT / "rules").glob("*.smk"):
        blocks = re.split(r"^(?:rule|checkpoint) ", path.read_text(), flags=re.M)[1:]
        for block in blocks:
            name = block.split(":")[0]
            needed = ["message"] if "shell:" not in block else ["message", "log", "benchmark", "threads", "resources"]
            assert all(f"    {directive}:" in block for directive in needed), f"{path.name}: {name}"


def test_default_params_and_domains_are_valid():
    from olmix.domains.schema import read_domains
    from olmix.params import read_params

    assert read_params(ROOT / "params.yaml").proxy.model == "tiny"
    assert len(read_domains(ROOT / "domains")) == 10


def test_dvc_stages_cover_the_params():
    from olmix.params import Params

    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values()
    covered = {name for stage in stages for name in stage.get("params", [])}
    assert covered == set(Params.model_fields) - {"domains", "noise", "study"}  # these are no stages of the pipeline
    assert covered <= set(yaml.safe_load((ROOT / "params.yaml").read_text()))  # DVC wants them written out
