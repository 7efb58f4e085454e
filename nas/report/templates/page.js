"use strict";
// Plotly stands packed in the page; what draws waits for it.
window.ready = (async () => {
  const packed = document.getElementById("plotly");
  if (!packed || !window.DecompressionStream) return;
  const bytes = Uint8Array.from(atob(packed.textContent), (letter) => letter.charCodeAt(0));
  const code = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(code).text();
  document.head.append(script);
})();
window.ready.then(() => {
  const figures = new Map();
  for (const node of document.querySelectorAll("script[data-plot]")) {
    figures.set(node.dataset.plot, JSON.parse(node.textContent));
  }
  const touch = !matchMedia("(hover: hover)").matches;
  const config = {
    responsive: true,
    displaylogo: false,
    displayModeBar: touch ? false : "hover",
    showSendToCloud: false, // recordings of people stay here; Plotly offers an upload by default
    modeBarButtonsToRemove: ["lasso2d", "select2d"],
  };

  function webgl() {
    const canvas = document.createElement("canvas");
    return Boolean(canvas.getContext("webgl") || canvas.getContext("experimental-webgl"));
  }

  function draw(plot, value) {
    if (!window.Plotly) {
      plot.textContent = "This browser cannot unpack the plots; one of 2023 or later can.";
      plot.style.minHeight = "0";
      return;
    }
    const variants = figures.get(plot.id);
    const figure = variants[value] || Object.values(variants)[0];
    if (figure.data.some((trace) => trace.type === "parcoords") && !webgl()) {
      plot.textContent = "This plot needs WebGL, which this browser does not offer.";
      plot.style.minHeight = "0";
      return;
    }
    // Figures are copied: Plotly writes into what it draws.
    const layout = structuredClone(figure.layout);
    if (touch) layout.dragmode = false;
    plot.style.minHeight = `${layout.height}px`;
    const data = structuredClone(figure.data);
    const [first] = Object.values(variants); // the points' own figures are written once
    for (const [at, trace] of data.entries()) {
      const same = first.data[at];
      if (!trace.customdata && same?.customdata && same.name === trace.name) {
        trace.customdata = same.customdata;
      }
    }
    Plotly.react(plot, data, layout, config);
  }

  function choose(group, value) {
    for (const menu of document.querySelectorAll("select[data-group]")) {
      if (menu.dataset.group === group) menu.value = value;
    }
    for (const panel of document.querySelectorAll("[data-panel]")) {
      if (panel.dataset.panel === group) panel.hidden = panel.dataset.value !== value;
    }
    for (const plot of document.querySelectorAll(".plot")) {
      if (plot.dataset.group === group) draw(plot, value);
    }
  }

  window.redraw = (group) => choose(group, document.querySelector(`select[data-group=${group}]`).value);
  for (const plot of document.querySelectorAll(".plot")) {
    const menus = [...document.querySelectorAll("select[data-group]")];
    const menu = menus.find((item) => item.dataset.group === plot.dataset.group);
    draw(plot, menu ? menu.value : "");
  }
  for (const menu of document.querySelectorAll("select[data-group]")) {
    menu.addEventListener("change", () => choose(menu.dataset.group, menu.value));
  }
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.addEventListener("click", async () => {
      const code = button.parentElement.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code); // a page opened from disk may not write the clipboard
        button.textContent = "Press Ctrl-C";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }
  addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details")) part.open = true; // paper cannot unfold
    for (const plot of document.querySelectorAll(".js-plotly-plot")) Plotly.Plots.resize(plot);
  });
});
