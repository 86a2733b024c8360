"""Outcomes: one row per sample of a cell, from which every score is computed."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def _column(name: str, kind: pa.DataType, meaning: str) -> pa.Field:
    return pa.field(name, kind, nullable=False, metadata={"meaning": meaning})


SCHEMA = pa.schema(
    [
        _column("index", pa.int64(), "position of the sample in its benchmark"),
        _column("sample_id", pa.string(), "stable name of the sample; keys its random draws"),
        _column("label", pa.int32(), "true class; of a cue-conflict image that of its shape"),
        _column("texture", pa.int32(), "class of the texture of a cue-conflict image; -1 for any other"),
        _column("clean_prediction", pa.int32(), "class predicted on the clean image; -1 if unknown"),
        _column(
            "prediction", pa.int32(), "class the referee predicts on the perturbed image, of votes the most frequent"
        ),
        _column("correct", pa.bool_(), "right on the perturbed image, in most votes; attacked also on the clean one"),
        _column("correct_8bit", pa.bool_(), "the same after rounding the perturbed image to 8 bits"),
        _column("confidence", pa.float32(), "softmax probability of the true class on the perturbed image"),
        _column("prediction_confidence", pa.float32(), "the same of the class that was predicted"),
        _column("margin", pa.float32(), "logit of the true class minus the best other one"),
        _column("distance_linf", pa.float32(), "largest change of a channel value, in [0, 1]; NaN if unknown"),
        _column("distance_l2", pa.float32(), "Euclidean length of the change"),
        _column("distance_l1", pa.float32(), "sum of the changes of all channel values"),
        _column("distance_l0", pa.int32(), "number of pixels (all channels together) that changed; -1 if unknown"),
        _column("excess", pa.float32(), "how far the proposed image lay outside the threat model; 0 inside"),
        _column("num_forwards", pa.int32(), "forward passes the attack spent on this sample; -1 if unknown"),
        _column("num_backwards", pa.int32(), "backward passes the attack spent on this sample; -1 if unknown"),
        _column("zero_gradients", pa.int32(), "how many of the gradients were zero everywhere"),
        _column("false_positives", pa.int32(), "successes of a faster twin that the float32 network did not confirm"),
        _column("won_by", pa.string(), "which part of an ensemble beat the sample, or empty"),
        _column("note", pa.string(), "what the attack did otherwise than its name says, or empty"),
        _column(
            "ranking",
            pa.list_(pa.int32()),
            "of a sequence, the five best classes of every frame, one frame after the other; else empty",
        ),
        _column("flag", pa.string(), "what the referee found wrong with the proposed image, or empty"),
        _column("votes", pa.list_(pa.bool_()), "of several evaluations, whether each was correct; else empty"),
        _column("radius", pa.float32(), "certified L2 radius around the image, 0 if abstained; -1 if not certified"),
    ],
    metadata={"format": "robustbench_eff outcomes 7"},
)

ADDED_IN_FORMAT_6 = ("votes", "radius")
"""Columns that shards of older stores lack; they are read as empty lists and -1."""

IDENTIFYING = ("sample_id", "label", "clean_prediction", "prediction", "correct", "correct_8bit")
"""Columns whose values do not depend on how the hardware rounds."""


def digest(outcomes: pa.Table) -> str:
    """Return a hash of the outcomes of all samples, in the columns that do not depend on rounding.

    Args:
        outcomes: Outcomes in the order of the benchmark.
    """
    content = hashlib.blake2b(digest_size=16)
    for name in IDENTIFYING:
        content.update("\n".join(map(str, outcomes[name].to_pylist())).encode())
        content.update(b"\0")
    return content.hexdigest()


def as_numpy(column: pa.ChunkedArray | pa.Array) -> npt.NDArray[Any]:
    """Return a column as an array. pyarrow's own conversion imports pandas, which takes a second.

    Args:
        column: Numbers or booleans without nulls.
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_boolean(array.type):
        return np.from_dlpack(array.cast(pa.uint8())).astype(bool)
    return np.from_dlpack(array)


def right_shares(outcomes: pa.Table) -> npt.NDArray[np.float64]:
    """Return the fraction of each sample's votes that are right, shape (n,); without votes 1 if it is correct, else 0.

    Args:
        outcomes: Outcomes of one cell with the column `correct`, and `votes` where samples were judged several times.
    """
    if "votes" in outcomes.column_names:
        votes = as_numpy(outcomes["votes"].combine_chunks().flatten())
        if len(votes):
            shares: npt.NDArray[np.float64] = votes.reshape(outcomes.num_rows, -1).mean(axis=1)
            return shares
    return as_numpy(outcomes["correct"]).astype(np.float64)


def concatenate(tables: list[pa.Table], columns: list[str]) -> tuple[pa.Table, list[int]]:
    """Return the rows of all tables in the order of the benchmark, the first row of each sample.

    Args:
        tables: Outcomes, each in the order of the benchmark.
        columns: Columns to return, with `index` among them.

    Returns:
        The rows, and the indices of samples whose outcomes differ between tables.
    """
    schema = pa.schema([SCHEMA.field(name) for name in columns], SCHEMA.metadata)
    if not tables:
        return schema.empty_table(), []
    if len(tables) == 1:  # a shard is written in that order
        return tables[0].cast(schema), []
    rows = pa.concat_tables([table.cast(schema) for table in tables]).sort_by("index")
    repeated = np.diff(as_numpy(rows["index"]), prepend=-1) == 0
    if not repeated.any():
        return rows, []
    return rows.filter(pa.array(~repeated)), _contradicted(rows, np.flatnonzero(repeated))


def _contradicted(rows: pa.Table, repeated: npt.NDArray[np.int64]) -> list[int]:
    """The indices of samples of which a repeated row differs from the one before, apart from rounding."""
    compared = rows.select([name for name in ("index", *IDENTIFYING) if name in rows.column_names])
    here, before = (compared.take(pa.array(positions)).to_pylist() for positions in (repeated, repeated - 1))
    return sorted({row["index"] for row, other in zip(here, before, strict=True) if row != other})
