"use strict";
// The virtual phones: the round from "send" to VERIFIED, live pages, and what
// becomes of them when the connection is lost.
const net = require("node:net");
const { assert, base, codeOf, enter, origin, send, sleep, until } = require("./world.cjs");

const message = page => page.getByTestId("message");

// firstRun: one link, three clicks and the code.
async function firstRun(world, { link }) {
  const page = await world.open();
  const begun = Date.now();
  await enter(page, link);
  assert.equal(new URL(page.url()).hash, "", "the token of the link stays in the address");
  await page.getByRole("heading", { name: "Virtual phones" }).waitFor();
  await page.getByRole("button", { name: "Send a test code" }).click();
  await message(page).first().waitFor();
  await page.getByLabel("Type the code").fill(await codeOf(page));
  await page.getByRole("button", { name: "Check the code" }).click();
  await page.getByTestId("otp-status").filter({ hasText: "VERIFIED" }).waitFor();
  const took = Date.now() - begun;
  assert.match(await page.locator("pre").first().innerText(), /^curl .*\$API_KEY/s, "no request to copy");

  // The link is used up.
  const other = await world.open();
  await other.goto(link);
  await other.getByText("This link was used before or is too old").first().waitFor();
  return { took };
}

// copy presses a copy button: it says what became of it and gets its label back,
// pressed twice at once too, where the page changes before the browser has
// copied, and where it refuses. What a button says lasts a moment, so the page
// notes it.
async function copy(page, button, change) {
  await button.waitFor();
  await page.evaluate(() => {
    window.said = [];
    const note = all => {
      for (const m of all) {
        const text = m.target.isConnected && m.target.closest?.("[data-copy]")?.textContent;
        if (text && text !== window.said.at(-1)) window.said.push(text);
      }
    };
    new MutationObserver(note).observe(document, { childList: true, subtree: true });
    const write = navigator.clipboard.writeText.bind(navigator.clipboard);
    window.copied = new Promise(done => { window.goOn = done; });
    navigator.clipboard.writeText = async text => { await window.copied; return write(text); };
  });
  const said = (...all) => page.waitForFunction(want => window.said.join() === want, all.join());
  await button.click();
  await change();
  await page.evaluate(() => window.goOn());
  await said("Copied", "Copy code");
  const code = await page.evaluate(() => navigator.clipboard.readText());
  await button.evaluate(b => {
    navigator.clipboard.writeText = () => Promise.resolve();
    b.click();
    b.click();
  });
  await said("Copied", "Copy code", "Copied", "Copy code");
  await button.evaluate(b => {
    navigator.clipboard.writeText = () => Promise.reject(new Error("refused"));
    b.click();
  });
  await said("Copied", "Copy code", "Copied", "Copy code", "Not copied", "Copy code");
  return code;
}

// everyWay: each channel's message looks as it should on the phone.
async function everyWay(world, { link, key, server }) {
  const page = await world.open({ permissions: ["clipboard-read", "clipboard-write"] });
  await enter(page, link);
  for (const [label, channel] of [["SMS", "SMS"], ["Phone call", "VOICE"], ["WhatsApp", "WHATSAPP"], ["Viber", "VIBER"]]) {
    await page.goto(base(link) + "/phones");
    await page.getByLabel("Phone number").fill("+4915112340100");
    await page.getByLabel("Channel").selectOption({ label });
    await page.getByRole("button", { name: "Send a test code" }).click();
    await page.locator(`[data-channel=${channel}] [data-testid=message]`).first().waitFor();
    if (channel === "WHATSAPP") {
      const code = await copy(page, page.locator("[data-channel=WHATSAPP] [data-copy]").first(), async () => {
        const id = await send({ key, server }, "+4915112340100");
        await page.locator(`[data-otp="${id}"]`).waitFor();
      });
      assert.match(code, /^\d{4,10}$/, "what the copy button copied");
      await page.getByLabel("Type the code").fill(code);
      await page.getByRole("button", { name: "Check the code" }).click();
      await page.getByTestId("otp-status").filter({ hasText: "VERIFIED" }).waitFor();
    }
  }
  // A wrong code comes back on the form, and is counted.
  await page.getByLabel("Type the code").fill("000000");
  await page.getByRole("button", { name: "Check the code" }).click();
  const field = page.getByLabel("Type the code");
  await page.getByText("1 of").waitFor();
  assert.equal(await field.getAttribute("aria-invalid"), "true");
  // A number that is none comes back with what was typed.
  await page.goto(base(link) + "/phones");
  await page.getByLabel("Phone number").fill("0151 no number");
  await page.getByRole("button", { name: "Send a test code" }).click();
  await page.getByText("This is no phone number").first().waitFor();
  assert.equal(await page.getByLabel("Phone number").inputValue(), "0151 no number");
}

