"use strict";
// Pages that stay open: when their session ends meanwhile, and where the focus
// and a number that was shown are when they change by themselves.
const { createServer } = require("node:http");
const { assert, base, call, enter, send, sleep, told } = require("./world.cjs");

// another opens a second window with the session of the first.
async function another(world, page) {
  const other = await world.open();
  await other.context().addCookies(await page.context().cookies());
  return other;
}

async function signOut(page, link) {
  await page.goto(base(link) + "/otps");
  await page.getByTestId("account-menu").locator("summary").click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You are signed out.").waitFor();
}

// hide tells a page that it is out of sight, or in sight again.
const hide = (page, hidden) => page.evaluate(yes => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => yes });
  document.dispatchEvent(new Event("visibilitychange"));
}, hidden);

// ended: a page whose session ended while it had no connection leads to the
// sign-in page when it has one again.
async function ended(world, { link }) {
  const page = await world.open();
  await page.addInitScript(() => {
    window.streams = [];
    window.EventSource = class extends EventSource {
      constructor(...all) { super(...all); window.streams.push(this); }
    };
  });
  const leads = () => page.getByRole("heading", { name: "Sign in" }).waitFor();
  await enter(page, link);
  await page.waitForFunction(() => window.streams.length === 1 && window.streams[0].readyState === EventSource.OPEN);
  await hide(page, true);
  const open = await page.evaluate(() => {
    dispatchEvent(new Event("online"));
    return window.streams.filter(s => s.readyState !== EventSource.CLOSED).length;
  });
  assert.equal(open, 0, "a hidden page that comes online has a connection");
  await signOut(await another(world, page), link);
  await hide(page, false);
  await leads();
  assert.equal(await page.getByTestId("phone").count(), 0, "the phones are still there");
}

// left: a page that is being left by signing out is not led back by what it had
// asked for before.
async function left(world, { link, key, server }) {
  const page = await world.open();
  await enter(page, link);
  const open = {};
  const gate = name => new Promise(done => { open[name] = done; });
  const over = gate("over"), gone = gate("gone");
  await page.route("**/phones/wall", async route => { await over; await route.fulfill({ status: 401 }); });
  await page.route("**/sign-out", async route => { await gone; await route.continue(); });
  const asked = page.waitForRequest("**/phones/wall"), leaving = page.waitForRequest("**/sign-out");
  await send({ key, server }, "+4915112341600");
  await asked;
  await page.getByTestId("account-menu").locator("summary").click();
  await page.getByRole("button", { name: "Sign out" }).evaluate(b => b.click());
  await leaving;
  const answered = page.waitForResponse("**/phones/wall");
  open.over();
  await answered;
  await sleep(100); // for what the page makes of it
  open.gone();
  await page.getByText("You are signed out.").waitFor();
}

// hung: what a page asked for over a connection that was lost does not keep it
// from what it asks for over the next.
async function hung(world, { link, key, server }) {
  const page = await world.open();
  await enter(page, link);
  await page.route("**/phones/wall", () => {}, { times: 1 }); // never answered
  const asked = page.waitForRequest("**/phones/wall");
  const id = await send({ key, server }, "+4915112341700");
  await asked;
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await page.locator(`[data-otp="${id}"]`).waitFor();
}

// behind: a page that was opened behind others takes a connection no sooner than
// it is in sight; else six of them would leave none for anything else.
async function behind(world, { link }) {
  const page = await world.open();
  await enter(page, link);
  await page.addInitScript(() => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
    window.streams = [];
    window.EventSource = class extends EventSource {
      constructor(...all) { super(...all); window.streams.push(this); }
    };
  });
  await page.reload({ waitUntil: "load" }); // its scripts have run
  assert.equal(await page.evaluate(() => window.streams.length), 0, "a page out of sight has a connection");
  await hide(page, false);
  await page.waitForFunction(() => window.streams.length === 1 && window.streams[0].readyState === EventSource.OPEN);
}

// expired: likewise in sight of a person, whose network was gone.
async function expired(world, { link }) {
  const page = await world.open();
  await enter(page, link);
  const other = await another(world, page);
  await page.context().setOffline(true);
  await page.getByText("Connection lost").waitFor();
  await signOut(other, link);
  await page.context().setOffline(false);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
}

// asked: a link on another site does not replace the session unasked.
async function asked(world, { link, other }) {
  const page = await world.open();
  await enter(page, link);
  const site = createServer((_, answer) => {
    answer.setHeader("Content-Type", "text/html");
    answer.end(`<title>Elsewhere</title><a href="${other}">A link</a>`);
  });
  await new Promise(done => site.listen(0, "127.0.0.1", done));
  world.ends.push(() => new Promise(done => { site.closeAllConnections(); site.close(done); }));
  await page.goto(`http://localhost:${site.address().port}/`); // another site than 127.0.0.1
  await page.getByRole("link", { name: "A link" }).click();
  await page.getByText("You are signed in already.").waitFor();
  await page.goto(base(link) + "/otps");
  await page.getByTestId("account-menu").getByText("owner of default").waitFor({ state: "attached" });
  // Asked, and told yes, it does.
  await page.goto(`http://localhost:${site.address().port}/`);
  await page.getByRole("link", { name: "A link" }).click();
  await page.getByText("You are signed in already.").waitFor();
  await page.getByRole("button", { name: "Go in" }).click();
  await page.getByTestId("account-menu").getByText("support of default").waitFor({ state: "attached" });
  // What is no link is refused as any other, not by a script that fails.
  const stranger = await world.open();
  await stranger.goto(base(link) + "/enter#%E0%A4%A");
  await stranger.getByText("This link was used before or is too old").first().waitFor();
}

