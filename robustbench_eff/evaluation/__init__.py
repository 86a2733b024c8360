"""From models and settings to stored outcomes.

The files in the order of a run: `settings`, `evaluate`, `preflight` (with `open_images`), `resolve_cells`,
`requested_images`, `device_runtime` (with `model_cache`, `query_interface` and `batch_sizes`), `plan`,
`engines/dispatch`, `worker` (with `prefetch`), `referee`, `gallery`, and `engines/store_writer`. `cost_estimate` is
`robust-eval plan`.
"""
