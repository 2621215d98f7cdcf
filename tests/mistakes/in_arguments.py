"""Mistakes in the words of a command."""

from tests.mistakes.case import Case, nothing

TABLES = "--ratios r.csv --metrics m.csv"

CASES = [
    Case(what, nothing, command, message)
    for what, command, message in [
        (
            "an unknown command",
            "plann",
            "No such command 'plann'. Did you mean 'plan'?; `olmix --help` lists what is allowed",
        ),
        (
            "an unknown option",
            "plan --jsn",
            "No such option: --jsn (Possible options: --json); `olmix plan --help` lists what is allowed",
        ),
        (
            "a word too many",
            "plan now",
            "Got unexpected extra argument(s) (now); `olmix plan --help` lists what is allowed",
        ),
        ("a half command", "make", "Missing command; `olmix make --help` lists what is allowed"),
        (
            "an unknown job",
            "make toast",
            "No such command 'toast'. Did you mean 'today'?; `olmix make --help` lists what is allowed",
        ),
        (
            "a job without a key",
            "make tokens",
            "Missing argument 'key'; `olmix make tokens --help` lists what is allowed",
        ),
        ("a key of no leaf", "make tokens 0000", "0000: no leaf of today's domain set has this tokens key"),
        ("a key that leads out", "make tokens ../../x", "../../x: no leaf of today's domain set has this tokens key"),
        ("a key of no plan", "make plan 0000", "0000: is not the plan of a round of today's domain set and params"),
        ("a key of no run", "make proxy 0000", "0000: not part of today's plan"),
        ("a staged key that leads out", "make proxy ../../x", "../../x: not part of today's plan"),
        ("a key of no evaluation", "make evaluation 0000", "0000: not part of today's plan"),
        ("a key of no law", "make law 0000", "0000: not part of today's plan"),
        ("a key of no proposal", "make proposal 0000", "0000: not part of today's plan"),
        ("a key of no proof", "make validation 0000", "0000: not part of today's plan"),
        (
            "threads in words",
            "make tokens 0000 --threads many",
            "Invalid value for '--threads': Input should be a valid integer, unable to parse string as an integer; `olmix make tokens --help` lists what is allowed",
        ),
        (
            "no threads",
            "make tokens 0000 --threads 0",
            "Invalid value for '--threads': Input should be greater than or equal to 1; `olmix make tokens --help` lists what is allowed",
        ),
        (
            "an option without its value",
            "make tokens 0000 --threads",
            "Option '--threads' requires an argument; `olmix --help` lists what is allowed",
        ),
        (
            "less than no memory",
            "make proxy 0000 --gpu-mb -1",
            "Invalid value for '--gpu-mb': Input should be greater than or equal to 0; `olmix make proxy --help` lists what is allowed",
        ),
        (
            "a log in a file",
            "make --log params.yaml/x.log items",
            "--log params.yaml/x.log: cannot be written: File exists; allowed: a file",
        ),
        (
            "a log that is a folder",
            "make --log data items",
            "--log data: cannot be written: Is a directory; allowed: a file",
        ),
        (
            "no configuration",
            "fit --output-dir out",
            "Missing option '--config'; `olmix fit --help` lists what is allowed",
        ),
        ("a configuration that is not there", "fit --config no.yaml --output-dir out", "no.yaml: no such file"),
        (
            "a configuration that is a folder",
            "fit --config data --output-dir out",
            "data: found a folder; allowed: a YAML file",
        ),
        (
            "laws that are not there",
            "predict --law out --ratios r.csv --output p.csv",
            "--law out: found no law/law.json; allowed: an output folder of `olmix fit`",
        ),
        ("a study of no tables", f"study {TABLES} --output-dir out", "r.csv: no such file"),
        (
            "a study without tables",
            "study --output-dir out",
            "Missing option '--ratios'; `olmix study --help` lists what is allowed",
        ),
        (
            "a study of half a part",
            f"study {TABLES} --output-dir out --repeats 1.5",
            "Invalid value for '--repeats': Input should be a valid integer, unable to parse string as an integer; `olmix study --help` lists what is allowed",
        ),
        ("an import of no tables", "import x --mixtures m.csv --scores s.csv", "m.csv: no such file"),
        (
            "an import that leads out",
            "import ../x --mixtures m.csv --scores s.csv",
            "NAME: found '../x'; allowed: letters, digits and _ . + -, beginning with a letter or digit",
        ),
        (
            "an import of a folder",
            "import x --mixtures data --scores data",
            "data: found a folder; allowed: a CSV file",
        ),
        (
            "a name that leads out",
            "accept --name ../x",
            "--name: found '../x'; up to 100 letters, digits and _ . + - are allowed",
        ),
        ("a name of nothing", "accept --name=", "--name: found ''; up to 100 letters, digits and _ . + - are allowed"),
        ("a hidden name", "accept --name .x", "--name: found '.x'; up to 100 letters, digits and _ . + - are allowed"),
        (
            "scale in words",
            "texts --scale much",
            "Invalid value for '--scale': Input should be a valid number, unable to parse string as a number; `olmix texts --help` lists what is allowed",
        ),
        ("scale of zero", "texts --scale 0", "--scale: found 0; allowed: above 0, at most 1"),
        ("scale above one", "texts --scale 2", "--scale: found 2; allowed: above 0, at most 1"),
        ("scale that is no number", "texts --scale nan", "--scale: found nan; allowed: above 0, at most 1"),
    ]
]
