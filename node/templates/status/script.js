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

function tell(text, isLost) {
  if (live.textContent !== text) live.textContent = text;
  live.classList.toggle("lost", isLost);
}

pause.hidden = false;
pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? "Go on" : "Pause";
  tell(paused ? "paused" : "live", false);
  show();
});

const events = new EventSource("status/events");
events.onmessage = (event) => {
  for (const [id, html] of Object.entries(JSON.parse(event.data))) waiting.set(id, html);
  if (!paused) tell("live", false);
  show();
};
events.onerror = () => {
  if (events.readyState === EventSource.CLOSED) tell("turned away: too many watch this node; reload to try again", true);
  else tell("the node does not answer; what is shown is old", true);
};
