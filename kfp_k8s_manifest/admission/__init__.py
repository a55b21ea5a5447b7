"""Admission: the verdict on one AdmissionReview (pure), and the HTTPS server around it.

`review` holds the rules' way into the cluster: one function from document to document, without
transport, clock or network. `server` and the modules that it uses are its shell, and need the
extra `webhook`.
"""
