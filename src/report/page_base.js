/* Draws the report from the JSON in #data.  The files page_*.js stand one behind the other in one script and share its scope; page.js
 * comes last and begins.  Nothing is loaded from anywhere; all text enters the page as text nodes, never as markup.
 * This file: elements, numbers as text, controls, the tooltip.
 * SPDX-License-Identifier: Apache-2.0 */
"use strict";

const $ = (id) => document.getElementById(id);

// --- elements -----------------------------------------------------------------------------------------------------------

const fill = (node, attrs, children) => {
  for (const [k, v] of Object.entries(attrs || {})) {
    if (v === null || v === undefined || v === false) continue;
    if (k.startsWith("on")) node.addEventListener(k.slice(2), v);
    else node.setAttribute(k, v === true ? "" : v);
  }
  node.append(...children.flat(3).filter((c) => c !== null && c !== undefined && c !== "" && c !== false));
  return node;
};
const el = (tag, attrs, ...children) => fill(document.createElement(tag), attrs, children);
const sv = (tag, attrs, ...children) => fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attrs, children);

// --- numbers and lists as text ------------------------------------------------------------------------------------------

const has = (x) => typeof x === "number" && Number.isFinite(x);
const DASH = "\u2013", THIN = "\u202f", DOT = " \u00b7 ";
const fix = (x, n) => (has(x) ? x.toFixed(n) : DASH);
/* Three significant digits; whole numbers from 100 on. */
const sig = (x) => (!has(x) ? DASH : x === 0 ? "0" : Math.abs(x) >= 99.95 ? x.toFixed(0) : Math.abs(x) < 1e-3 ? x.toExponential(1) : x.toPrecision(3));
const ms = (x) => (has(x) ? sig(x) + THIN + "ms" : DASH);
/* A figure as somebody typed it: no digits added. */
const typed = (x) => String(+x.toPrecision(4));
const scaled = (x, units) => {
  if (!has(x)) return DASH;
  let i = 0;
  while (Math.abs(x) >= 999.5 && i + 1 < units.length) { x /= 1000; i++; }
  return (i === 0 ? String(+x.toPrecision(3)) : x.toPrecision(3)) + (units[i] ? THIN + units[i] : "");
};
const count = (x) => scaled(x, ["", "k", "M", "G", "T"]);
const bytes = (x) => scaled(x, ["B", "kB", "MB", "GB", "TB"]);
const thousands = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, THIN);
const span = (s) => {
  if (!has(s)) return DASH;
  if (s < 60) return s.toFixed(s < 10 ? 1 : 0) + THIN + "s";
  const m = Math.round(s / 60);
  return m < 60 ? m + THIN + "min" : Math.floor(m / 60) + THIN + "h " + (m % 60) + THIN + "min";
};
const percent = (x) => (has(x) ? (x * 100).toFixed(Math.abs(x) < 0.0995 ? 1 : 0) + THIN + "%" : DASH);
const plural = (n, one, many) => thousands(n) + "\u00a0" + (n === 1 ? one : many || one + "s");
const listed = (parts) => (parts.length < 2 ? parts.join("") : parts.slice(0, -1).join(", ") + " and " + parts[parts.length - 1]);
const tickText = (t) => (t === 0 ? "0" : Math.abs(t) >= 1e-3 && Math.abs(t) < 1e4 ? String(+t.toPrecision(4)) : t.toExponential(0).replace("e+", "e"));
const ruler = document.createElement("canvas").getContext("2d");
/* The width of a text of a chart in pixels. */
const textWidth = (s, isBold = false) => {
  ruler.font = `${isBold ? 600 : 400} 12.5px ${getComputedStyle(document.body).fontFamily}`;
  return ruler.measureText(s).width;
};
/* As much of a text of a chart as fits into `width` pixels. */
const shorten = (s, width) => {
  if (textWidth(s) <= width) return s;
  let n = s.length - 1;
  while (n > 2 && textWidth(s.slice(0, n) + "\u2026") > width) n--;
  return s.slice(0, n) + "\u2026";
};

