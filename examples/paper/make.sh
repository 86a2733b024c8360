#!/bin/sh
# Tables and figures of a paper from stored outcomes: make.sh STORE FOLDER
# FOLDER then holds .tex, .pdf and .svg files, and paper.tex, which includes what there is. Run it again after each evaluation.
set -eu
store=$1
folder=$2
here=$(dirname "$0")
mkdir -p "$folder"

# A table for one column, models down the side; it is divided where it does not fit.
robust-eval leaderboard build "$store" --columns attacks --width column --out "$folder/attacks.tex"
# The same numbers as the table* of a two-column paper, with a column for every model, and for a spreadsheet.
robust-eval leaderboard build "$store" --columns default --width two-columns --transpose \
    --out "$folder/overview.tex" --out "$folder/overview.csv"
# Every figure for which there are numbers, as PDF for the paper and as SVG for slides.
robust-eval figures "$store" --out "$folder" --width column --format pdf --format svg

# What the paper includes: \figures lists the figures by the names of their files.
for picture in "$folder"/*.pdf; do
    name=$(basename "$picture" .pdf)
    [ "$name" = paper ] || printf '\\onefigure{%s}\n' "$name"
done > "$folder/figures.tex"
cp "$here/paper.tex" "$folder/paper.tex"