// orders: the buttons of a phone act on what comes next.
async function orders(world, { link, key, server }) {
  const to = "+4915112340200";
  const page = await world.open();
  await enter(page, link);
  await send({ key, server }, to);
  const phone = page.getByTestId("phone").filter({ hasText: to });
  await phone.getByRole("link", { name: "Open this phone" }).click();
  await page.getByRole("button", { name: "Refuse" }).click();
  await page.getByRole("button", { name: "Refuse", pressed: true }).waitFor();
  const refused = await send({ key, server }, to);
  // The order is of when it is submitted: the next one comes after that.
  const story = await page.context().newPage();
  await story.goto(base(link) + "/otps/" + refused);
  await story.getByText("refused it for good").first().waitFor();
  await page.getByRole("button", { name: "Arrive late" }).click();
  await page.getByRole("button", { name: "Arrive late", pressed: true }).waitFor();
  await page.getByRole("button", { name: "As usual" }).click();
  await page.getByRole("button", { name: "As usual", pressed: true }).waitFor();
  const last = await send({ key, server }, to);
  await page.locator(`[data-otp="${last}"]`).waitFor();
  assert.equal(await message(page).count(), 2, "a refused message came up on the phone, or a good one did not");
}

// live: pages of a second browser show what the first one's click sends, and
// what an API sends, and how long after its submit.
async function live(world, { link, second, key, server }) {
  const watcher = await world.open();
  await enter(watcher, second);
  await watcher.getByRole("heading", { name: "Virtual phones" }).waitFor();
  await watcher.waitForTimeout(500); // the stream opens
  const page = await world.open();
  await enter(page, link);
  const to = "+4915112340300";
  await page.getByLabel("Phone number").fill(to);
  await page.getByRole("button", { name: "Send a test code" }).click();
  await watcher.getByTestId("phone").filter({ hasText: to }).getByTestId("message").waitFor();
  const rounds = 15;
  for (let i = 0; i < rounds; i++) {
    const id = await send({ key, server }, `+49151123404${String(i).padStart(2, "0")}`);
    await watcher.locator(`[data-otp="${id}"]`).waitFor();
  }
  const after = (await watcher.evaluate(() => window.arrivals)).map(a => a.after).slice(-rounds - 1).sort((a, b) => a - b);
  assert.equal(after.length, rounds + 1);
  return { median: after[Math.floor(after.length / 2)], worst: after[after.length - 1] };
}

// A wire between browser and server that can be cut.
async function wire(world, server) {
  const to = new URL(server);
  const open = new Set();
  let whole = true;
  const between = net.createServer(near => {
    if (!whole) return near.destroy();
    const far = net.connect(Number(to.port), to.hostname);
    for (const [a, b] of [[near, far], [far, near]]) {
      open.add(a);
      a.pipe(b);
      a.on("error", () => b.destroy());
      a.on("close", () => { open.delete(a); b.destroy(); });
    }
  });
  await new Promise(done => between.listen(0, "127.0.0.1", done));
  const cut = () => { whole = false; for (const s of open) s.destroy(); };
  world.ends.push(() => new Promise(done => { cut(); between.close(done); }));
  return { address: `http://127.0.0.1:${between.address().port}`, cut, mend: () => { whole = true; } };
}

