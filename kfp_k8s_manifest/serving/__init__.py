"""The parts of a TLS server that know nothing of what is served."""
