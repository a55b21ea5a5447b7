"""Admission: the verdict on one AdmissionReview (pure), and the web application around it.

`review` holds the rules' way into the cluster: one function from document to document, without
transport, clock or network. `app` and `lookup` are its shell, served by `serving`; they need the extra
`webhook`.
"""
