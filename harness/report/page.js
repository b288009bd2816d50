"use strict";
(() => {
  const plots = [...document.querySelectorAll(".plot")];
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const read = (plot) => JSON.parse(plot.parentElement.querySelector("script").textContent);

  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    return (name) => style.getPropertyValue(name).trim();
  };

  const draw = (plot) => {
    const colour = colours();
    const { data, layout } = read(plot);
    const axis = { gridcolor: colour("--rule"), zerolinecolor: colour("--rule"), linecolor: colour("--rule") };
    plot.drawn = Plotly.react(plot, data, {
      ...layout,
      xaxis: { ...axis, automargin: true, ...layout.xaxis },
      yaxis: { ...axis, ...layout.yaxis },
      font: { color: colour("--ink"), size: 12 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 50, r: 12, t: 8, b: 40 },
      barmode: "overlay",
      legend: { orientation: "h", yref: "container", y: 0, yanchor: "bottom", x: 0 },
      showlegend: data.length > 1,
      hovermode: "closest",
    }, { responsive: true, displayModeBar: false });
  };

  const observer = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting) {
        observer.unobserve(target);
        draw(target);
      }
    }
  }, { rootMargin: "300px" });
  plots.forEach((plot) => observer.observe(plot));

  dark.addEventListener("change", () => plots.filter((plot) => plot.drawn).forEach(draw));
  addEventListener("beforeprint", () => {
    document.querySelectorAll("details").forEach((one) => { one.open = true; });
    plots.filter((plot) => !plot.drawn).forEach(draw);
  });
})();
