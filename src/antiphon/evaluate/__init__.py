"""Rankings turned into numbers: metrics, protocols, baselines and the tests that say which differences are real."""
