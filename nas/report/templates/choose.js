"use strict";
// Limits, sorting and one selection for the whole page; does nothing where there is no table.
window.ready.then(() => {
  const table = document.getElementById("choose");
  const pareto = document.getElementById("plot-pareto");
  const parallel = document.getElementById("plot-parallel");
  if (!table) return;
  const rows = new Map();
  for (const row of JSON.parse(document.getElementById("rows").textContent)) rows.set(row.number, row);
  const body = table.tBodies[0];
  const sliders = [...document.querySelectorAll("input[data-limit]")];
  let brushed = null; // candidate numbers that the parallel axes keep

  function limits() {
    const found = {};
    for (const slider of sliders) {
      if (slider.value !== slider.max) {
        found[slider.dataset.limit] = Number(slider.dataset.stops.split(" ")[slider.value]);
      }
    }
    return found;
  }

  const fits = (row, found) => Object.entries(found).every(([key, most]) => row[key] <= most + 1e-9);

  function apply() {
    const found = limits();
    for (const slider of sliders) {
      const value = Number(slider.dataset.stops.split(" ")[slider.value]);
      const words = `${value.toFixed(slider.dataset.decimals)} ${slider.dataset.unit}`;
      slider.previousElementSibling.textContent = words;
      slider.setAttribute("aria-valuetext", words);
    }
    const kept = [...rows.values()].filter((row) => fits(row, found));
    for (const row of body.rows) row.hidden = !kept.includes(rows.get(Number(row.dataset.number)));
    for (const row of document.querySelectorAll(".command[data-number]")) {
      row.hidden = !kept.includes(rows.get(Number(row.dataset.number)));
    }
    const words = document.getElementById("fits");
    if (words) words.textContent = sentence(kept);
    mark(found);
  }

  function sentence(kept) {
    if (!kept.length) return "No finalist keeps these limits.";
    const best = (key) => kept.reduce((a, b) => (b[key] < a[key] ? b : a));
    const error = best("search_mae_bpm"), small = best("flash_bytes"), fast = best("latency_ms");
    const worst = kept.reduce((a, b) => (b.worst_bpm > a.worst_bpm ? b : a));
    return `${kept.length} of ${rows.size} finalists keep these limits. Lowest error on search people: ` +
      `finalist ${error.number} (${error.mae_bpm.toFixed(2)} BPM on report people). Smallest: finalist ` +
      `${small.number} (${small.flash_bytes.toFixed(1)} KB). Fastest: finalist ${fast.number} ` +
      `(${fast.latency_ms.toFixed(2)} ms). Worst person of all: ${worst.worst_bpm.toFixed(2)} BPM, ` +
      `under finalist ${worst.number}.`;
  }

  const columns = {
    mae: 1, mae_bpm: 1, latency_ms: 2, flash_bytes: 3, sram_bytes: 4, energy_mj: 5, power_mw: 6, weight_bytes: 7,
  };
  // What is written as packed numbers is unpacked where Plotly keeps what it draws.
  const traces = (plot) => plot._fullData;
  const column = (trace, key) => Array.from(trace.customdata, (row) => row[columns[key]]);
  const chosen = (group) => document.querySelector(`select[data-group=${group}]`)?.value;
  const title = (group) => {
    return document.querySelector(`select[data-group=${group}]`).selectedOptions[0].textContent;
  };

  // Another axis than the error, and a third figure as colour: all of it lies in the points.
  function axes() {
    if (!pareto?.data) return;
    const up = chosen("against"), colour = chosen("colour");
    if (up !== "mae") {
      const shown = (trace) => ["candidates", "finalists"].includes(trace.meta);
      Plotly.update(pareto, {
        y: traces(pareto).map((trace) => (shown(trace) ? column(trace, up) : trace.y)),
        visible: traces(pareto).map(shown),
      }, {
        "yaxis.title.text": title("against"), "yaxis.autorange": true,
        annotations: pareto.layout.annotations.filter((note) => note.text !== "knee"),
      });
    }
    if (colour) {
      const drawn = traces(pareto);
      const places = [...drawn.keys()].filter((place) => drawn[place].meta === "candidates");
      const values = places.map((place) => column(drawn[place], colour));
      const all = values.flat().filter(Number.isFinite);
      Plotly.restyle(pareto, {
        "marker.color": values, "marker.colorscale": "Viridis", "marker.opacity": 1,
        "marker.cmin": Math.min(...all), "marker.cmax": Math.max(...all),
        "marker.showscale": places.map((_, at) => at === 0),
        "marker.colorbar.title.text": title("colour"),
      }, places);
    }
  }

  const within = (row, found) => {
    return Object.entries(found).every(([key, most]) => !(row[columns[key]] > most + 1e-6)) &&
      (brushed === null || brushed.has(row[0]));
  };

  // Three figures as axes: candidates outside the limits or the brushed axes are left out.
  function space(found) {
    window.redraw("cost");
    axes();
    const groups = ["cost", "against", "depth"];
    const data = traces(pareto).filter((trace) => ["candidates", "finalists"].includes(trace.meta)).map((trace) => {
      const { name, meta, text, hovertemplate, marker } = trace, final = meta === "finalists";
      const places = [...trace.customdata.keys()].filter((at) => final || within(trace.customdata[at], found));
      const rows = places.map((at) => Array.from(trace.customdata[at]));
      const { color, colorscale, cmin, cmax, showscale, colorbar } = marker;
      const shades = color?.length === trace.customdata.length ? places.map((at) => color[at]) : color;
      const [x, y, z] = groups.map((group) => rows.map((row) => row[columns[chosen(group)]]));
      return {
        type: "scatter3d", mode: final ? "markers+text" : "markers", name, meta, x, y, z,
        text: final ? text : undefined, customdata: rows, hovertemplate,
        marker: { size: final ? 6 : 3, color: shades, colorscale, cmin, cmax, showscale, colorbar },
      };
    });
    const [xaxis, yaxis, zaxis] = groups.map((group) => ({ title: { text: title(group) } }));
    const { height, margin, font, legend } = pareto.layout;
    Plotly.react(pareto, data, { height, margin, font, legend, scene: { xaxis, yaxis, zaxis } });
  }

  // Candidates outside the limits or the brushed axes fade in the scatter.
  function mark(found) {
    if (!pareto || !pareto.data) return;
    if (chosen("depth")) {
      space(found);
      return;
    }
    const all = brushed === null && !Object.keys(found).length;
    const selected = traces(pareto).map((trace) => {
      if (all || trace.meta !== "candidates") return null;
      const kept = [];
      Array.from(trace.customdata).forEach((row, place) => {
        if (within(row, found)) kept.push(place);
      });
      return kept;
    });
    Plotly.restyle(pareto, { selectedpoints: selected });
  }

  function select(number, scroll) {
    const menu = document.querySelector("select[data-group=finalist]");
    if (menu && menu.value !== String(number)) {
      menu.value = String(number);
      menu.dispatchEvent(new Event("change"));
    }
    for (const row of document.querySelectorAll("tr[data-number], .command[data-number]")) {
      row.classList.toggle("chosen", row.dataset.number === String(number));
      if (scroll && row.matches("tr.chosen")) row.scrollIntoView({ block: "nearest" });
    }
  }

  function sort(button) {
    const heading = button.parentElement, key = button.dataset.sort;
    const rising = heading.getAttribute("aria-sort") !== "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const value = (row) => rows.get(Number(row.dataset.number))[key];
    const sorted = [...body.rows].sort((a, b) => (value(a) - value(b)) * (rising ? 1 : -1));
    body.append(...sorted);
  }

  for (const slider of sliders) slider.addEventListener("input", apply);
  document.querySelector("button[data-reset]")?.addEventListener("click", () => {
    for (const slider of sliders) slider.value = slider.max;
    apply();
  });
  for (const button of table.querySelectorAll("button[data-sort]")) {
    button.addEventListener("click", () => sort(button));
  }
  for (const button of table.querySelectorAll("button[data-select]")) {
    button.addEventListener("click", () => select(button.dataset.select, false));
  }
  document.querySelector("select[data-group=finalist]")?.addEventListener("change", (event) => {
    select(event.target.value, false);
  });
  for (const group of ["cost", "against", "colour", "depth"]) {
    const menu = document.querySelector(`select[data-group=${group}]`);
    menu?.addEventListener("change", () => {
      window.redraw("cost"); // what is drawn is the error against a cost, and goes on from there
      axes();
      mark(limits());
    });
  }
  document.querySelector("select[data-group=lines]")?.addEventListener("change", () => {
    brushed = null;
    apply();
  });
  pareto?.on?.("plotly_click", (event) => {
    const number = event.points.find((point) => point.data.meta === "finalists")?.customdata[0];
    if (number !== undefined) select(number, true);
  });
  parallel?.on?.("plotly_restyle", () => {
    const [lines] = traces(parallel);
    const ranges = lines.dimensions.map((axis) => {
      const range = axis.constraintrange;
      return !range ? null : Array.isArray(range[0]) ? range : [range];
    });
    brushed = null;
    if (ranges.some(Boolean)) {
      brushed = new Set(Array.from(lines.customdata).filter((_, place) => {
        return lines.dimensions.every((axis, at) => {
          const slack = 1e-4 * (axis.range[1] - axis.range[0]); // a value at the end of an axis is in
          const value = axis.values[place];
          return !ranges[at] || ranges[at].some(([low, high]) => low - slack <= value && value <= high + slack);
        });
      }));
    }
    apply();
  });
  apply();
});
