"""Tokens that go through the text tower for the zero-shot head of `clip_rn50` on ImageNet: all positions, and cut.

Run: .venv/bin/python speed/zero_shot.py. Needs open_clip, and no weights: the tokens do not depend on them.
"""

from __future__ import annotations

import open_clip
import torch

from robustbench_eff.models.sources import text_features


class CountingTower(torch.nn.Module):
    """A text tower as far as `text_features` looks at it, which counts the tokens it is given."""

    def __init__(self, positions: int) -> None:
        super().__init__()
        self.positional_embedding = torch.nn.Parameter(torch.zeros(positions, 1))
        self.attn_mask = torch.full((positions, positions), float("-inf")).triu(1)
        self.text_pool_type = "argmax"
        self.tokens = 0

    def encode_text(self, tokens: torch.Tensor) -> torch.Tensor:
        """Count."""
        self.tokens += tokens.numel()
        return torch.ones(len(tokens), 1)


def main() -> None:
    """Print both counts and their ratio."""
    tokenizer = open_clip.get_tokenizer("RN50-quickgelu")
    names = list(open_clip.IMAGENET_CLASSNAMES)
    templates = [template("{}") for template in open_clip.OPENAI_IMAGENET_TEMPLATES]
    tower = CountingTower(tokenizer.context_length)
    text_features.encoded(tower, tokenizer, names, templates)
    whole = len(names) * len(templates) * tokenizer.context_length
    print(f"all positions: {whole:,} tokens; cut: {tower.tokens:,} tokens; {whole / tower.tokens:.2f} times fewer")


if __name__ == "__main__":
    main()
