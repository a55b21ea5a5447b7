"""What KFP's webhooks say: the mutating one, the validating one, updates."""
