"""The paper: one contrastive model over modalities (docs/method.md)."""
