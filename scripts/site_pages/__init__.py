"""What the reference pages of the site are made of: text from the code, and pictures that the code draws."""
