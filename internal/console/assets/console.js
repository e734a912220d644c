// What the console does with JavaScript: live regions, copying, speaking, and
// the one-time link. Every page works without it.
"use strict";
(() => {
  const base = document.body.dataset.base;

  // The token of a one-time link stands behind the #, where no server, proxy or
  // log sees it. It goes into the form, and out of the address.
  const door = document.getElementById("door");
  const enter = () => {
    if (!door || location.hash.length < 2) return;
    let token = location.hash.slice(1);
    try { token = decodeURIComponent(token); } catch { /* no link of ours: the server says so */ }
    door.elements.token.value = token;
    history.replaceState(null, "", location.pathname);
    if (door.dataset.auto !== undefined) door.requestSubmit();
  };
  enter();
  addEventListener("hashchange", enter); // another link, opened on this very page
  for (const form of document.querySelectorAll("form[data-submit]")) form.requestSubmit();

  // Buttons that only scripts can make work are hidden without them.
  const reveal = root => {
    for (const b of root.querySelectorAll("[data-copy]")) b.hidden = !navigator.clipboard;
    for (const b of root.querySelectorAll("[data-speak]")) b.hidden = !window.speechSynthesis;
    // The newest message of a phone comes into sight; threads begin with theirs.
    for (const s of root.querySelectorAll(".screen")) {
      const newest = s.querySelector(".thread")?.querySelector(".bubble:last-of-type");
      if (newest) s.scrollTop += newest.getBoundingClientRect().bottom - s.getBoundingClientRect().bottom + 12;
    }
  };
  reveal(document);
  document.addEventListener("htmx:afterSwap", e => reveal(e.target.parentElement || document));
  // A number that somebody asked to see takes the place, and the focus, of the
  // button that they pressed. It remembers what it looked like masked; see swap.
  document.addEventListener("htmx:afterSwap", e => {
    const masked = e.detail.target?.querySelector(".number");
    if (!masked || !e.detail.target.matches(".masked") || !e.target.matches(".number")) return;
    e.target.dataset.shown = masked.textContent;
    e.target.tabIndex = -1;
    if (!document.activeElement || document.activeElement === document.body) e.target.focus({ preventScroll: true });
  });

  // The page's entry comes into sight, where the style sheet cannot see to it.
  const entry = document.querySelector(".top nav a[aria-current]"), entries = entry?.closest("ul");
  if (entry) entries.scrollLeft += Math.max(0, entry.getBoundingClientRect().right - entries.getBoundingClientRect().right);

  // What came of a request stands above the page until another one is sent: what
  // the server refused comes from there, that it gave no answer is said here.
  const refusal = document.getElementById("refusal");
  document.addEventListener("htmx:beforeRequest", () => { refusal.replaceChildren(); });
  document.addEventListener("htmx:sendError", () => { refusal.textContent = "The server did not answer. What you see may be old: try again."; });

  const copied = new WeakMap(); // a button, what gives it its label back
  document.addEventListener("click", async e => {
    const copy = e.target.closest("[data-copy]");
    if (copy) {
      const from = copy.dataset.copyFrom ? document.getElementById(copy.dataset.copyFrom) : null;
      copy.dataset.label ??= copy.textContent;
      let said = "Copied";
      try { await navigator.clipboard.writeText(from ? from.textContent : copy.dataset.copy); } catch { said = "Not copied"; }
      clearTimeout(copied.get(copy));
      copy.textContent = said;
      copied.set(copy, setTimeout(() => { copy.textContent = copy.dataset.label; }, 1500));
      return;
    }
    const speak = e.target.closest("[data-speak]");
    if (speak) {
      const words = new SpeechSynthesisUtterance(speak.dataset.speak);
      if (speak.dataset.lang) words.lang = speak.dataset.lang;
      speechSynthesis.cancel();
      speechSynthesis.speak(words);
    }
  });
  document.addEventListener("keydown", e => {
    const menu = document.querySelector("details.menu[open]");
    if (e.key === "Escape" && menu) { menu.open = false; menu.querySelector("summary").focus(); }
  });

  // What somebody holds down, by pointer or space bar, stays in its place until
  // they let go: what is done at the release does not happen to what is gone. The
  // click comes right after the release, so that the page changes after that.
  let down = null, lifted = null;
  const held = new Map(); // an id, what brings its place up to date then
  const release = () => {
    if (down) return;
    const all = [...held];
    held.clear();
    for (const [id, again] of all) again(id);
  };
  const press = e => { clearTimeout(lifted); down = e.target; };
  const lift = () => {
    clearTimeout(lifted);
    lifted = setTimeout(() => { down = null; release(); });
  };
  addEventListener("pointerdown", press);
  addEventListener("keydown", e => { if (e.key === " ") press(e); });
  for (const up of ["pointerup", "pointercancel", "contextmenu", "blur"]) addEventListener(up, lift);
  addEventListener("keyup", e => { if (e.key === " ") lift(); });
  document.addEventListener("htmx:afterRequest", release);
  // keep leaves a place as it is where an answer comes under what is held down.
  const keep = (e, places, again) => {
    const place = e.detail.target;
    if (!down || !place.matches(places) || !place.contains(down)) return;
    e.detail.shouldSwap = false;
    held.set(place.id, again);
  };
  document.addEventListener("htmx:beforeSwap", e => keep(e, "#preview", () => htmx.trigger("#preview", "renew")));

  // Live regions: data-live names the topic, data-live-url where the region's
  // new HTML is. One stream serves the whole page.
  const regions = topic => [...document.querySelectorAll("[data-live]")].filter(n => topic === undefined || n.dataset.live === topic);
  const topics = [...new Set(regions().map(n => n.dataset.live))];
  if (topics.length === 0) return;
  const lost = document.getElementById("lost");
  // A region is asked for once at a time: what changes meanwhile is asked for
  // after that. What could not be had stays as it is and is asked for again.
  const busy = new Map(); // the id of a region, whether it changed meanwhile
  const later = new Map(); // the id of a region, what asks for it again
  let asking = new AbortController(); // ends what was asked for before the stream was lost
  let leaving = false; // to where signing out leads
  const load = async id => {
    if (busy.has(id)) { busy.set(id, true); return; }
    const old = document.getElementById(id);
    if (!old || leaving) return;
    busy.set(id, false);
    clearTimeout(later.get(id));
    let failed = false;
    try {
      const answer = await fetch(old.dataset.liveUrl, { headers: { "HX-Request": "true", "X-By-Itself": "true" }, signal: asking.signal });
      failed = answer.status >= 500;
      if (answer.status === 401 && !leaving) location.reload();
      if (answer.ok) show(id, await answer.text());
    } catch { failed = true; }
    const again = busy.get(id);
    busy.delete(id);
    if (failed) later.set(id, setTimeout(load, 1000, id));
    else if (again) load(id);
  };
  // show swaps a region, but neither under what is held down nor before the
  // answer to what was pressed there: either would be lost with its place.
  const show = (id, text) => {
    if (down || document.getElementById(id)?.querySelector(".htmx-request")) held.set(id, load); else swap(id, text);
  };
  document.addEventListener("htmx:beforeSwap", e => keep(e, "[data-live]", load));
  // homes finds what stands around n, the nearest thing with an id, in the region
  // as it is and in the region as it comes.
  const homes = (n, made) => {
    const home = n.closest("[id]");
    return [home, home.id === made.id ? made : made.querySelector("#" + CSS.escape(home.id))];
  };
  // twin finds n in what comes: by its id, or as the same of its kind at home.
  const twin = (n, made) => {
    const [home, next] = homes(n, made);
    if (n === home || !next) return next;
    return next.querySelectorAll(n.tagName)[[...home.querySelectorAll(n.tagName)].indexOf(n)];
  };
  const swap = (id, text) => {
    const old = document.getElementById(id);
    const made = new DOMParser().parseFromString(text, "text/html").getElementById(id);
    if (!old || !made) return;
    const at = document.activeElement;
    const focused = old.contains(at);
    // A number that was shown stays shown, where the same one comes masked.
    for (const n of old.querySelectorAll("[data-shown]")) {
      const [, next] = homes(n, made);
      const masked = [...next?.querySelectorAll(".masked") ?? []].find(m => m.querySelector(".number").textContent === n.dataset.shown);
      masked?.replaceWith(n);
    }
    // A copy button that was pressed stays, with what it says of that.
    for (const b of old.querySelectorAll("[data-label]")) twin(b, made)?.replaceWith(b);
    const then = focused && !made.contains(at) ? twin(at, made) : at;
    for (const d of old.querySelectorAll("details[id][open]")) { const same = made.querySelector("#" + CSS.escape(d.id)); if (same) same.open = true; }
    old.replaceWith(made);
    htmx.process(made);
    reveal(made);
    if (focused) then?.focus({ preventScroll: true });
  };
  const refresh = topic => {
    for (const n of regions(topic)) if (n.id && n.dataset.liveUrl) load(n.id);
  };
  let source = null, wait = null;
  const address = base + "/live?" + topics.map(t => "topic=" + encodeURIComponent(t)).join("&");
  const close = () => {
    clearTimeout(wait);
    if (source) source.close();
    source = null;
  };
  // What was asked for over a connection that was lost may hang as long as that.
  const forget = () => {
    asking.abort();
    asking = new AbortController();
  };
  const open = () => {
    close();
    source = new EventSource(address);
    const here = source;
    here.onopen = () => { lost.hidden = true; };
    here.onerror = () => {
      lost.hidden = false;
      if (here.readyState !== EventSource.CLOSED) { forget(); return; }
      // Refused: the browser gives up, we do not. Why, it keeps to itself; a region
      // is told, and leads to the sign-in page if the session is over.
      wait = setTimeout(open, 3000);
      load(regions().find(n => n.id && n.dataset.liveUrl)?.id);
    };
    here.addEventListener("open", () => refresh());
    here.addEventListener("change", e => refresh(e.data));
    here.addEventListener("ended", () => { here.close(); location.reload(); });
  };
  // A hidden page needs no connection, nor does one that was opened behind
  // another: browsers give a host six over plain HTTP. In sight it looks at once.
  if (!document.hidden) open();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close(); else if (!source) open();
  });
  // Back online, the old stream may hang for minutes: another one looks at once.
  addEventListener("offline", () => { lost.hidden = false; });
  addEventListener("online", () => { forget(); if (!document.hidden) open(); });
  addEventListener("pagehide", close);
  // Signing out leads elsewhere: the news that the session is over would lead the
  // page back before the answer does.
  document.querySelector("form[action$='/sign-out']")?.addEventListener("submit", () => { leaving = true; close(); });
  addEventListener("pageshow", e => { leaving = false; if (e.persisted && !document.hidden && !source) open(); });
})();
