/* Draws the report from the JSON in #data: tables, charts as inline SVG, filters.  Nothing is loaded from anywhere; all text enters the
 * page as text nodes, never as markup.  SPDX-License-Identifier: Apache-2.0 */
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const facts = data.facts;
  const $ = (id) => document.getElementById(id);
  const SVG = "http://www.w3.org/2000/svg";

  // --- small helpers --------------------------------------------------------------------------------------------------

  const fill = (node, attrs, children) => {
    for (const [k, v] of Object.entries(attrs || {})) {
      if (v === null || v === undefined || v === false) continue;
      if (k.startsWith("on")) node.addEventListener(k.slice(2), v);
      else node.setAttribute(k, v === true ? "" : v);
    }
    node.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== ""));
    return node;
  };
  const el = (tag, attrs, ...children) => fill(document.createElement(tag), attrs, children);
  const sv = (tag, attrs, ...children) => fill(document.createElementNS(SVG, tag), attrs, children);
  const has = (x) => typeof x === "number" && Number.isFinite(x);
  const dash = "\u2013";
  const fix = (x, n) => (has(x) ? x.toFixed(n) : dash);
  const sig = (x) => (!has(x) ? dash : x === 0 ? "0" : Math.abs(x) >= 100 ? x.toFixed(0) : x.toPrecision(3));
  const ms = (x) => (has(x) ? sig(x) + "\u202fms" : dash);
  const limit = (x) => +x.toPrecision(4) + "\u202fms";
  const scaled = (x, units) => {
    if (!has(x)) return dash;
    let i = 0;
    while (x >= 1000 && i + 1 < units.length) { x /= 1000; i++; }
    return (i === 0 ? String(x) : x.toPrecision(3)) + (units[i] ? "\u202f" + units[i] : "");
  };
  const count = (x) => scaled(x, ["", "k", "M", "G", "T"]);
  const bytes = (x) => scaled(x, ["B", "kB", "MB", "GB", "TB"]);
  const span = (s) => {
    if (!has(s)) return dash;
    if (s < 60) return s.toFixed(s < 10 ? 1 : 0) + "\u202fs";
    const m = Math.round(s / 60);
    return m < 60 ? m + "\u202fmin" : Math.floor(m / 60) + "\u202fh " + (m % 60) + "\u202fmin";
  };
  const plural = (n, one, many) => n + "\u00a0" + (n === 1 ? one : many || one + "s");
  const listed = (parts) => (parts.length < 2 ? parts.join("") : parts.slice(0, -1).join(", ") + " and " + parts[parts.length - 1]);

  // --- what the data mean --------------------------------------------------------------------------------------------

  const METRIC_NAMES = {
    mean_iou: "mean IoU", box_precision50: "box precision", map50: "mAP50", map75: "mAP75", map95: "mAP95",
    map50_95: "mAP50\u201395", precision: "precision", recall: "recall", loss: "loss", top1: "top-1", top5: "top-5",
  };
  const metricName = (key) => METRIC_NAMES[key] || key;
  const objective = facts.objective || "mean_iou";
  const isLower = objective === "loss";
  const budget = parseFloat(facts.budget_ms) || 0;
  const stages = (facts.stages || "").split(",").filter(Boolean).map((s) => {
    const [epochs, keep] = s.split(":").map(Number);
    return { epochs, keep: keep || 0 };
  });
  const networkOf = new Map(data.networks.map((n) => [n.id, n]));
  const varied = ((keys) => keys.filter((k) => new Set(data.trials.map((t) => t.config[k])).size > 1))(
    [...new Set(data.trials.flatMap((t) => Object.keys(t.config)))].filter((k) => k !== "model"));
  const trials = data.trials.map((t) => {
    const val = t.results.filter((r) => r.split === "val").sort((a, b) => b.stage - a.stage)[0];
    const test = t.results.filter((r) => r.split === "test").sort((a, b) => b.stage - a.stage)[0];
    const network = networkOf.get(t.network);
    const metric = (r, key) => (r && r.metrics[key] ? r.metrics[key][0] : null);
    return {
      ...t, val, test, net: network, score: metric(val, objective), testScore: metric(test, objective),
      ms: network ? network.total_p90_ms : null,
      options: varied.map((k) => k + "=" + (t.config[k] === undefined ? dash : t.config[k])).join(" "),
      label: t.config.model + (varied.length ? " " + varied.map((k) => k + "=" + t.config[k]).join(" ") : ""),
      metric,
    };
  });
  const better = (a, b) => (isLower ? a < b : a > b);
  const ranked = trials.filter((t) => has(t.score)).sort((a, b) => (isLower ? a.score - b.score : b.score - a.score));
  const winner = trials.find((t) => String(t.id) === facts.winner) || null;
  const leader = winner || ranked[0] || null;
  const names = [...new Set(trials.map((t) => t.config.model))];
  const colour = (model) => "var(--s" + (names.indexOf(model) % 8) + ")";
  const shapeOf = (model) => Math.floor(names.indexOf(model) / 8) % 3;
  const isTime = (t) => has(t.ms);
  const overBudget = trials.filter((t) => t.state === "screened");
  const failed = trials.filter((t) => t.state === "failed");
  const netKey = (t) => [t.config.model, t.config.head, t.config.imgsz].join(" ");
  const networkCount = (list) => new Set(list.map(netKey)).size;
  const dataName = (facts.data || "the data").replace(/\/+$/, "").split("/").slice(-2).join("/");

  // --- tooltip ---------------------------------------------------------------------------------------------------------

  const tip = $("tip");
  const hideTip = () => { tip.hidden = true; };
  const showTip = (x, y, title, rows) => {
    tip.replaceChildren(el("b", {}, title), el("table", {}, el("tbody", {}, rows.map(([k, v]) => el("tr", {}, el("td", {}, k), el("td", {}, v))))));
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = x + 14 + box.width > innerWidth ? Math.max(6, x - box.width - 14) : x + 14;
    tip.style.left = left + "px";
    tip.style.top = Math.max(6, Math.min(y + 14, innerHeight - box.height - 6)) + "px";
  };
  addEventListener("keydown", (e) => { if (e.key === "Escape") hideTip(); });
  addEventListener("scroll", hideTip, { passive: true });

  // --- axes ------------------------------------------------------------------------------------------------------------

  const niceStep = (range, n) => {
    const raw = range / Math.max(1, n), power = Math.pow(10, Math.floor(Math.log10(raw))), unit = raw / power;
    return (unit <= 1 ? 1 : unit <= 2 ? 2 : unit <= 5 ? 5 : 10) * power;
  };
  const linearTicks = (lo, hi, n) => {
    const step = niceStep(hi - lo || 1, n), ticks = [];
    for (let i = Math.ceil(lo / step - 1e-9); i * step <= hi + step * 1e-9; i++) ticks.push(+(i * step).toPrecision(12));
    return ticks;
  };
  const logTicks = (lo, hi) => {
    const ticks = [];
    for (let p = Math.floor(Math.log10(lo)); p <= Math.ceil(Math.log10(hi)); p++)
      for (const m of [1, 2, 5]) { const t = +(m * Math.pow(10, p)).toPrecision(6); if (t >= lo * 0.999 && t <= hi * 1.001) ticks.push(t); }
    return ticks;
  };
  const scale = (lo, hi, from, to, isLog) => {
    const f = isLog ? Math.log10 : (x) => x, a = f(lo), b = f(hi);
    return (x) => from + (b === a ? 0.5 : (f(x) - a) / (b - a)) * (to - from);
  };
  const tickText = (t) => (Math.abs(t) >= 0.001 && Math.abs(t) < 10000 || t === 0 ? String(+t.toPrecision(4)) : t.toExponential(0));
  const frame = (svg, W, H, m, xs, ys, x, y, xName, yName) => {
    for (const t of ys)
      svg.append(sv("line", { class: "grid", x1: m.left, x2: W - m.right, y1: y(t), y2: y(t) }),
        sv("text", { x: m.left - 8, y: y(t) + 4, "text-anchor": "end" }, tickText(t)));
    for (const t of xs)
      svg.append(sv("line", { class: "axis", x1: x(t), x2: x(t), y1: H - m.bottom, y2: H - m.bottom + 5 }),
        sv("text", { x: x(t), y: H - m.bottom + 19, "text-anchor": "middle" }, tickText(t)));
    svg.append(sv("line", { class: "axis", x1: m.left, x2: W - m.right, y1: H - m.bottom, y2: H - m.bottom }),
      sv("text", { x: (m.left + W - m.right) / 2, y: H - 6, "text-anchor": "middle" }, xName),
      sv("text", { x: 2, y: 12 }, yName));
  };
  const onResize = (box, draw) => {
    let width = 0;
    new ResizeObserver(() => {
      const w = Math.round(box.clientWidth - parseFloat(getComputedStyle(box).paddingLeft) * 2);
      if (w > 0 && Math.abs(w - width) > 1) { width = w; requestAnimationFrame(() => draw(w)); }
    }).observe(box);
    return () => { if (width > 0) draw(width); };
  };
  const marker = (shape, x, y, r, attrs) => shape === 1
    ? sv("rect", { x: x - r * 0.88, y: y - r * 0.88, width: r * 1.76, height: r * 1.76, ...attrs })
    : shape === 2
      ? sv("path", { d: `M${x} ${y - r * 1.2}L${x + r * 1.1} ${y + r * 0.8}H${x - r * 1.1}Z`, ...attrs })
      : sv("circle", { cx: x, cy: y, r, ...attrs });
  const swatch = (model, isLine) => sv("svg", { class: "swatch", viewBox: "0 0 18 12", "aria-hidden": "true" },
    isLine ? sv("line", { x1: 0, x2: 18, y1: 6, y2: 6, stroke: colour(model), "stroke-width": 2.5 })
      : marker(shapeOf(model), 9, 6, 5, { fill: colour(model) }));

  // --- summary ---------------------------------------------------------------------------------------------------------

  const interval = (m) => (m && has(m[1]) && has(m[2]) ? `[${fix(m[1], 3)}, ${fix(m[2], 3)}]` : "");
  const drawSummary = () => {
    const title = leader ? (winner ? leader.config.model : leader.config.model + " leads so far") : "No result yet";
    $("title").textContent = title;
    document.title = (leader ? leader.config.model : "Search") + " \u00b7 Gannet report";
    const when = facts.finished_at || facts.created_at || "";
    $("eyebrow").textContent = ["Search on " + dataName, when.slice(0, 10), facts.cpu].filter(Boolean).join("  \u00b7  ");
    const goal = el("p", {}, "Asked for: the network with the ", isLower ? "lowest " : "highest ", el("b", {}, metricName(objective)), " on ",
      el("b", {}, dataName), facts.data_about ? ` (${facts.data_about})` : "",
      budget > 0 ? [" that answers within ", el("b", {}, limit(budget)), " on ", el("code", {}, facts.target || ""), ", nine times out of ten."]
        : [", with its latency on ", el("code", {}, facts.target || ""), " known but not limited."]);
    const lead = [goal];
    if (leader) {
      const testText = has(leader.testScore)
        ? ` (${fix(leader.testScore, 3)} on the test pictures, which it alone has seen` +
          (interval(leader.test.metrics[objective]) ? "; 95\u202f% interval " + interval(leader.test.metrics[objective]) : "") + ")" : "";
      lead.push(el("p", {}, el("b", {}, leader.label), winner ? " won" : " leads", ` with ${fix(leader.score, 3)} on validation${testText}`,
        isTime(leader) ? `, and takes ${ms(leader.ms)}` : "",
        budget > 0 && isTime(leader) ? `, ${Math.round((1 - leader.ms / budget) * 100)}\u202f% under the budget.` : "."));
      const next = ranked.find((t) => t !== leader && netKey(t) !== netKey(leader));
      const out = [];
      if (overBudget.length) out.push(`${plural(networkCount(overBudget), "network")} took longer than the budget and never trained`);
      if (failed.length) out.push(`${plural(failed.length, "trial")} failed`);
      lead.push(el("p", {}, `It is the best of ${plural(trials.length, "trial")} of ${plural(networkCount(trials), "network")}`,
        next ? `; the next network, ${next.label}, reached ${fix(next.score, 3)}` + (isTime(next) ? ` at ${ms(next.ms)}` : "") : "",
        out.length ? "; " + listed(out) : "", "."));
    } else {
      const first = failed[0];
      lead.push(el("p", {}, `None of ${plural(trials.length, "trial")} has a result yet`, first ? `; the first failure: ${first.reason}` : "", "."));
    }
    if (!facts.finished_at && leader)
      lead.push(el("p", {}, "The search is not finished: the same command goes on where it stopped."));
    $("lead").replaceChildren(...lead);
    if (!leader) return;
    const figure = (name, value, note, part) => el("div", {}, el("dt", {}, name), el("dd", {}, value, note ? el("small", {}, note) : "",
      has(part) ? el("div", { class: "meter", "aria-hidden": "true" }, el("i", { style: `width:${Math.min(100, part * 100).toFixed(1)}%` })) : ""));
    const n = leader.net || {};
    $("figures").replaceChildren(
      figure(metricName(objective) + ", validation", fix(leader.score, 3), interval(leader.val.metrics[objective])),
      has(leader.testScore) ? figure(metricName(objective) + ", test", fix(leader.testScore, 3), interval(leader.test.metrics[objective])) : "",
      figure("Latency, p90", ms(n.total_p90_ms), budget > 0 ? "of " + limit(budget) + " allowed" : "p50 " + ms(n.total_p50_ms),
        budget > 0 && has(n.total_p90_ms) ? n.total_p90_ms / budget : null),
      figure("Parameters", count(n.params), bytes(n.bytes) + " of weights"),
      figure("MACs", count(n.macs), has(n.macs) ? count(2 * n.macs) + " FLOPs" : ""),
      figure("Input", leader.config.imgsz + "\u202fpx", leader.config.head + " head"));
  };

  // --- accuracy against latency ---------------------------------------------------------------------------------------

  const describeTrial = (t) => [
    [metricName(objective), fix(t.score, 4)],
    has(t.testScore) ? ["on test", fix(t.testScore, 4)] : null,
    ["latency p90", ms(t.ms)],
    t.net ? ["latency p50", ms(t.net.total_p50_ms)] : null,
    t.net ? ["parameters", count(t.net.params)] : null,
    t.val ? ["trained", plural(t.val.epochs, "epoch")] : null,
    ["trial", String(t.id)],
  ].filter(Boolean);
  const paretoFront = () => {
    const front = [];
    for (const t of ranked.filter(isTime).sort((a, b) => a.ms - b.ms || (isLower ? a.score - b.score : b.score - a.score)))
      if (!front.length || better(t.score, front[front.length - 1].score)) front.push(t);
    return front;
  };
  const drawScatter = (W) => {
    const box = $("scatter");
    const points = ranked.filter(isTime), idle = overBudget.filter(isTime);
    if (!points.length && !idle.length) { box.replaceChildren(el("p", { class: "empty" }, "No trial has both a latency and a result yet.")); return; }
    const H = Math.max(300, Math.min(440, W * 0.48)), m = { left: 46, right: 18, top: 32, bottom: 46 };
    const times = [...points, ...idle].map((t) => t.ms).concat(budget > 0 ? [budget] : []);
    const minT = Math.min(...times), maxT = Math.max(...times), isLog = maxT / minT > 8;
    const lo = isLog ? minT / 1.3 : 0, hi = isLog ? maxT * 1.3 : maxT * 1.12;
    const scores = points.map((t) => t.score), s0 = Math.min(...scores), s1 = Math.max(...scores);
    const pad = Math.max((s1 - s0) * 0.18, 0.01), bottom = points.length ? Math.max(s0 >= 0 ? 0 : -Infinity, s0 - pad) : 0, top = points.length ? s1 + pad : 1;
    const x = scale(lo, hi, m.left, W - m.right, isLog), y = scale(bottom, top, H - m.bottom - (idle.length ? 22 : 0), m.top);
    const svg = sv("svg", { viewBox: `0 0 ${W} ${H}`, role: "group", "aria-label": `${metricName(objective)} against p90 latency of ${plural(points.length, "trial")}` });
    if (budget > 0)
      svg.append(sv("rect", { class: "over", x: x(budget), y: m.top, width: Math.max(0, W - m.right - x(budget)), height: H - m.bottom - m.top }));
    frame(svg, W, H, m, isLog ? logTicks(lo, hi) : linearTicks(lo, hi, W / 110), linearTicks(bottom, top, 5), x, y,
      "latency p90, ms" + (isLog ? " (logarithmic)" : ""), metricName(objective) + (isLower ? " (lower is better)" : ""));
    if (budget > 0) {
      const isLeft = x(budget) > W - 130;
      svg.append(sv("line", { class: "budget", x1: x(budget), x2: x(budget), y1: m.top, y2: H - m.bottom }),
        sv("text", { class: "budget-text", x: x(budget) + (isLeft ? 4 : -4), y: m.top - 5, "text-anchor": isLeft ? "end" : "start" }, "budget " + limit(budget)));
    }
    const front = paretoFront();
    if (front.length > 1) {
      let d = `M${x(front[0].ms)} ${y(front[0].score)}`;
      for (const t of front.slice(1)) d += `H${x(t.ms)}V${y(t.score)}`;
      svg.append(sv("path", { class: "front", d }));
    }
    const label = (t) => `${t.label}: ${metricName(objective)} ${fix(t.score, 3)}, ${ms(t.ms)}${t === winner ? ", the winner" : ""}`;
    const hook = (g, t, rows) => {
      const at = () => { const b = g.getBoundingClientRect(); showTip(b.right, b.top, t.label, rows); };
      g.addEventListener("pointerenter", at); g.addEventListener("focus", at);
      g.addEventListener("pointerleave", hideTip); g.addEventListener("blur", hideTip);
      return g;
    };
    for (const t of idle)
      svg.append(hook(sv("g", { class: "point", tabindex: 0, role: "img", "aria-label": `${t.label}: over the budget with ${ms(t.ms)}, not trained` },
        sv("circle", { class: "halo", cx: x(t.ms), cy: H - m.bottom - 11, r: 13, fill: colour(t.config.model) }),
        sv("path", { d: `M${x(t.ms) - 5} ${H - m.bottom - 16}l10 10m0 -10l-10 10`, stroke: colour(t.config.model), "stroke-width": 2.2, fill: "none" })), t,
      [["latency p90", ms(t.ms)], ["budget", limit(budget)], ["state", "not trained"]]));
    const lastStage = Math.max(...trials.map((t) => t.stage), 1);
    for (const t of [...points].reverse()) {
      const isFinal = t.stage >= lastStage, c = colour(t.config.model);
      svg.append(hook(sv("g", { class: "point", tabindex: 0, role: "img", "aria-label": label(t) },
        marker(shapeOf(t.config.model), x(t.ms), y(t.score), 15, { class: "halo", fill: c }),
        marker(shapeOf(t.config.model), x(t.ms), y(t.score), isFinal ? 6.5 : 5, isFinal ? { fill: c } : { fill: "var(--card)", stroke: c, "stroke-width": 2 }),
        t === winner ? sv("circle", { class: "crown", cx: x(t.ms), cy: y(t.score), r: 11.5 }) : ""), t, describeTrial(t)));
    }
    const named = [], placed = [];
    for (const t of [leader, ...front, ...points]) if (t && isTime(t) && has(t.score) && !named.some((o) => netKey(o) === netKey(t))) named.push(t);
    for (const t of named.slice(0, 14)) {
      const width = t.config.model.length * 7.1, isRight = x(t.ms) + width + 16 > W - m.right;
      const left = isRight ? x(t.ms) - 9 - width : x(t.ms) + 9, ty = y(t.score) - (t === winner ? 14 : 9);
      if (placed.some((p) => Math.abs(p.ty - ty) < 14 && left < p.left + p.width && p.left < left + width)) continue;
      placed.push({ left, width, ty });
      svg.append(sv("text", { class: "name", x: isRight ? x(t.ms) - 9 : x(t.ms) + 9, y: ty, "text-anchor": isRight ? "end" : "start", "pointer-events": "none" }, t.config.model));
    }
    box.replaceChildren(svg);
  };
  const drawScatterLegend = () => {
    $("tradeoff-hint").textContent = "Up and to the left is better. Latency is p90 of preprocessing, network and postprocessing together, measured before anything trained.";
    const key = (drawing, text) => el("li", {}, sv("svg", { class: "swatch", viewBox: "0 0 18 12", "aria-hidden": "true" }, drawing), text);
    $("scatter-legend").replaceChildren(...[
      ...names.map((n) => el("li", {}, swatch(n), n)),
      paretoFront().length > 1 ? key(sv("path", { d: "M0 10H8V3H18", fill: "none", stroke: "var(--buff)", "stroke-width": 2 }), "Pareto front") : "",
      winner ? key(sv("circle", { cx: 9, cy: 6, r: 4.6, fill: "none", stroke: "var(--buff)", "stroke-width": 2.2 }), "winner") : "",
      stages.length > 1 ? key(sv("circle", { cx: 9, cy: 6, r: 4.2, fill: "none", stroke: "var(--soft)", "stroke-width": 1.8 }), "left at an earlier stage") : "",
      overBudget.length ? key(sv("path", { d: "M5 2l8 8m0-8l-8 8", stroke: "var(--soft)", "stroke-width": 2 }), "over the budget, not trained") : "",
    ].filter(Boolean));
  };

  // --- funnel ----------------------------------------------------------------------------------------------------------

  const drawFunnel = () => {
    const rows = [["Candidates", trials]];
    if (budget > 0) rows.push(["Within " + limit(budget), trials.filter((t) => t.state !== "screened" && isTime(t))]);
    stages.forEach((s, i) => rows.push([`Stage ${i + 1}: trained ${plural(s.epochs, "epoch")}`, trials.filter((t) => t.stage > i)]));
    if (winner) rows.push(["Winner", [winner]]);
    const most = Math.max(1, ...rows.map((r) => r[1].length));
    $("funnel").replaceChildren(...rows.map(([name, list]) => el("li", { class: name === "Winner" ? "is-winner" : null }, el("span", {}, name),
      el("div", { class: "bar-row" }, el("div", { class: "bar", style: `width:${(list.length / most * 60).toFixed(1)}%` }),
        el("span", {}, name === "Winner" ? winner.label : plural(list.length, "trial") + (list.length ? ", " + plural(networkCount(list), "network") : ""))))));
  };

  // --- networks compared -----------------------------------------------------------------------------------------------

  const drawNetworks = () => {
    const groups = new Map();
    for (const t of trials) {
      const best = groups.get(netKey(t));
      if (!best || (has(t.score) && (!has(best.score) || better(t.score, best.score)))) groups.set(netKey(t), t);
    }
    const rows = [...groups.values()].sort((a, b) => {
      if (a === winner || b === winner) return a === winner ? -1 : 1;
      return has(a.score) && has(b.score) ? (better(a.score, b.score) ? -1 : 1) : has(b.score) - has(a.score);
    });
    const shown = ["loss", "mean_iou", "box_precision50", "map50", "map50_95", "top1"]
      .filter((k) => (k !== "map50_95" || objective.startsWith("map")) && trials.some((t) => t.val && t.val.metrics[k]));
    const onTest = shown.filter((k) => k !== "loss" && trials.some((t) => t.test && t.test.metrics[k]));
    const value = (r, k) => (r && r.metrics[k] ? [fix(r.metrics[k][0], k === "loss" ? 4 : 3), el("small", {}, interval(r.metrics[k]))] : dash);
    const heads = ["Network", ...shown.map((k) => metricName(k) + ", val"), ...onTest.map((k) => metricName(k) + ", test"), "Latency, p90", "Weights", "Peak memory"];
    $("network-table").replaceChildren(
      el("thead", {}, el("tr", {}, heads.map((h) => el("th", { scope: "col" }, h)))),
      el("tbody", {}, rows.map((t) => el("tr", { class: t === winner ? "is-winner" : !has(t.score) ? "is-idle" : null },
        el("th", { scope: "row" }, t.config.model, el("small", {}, [t.config.imgsz + "\u202fpx", t.options].filter(Boolean).join("  "))),
        shown.map((k) => el("td", {}, value(t.val, k))), onTest.map((k) => el("td", {}, value(t.test, k))),
        el("td", {}, ms(t.ms), isTime(t) ? el("small", {}, "p50 " + ms(t.net.total_p50_ms)) : "",
          isTime(t) && !t.net.is_valid ? el("small", { title: t.net.note }, "disturbed") : "", t.state === "screened" ? el("small", {}, "over budget") : ""),
        el("td", {}, bytes(t.net && t.net.bytes)), el("td", {}, bytes(t.net && t.net.peak_bytes))))));
  };

  // --- curves ----------------------------------------------------------------------------------------------------------

  const CURVES = [["val_loss", "Validation loss"], ["train_loss", "Training loss"], ["mean_iou", "Mean IoU"], ["box_precision50", "Box precision"],
    ["map50", "mAP50"], ["map50_95", "mAP50\u201395"], ["lr", "Learning rate"]].filter(([k]) => trials.some((t) => t.epochs[k] && t.epochs[k].some(has)));
  const curveTrials = trials.filter((t) => t.epochs.epoch.length > 0);
  const curve = { key: CURVES.length ? CURVES[0][0] : "", isLog: false, shown: new Set(), focus: null };
  const byScore = [...ranked.filter((t) => curveTrials.includes(t)), ...curveTrials.filter((t) => !has(t.score))];
  const dashes = ["", "6 4", "2 3", "9 3 2 3"];
  const dashOf = (t) => dashes[byScore.filter((o) => netKey(o) === netKey(t)).indexOf(t) % dashes.length];
  const drawCurves = (W) => {
    const box = $("curve-chart");
    const list = curveTrials.filter((t) => curve.shown.has(t.id));
    const usable = (v) => has(v) && (!curve.isLog || v > 0);
    const series = list.map((t) => ({ t, pts: t.epochs.epoch.map((e, i) => [e, t.epochs[curve.key][i]]).filter((p) => usable(p[1])) })).filter((s) => s.pts.length);
    if (!series.length) { box.replaceChildren(el("p", { class: "empty" }, "Nothing to draw: choose a trial below.")); return; }
    const H = Math.max(280, Math.min(400, W * 0.42)), m = { left: 54, right: 16, top: 24, bottom: 44 };
    const all = series.flatMap((s) => s.pts.map((p) => p[1])).sort((a, b) => a - b), lastEpoch = Math.max(...series.flatMap((s) => s.pts.map((p) => p[0])));
    const isLoss = curve.key.endsWith("loss");
    /* The first steps of a loss, or a trial that ran away, may be far above the rest: the axis ends where the rest is. */
    const most = all[all.length - 1], usual = 2.5 * all[Math.floor((all.length - 1) * 0.75)];
    let hi = isLoss && !curve.isLog ? Math.min(most, usual) : most, lo = all[0];
    const pad = (hi - lo || Math.abs(hi) || 1) * 0.06;
    lo = curve.isLog ? lo / 1.1 : lo >= 0 ? Math.max(0, lo - pad) : lo - pad;
    hi = curve.isLog ? hi * 1.1 : hi + pad;
    const x = scale(Math.min(1, lastEpoch), Math.max(lastEpoch, 2), m.left, W - m.right), y = scale(lo, hi, H - m.bottom, m.top, curve.isLog);
    const name = CURVES.find(([k]) => k === curve.key)[1];
    const svg = sv("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `${name} by epoch of ${plural(series.length, "trial")}` });
    const clip = sv("clipPath", { id: "curve-clip" }, sv("rect", { x: m.left, y: m.top, width: W - m.left - m.right, height: H - m.top - m.bottom + 1 }));
    svg.append(sv("defs", {}, clip));
    frame(svg, W, H, m, linearTicks(1, lastEpoch, Math.min(lastEpoch, W / 80)).filter(Number.isInteger), curve.isLog ? logTicks(lo, hi) : linearTicks(lo, hi, 5), x, y, "epoch", name);
    for (const s of stages.slice(0, -1))
      if (s.epochs < lastEpoch) svg.append(sv("line", { class: "stage", x1: x(s.epochs), x2: x(s.epochs), y1: m.top, y2: H - m.bottom }));
    const group = sv("g", { "clip-path": "url(#curve-clip)" });
    for (const s of series.sort((a, b) => (a.t === winner) - (b.t === winner)))
      group.append(s.pts.length > 1
        ? sv("path", { class: "line" + (s.t === winner ? " is-winner" : "") + (curve.focus === s.t.id ? " is-focus" : ""), "data-trial": s.t.id, stroke: colour(s.t.config.model),
          "stroke-dasharray": dashOf(s.t) || null, d: "M" + s.pts.map((p) => x(p[0]).toFixed(1) + " " + y(p[1]).toFixed(1)).join("L") })
        : sv("circle", { cx: x(s.pts[0][0]), cy: y(s.pts[0][1]), r: 3, fill: colour(s.t.config.model) }));
    const dot = sv("circle", { r: 4.5, fill: "none", stroke: "var(--ink)", "stroke-width": 2, visibility: "hidden" });
    svg.append(group, dot);
    svg.addEventListener("pointermove", (e) => {
      const b = svg.getBoundingClientRect(), px = (e.clientX - b.left) * W / b.width, py = (e.clientY - b.top) * H / b.height;
      let best = null;
      for (const s of series) for (const p of s.pts) {
        const d = Math.hypot((x(p[0]) - px) * 1.5, y(p[1]) - py);
        if (!best || d < best.d) best = { d, s, p };
      }
      if (!best || best.d > 60) { dot.setAttribute("visibility", "hidden"); highlight(null); hideTip(); return; }
      dot.setAttribute("cx", x(best.p[0])); dot.setAttribute("cy", y(best.p[1])); dot.setAttribute("visibility", "visible");
      highlight(best.s.t.id);
      showTip(e.clientX, e.clientY, best.s.t.label, [["epoch", String(best.p[0])], [name, sig(best.p[1])], ["trial", String(best.s.t.id)]]);
    });
    svg.addEventListener("pointerleave", () => { dot.setAttribute("visibility", "hidden"); highlight(null); hideTip(); });
    box.replaceChildren(svg);
  };
  const highlight = (id) => {
    curve.focus = id;
    $("curve-chart").classList.toggle("has-focus", id !== null);
    for (const line of $("curve-chart").querySelectorAll(".line")) line.classList.toggle("is-focus", line.dataset.trial === String(id));
  };
  const setUpCurves = () => {
    if (!CURVES.length) { $("curves").remove(); return; }
    if (curveTrials.length <= 16) curveTrials.forEach((t) => curve.shown.add(t.id));
    else ranked.slice(0, 10).forEach((t) => curve.shown.add(t.id));
    const redraw = onResize($("curve-chart"), drawCurves);
    const buttons = CURVES.map(([key, name], i) => el("button", { type: "button", role: "radio", "aria-checked": String(i === 0), tabindex: i === 0 ? 0 : -1,
      onclick: () => choose(i), onkeydown: (e) => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key];
        if (step) { e.preventDefault(); choose((i + step + CURVES.length) % CURVES.length); buttons[(i + step + CURVES.length) % CURVES.length].focus(); }
      } }, name));
    const choose = (i) => {
      curve.key = CURVES[i][0];
      buttons.forEach((b, k) => { b.setAttribute("aria-checked", String(k === i)); b.tabIndex = k === i ? 0 : -1; });
      redraw();
    };
    $("curve-metric").replaceChildren(...buttons);
    $("curve-log").addEventListener("change", (e) => { curve.isLog = e.target.checked; redraw(); });
    const chips = curveTrials.map((t) => el("button", { type: "button", class: "chip", "aria-pressed": String(curve.shown.has(t.id)),
      onclick: () => { if (!curve.shown.delete(t.id)) curve.shown.add(t.id); refresh(); },
      onpointerenter: () => highlight(t.id), onpointerleave: () => highlight(null), onfocus: () => highlight(t.id), onblur: () => highlight(null) },
    sv("svg", { class: "swatch", viewBox: "0 0 18 12", "aria-hidden": "true" },
      sv("line", { x1: 0, x2: 18, y1: 6, y2: 6, stroke: colour(t.config.model), "stroke-width": 2.5, "stroke-dasharray": dashOf(t) || null })), t.label));
    const refresh = () => { chips.forEach((c, i) => c.setAttribute("aria-pressed", String(curve.shown.has(curveTrials[i].id)))); redraw(); };
    const only = (list) => () => { curve.shown = new Set(list.map((t) => t.id)); refresh(); };
    $("curve-legend").replaceChildren(...chips);
    $("curve-all").addEventListener("click", only(curveTrials));
    $("curve-none").addEventListener("click", only([]));
    const last = Math.max(...curveTrials.map((t) => t.stage));
    $("curve-last").addEventListener("click", only(curveTrials.filter((t) => t.stage === last)));
    if (stages.length < 2) $("curve-last").remove();
  };

  // --- trials ----------------------------------------------------------------------------------------------------------

  const STATE_TEXT = { done: "done", waiting: "waiting", running: "running", stopped: "interrupted", failed: "failed", screened: "over budget" };
  const stateText = (t) => (t === winner ? "winner" : t.state === "done" && t.stage < stages.length ? (facts.finished_at ? `left at stage ${t.stage}` : `stage ${t.stage} done`) : STATE_TEXT[t.state] || t.state);
  const columns = [
    { name: "Trial", text: true, get: (t) => t.label, cell: (t) => [t.config.model, el("small", { class: "why" }, [t.options, "#" + t.id, t.reason].filter(Boolean).join(" \u00b7 "))] },
    { name: "State", text: true, get: stateText, cell: (t) => el("span", { class: "badge " + (t === winner ? "winner" : t.state) }, stateText(t)), left: true },
    { name: "Stage", get: (t) => t.stage, cell: (t) => (t.stage ? t.stage + "/" + stages.length : dash) },
    { name: metricName(objective), get: (t) => t.score, cell: (t) => fix(t.score, 3), down: !isLower },
    ...[objective.startsWith("map") ? "map50" : "box_precision50", "loss"].filter((k) => k !== objective && trials.some((t) => t.val && t.val.metrics[k]))
      .map((k) => ({ name: k === "box_precision50" ? "box prec." : metricName(k), get: (t) => t.metric(t.val, k), cell: (t) => fix(t.metric(t.val, k), k === "loss" ? 4 : 3), down: k !== "loss" })),
    { name: "p90 ms", get: (t) => t.ms, cell: (t) => sig(t.ms) },
    { name: "Params", get: (t) => t.net && t.net.params, cell: (t) => count(t.net && t.net.params) },
    { name: "MACs", get: (t) => t.net && t.net.macs, cell: (t) => count(t.net && t.net.macs) },
    { name: "Epochs", get: (t) => t.epochs.epoch.length, cell: (t) => (t.epochs.epoch.length ? String(t.epochs.epoch[t.epochs.epoch.length - 1]) : dash), down: true },
    { name: "Time", get: (t) => t.seconds, cell: (t) => (t.seconds ? span(t.seconds) : dash), down: true },
  ];
  const setUpTrials = () => {
    const sort = { column: 3, isDown: !isLower };
    const heads = columns.map((c, i) => el("th", { scope: "col", class: c.left ? "left" : null }, el("button", { type: "button", onclick: () => {
      if (sort.column === i) sort.isDown = !sort.isDown; else { sort.column = i; sort.isDown = Boolean(c.down); }
      draw();
    } }, c.name)));
    const body = el("tbody", {});
    const states = [...new Set(trials.map((t) => t.state))];
    $("trial-state").replaceChildren(el("option", { value: "" }, "all"), ...states.map((s) => el("option", { value: s }, STATE_TEXT[s] || s)));
    const matches = (t) => {
      const words = $("trial-filter").value.toLowerCase().split(/\s+/).filter(Boolean);
      const hay = [t.label, stateText(t), t.state, t.reason, "#" + t.id, ...Object.entries(t.config).map(([k, v]) => k + "=" + v)].join(" ").toLowerCase();
      return words.every((w) => hay.includes(w)) && (!$("trial-state").value || t.state === $("trial-state").value);
    };
    const draw = () => {
      const c = columns[sort.column], list = trials.filter(matches);
      list.sort((a, b) => {
        const va = c.get(a), vb = c.get(b), na = va === null || va === undefined || va === "", nb = vb === null || vb === undefined || vb === "";
        if (na || nb) return na && nb ? a.id - b.id : na ? 1 : -1;
        const d = c.text ? String(va).localeCompare(String(vb), "en", { numeric: true }) : va - vb;
        return (sort.isDown ? -d : d) || a.id - b.id;
      });
      heads.forEach((h, i) => { if (i === sort.column) h.setAttribute("aria-sort", sort.isDown ? "descending" : "ascending"); else h.removeAttribute("aria-sort"); });
      body.replaceChildren(...list.map((t) => el("tr", { class: t === winner ? "is-winner" : has(t.score) ? null : "is-idle" },
        columns.map((col, i) => el(i === 0 ? "th" : "td", { scope: i === 0 ? "row" : null, class: col.left ? "left" : null }, col.cell(t))))));
      if (!list.length) body.append(el("tr", {}, el("td", { colspan: columns.length, class: "left" }, "No trial matches.")));
      $("trial-count").textContent = list.length === trials.length ? plural(trials.length, "trial") : `${list.length} of ${plural(trials.length, "trial")}`;
    };
    $("trial-table").replaceChildren(el("thead", {}, el("tr", {}, heads)), body);
    $("trial-filter").addEventListener("input", draw);
    $("trial-state").addEventListener("change", draw);
    draw();
  };

  // --- pictures, method, commands -------------------------------------------------------------------------------------

  const drawPictures = () => {
    const list = data.pictures.filter((p) => !winner || p.trial === winner.id);
    if (!list.length) { $("pictures").remove(); return; }
    list.sort((a, b) => /sheet/.test(b.name) - /sheet/.test(a.name));
    $("picture-list").classList.toggle("has-many", list.length > 1);
    $("picture-list").replaceChildren(...list.map((p) => el("figure", { class: /sheet/.test(p.name) ? "is-wide" : null },
      el("img", { src: "data:image/jpeg;base64," + p.jpeg, alt: p.caption || p.name, loading: "lazy", decoding: "async" }), el("figcaption", {}, p.caption || p.name))));
  };
  const drawMethod = () => {
    const n = (leader && leader.net) || data.networks[0] || {};
    const rows = [
      ["Device", n.device || facts.cpu], ["Target", facts.target], ["Threads", n.threads ? String(n.threads) : ""], ["CPU level", facts.cpu_level],
      ["Warm-up runs", n.warmup ? String(n.warmup) : ""], ["Timed runs", n.runs ? String(n.runs) : ""], ["Budget", budget > 0 ? limit(budget) + ", p90" : "none"],
      ["Objective", metricName(objective) + (isLower ? ", lowest" : ", highest") + " on val"], ["Stages", facts.stages], ["Seed", facts.seed],
      ["Data", facts.data], ["Data hash", facts.data_hash], ["Trained on", facts.cpu + (facts.cores ? `, ${plural(Number(facts.cores), "core")}` : "")],
      ["Workers at a time", facts.jobs], ["Gannet", facts.gannet_version], ["Compiler", facts.compiler], ["Begun", facts.created_at], ["Finished", facts.finished_at],
    ].filter((r) => r[1]);
    $("facts").replaceChildren(...rows.map(([k, v]) => el("div", {}, el("dt", {}, k), el("dd", {}, v))));
    const disturbed = data.networks.filter((x) => !x.is_valid && has(x.total_p90_ms));
    $("method-text").replaceChildren(
      el("p", {}, "Each distinct network was measured once on the target with one picture at a time, before anything trained and with nothing else of the search running. ",
        "The budget is held against the 90th percentile of preprocessing, network and postprocessing together; networks beyond it were not trained."),
      el("p", {}, "Then all trials trained in stages; after each stage the best networks, each by its best trial, went on from their checkpoints. ",
        "A trial is judged by its best epoch on the validation pictures. The test pictures were used once, by the winner."),
      disturbed.length ? el("p", {}, `The measurement of ${listed(disturbed.map((x) => x.model))} was disturbed; the quietest of its repetitions is shown.`) : "",
      facts.test_note ? el("p", {}, "No figures on test pictures: " + facts.test_note) : "");
  };
  const command = (line) => {
    const button = el("button", { type: "button", onclick: async () => {
      let isCopied = true;
      try { await navigator.clipboard.writeText(line); } catch (_) {
        const range = document.createRange();
        range.selectNodeContents(pre);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        isCopied = document.execCommand("copy");
      }
      button.textContent = isCopied ? "Copied" : "Selected";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    } }, "Copy");
    const pre = el("pre", {}, line);
    return el("div", { class: "command" }, pre, button);
  };
  const quote = (s) => (/^[\w@%+=:,./-]+$/.test(s) ? s : "'" + s.replace(/'/g, "'\\''") + "'");
  const drawCommands = () => {
    const parts = [];
    const lines = [...new Set(data.commands.map((c) => c.line))];
    if (lines.length) parts.push(el("h3", {}, "The search"), ...lines.map(command));
    if (leader) {
      const options = Object.entries(leader.config).map(([k, v]) => `--${k.replace(/_/g, "-")} ${quote(v)}`).join(" ");
      const epochs = stages.length ? stages[Math.max(0, leader.stage - 1)].epochs : 0;
      parts.push(el("h3", {}, winner ? "The winner alone, from scratch" : "The leader alone, from scratch"),
        command(`gannet train --data ${quote(facts.data || "DATA")} ${options}${leader.config.seed ? "" : " --seed " + leader.seed}${epochs ? " --epochs " + epochs : ""}`));
      if (winner && facts.out) {
        const model = quote(facts.out + "/best.onnx");
        parts.push(el("h3", {}, "What it reaches, and how fast it is"), command(`gannet val ${model} --data ${quote(facts.data || "DATA")} --split test`),
          command(`gannet bench ${model} --target ${quote(facts.target || "cpu")}`));
      }
    }
    parts.push(el("h3", {}, "This page again, from the study"), command(`gannet report ${quote(data.study)} -o report.html`));
    $("commands").replaceChildren(...parts);
  };

  // --- theme and navigation --------------------------------------------------------------------------------------------

  const root = document.documentElement, button = $("theme"), prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const setTheme = (name) => {
    root.dataset.theme = name;
    button.setAttribute("aria-pressed", String(name === "dark"));
  };
  setTheme(prefersDark.matches ? "dark" : "light");
  prefersDark.addEventListener("change", (e) => setTheme(e.matches ? "dark" : "light"));
  button.addEventListener("click", () => setTheme(root.dataset.theme === "dark" ? "light" : "dark"));
  let themeBeforePrint = "";
  addEventListener("beforeprint", () => { themeBeforePrint = root.dataset.theme; setTheme("light"); });
  addEventListener("afterprint", () => setTheme(themeBeforePrint));

  drawSummary();
  drawScatterLegend();
  onResize($("scatter"), drawScatter);
  drawFunnel();
  drawNetworks();
  setUpCurves();
  setUpTrials();
  drawPictures();
  drawMethod();
  drawCommands();
  $("nav").replaceChildren(...[...document.querySelectorAll("section[data-nav]")].map((s) => el("a", { href: "#" + s.id }, s.dataset.nav)));
  $("foot").textContent = `Made by Gannet ${data.version} from ${data.study}. This file is complete in itself and loads nothing.`;
})();