// at is what has the focus.
const at = page => page.evaluate(() => {
  const e = document.activeElement;
  return [e.closest("[data-testid=phone]")?.getAttribute("aria-label"), e.textContent.trim()].filter(Boolean).join(": ");
});

// focus: it stays where it was, whatever changes around it.
async function focus(world, { link, key, server }) {
  const first = "+4915112341100", second = "+4915112341101";
  const page = await world.open();
  await enter(page, link);
  const came = id => page.locator(`[data-otp="${id}"]`).waitFor();
  await came(await send({ key, server }, first));
  const phone = page.getByTestId("phone").filter({ hasText: first });
  await phone.getByRole("link", { name: "Open this phone" }).focus();
  await came(await send({ key, server }, second));
  assert.equal(await at(page), `Phone ${first}: Open this phone`, "on the wall, after another phone came");
  const names = await page.getByTestId("phone").evaluateAll(all => all.map(p => p.getAttribute("aria-label")));
  assert.equal(new Set(names).size, names.length, `phones of one name: ${names}`);

  await page.keyboard.press("Enter");
  const button = name => page.getByRole("button", { name });
  await button("Arrive late").focus();
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Arrive late", pressed: true }).waitFor();
  assert.equal(await at(page), `Phone ${first}: Arrive late`, "after it was pressed");
  await button("As usual").focus();
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "As usual", pressed: true }).waitFor();
  await came(await send({ key, server }, first));
  assert.equal(await at(page), `Phone ${first}: As usual`, "after a message came");
}

// shown: a number that support asked to see has the focus, and stays as it is
// when the page changes; the others stay masked.
async function shown(world, { link, support, key, server }) {
  const to = "+4915112341200";
  const page = await world.open();
  await enter(page, support);
  const came = id => page.locator(`[data-otp="${id}"]`).waitFor();
  const id = await send({ key, server }, to);
  await came(id);
  const phone = page.getByTestId("phone").filter({ has: page.locator(`[data-otp="${id}"]`) });
  await phone.getByRole("button", { name: "Show" }).focus();
  await page.keyboard.press("Enter");
  await phone.getByText(to).waitFor();
  assert.equal(await at(page), `Phone +49…00: ${to}`, "on the wall");
  await came(await send({ key, server }, "+4915112341300")); // looks the same when masked
  assert.equal(await page.getByText(to).count(), 1, "the number on the wall, after another phone came");
  assert.equal(await at(page), `Phone +49…00: ${to}`, "on the wall, after another phone came");

  await page.goto(base(link) + "/otps/" + id);
  await page.getByRole("button", { name: "Show" }).focus();
  await page.keyboard.press("Enter");
  await page.getByText(to).waitFor();
  assert.equal(await at(page), to, "on the page of an OTP");
  await call({ key, server }, "POST", `/2fa/v4/otp/${id}/validate`, { otpCode: "000000" });
  await page.getByText("A wrong code was typed").waitFor();
  assert.equal(await page.getByText(to).count(), 1, "an event masks the number again");
  assert.equal(await at(page), to, "on the page of an OTP, after an event");
  await page.getByRole("link", { name: "Open its phone" }).click();
  await came(id);
}

// held: a phone's button that is held down, by the space bar or the pointer, does
// what it says when it is let go, though a message or the answer to another
// button comes meanwhile.
async function held(world, { link, key, server }) {
  const to = "+4915112341500";
  const page = await world.open();
  await enter(page, link);
  const id = await send({ key, server }, to);
  const phone = page.getByTestId("phone").filter({ has: page.locator(`[data-otp="${id}"]`) });
  await phone.getByRole("link", { name: "Open this phone" }).click();
  const button = name => page.getByRole("button", { name }), is = name => page.getByRole("button", { name, pressed: true }).waitFor();
  await button("Arrive late").focus();
  await page.keyboard.down("Space");
  await told(page, "/screen", html => html.split("data-message=").length > 2, () => send({ key, server }, to));
  await page.keyboard.up("Space");
  await is("Arrive late");
  await page.locator("[data-message]").nth(1).waitFor();

  let answer;
  const answered = new Promise(done => { answer = done; });
  await page.route("**/order", async route => { await answered; await route.continue(); }, { times: 1 });
  const asked = page.waitForRequest("**/order");
  await button("Report nothing").click();
  await asked;
  await button("As usual").hover();
  await page.mouse.down();
  await told(page, "/order", () => true, answer);
  await page.mouse.up();
  await is("As usual");
}

// pressed: what somebody presses is not lost where the page changes between
// press and release, or before the answer comes.
async function pressed(world, { link, support, key, server }) {
  await held(world, { link, key, server });
  const to = "+4915112341400";
  const page = await world.open();
  await enter(page, support);
  const id = await send({ key, server }, to);
  await page.locator(`[data-otp="${id}"]`).waitFor();
  await page.goto(base(link) + "/otps/" + id);
  let answer;
  const answered = new Promise(done => { answer = done; });
  await page.route("**/unmask", async route => { await answered; await route.continue(); });
  // wrong is over when the page asked what changed, was told, and had the time to show it.
  const wrong = async left => {
    await told(page, "/story", html => html.includes(left), () => call({ key, server }, "POST", `/2fa/v4/otp/${id}/validate`, { otpCode: "000000" }));
  };
  await page.getByRole("button", { name: "Show" }).hover();
  await page.mouse.down();
  await wrong("2 attempts are left");
  const asked = page.waitForRequest("**/unmask");
  await page.mouse.up();
  await asked;
  await wrong("1 attempt is left");
  answer();
  await page.getByText(to).waitFor();
  await page.getByText("1 attempt is left").waitFor();
  assert.equal(await page.getByText(to).count(), 1, "what changed masks the number again");
}

module.exports = { asked, behind, ended, expired, focus, hung, left, pressed, shown };
