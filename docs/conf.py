"""How the documentation is built."""

import sys
from pathlib import Path

import trtc_records
from trtc_records import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

# Sphinx looks for docstrings and order of attributes in the module that a class names as its own. Public classes
# name the package, so here they get their own modules back.
for module in [module for name, module in sys.modules.items() if name.startswith("trtc_records.")]:
    for name in getattr(module, "__all__", ()):
        if name != "__version__" and getattr(trtc_records, name, None) is getattr(module, name):
            getattr(module, name).__module__ = module.__name__

project = "trtc-records"
author = "trtc-records contributors"
copyright = f"2026, {author}"
release = version = __version__

extensions = ["myst_parser", "project_tables", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build", "_ext", "examples"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
python_maximum_signature_line_length = 88

copybutton_exclude = ".linenos, .gp, .go"  # neither prompts nor output
pygments_dark_style = "github-dark"  # Furo's own underlines the names of modules, as if they were links

html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_copy_source = False
html_show_sphinx = False
