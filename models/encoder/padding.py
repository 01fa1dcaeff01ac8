"""Token ids in few shapes, for graphs that run on a GPU: texts of like length together, padded to a multiple and masked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from tokenizers import Tokenizer

from models.artifact import REINSTALL, Artifact
from models.errors import ModelError
from models.inference import CHARACTERS_PER_TOKEN, Batch

__all__ = ["PaddedTokenizer"]

PAD = "<pad>"


class PaddedTokenizer:
    """Tokenises as :class:`models.inference.Runner` does; in place of its batches of equal length come padded ones.

    Args:
        artifact: whose ``tokenizer.json`` is read.
        multiple: lengths of batches are multiples of it.
        rows: texts of a batch at most.

    Raises:
        ModelError: the tokenizer has no padding token.
    """

    def __init__(self, artifact: Artifact, *, multiple: int = 16, rows: int = 256) -> None:
        self.multiple, self.rows, self.prefix = multiple, rows, artifact.prefix
        self._characters = artifact.max_length * CHARACTERS_PER_TOKEN
        self._tokenizer = Tokenizer.from_file(str(artifact.tokenizer_path))
        self._tokenizer.enable_truncation(artifact.max_length)
        self._tokenizer.no_padding()
        pad = self._tokenizer.token_to_id(PAD)
        if pad is None:
            raise ModelError(f"{artifact.tokenizer_path} has no token {PAD}", mend=REINSTALL)
        self._pad = int(pad)

    def batches(self, texts: Sequence[str]) -> Iterator[Batch]:
        """Every text once, the shortest first. ``attention_mask`` is 1 for a text's own tokens."""
        encoded = self._tokenizer.encode_batch_fast([self.prefix + text[: self._characters] for text in texts])
        tokens = [encoding.ids for encoding in encoded]
        of_length: dict[int, list[int]] = {}
        for row, ids in enumerate(tokens):
            of_length.setdefault(-(-len(ids) // self.multiple) * self.multiple, []).append(row)
        for length, members in sorted(of_length.items()):
            for start in range(0, len(members), self.rows):
                part = members[start : start + self.rows]
                input_ids = np.full((len(part), length), self._pad, np.int64)
                mask = np.zeros_like(input_ids)
                for line, row in enumerate(part):
                    input_ids[line, : len(tokens[row])] = tokens[row]
                    mask[line, : len(tokens[row])] = 1
                yield Batch(np.array(part, np.int64), input_ids, mask)
