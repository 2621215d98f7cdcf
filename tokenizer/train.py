"""How tokenizer.json was made: byte-level BPE on an equal share of every default domain. Run once; never by the graph.

A tokenizer that followed the domain set would invalidate every run whenever a domain changes, so the result is kept in
git and its digest in params.yaml.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

VOCABULARY = 2048
CHARACTERS_PER_DOMAIN = 2_000_000
END_OF_TEXT = "<|endoftext|>"


def documents(domain: Path) -> Iterator[str]:
    """Documents of a domain, taken in turn from all of its files, up to the share of a domain."""
    left = CHARACTERS_PER_DOMAIN
    streams = [path.open(encoding="utf-8") for path in sorted(domain.glob("*.jsonl"))]
    while streams and left > 0:
        for stream in list(streams):
            line = stream.readline()
            if not line:
                streams.remove(stream)
                continue
            text = json.loads(line)["text"][:20_000]
            left -= len(text)
            yield text


def main() -> None:
    """Train on data/texts and write tokenizer.json beside this file."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else VOCABULARY
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(
        Regex(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
            r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        ),
        behavior="isolated",
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    domains = sorted(path for path in Path("data/texts").iterdir() if path.is_dir())
    tokenizer.train_from_iterator((text for domain in domains for text in documents(domain)), trainer)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": END_OF_TEXT}, indent=1) + "\n")


main()
