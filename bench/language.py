"""How well the language of a text is told: by length, language, mixture, noise, and how far its confidence can be believed.

    python -m bench.language [--limit 60] [--split dev] [--json]

Reads the labelled sets of ``../shared/data``: `dev` rows (or ``--split benchmark``, whose texts were never trained or chosen on),
a few of each language and set. SIB-200 holds the same edited sentences in some 190 languages; the other sets are news, reviews and
posts. ``fitted`` sets lent their train rows to the n-gram model; ``unseen`` sets lent nothing. Beside ours stands the best answer
of lid.176 alone on the same text.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.language_texts import DATA, FITTED, LENGTHS, Sample, cut, samples
from streams.enrich.cleaning import model_text, width
from streams.enrich.language import LanguageIdentifier, canonical_code
from streams.enrich.language_codes import weight

__all__ = ["Identify", "bare", "measure"]

Identify = Callable[[str], tuple[str, float]]
"""The code and the confidence for a text; the code even where the confidence is low."""

_BANDS = ((0.0, 0.35), (0.35, 0.5), (0.5, 0.65), (0.65, 0.8), (0.8, 0.9), (0.9, 0.97), (0.97, 1.01))
_NOISE = "RT @user: {} http #news #FX $AAPL $TSLA 3.4% 🚀🚀 @user http"
_CONFIGURED = (("en", "de"), ("es", "pt"), ("id",), ("sr", "hr"), ("ru", "uk"), ("en", "sw", "ha"))


def bare() -> Identify:
    """lid.176 alone, on the text as it is."""
    model = LanguageIdentifier(0.0)._model

    def identify(text: str) -> tuple[str, float]:
        labels, shares = model.predict(text, k=1)
        return (canonical_code(labels[0].removeprefix("__label__")), float(shares[0])) if labels else ("und", 0.0)

    return identify


def ours(expected: Sequence[str] = ()) -> Identify:
    """The identifier of the service; `expected` are configured languages."""
    identifier = LanguageIdentifier(0.0, expected) if expected else LanguageIdentifier(0.0)

    def identify(text: str) -> tuple[str, float]:
        found = identifier.identify(text)
        return found.code, found.confidence

    return identify


def _group(sample: Sample) -> str:
    if sample.source == "sib200":
        return "common" if weight(sample.code) >= 1.0 else "other"
    return "fitted" if sample.source in FITTED else "unseen"


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4) if values else 0.0


def by_length(texts: Sequence[Sample], identify: Identify) -> dict[str, Any]:
    """Accuracy by length: mean over the languages (of SIB-200) or over the languages of sets, and for each of them."""
    hits: dict[str, dict[str, dict[str, list[int]]]] = {}
    judged: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for length in LENGTHS:
        choose = random.Random(7)
        for sample in texts:
            piece = cut(sample.text, sample.code, length, choose)
            if not any(map(str.isalpha, piece)):
                continue
            code, confidence = identify(piece)
            group = _group(sample)
            name = sample.code if group in ("common", "other") else f"{sample.source} {sample.code}"
            hits.setdefault(group, {}).setdefault(name, {}).setdefault(length, []).append(code == sample.code)
            if weight(sample.code) >= 1.0:
                judged[length].append((confidence, code == sample.code))
    groups = {
        group: {length: _mean([_mean(found.get(length, [])) for found in names.values()]) for length in LENGTHS}
        for group, names in hits.items()
    }
    each = {
        group: {name: {length: _mean(found.get(length, [])) for length in LENGTHS} for name, found in names.items()}
        for group, names in hits.items()
    }
    return {"groups": groups, "each": each, "reliability": {length: _reliability(pairs) for length, pairs in judged.items()}}


def _reliability(pairs: Sequence[tuple[float, bool]]) -> dict[str, Any]:
    bands = []
    error = 0.0
    for low, high in _BANDS:
        inside = [pair for pair in pairs if low <= pair[0] < high]
        if inside:
            said, right = _mean([pair[0] for pair in inside]), _mean([pair[1] for pair in inside])
            error += abs(said - right) * len(inside) / len(pairs)
            bands.append({"from": low, "share": round(len(inside) / len(pairs), 4), "said": said, "right": right})
    answered = [pair[1] for pair in pairs if pair[0] >= 0.35]
    return {
        "bands": bands,
        "error": round(error, 4),
        "answered": round(len(answered) / len(pairs), 4),
        "right_of_answered": _mean(answered),
    }


def mixtures(texts: Sequence[Sample], identify: Identify, count: int = 600) -> dict[str, float]:
    """Documents of two languages: one sentence of one before or after two of another, which is the one to name."""
    choose = random.Random(11)
    edited = [sample for sample in texts if sample.source == "sib200" and weight(sample.code) >= 1.0 and len(sample.text) <= 160]
    by_code: dict[str, list[str]] = defaultdict(list)
    for sample in edited:
        by_code[sample.code].append(sample.text)
    codes = sorted(code for code, found in by_code.items() if len(found) >= 2)
    right: dict[str, list[float]] = {"short first": [], "short last": [], "headline first": []}
    for _ in range(count):
        main, other = choose.sample(codes, 2)
        two, one = choose.sample(by_code[main], 2), choose.choice(by_code[other])
        if width(one) < 0.7 * width(" ".join(two)) <= 210:
            right["short first"].append(identify(f"{one} {' '.join(two)}")[0] == main)
            right["short last"].append(identify(f"{' '.join(two)} {one}")[0] == main)
        headline = cut(one, other, "4-10 words", choose)
        if width(headline) < 0.5 * width(" ".join(two)):
            right["headline first"].append(identify(model_text(headline, " ".join(two)))[0] == main)
    return {name: _mean(found) for name, found in right.items()}


def robustness(texts: Sequence[Sample], identify: Identify) -> dict[str, float]:
    """Share of texts of 4-10 words that keep their answer, between addresses, mentions, hashtags, tickers; in capitals."""
    choose = random.Random(13)
    noisy: list[float] = []
    capitals: list[float] = []
    right: list[float] = []
    for sample in texts:
        if weight(sample.code) >= 1.0 and sample.source == "sib200":
            piece = cut(sample.text, sample.code, "4-10 words", choose)
            code = identify(piece)[0]
            noisy.append(identify(_NOISE.format(piece))[0] == code)
            loud = identify(piece.upper())[0]
            capitals.append(loud == code)
            right.append(loud == sample.code)
    return {"same between noise": _mean(noisy), "same in capitals": _mean(capitals), "right in capitals": _mean(right)}


def restriction(texts: Sequence[Sample], restricted: Callable[[Sequence[str]], Identify]) -> dict[str, dict[str, float]]:
    """With configured languages: the share of their texts (4-10 words) that is kept, and of all other texts that slips in."""
    report = {}
    for languages in _CONFIGURED:
        identify = restricted(languages)
        choose = random.Random(17)
        kept: list[float] = []
        leaked: list[float] = []
        for sample in texts:
            if sample.source == "sib200":
                code, confidence = identify(cut(sample.text, sample.code, "4-10 words", choose))
                passes = code in languages and confidence >= 0.35
                (kept if sample.code in languages else leaked).append(passes)
        report[" ".join(languages)] = {"kept": _mean(kept), "slipped in": _mean(leaked)}
    return report


def microseconds(texts: Sequence[Sample], identify: Identify, repeat: int = 5) -> float:
    """Processor time a text of a hundred and more characters in the scripts that need both models; best of `repeat`."""
    chosen = [sample.text for sample in texts if sample.code in {"en", "de", "es", "id", "ru", "ar", "hi"} and len(sample.text) > 100][:200]
    best = float("inf")
    for _ in range(repeat):
        start = time.process_time()
        for text in chosen:
            identify(text)
        best = min(best, time.process_time() - start)
    return round(best / max(len(chosen), 1) * 1e6, 1)


def measure(texts: Sequence[Sample], identify: Identify, restricted: Callable[[Sequence[str]], Identify]) -> dict[str, Any]:
    """All figures of one identifier on `texts`."""
    return {
        **by_length(texts, identify),
        "mixtures": mixtures(texts, identify),
        "robustness": robustness(texts, identify),
        "restriction": restriction(texts, restricted),
        "microseconds": microseconds(texts, identify),
    }


def _print(report: dict[str, dict[str, Any]]) -> None:
    for name, found in report.items():
        print(f"\n{name}: {found['microseconds']} us a text")
        for group, accuracy in found["groups"].items():
            print(f"  {group:8}", "  ".join(f"{length} {value:.3f}" for length, value in accuracy.items()))
        for length, judged in found["reliability"].items():
            print(f"  {length}: error {judged['error']:.3f}, answered {judged['answered']:.3f}, right {judged['right_of_answered']:.3f}")
        for part in ("mixtures", "robustness"):
            print(f"  {part}:", ", ".join(f"{key} {value:.3f}" for key, value in found[part].items()))
        for languages, passed in found["restriction"].items():
            print(f"  only {languages}: kept {passed['kept']:.3f}, slipped in {passed['slipped in']:.4f}")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--split", choices=("dev", "benchmark"), default="dev")
    parser.add_argument("--limit", type=int, default=60)
    parser.add_argument("--json", action="store_true", help="every figure, those of each language too")
    options = parser.parse_args()
    texts = list(samples(options.data, split=options.split, limit=options.limit))
    if not texts:
        raise SystemExit(f"bench.language: no labelled texts under {options.data}; give --data")
    report = {
        "lid.176": measure(texts, bare(), lambda _: bare()),
        "bellwether": measure(texts, ours(), ours),
    }
    if options.json:
        print(json.dumps(report, ensure_ascii=False, indent=1))
    else:
        _print(report)


if __name__ == "__main__":
    main()
