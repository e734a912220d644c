// Draws the charts of the page "Numbers" from the figures that it carries.
(() => {
  "use strict";
  const source = document.getElementById("figures");
  if (!source || !window.uPlot) return;
  const figures = JSON.parse(source.textContent);
  const box = document.querySelector(".charts");
  box.hidden = false;
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const inks = ["--accent", "--info", "--warn", "--bad", "--ink-soft"];
  const dashes = [[], [8, 4], [2, 3], [10, 3, 2, 3], [4, 2]]; // told apart without colours, too
  const plots = [];
  const draw = () => {
    for (const p of plots.splice(0)) p.destroy();
    // Dates and numbers are written as the tables write them.
    const parts = new Intl.DateTimeFormat("en", {
      year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: figures.zone,
    });
    const part = s => Object.fromEntries(parts.formatToParts(new Date(s * 1000)).map(p => [p.type, p.value]));
    const day = s => { const p = part(s); return `${p.year}-${p.month}-${p.day}`; };
    const hour = s => { const p = part(s); return `${p.hour}:${p.minute}`; };
    const moment = s => figures.span === "hour" ? day(s) + " " + hour(s) : day(s);
    const count = v => String(v).replace(/\B(?=(\d{3})+$)/g, "\u202f");
    const ticks = (_, all) => all.map((s, i) => {
      if (figures.span !== "hour") return day(s);
      return hour(s) + (i === 0 || day(all[i - 1]) !== day(s) ? "\n" + day(s) : "");
    });
    const axis = { stroke: colour("--ink-soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
    for (const chart of figures.charts) {
      const at = document.getElementById(chart.id);
      const percent = chart.unit === "%";
      const text = v => v == null ? "–" : percent ? v.toFixed(1) + " %" : count(v);
      plots.push(new uPlot({
        width: at.clientWidth, height: 260,
        tzDate: s => uPlot.tzDate(new Date(s * 1000), figures.zone),
        cursor: { y: false },
        scales: { y: { range: (_, low, high) => [0, percent ? 100 : Math.max(high * 1.05, 5)] } },
        axes: [{ ...axis, values: ticks, space: 80 }, { ...axis, size: 60, values: (_, all) => all.map(v => percent ? v + " %" : count(v)) }],
        series: [{ label: "From", value: (_, s) => s == null ? "–" : moment(s) }, ...chart.series.map((s, i) => ({
          label: s.label, stroke: colour(inks[i % inks.length]), dash: dashes[i % dashes.length], width: 2,
          spanGaps: false, points: { show: true, size: 4 }, value: (_, v) => text(v),
        }))],
      }, [figures.times, ...chart.series.map(s => s.values)], at));
    }
  };
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let wait = null;
  addEventListener("resize", () => { clearTimeout(wait); wait = setTimeout(draw, 150); });
})();