const byNumber = (a, b) => a - b;
/* The value below which a share q of the sorted list lies, between neighbours by interpolation. */
const quantile = (sorted, q) => {
  if (!sorted.length) return NaN;
  const at = (sorted.length - 1) * q, i = Math.floor(at);
  return i + 1 < sorted.length ? sorted[i] + (sorted[i + 1] - sorted[i]) * (at - i) : sorted[i];
};
const least = (list) => list.reduce((a, b) => (b < a ? b : a), Infinity);
const most = (list) => list.reduce((a, b) => (b > a ? b : a), -Infinity);
const sum = (list) => list.reduce((a, b) => a + b, 0);
const unique = (list) => [...new Set(list)];
const groupBy = (list, key) => {
  const groups = new Map();
  for (const item of list) {
    const k = key(item), at = groups.get(k);
    if (at) at.push(item); else groups.set(k, [item]);
  }
  return groups;
};

// --- controls -----------------------------------------------------------------------------------------------------------

/* One of several, as buttons in a row: arrow keys move, as in a group of radio buttons.  choices: [value, text]. */
const segments = (box, choices, chosen, onChoose) => {
  if (box.dataset.choices === JSON.stringify(choices) && box.dataset.chosen === String(chosen)) return;
  const hadFocus = box.contains(document.activeElement);
  box.dataset.choices = JSON.stringify(choices);
  box.dataset.chosen = String(chosen);
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  const buttons = choices.map(([value, text], i) => el("button", {
    type: "button", role: "radio", "aria-checked": String(value === chosen), tabindex: value === chosen ? 0 : -1,
    onclick: () => onChoose(value),
    onkeydown: (e) => {
      if (!step[e.key]) return;
      e.preventDefault();
      buttons[(i + step[e.key] + choices.length) % choices.length].focus();
      onChoose(choices[(i + step[e.key] + choices.length) % choices.length][0]);
    },
  }, text));
  box.replaceChildren(...buttons);
  if (hadFocus) buttons[Math.max(0, choices.findIndex(([value]) => value === chosen))].focus();
};
/* Gives a <select> its choices, and leaves it alone when they are there already. */
const options = (select, choices, chosen) => {
  const key = JSON.stringify(choices);
  if (select.dataset.choices !== key) {
    select.dataset.choices = key;
    select.replaceChildren(...choices.map(([value, text]) => el("option", { value }, text)));
  }
  select.value = String(chosen);
};
const copyButton = (line, from) => {
  const button = el("button", { type: "button", "aria-label": "Copy the command", onclick: async () => {
    let isCopied = true;
    try { await navigator.clipboard.writeText(line); } catch (_) {
      const range = document.createRange();
      range.selectNodeContents(from);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      isCopied = document.execCommand("copy");
    }
    button.textContent = isCopied ? "Copied" : "Selected";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  } }, "Copy");
  return button;
};
const command = (line) => {
  const pre = el("pre", {}, line);
  return el("div", { class: "command" }, pre, copyButton(line, pre));
};
/* A word of a command line, quoted for a POSIX shell where it must be. */
const quote = (s) => (/^[\w@%+=:,./-]+$/.test(s) ? s : "'" + s.replace(/'/g, "'\\''") + "'");

// --- tooltip ------------------------------------------------------------------------------------------------------------

const tip = $("tip");
const hideTip = () => { tip.hidden = true; };
const showTip = (x, y, title, rows) => {
  tip.replaceChildren(el("b", {}, title), el("table", { role: "presentation" }, el("tbody", {},
    rows.filter(Boolean).map(([k, v]) => el("tr", {}, el("td", {}, k), el("td", {}, v))))));
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = x + 16 + box.width > innerWidth ? x - box.width - 16 : x + 16;
  tip.style.left = Math.max(6, left) + "px";
  tip.style.top = Math.max(6, Math.min(y + 14, innerHeight - box.height - 6)) + "px";
};
addEventListener("keydown", (e) => { if (e.key === "Escape") hideTip(); });
addEventListener("scroll", hideTip, { passive: true });
