"""Trials of people."""

from __future__ import annotations

from fuzzing import text_file
from strange_texts import read

_SAMPLES = [
    b"subj,session,trial,rt,object_response,category,condition,imagename\n"
    b"subject-01,1,1,0.5,cat,cat,0,cat4-truck3.png\nsubject-01,1,2,NaN,dog,dog,0,dog1-bird2.png\n",
]

KIND = text_file("trials.csv", _SAMPLES, read)
