"""The stages of a build, one file each; `run/build.py` puts them in order."""