// lost: a connection that is cut shows, and heals with all that was missed.
async function lost(world, { link, key, server }) {
  const line = await wire(world, server);
  const page = await world.open();
  await enter(page, link.replace(origin(link), line.address));
  const bar = page.getByText("Connection lost");
  const came = id => page.locator(`[data-otp="${id}"]`).waitFor();
  await page.waitForTimeout(500);
  await came(await send({ key, server }, "+4915112340501"));
  assert.equal(await bar.isVisible(), false, "lost before anything was");

  line.cut();
  const cut = Date.now();
  await bar.waitFor();
  const shown = Date.now() - cut;
  const missed = [];
  for (const to of ["+4915112340502", "+4915112340503", "+4915112340502"]) missed.push(await send({ key, server }, to));
  line.mend();
  const mended = Date.now();
  for (const id of missed) await came(id);
  await bar.waitFor({ state: "hidden" });
  const healed = Date.now() - mended;
  await came(await send({ key, server }, "+4915112340504")); // live again

  // The browser itself goes offline: its network tells it.
  await page.context().setOffline(true);
  await bar.waitFor();
  const more = [await send({ key, server }, "+4915112340505"), await send({ key, server }, "+4915112340505")];
  await sleep(300);
  await page.context().setOffline(false);
  for (const id of more) await came(id);
  await bar.waitFor({ state: "hidden" });
  await came(await send({ key, server }, "+4915112340506"));
  return { shown, healed };
}

// keyboard: the main round without a pointer.
async function keyboard(world, { link }) {
  const page = await world.open();
  await enter(page, link);
  const tabTo = async what => {
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press("Tab");
      if (await page.evaluate(w => {
        const e = document.activeElement;
        const label = e.labels?.[0]?.textContent || e.getAttribute("aria-label") || e.textContent;
        return label.trim().startsWith(w);
      }, what)) {
        const seen = await page.evaluate(() => {
          const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
          return { outline: s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2, inside: r.bottom > 0 && r.top < innerHeight };
        });
        assert.deepEqual(seen, { outline: true, inside: true }, `${what} has no visible focus`);
        return;
      }
    }
    assert.fail(`${what} is not reached with Tab`);
  };
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip", "the first stop is not the skip link");
  await page.keyboard.press("Enter");
  await tabTo("Phone number");
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type("+4915112340600");
  await tabTo("Channel");
  await page.keyboard.press("ArrowDown"); // SMS, then a call
  await page.keyboard.press("ArrowUp");
  await tabTo("Send a test code");
  await page.keyboard.press("Enter");
  await message(page).first().waitFor();
  const code = await codeOf(page);
  await tabTo("Type the code");
  await page.keyboard.type(code);
  await page.keyboard.press("Enter");
  await page.getByTestId("otp-status").filter({ hasText: "VERIFIED" }).waitFor();
  await tabTo("Account");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Sign out" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Sign out" }).waitFor({ state: "hidden" });
  await page.keyboard.press("Enter");
  await tabTo("Sign out");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
}

// withoutScript: the main round with JavaScript off.
async function withoutScript(world, { link }) {
  const page = await world.open({ script: false });
  await page.goto(link);
  await page.getByLabel("What stands behind the # of your link").fill(new URL(link).hash.slice(1));
  await page.getByRole("button", { name: "Go in" }).click();
  await page.getByRole("heading", { name: "Virtual phones" }).waitFor();
  await page.getByLabel("Phone number").fill("+4915112340700");
  await page.getByRole("button", { name: "Send a test code" }).click();
  await until(async () => await message(page).count() > 0 || !await page.reload(), "no message came");
  assert.equal(await page.getByRole("button", { name: "Copy" }).count(), 0, "a button that needs JavaScript shows");
  await page.getByRole("button", { name: "Report undeliverable" }).click();
  await page.getByText("The next messages are accepted, then reported undeliverable.").first().waitFor();
  await page.getByRole("button", { name: "As usual" }).click();
  await page.getByRole("button", { name: "As usual", pressed: true }).waitFor();
  await page.goto(base(link) + "/phones");
  await page.getByLabel("Phone number").fill("+4915112340701");
  await page.getByRole("button", { name: "Send a test code" }).click();
  await until(async () => await message(page).count() > 0 || !await page.reload(), "no message came");
  await page.getByLabel("Type the code").fill(await codeOf(page));
  await page.getByRole("button", { name: "Check the code" }).click();
  await page.getByTestId("otp-status").filter({ hasText: "VERIFIED" }).waitFor();
  await page.getByTestId("account-menu").locator("summary").click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You are signed out.").waitFor();
}

module.exports = { everyWay, firstRun, keyboard, live, lost, orders, withoutScript };
