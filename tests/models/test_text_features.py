"""The zero-shot head: equal to the plain computation, with fewer tokens, once for all processes, verified when read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from robustbench_eff.core import progress
from robustbench_eff.core.errors import RobustEvalWarning
from robustbench_eff.models.sources import text_features
from robustbench_eff.models.sources.text_features import class_features, encoded

open_clip = pytest.importorskip("open_clip")
VISION = {"layers": 1, "width": 16, "head_width": 8, "patch_size": 8, "image_size": 16}
TEXT = {"context_length": 24, "vocab_size": 100, "width": 16, "heads": 2, "layers": 2}
NAMES = ["cat", "small dog", "a very long name of an animal that lives far away", "owl"]
TEMPLATES = ["a photo of a {}.", "{}", "the {} in the picture that somebody took", "art of {}"]


def tokenize(texts: Sequence[str]) -> Tensor:
    """A tokenizer of words: begin 98, words below 90, end 99, and zeros."""
    rows = torch.zeros(len(texts), TEXT["context_length"], dtype=torch.long)
    for row, text in zip(rows, texts, strict=True):
        words = [98, *(sum(map(ord, word)) % 89 + 1 for word in text.split()), 99]
        row[: len(words)] = torch.tensor(words)
    return rows


def network(**text: object) -> nn.Module:
    torch.manual_seed(0)
    kind = open_clip.CustomTextCLIP if text.pop("custom", False) else open_clip.CLIP
    return kind(embed_dim=8, vision_cfg=dict(VISION), text_cfg=TEXT | text).eval()


def counted(model: nn.Module) -> list[int]:
    """A list that grows by the number of tokens of each batch through the text tower."""
    tower = getattr(model, "text", model)
    counts: list[int] = []
    tower.token_embedding.register_forward_hook(lambda module, inputs, output: counts.append(inputs[0].numel()))
    return counts


def plain(model: nn.Module) -> Tensor:
    """The features as the paper describes them, every prompt with all of the context."""
    with torch.no_grad():
        rows = []
        for name in NAMES:
            texts = [template.replace("{}", name) for template in TEMPLATES]
            rows.append(functional.normalize(model.encode_text(tokenize(texts)), dim=-1).mean(0))  # type: ignore[operator]
        return functional.normalize(torch.stack(rows), dim=-1)


CAUSAL = [{}, {"custom": True}, {"custom": True, "pool_type": "eos", "eos_id": 99}]
WHOLE = [
    {"custom": True, "no_causal_mask": True, "pool_type": "last"},
    {"custom": True, "no_causal_mask": True},
    {"custom": True, "pool_type": "last"},
]


@pytest.mark.parametrize("batch", [3, 256])
@pytest.mark.parametrize("text", CAUSAL + WHOLE)
def test_the_head_is_the_plain_one(text: dict[str, object], batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_features, "TEXTS_PER_BATCH", batch)
    model = network(**text)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    assert torch.allclose(encoded(model, tokenize, NAMES, TEMPLATES), plain(model), atol=1e-6, rtol=0)
    after = model.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_only_causal_towers_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_features, "TEXTS_PER_BATCH", 4)
    whole = len(NAMES) * len(TEMPLATES) * TEXT["context_length"]
    lengths = sorted((tokenize([t.replace("{}", n) for n in NAMES for t in TEMPLATES]) > 0).sum(1).tolist())
    for text in CAUSAL:
        counts = counted(model := network(**text))
        encoded(model, tokenize, NAMES, TEMPLATES)
        assert sum(counts) == 4 * sum(lengths[3::4]) < whole / 2
    for text in WHOLE:
        counts = counted(model := network(**text))
        encoded(model, tokenize, NAMES, TEMPLATES)
        assert sum(counts) == whole


def test_a_head_is_kept_by_weights_prompts_and_tokenizer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBUST_EVAL_CACHE", str(tmp_path))
    counts = counted(model := network())
    steps: list[tuple[str, int, int]] = []
    with progress.reported_to(lambda *step: steps.append(step)):
        first = class_features(model, tokenize, NAMES, TEMPLATES)
    assert steps[-1][1:] == (16, 16)
    asked = len(counts)
    assert torch.equal(class_features(model, tokenize, NAMES, TEMPLATES), first)
    assert len(counts) == asked, "from the cache"
    class_features(model, lambda texts: tokenize(texts).where(tokenize(texts) != 5, 6), NAMES, TEMPLATES)
    class_features(model, lambda texts: tokenize([text.upper() for text in texts]), NAMES, TEMPLATES)
    class_features(model, tokenize, NAMES[::-1], TEMPLATES)
    with torch.no_grad():
        model.text_projection.add_(1)  # type: ignore[operator,union-attr]
    class_features(model, tokenize, NAMES, TEMPLATES)
    assert len(list(tmp_path.glob("zero_shot/*.features"))) >= 4


def test_a_damaged_head_is_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBUST_EVAL_CACHE", str(tmp_path))
    model = network()
    first = class_features(model, tokenize, NAMES, TEMPLATES)
    path = next(tmp_path.glob("zero_shot/*.features"))
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(content)
    with pytest.warns(RobustEvalWarning, match="damaged; it is computed again"):
        assert torch.equal(class_features(model, tokenize, NAMES, TEMPLATES), first)
