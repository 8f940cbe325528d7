"use strict";
(() => {
  const PERIOD_MS = 5000;
  const TIMEOUT_MS = 4000;
  const find = (id) => document.getElementById(id);
  const trouble = find("trouble");
  const say = (place, text) => {
    // The same words again would be read out again.
    if (place.textContent !== text) place.textContent = text;
  };
  // Read out even if it is what was said last: the reader did it again.
  const tell = (text) => {
    const again = find("news").textContent === text;
    say(find("news"), again ? "" : text);
    if (again) setTimeout(say, 100, find("news"), text);
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copies]");
    if (!button) return;
    let done = "Copied";
    try {
      await navigator.clipboard.writeText(find(button.dataset.copies).textContent);
      tell("Copied: " + button.dataset.what);
    } catch {
      done = "Select the text";
      tell("The browser does not let the page copy: select the text");
    }
    // Where the reader looks.
    button.textContent = done;
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  // The parts as the server wrote them, before anything here changes them.
  const sent = new Map([...document.querySelectorAll("[data-live]")].map((part) => [part.id, part.outerHTML]));
  const show = () => {
    for (const button of document.querySelectorAll("button[data-copies]")) button.hidden = !navigator.clipboard;
  };
  show();

  if (!location.protocol.startsWith("http")) {
    say(trouble, "A saved page: it does not refresh. Fetch it again to see what is true now.");
    return;
  }

  // Replaces the parts that differ, and nothing else: what is selected or focused elsewhere stays. What can be
  // scrolled or focused inside has an id, by which it is as it was before.
  const take = (fresh) => {
    const focused = document.activeElement && document.activeElement.id;
    const level = document.body.dataset.level;
    for (const part of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(part.id);
      if (!next || next.outerHTML === sent.get(part.id)) continue;
      const scrolled = [...part.querySelectorAll("[tabindex][id]")].map((each) => [each.id, each.scrollLeft]);
      const open = [...part.querySelectorAll("details[open]")].map((each) => each.id);
      const chosen = part.querySelector("input:checked");
      sent.set(part.id, next.outerHTML);
      part.replaceWith(next);
      for (const [id, left] of scrolled) if (find(id)) find(id).scrollLeft = left;
      for (const id of open) if (find(id)) find(id).open = true;
      if (chosen && find(chosen.id)) find(chosen.id).checked = true;
    }
    show();
    if (focused && find(focused)) find(focused).focus({ preventScroll: true });
    document.title = fresh.title;
    document.body.dataset.level = fresh.body.dataset.level;
    if (fresh.body.dataset.level !== level) tell("Now level " + fresh.body.dataset.level);
  };

  let paused = false;
  let running = false;
  const refresh = async () => {
    if (paused || running || document.hidden) return;
    running = true;
    try {
      const answer = await fetch(location.href, {
        headers: { Accept: "text/html" },
        cache: "no-store",
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (!answer.ok) throw new Error("status " + answer.status);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!fresh.body.dataset.level) throw new Error("the answer is another page");
      if (!paused) take(fresh);
      say(trouble, "");
    } catch (error) {
      say(trouble, "The page cannot be refreshed (" + error.message + "): what it shows is as old as it says.");
    } finally {
      running = false;
    }
  };
  const pause = find("pause");
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Go on refreshing" : "Pause refreshing";
    tell(paused ? "Paused" : "Refreshing every 5 seconds");
    refresh();
  });
  document.addEventListener("visibilitychange", refresh);
  setInterval(refresh, PERIOD_MS);
})();
