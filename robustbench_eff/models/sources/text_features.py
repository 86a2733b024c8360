"""Class features of a zero-shot head: prompts through the text tower of a CLIP network, kept in the cache.

A prompt fills only a few of the tower's 77 positions. Where attention is causal and the feature is read at the end of
the text, what follows cannot change it: prompts of similar length go through the tower together, cut to the longest.
"""

from __future__ import annotations

import hashlib
import io
import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from robustbench_eff.core import progress
from robustbench_eff.core.disk import OTHER_CACHE, atomic_write, cache_folder, store_errors
from robustbench_eff.core.errors import RobustEvalWarning, StoreError
from robustbench_eff.core.outside_files import read_bytes
from robustbench_eff.system.locks import alone

TEXTS_PER_BATCH = 256
TEXTS_PER_STEP = 8192
"""Prompts that the tokenizer gets at a time."""
MAX_FEATURES_BYTES = 2**30
"""Largest file of class features that is read, in bytes."""


def class_features(model: nn.Module, tokenizer: Any, names: Sequence[str], templates: Sequence[str]) -> Tensor:
    """Return one unit vector per class (K, D): the normalized mean of the normalized features of its prompts.

    They are computed once for the same text tower, tokens, names and templates, by one process while others wait.

    Args:
        model: Network of open_clip in eval mode.
        tokenizer: Its tokenizer.
        names: Name of each class.
        templates: Texts with `{}` in place of the name.
    """
    path = cache_folder() / "zero_shot" / f"{_key(model, tokenizer, names, templates)}.features"
    if (cached := _stored(path)) is not None:
        return cached
    with store_errors(path.parent, OTHER_CACHE), alone(path.with_suffix(".lock"), "encodes the same prompts"):
        if (cached := _stored(path)) is not None:
            return cached
        features = encoded(model, tokenizer, names, templates)
        buffer = io.BytesIO()
        torch.save(features, buffer)
        atomic_write(path, hashlib.blake2b(buffer.getvalue()).digest() + buffer.getvalue())
    return features


def encoded(model: nn.Module, tokenizer: Any, names: Sequence[str], templates: Sequence[str]) -> Tensor:
    """Return the class features, computed anew.

    Args:
        model: Network of open_clip in eval mode.
        tokenizer: Its tokenizer.
        names: Name of each class.
        templates: Texts with `{}` in place of the name.
    """
    texts = [template.replace("{}", name) for name in names for template in templates]
    tokens = torch.cat(
        [tokenizer(texts[start : start + TEXTS_PER_STEP]) for start in range(0, len(texts), TEXTS_PER_STEP)]
    )
    lengths = _lengths(model, tokens)
    order = torch.argsort(lengths, stable=True)
    sums: Tensor | None = None
    for start in range(0, len(order), TEXTS_PER_BATCH):
        chosen = order[start : start + TEXTS_PER_BATCH]
        length = int(lengths[chosen].max())
        with torch.no_grad(), _context_cut_to(model, length):
            features = model.encode_text(tokens[chosen, :length])  # type: ignore[operator]
        features = functional.normalize(features, dim=-1)
        if sums is None:
            sums = torch.zeros(len(names), features.shape[1], dtype=features.dtype)
        sums.index_add_(0, chosen // len(templates), features)
        progress.report("encoding the prompts of the classes", start + len(chosen), len(order))
    assert sums is not None
    return functional.normalize(sums, dim=-1)


def _lengths(model: nn.Module, tokens: Tensor) -> Tensor:
    """Number of tokens of each text that its feature depends on: all, unless attention is causal."""
    tower = _tower(model)
    pool = getattr(tower, "text_pool_type", None) or getattr(tower, "pool_type", None)
    mask = getattr(tower, "attn_mask", None)
    appends = getattr(tower, "cls_emb", None) is not None or getattr(tower, "use_pad_mask", False)
    is_causal = mask is not None and mask.ndim == 2 and bool(torch.isinf(mask.triu(1)[0, 1:]).all())
    if not is_causal or appends or pool not in ("argmax", "eos") or not hasattr(tower, "positional_embedding"):
        return torch.full((len(tokens),), tokens.shape[1])
    if pool == "argmax":
        return tokens.argmax(-1) + 1
    end = getattr(tower, "text_eos_id", None) or getattr(tower, "eos_id", None)
    found = torch.eq(tokens, torch.as_tensor(end))
    return torch.where(found.any(-1), found.int().argmax(-1) + 1, tokens.shape[1])


@contextmanager
def _context_cut_to(model: nn.Module, length: int) -> Iterator[None]:
    """Let the text tower take texts of that many tokens; all of its tokens leave it as it is."""
    tower: Any = _tower(model)
    positions = getattr(tower, "positional_embedding", None)
    if positions is None or length >= len(positions):
        yield
        return
    mask = tower.attn_mask
    tower.positional_embedding = nn.Parameter(positions.detach()[:length], requires_grad=False)
    tower.attn_mask = mask[:length, :length]
    try:
        yield
    finally:
        tower.positional_embedding, tower.attn_mask = positions, mask


def _tower(model: nn.Module) -> nn.Module:
    text = getattr(model, "text", None)
    return text if isinstance(text, nn.Module) else model


def _key(model: nn.Module, tokenizer: Any, names: Sequence[str], templates: Sequence[str]) -> str:
    """Hash of all that decides the features; the tokenizer is known by its tokens for each name and each template."""
    digest = hashlib.blake2b(json.dumps([*names, "", *templates]).encode(), digest_size=16)
    sample = [templates[0].replace("{}", name) for name in names]
    sample += [template.replace("{}", names[0]) for template in templates]
    digest.update(tokenizer(sample).numpy().data)
    for key, value in sorted(model.state_dict().items()):
        if not key.startswith("visual."):
            digest.update(key.encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _stored(path: Path) -> Tensor | None:
    """The features of a file that begins with their hash; None where there is none, or a damaged one, which is said."""
    if not path.is_file():
        return None
    content = read_bytes(path, StoreError, limit=MAX_FEATURES_BYTES)
    stored = content[hashlib.blake2b().digest_size :]
    if not content.startswith(hashlib.blake2b(stored).digest()):
        warnings.warn(f"{path} of the cache is damaged; it is computed again.", RobustEvalWarning, 2)
        return None
    features: Tensor = torch.load(io.BytesIO(stored), weights_only=True)
    return features
