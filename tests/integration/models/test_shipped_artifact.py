"""What the shipped model answers, through ONNX Runtime alone."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models.adaptation.replay import REPLAY_FILE, load_replay
from models.artifact import Artifact
from models.data import SENTIMENT_LABELS
from models.export.writing import MAX_BYTES
from models.inference import Encoder
from models.topics import TOPIC_LABELS

#: (language, negative, positive): plain statements, finance and daily life.
PAIRS = [
    ("en", "The bank's shares plunge after a fraud scandal", "Quarterly profit jumps and the company raises its dividend"),
    ("de", "Gewinneinbruch bei Siemens: Aktie fällt um zehn Prozent", "Das ist ein wunderbares Produkt, ich bin begeistert"),
    ("fr", "Les actions s'effondrent après le scandale", "Une excellente nouvelle, je suis ravi du résultat"),
    ("es", "El banco quiebra y los clientes pierden sus ahorros", "Me encanta este servicio, todo perfecto"),
    ("pt", "A empresa demite milhares após prejuízo recorde", "Adorei o atendimento, produto excelente"),
    ("ru", "Банк обанкротился, вкладчики потеряли деньги", "Отличные новости: прибыль компании выросла вдвое"),
    ("zh", "银行陷入危机，股价暴跌", "公司业绩大幅增长，创历史新高"),
    ("ja", "倒産の危機、業績が大幅に悪化した", "素晴らしい商品で大満足です"),
    ("ko", "은행 주가 폭락, 고객들 분노", "정말 훌륭한 영화였다"),
    ("ar", "انهيار أسهم البنك بعد فضيحة احتيال", "خدمة رائعة وأنا سعيد جدا"),
    ("hi", "बैंक घोटाले में फंसा, शेयर गिरे", "यह बहुत अच्छा है, मैं खुश हूँ"),
    ("id", "Saham bank anjlok setelah skandal korupsi", "Laba perusahaan naik tajam, investor senang"),
    ("tr", "Bankanın hisseleri çöktü, müşteriler öfkeli", "Harika bir ürün, çok memnunum"),
]

NEUTRAL = ["The annual meeting will take place on Tuesday in Hamburg", "Parliament debates the election law on Monday"]

TOPICS = [
    ("sport", "The team wins the championship after extra time"),
    ("sport", "Сборная выиграла матч чемпионата мира по футболу"),
    ("health", "New vaccine protects children against malaria"),
    ("politics and government", "Der Bundestag stimmt über das neue Wahlgesetz ab"),
    ("science and technology", "Scientists discover water on a distant planet"),
    ("economy, business and finance", "中央银行宣布加息，股市下跌"),
    ("economy, business and finance", "El banco central subió los tipos de interés"),
    ("crime, law and justice", "Police arrest two men after a robbery in the city"),
    ("lifestyle and leisure", "The ten most beautiful beaches to visit this summer on your holiday"),
]


def labels(encoder: Encoder, texts: list[str]) -> list[str]:
    return [SENTIMENT_LABELS[int(index)] for index in encoder.score(texts).sentiment.argmax(1)]


@pytest.mark.parametrize(("lang", "bad", "good"), PAIRS, ids=[pair[0] for pair in PAIRS])
def test_plain_statements_are_told_apart(encoder: Encoder, lang: str, bad: str, good: str) -> None:
    assert labels(encoder, [bad, good]) == ["negative", "positive"], lang


def test_plain_announcements_are_neutral(encoder: Encoder) -> None:
    assert labels(encoder, NEUTRAL) == ["neutral", "neutral"]


def test_plain_topics_are_found(encoder: Encoder) -> None:
    """All but one at once, and that one second: beaches in summer are nearly as much sport as leisure to the model."""
    ranked = encoder.score([text for _, text in TOPICS]).topic.argsort(axis=1)[:, ::-1]
    places = [[TOPIC_LABELS[index] for index in row].index(topic) for row, (topic, _) in zip(ranked, TOPICS, strict=True)]
    assert sum(places) <= 1, dict(zip((text for _, text in TOPICS), places, strict=True))


def test_outputs_are_distributions_and_unit_vectors(encoder: Encoder, artifact: Artifact) -> None:
    texts = [text for _, bad, good in PAIRS for text in (bad, good)]
    scores = encoder.score([*texts, "", " ", "x", "\u0000", "好" * 5_000])
    assert scores.sentiment.shape == (len(texts) + 5, len(artifact.sentiment_labels))
    assert scores.topic.shape == (len(texts) + 5, len(artifact.topic_labels))
    assert scores.embedding.shape == (len(texts) + 5, 384)
    for values in scores:
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
    assert scores.sentiment.sum(1) == pytest.approx(1.0, abs=1e-5)
    assert scores.topic.sum(1) == pytest.approx(1.0, abs=1e-5)
    assert np.linalg.norm(scores.embedding, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_translations_are_nearer_than_strangers(encoder: Encoder) -> None:
    same = encoder.score(
        ["The central bank raised interest rates.", "央行提高了利率。", "El banco central subió los tipos de interés."]
    ).embedding
    other = encoder.score(["My cat sleeps on the warm sofa all day."]).embedding[0]
    assert min(same[0] @ same[1], same[0] @ same[2]) > max(same @ other)


def test_neighbours_and_padding_do_not_change_a_score(encoder: Encoder) -> None:
    """Padded batches in any company give what a text gets alone, to float32 rounding."""
    texts = [text for _, bad, good in PAIRS for text in (bad, good)]
    tokens = encoder.tokenize(texts)
    longest = max(map(len, tokens))
    ids, mask = np.ones((len(tokens), longest + 7), np.int64), np.zeros((len(tokens), longest + 7), np.int64)
    for row, one in enumerate(tokens):
        ids[row, : len(one)], mask[row, : len(one)] = one, 1
    names = ["sentiment", "topic", "embedding"]
    together = encoder.session.run(names, {"input_ids": ids, "attention_mask": mask})
    for row, one in enumerate(tokens):
        alone = encoder.session.run(names, {"input_ids": np.array([one], np.int64), "attention_mask": np.ones((1, len(one)), np.int64)})
        for wide, narrow in zip(together, alone, strict=True):
            assert wide[row] == pytest.approx(narrow[0], abs=1e-5)


def test_the_folder_is_small_whole_and_described(artifact: Artifact) -> None:
    artifact.verify()
    assert sum(file.stat().st_size for file in artifact.root.iterdir()) < MAX_BYTES
    assert artifact.sentiment_labels == SENTIMENT_LABELS
    assert artifact.topic_labels == TOPIC_LABELS
    assert artifact.model_id.endswith(artifact.sha256["model.onnx"][:8])
    assert {"en", "zh", "ja", "ko", "ar", "hi", "ru", "de", "fr", "es", "pt", "id", "tr", "vi"} <= set(artifact.languages)


def test_recorded_figures_belong_to_this_model_and_beat_the_floor(artifact: Artifact) -> None:
    report = json.loads((artifact.root / "evaluation.json").read_text(encoding="utf-8"))
    assert report["model_id"] == artifact.model_id
    floors = {
        "umsab_macro_f1_mean_over_languages": 63,
        "sib200_accuracy_mean_of_eleven": 82,
        "twitter_financial_news_accuracy": 83,
        "finfe_zh_accuracy": 69,
        "economy_watchers_ja_macro_f1": 74,
        "masakhanews_weighted_f1": 80,
    }
    for name, floor in floors.items():
        assert report["headline"][name] > floor, name
    assert report["headline"]["sentiment_ece_all_rows"] < 0.06
    training = json.loads((artifact.root / "training.json").read_text(encoding="utf-8"))
    for head in training["heads"].values():
        # A temperature is fitted on the likelihood: on a head that is calibrated already the error may move by a hair either way.
        assert head["ece_after"] <= head["ece_before"] + 0.01
        assert head["ece_after"] < 0.05


def test_the_replay_file_is_of_this_model(artifact: Artifact) -> None:
    load_replay(artifact.root / REPLAY_FILE).belongs_to(artifact)
