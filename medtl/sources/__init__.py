"""Pretrained models: their cards (no torch), their networks (torch), where their weights come from."""
