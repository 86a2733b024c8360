"""The main job: names become objects, objects become cells, cells become scores."""
