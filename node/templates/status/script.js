"use strict";
// What the server sends is a section's HTML by its id, and only what changed.
const live = document.getElementById("live");
const pause = document.getElementById("pause");
const waiting = new Map();
let paused = false;

// Whoever copies a trace id must not lose what was marked.
function isMarked(section) {
  const marked = getSelection();
  return !marked.isCollapsed && section.contains(marked.anchorNode);
}

function put(section, html) {
  const open = [...section.querySelectorAll("details[open]")].map((details) => details.dataset.key);
  const scrolled = [...section.querySelectorAll(".scrolls")].map((box) => [box.id, box.scrollLeft, box.scrollTop]);
  const focused = section.contains(document.activeElement) ? document.activeElement.id : "";
  section.innerHTML = html;
  for (const details of section.querySelectorAll("details")) details.open = open.includes(details.dataset.key);
  for (const [id, left, top] of scrolled) document.getElementById(id)?.scrollTo(left, top);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

function show() {
  if (paused) return;
  for (const [id, html] of waiting) {
    const section = document.getElementById(id);
    if (section && isMarked(section)) continue;
    waiting.delete(id);
    if (section) put(section, html);
  }
}

// Why what is shown is old, if it is.
let trouble = "";

function tell() {
  const text = trouble || (paused ? "paused" : "live");
  if (live.textContent !== text) live.textContent = text;
  live.classList.toggle("lost", trouble !== "");
}

pause.hidden = false;
pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? "Go on" : "Pause";
  tell();
  show();
});

const SILENT = "the node does not answer; what is shown is old";
const TURNED_AWAY = "turned away: too many watch this node; reload to try again";
// The node says something each second.
const SILENT_MS = 5000;
let events;
let heard;

function listen() {
  heard = performance.now();
  events = new EventSource("status/events");
  events.onmessage = (event) => {
    heard = performance.now();
    for (const [id, html] of Object.entries(JSON.parse(event.data))) waiting.set(id, html);
    trouble = "";
    tell();
    show();
  };
  events.onerror = () => {
    trouble = events.readyState === EventSource.CLOSED ? TURNED_AWAY : SILENT;
    tell();
  };
}

listen();
// Of a node that hangs, or behind a network that forgot the connection, the browser hears no error.
setInterval(() => {
  if (events.readyState === EventSource.CLOSED || performance.now() - heard < SILENT_MS) return;
  trouble = SILENT;
  tell();
  events.close();
  listen();
}, 1000);
