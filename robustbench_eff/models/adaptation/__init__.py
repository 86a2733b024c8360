"""Test-time adaptation: networks that change with the images they see."""
