"use strict";
(() => {
  const { panels, looks } = JSON.parse(document.getElementById("figures").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const coarse = matchMedia("(pointer: coarse)");
  const hidden = new Set();
  const plots = [...document.querySelectorAll(".plot")];
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  async function unpackPlotly() {
    const bytes = Uint8Array.from(atob(document.getElementById("plotly").textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
  }
  const unpacked = unpackPlotly();

  function paint(trace, background) {
    const { method, hollow } = trace.meta;
    const color = looks[method][dark.matches ? "dark" : "light"];
    const outlined = trace.mode === "markers";
    return {
      ...trace,
      visible: !hidden.has(method),
      line: { ...trace.line, color },
      marker: {
        ...trace.marker,
        color: hollow ? background : color,
        line: { ...trace.marker?.line, color: outlined && !hollow ? background : color },
      },
      error_x: trace.error_x && { ...trace.error_x, color },
      showlegend: false,
    };
  }

  function axis(given, side) {
    return {
      automargin: true,
      gridcolor: style("--grid"),
      linecolor: style("--rule"),
      zerolinecolor: style("--text"),
      zerolinewidth: 1.5,
      ticks: "outside",
      tickcolor: style("--rule"),
      ticklen: 4,
      nticks: 6,
      tickangle: 0,
      exponentformat: "power", // plotly's own 20µ would read as a unit
      ...given,
      title: { standoff: side === "x" ? 10 : 8, font: { size: 12 }, ...given.title },
    };
  }

  // the corner named "better" stays free: plotly's own range ends close to the outermost mark
  function roomy(data, letter) {
    const values = data.filter((trace) => trace.visible).flatMap((trace) => trace[letter]);
    if (values.length === 0) return {};
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const room = 0.15 * (high - low) || 0.05 * Math.abs(high) || 1;
    return { range: [low - room, high + room] };
  }

  function draw(plot) {
    const { data, layout } = panels[plot.id];
    const background = style("--surface");
    const traces = data.map((trace) => paint(trace, background));
    const room = (letter) => (layout.annotations ? roomy(traces, letter) : {});
    const annotations = (layout.annotations ?? []).map((note) => ({
      ...note,
      font: { color: style("--muted"), size: 12 },
    }));
    return Plotly.react(
      plot,
      traces,
      {
        ...layout,
        ...(document.documentElement.classList.contains("printing") ? { width: plot.clientWidth } : { autosize: true }),
        annotations,
        xaxis: axis({ ...layout.xaxis, ...room("x") }, "x"),
        yaxis: axis({ ...layout.yaxis, ...room("y") }, "y"),
        font: { family: style("--font"), size: 12, color: style("--text") },
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        margin: { l: 48, r: 16, t: 34, b: 44 }, // on top: the toolbar, which would cover what is there
        barmode: "overlay",
        modebar: { bgcolor: "rgba(0,0,0,0)", color: style("--muted"), activecolor: style("--accent") },
        hovermode: "closest",
        hoverlabel: {
          align: "left",
          bgcolor: background,
          bordercolor: style("--rule"),
          font: { family: style("--font"), color: style("--text"), size: 12 },
        },
        // a finger that scrolls the page must not zoom the plot
        dragmode: coarse.matches ? false : "zoom",
      },
      {
        responsive: true,
        displaylogo: false,
        modeBarButtonsToRemove: ["zoom2d", "pan2d", "select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "autoScale2d"],
      },
    );
  }

  // what the reader sees is drawn first; a newer pass ends an older one
  let pass = 0;
  let ready = false;
  async function drawShown() {
    const mine = ++pass;
    document.documentElement.classList.remove("drawn");
    await unpacked;
    ready = true;
    const shown = plots.filter((plot) => !plot.closest("[hidden]"));
    const inView = (plot) => {
      const box = plot.getBoundingClientRect();
      return box.bottom > 0 && box.top < innerHeight;
    };
    for (const plot of [...shown.filter(inView), ...shown.filter((plot) => !inView(plot))]) {
      await draw(plot);
      await new Promise((next) => setTimeout(next));
      if (mine !== pass) return;
    }
    document.documentElement.classList.add("drawn");
  }

  // a picture of the page is taken, and a print made, once it is loaded: images that follow each other hold that off
  function holdLoad(until) {
    let held = true;
    let count = 0;
    until.finally(() => (held = false));
    const next = () => {
      if (!held) return;
      const image = new Image();
      image.onload = image.onerror = next;
      image.src = `data:image/gif;n=${++count};base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==`;
    };
    next();
  }

  // on paper: every panel, at the paper's width, drawn before this returns
  let revealed = [];
  addEventListener("beforeprint", () => {
    if (!ready) return;
    pass++;
    revealed = [...document.querySelectorAll(".panel[hidden]")];
    for (const panel of revealed) panel.hidden = false;
    document.documentElement.classList.add("printing");
    for (const plot of plots) draw(plot);
  });
  addEventListener("afterprint", () => {
    for (const panel of revealed) panel.hidden = true;
    revealed = [];
    document.documentElement.classList.remove("printing");
    drawShown();
  });

  const legend = [...document.querySelectorAll(".legend button[data-method]")];
  const all = document.getElementById("all-methods");
  function follow() {
    for (const button of legend) button.setAttribute("aria-pressed", String(!hidden.has(button.dataset.method)));
    all.disabled = hidden.size === 0;
    drawShown();
  }
  for (const button of legend) {
    const method = button.dataset.method;
    button.addEventListener("click", () => {
      if (!hidden.delete(method)) hidden.add(method);
      follow();
    });
    button.addEventListener("dblclick", () => {
      hidden.clear();
      for (const other of legend) if (other !== button) hidden.add(other.dataset.method);
      follow();
    });
  }
  all.addEventListener("click", () => {
    hidden.clear();
    follow();
  });

  for (const choice of document.querySelectorAll("select[data-chart]")) {
    choice.addEventListener("change", () => {
      const shown = choice.closest("figure").querySelectorAll(".panel");
      shown.forEach((panel, place) => (panel.hidden = place !== choice.selectedIndex));
      drawShown();
    });
  }

  const method = document.getElementById("shown-method");
  method?.addEventListener("change", () => {
    document.querySelectorAll(".shown").forEach((shown, place) => (shown.hidden = place !== method.selectedIndex));
  });

  dark.addEventListener("change", drawShown);
  holdLoad(drawShown());
})();
