"""From a KFP server to manifests and back: export, verify, apply, ids, import."""
