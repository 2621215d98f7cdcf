"""Profiles are made of options that Snakemake knows, and none takes back what correctness rests on."""

import re
from importlib.util import find_spec

import pytest
import yaml
from snakemake.cli import get_argument_parser

from tests.miniature import ROOT

needs_slurm = pytest.mark.skipif(
    not find_spec("snakemake_executor_plugin_slurm"), reason="its options are the plugin's: pip install '.[slurm]'"
)
PROFILES = sorted(path.parent.name for path in (ROOT / "profiles").glob("*/config.yaml"))


def settings(profile):
    """Options of a profile, those in comments too: what a user is told to fill in."""
    text = (ROOT / "profiles" / profile / "config.yaml").read_text()
    return yaml.safe_load(re.sub(r"(?m)^# (?=(?:[a-z-]+:( |$)|  - ))", "", text))


def arguments(options):
    """A profile as the command line that it stands for."""
    for name, value in options.items():
        if value is True:
            yield f"--{name}"
        elif value is not False:
            yield f"--{name}"
            yield from map(str, value if isinstance(value, list) else [value])


def test_there_is_a_profile_for_every_place():
    assert PROFILES == ["default", "kubernetes", "slurm"]


@pytest.mark.parametrize("profile", [p if p != "slurm" else pytest.param(p, marks=needs_slurm) for p in PROFILES])
def test_snakemake_takes_every_option_of_a_profile(profile):
    options = settings(profile)
    parser = get_argument_parser()
    known = {option for action in parser._actions for option in action.option_strings}
    assert {f"--{name}" for name in options} <= known
    parser.parse_args(list(arguments(options)))


@pytest.mark.parametrize("profile", ["kubernetes", "slurm"])
def test_a_cluster_repeats_nothing_that_correctness_rests_on(profile):
    """Snakemake reads the default profile besides one that is named, and lets it win."""
    rests_on = settings("default")
    assert {"ignore-incomplete", "rerun-triggers", "nolock", "keep-going"} <= rests_on.keys()
    assert not rests_on.keys() & settings(profile).keys() - {"resources"}


@needs_slurm
def test_a_cluster_keeps_what_correctness_rests_on():
    parser = get_argument_parser(profiles=[ROOT / "profiles" / name for name in ("slurm", "default")])
    read = parser.parse_args([])
    assert read.ignore_incomplete
    assert read.nolock
    assert read.keep_going
    assert (read.executor, read.retries) == ("slurm", 3)
    assert {str(trigger) for trigger in read.rerun_triggers} == {"software-env"}
