"""Sections of report.html.

Each section is a module with `_x_info(run)` returning plain data, `_draw_x(info)` turning that
data into a figure or HTML, and `x_section(run)` joining both. `loading` reads the run directory,
`page` holds what the sections share, `templates` all HTML, styles and script of the pages.
"""
