"""A static web page of a repository of pipelines.

`facts` says what a version consists of, `site` makes the files, and `page.html`, `page.css` and
`page.js` are what a browser sees. No server is needed: data come as scripts, which a browser loads
from a folder as well, one for each pipeline and one for each version, when somebody looks at it.
"""
