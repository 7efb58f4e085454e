"""The pages: report.html of a run, and those of rescore, predict and calibrate.

Each section of the report is a module with `_x_info(run)` returning plain data, `_draw_x(info)`
turning that data into a figure, and `x_section(run)` giving both to a template. `loading` reads
the run directory, `page` holds what the sections share, `templates` all HTML, style and script.
"""
